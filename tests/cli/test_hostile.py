"""Whatever a store, a table or a folder is called: no command hands a terminal anything it would obey."""

import json
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.inline import Inline
from serprep.cache.parts import Cache
from serprep.manifest.look import look
from serprep.manifest.table import make_manifest
from serprep.pipeline.extract import compute_features
from serprep.recipe import recipe_from
from serprep.store.pack import pack
from serprep.utterance import Utterance

EVIL = "\x1b]0;owned\x07\x1b[2J\r\n\x9b31m\u202egpj.\u2066\x00\x7f\u2028x"
NAME = EVIL.replace("\0", "")  # what a file can be called
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Two versions of a data set, every text in them hostile, in a folder whose name is."""
    root = tmp_path_factory.mktemp("hostile")
    folder = root / f"set{NAME}"
    (root / "corpus").mkdir()
    recipe = recipe_from(
        {
            "dataset": {"path": str(folder)},
            "corpus": {"reader": "pattern", "root": str(root / "corpus"), "pattern": "{text}.wav"},
            "features": {"functionals": {"enabled": False}},
        },
        folder=root,
        name="x",
    )
    for i in range(3):
        soundfile.write(root / "corpus" / f"{i}.wav", 0.1 * np.random.default_rng(i).normal(size=8000), 16_000)
    stores = []
    for version in range(2):
        rows = [
            Utterance(
                id=f"u{i}{EVIL}",
                path=f"{i}.wav",
                speaker=f"s{i - version}{EVIL}",
                emotion=f"e{i * version}{EVIL}",
                extra={"note": EVIL},
            )
            for i in range(3)
        ]
        names = ("corpus", "release", "licence", "source", "reader", EVIL)
        manifest = make_manifest(rows, {name: f"{name} {EVIL}" for name in names}, as_written=True)
        looked = look(manifest, root / "corpus").manifest
        cache = Cache(f"{folder}/cache")
        computed = compute_features(
            looked.utterances,
            recipe.features,
            root=recipe.root,
            cache=cache,
            pool=Inline(),
            batch_size=None,
            retry=False,
            quiet=True,
        )
        packed = pack(
            make_manifest(computed.utterances, manifest.info, as_written=True),
            computed.origins,
            dataset=str(folder),
            labels=sorted({row.emotion for row in rows}),
            features=recipe.features,
            config=recipe.store,
            pool=Inline(),
        )
        about = {"number": version + 1, "built": EVIL, "warnings": [EVIL]}
        (folder / "versions" / f"{packed.version}.build.json").write_text(json.dumps(about))
        stores.append(Path(packed.path))
    then = time.time() - 3 * 24 * 3600
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, (then, then))
    return folder, stores


def check(done, *, status=(0,)):
    assert done.returncode in status, done.stderr
    said = done.stdout + done.stderr
    assert not CONTROL.search(said), repr(CONTROL.search(said)) + repr(said[:2000])
    assert "Traceback" not in said


def test_no_command_prints_what_a_terminal_obeys(serprep, hostile, tmp_path):
    folder, stores = hostile
    damaged = Path(shutil.copytree(folder, tmp_path / "set\x1b[31m"))
    broken = damaged / "versions" / stores[0].name
    for path in [broken, *broken.rglob("*")]:
        path.chmod(0o700)
    (broken / "utterances" / "emotion" / "c" / "0").write_bytes(b"x")
    (broken / f"extra{NAME}").write_bytes(b"x")
    for json_too in ([], ["--json"]):
        for words in (
            ["info", folder],
            ["info", stores[0]],
            ["info", folder.parent],
            ["log", folder],
            ["tag", folder, stores[0].stem, f"v{len(json_too)}"],
            ["tag", folder, stores[0].stem, f"v{len(json_too)}"],
            ["diff", stores[0], stores[1]],
            ["gc", folder],
            ["gc", "--cache", folder / "cache"],
            ["verify", stores[1]],
            ["convert", stores[1], tmp_path / f"copy{len(json_too)}\x1b[31m.h5"],
            ["corpora"],
        ):
            check(serprep(*words, *json_too))
        check(serprep("verify", broken, *json_too), status=(1,))
        check(serprep("info", broken, *json_too), status=(0, 1))
        check(serprep("log", damaged, *json_too))
        for words in (
            ["info", f"{folder}@nosuch"],
            ["info", tmp_path / f"no{NAME}"],
            ["log", tmp_path / f"no{NAME}"],
            ["tag", folder, "latest", f"v{NAME}"],
            ["tag", folder, f"v{NAME}", "v9"],
            ["diff", stores[0], f"{folder}@{NAME}"],
            ["gc", tmp_path / f"no{NAME}"],
            ["gc", "--cache", tmp_path / f"no{NAME}"],
            ["verify", f"{folder}@0123456789"],
            ["convert", stores[0], tmp_path / f"{NAME}.zip"],
            ["verify", stores[0], "--against-audio", tmp_path / f"no{NAME}"],
        ):
            check(serprep(*words, *json_too), status=(1,))


def test_what_is_shown_is_all_of_it(serprep, hostile):
    said = serprep("info", hostile[1][0]).stdout
    assert "licences     recordings: licence \\x1b]0;owned\\x07" in said and "\\u202egpj" in said
    about = json.loads(serprep("info", hostile[1][0], "--json").stdout)
    assert about["corpus"]["licence"] == f"licence {EVIL}"
