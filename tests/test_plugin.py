"""A package of somebody else's, `examples/plugin`: installed, used for everything, and uninstalled again."""

import importlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serprep import plugins
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store.convert import convert
from serprep.store.store import open_store
from serprep.store.verify import verify
from serprep.testing import synthetic_utterance

EXAMPLE = Path(__file__).parents[1] / "examples/plugin"
LETTERS = {"A": "angry", "N": "neutral"}
RECIPE = """\
[dataset]
path = "stores"

[corpus]
reader = "playground"
root = "corpus"

[features.functionals]
enabled = false

[features.spectrum]
hop_length = 160

[features.segments]
short = { length = 30, hop = 20 }

[split]
protocol = "group-k-fold"
folds = 3

[train]
systems = ["attention", "majority"]
epochs = 2
seeds = [0]
batch_size = 4

[train.attention]
units = 8
"""


def recipe(folder, *, lacking=(), of="logmel", **train):
    """The recipe, without some kinds of feature, with segments of another, or with another training."""
    values = tomllib.loads(RECIPE)
    for table in lacking:
        del values["features"][table]
    values["features"] |= {"logmel": {"enabled": of == "logmel"}}
    values["features"]["segments"]["short"]["of"] = of
    values["train"] |= train
    if train:
        del values["train"]["attention"]
    return recipe_from(values, folder=folder, name="playground")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the package in it, installed as anybody would; the environment stays as it is."""
    folder = tmp_path_factory.mktemp("site")
    source = shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", "-q", *offline, "--target", folder / "packages", source]
    installed = subprocess.run(command, capture_output=True, text=True)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return folder / "packages"


@pytest.fixture(scope="module")
def package(site):
    """A function that installs the package into this process, or uninstalls it again."""

    def change(install):
        for name in [name for name in sys.modules if name.split(".")[0] == "speechlab"]:
            del sys.modules[name]
        if install:
            sys.path.append(str(site))
        elif str(site) in sys.path:
            sys.path.remove(str(site))
        importlib.invalidate_caches()
        plugins.plugged.cache_clear()

    yield change
    change(False)


@pytest.fixture(scope="module")
def used(package, tmp_path_factory):
    """A folder in which everything was done while the package was there: stores, experiments, what was said."""
    from helpers.inline import Inline
    from serprep_models.experiments import run_experiments

    folder = tmp_path_factory.mktemp("playground")
    for speaker in (1, 2, 3):
        for letter, emotion in LETTERS.items():
            for text in (1, 2):
                path = folder / f"corpus/s{speaker}/{text}-{letter}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, synthetic_utterance(speaker=speaker, emotion=emotion, text=text), 16_000)
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    package(True)
    own, pool = recipe(folder), Inline()
    built = build(own, pool=pool)
    place = built.store
    assert build(own, pool=pool).computed == 0
    outcome = run_experiments(own, open_store(place), pool=pool)
    other = convert(place, folder / "converted.h5", quiet=True)
    verified = [verify(path, against_audio=folder / "corpus").problems for path in (place, other.path)]
    yield folder, built, outcome, verified
    package(False)


@pytest.fixture
def installed(used, package):
    package(True)
    yield used
    package(False)


@pytest.fixture
def uninstalled(used, package):
    package(False)
    return used


# -- installed -----------------------------------------------------------------------


def test_it_is_small():
    files = [path for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml")]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= 150


def test_the_page_that_walks_through_it_shows_its_files():
    page = (EXAMPLE.parents[1] / "docs/extending.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    files = [path.read_text(encoding="utf-8") for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml")]
    assert set(filter(None, files)) <= set(shown)


def test_its_corpus_and_feature_are_in_the_store_as_it_says(installed):
    folder, built, _, verified = installed
    assert built.computed == 12 and built.warnings == () and verified == [(), ()]
    stores = [open_store(built.store), open_store(folder / "converted.h5")]
    assert [store.version for store in stores] == [built.version] * 2
    for store in stores:
        assert store.ids[0] == "s1_1_A" and store.labels == ("angry", "neutral")
        assert store.names("spectrum") == ["centroid", "flux"]
        samples, _ = soundfile.read(folder / "corpus/s1/1-A.wav")
        values = store.values("spectrum", 0)
        assert values.shape == (1 + (len(samples) - 400) // 160, 2)
        assert values[:, 0].min() > 0 and values[:, 0].max() < 8000 and values[0, 1] == 0


def test_its_centroid_of_a_tone_is_its_frequency_and_a_steady_tone_has_no_flux(installed):
    from serprep.audio.signal import Signal
    from serprep.features.kinds import kind_of

    kind = kind_of("spectrum")
    tone = np.sin(2 * np.pi * 2000 * np.arange(4000) / 16_000).astype(np.float32)
    values = kind.extractor(kind.config(), Signal())(tone)
    assert np.allclose(values, [2000, 0], atol=[5, 1e-3])


def test_its_system_gives_every_utterance_what_it_gives_it_alone(installed):
    import torch

    from serprep.systems import SYSTEMS
    from serprep_models.system import Batch

    spec = SYSTEMS["attention"]
    torch.manual_seed(0)
    network = spec.make(spec.options(units=5), {"short": (3, 4)}, 2)
    x, counts = torch.randn(9, 3, 4), torch.tensor([1, 6, 2])
    together = network(Batch({"short": x}, {"short": counts}, torch.zeros(3)))
    for row, own in enumerate(x.split(counts.tolist())):
        alone = network(Batch({"short": own}, {"short": counts[row : row + 1]}, torch.zeros(1)))
        assert torch.allclose(together[row], alone[0], atol=1e-6)
        vectors = torch.tanh(own.flatten(1) @ network.vectors[1].weight.T + network.vectors[1].bias)
        weights = torch.exp(vectors @ network.scores.weight[0] + network.scores.bias)  # the slow reference
        mean = sum(w * v for w, v in zip(weights, vectors, strict=True)) / weights.sum()
        assert torch.allclose(network.out(mean), together[row], atol=1e-6)


def test_its_three_folds_are_trained_and_predict_in_its_form(installed, serprep):
    folder, built, outcome, _ = installed
    assert sorted(entry.fold for entry in outcome.results if entry.system == "attention") == ["1", "2", "3"]
    checkpoints = outcome.folder / "attention"
    said = serprep("predict", checkpoints, "corpus/s1/1-A.wav", "corpus/s2", "--format", "tsv", cwd=folder)
    head, *lines = said.stdout.splitlines()
    assert said.returncode == 0 and head == "id\tlabel\tprobability" and len(lines) == 5
    assert all(line.split("\t")[1] in LETTERS.values() and 0.5 <= float(line.split("\t")[2]) <= 1 for line in lines)
    same = serprep("predict", checkpoints, built.store, "--format", "tsv", cwd=folder).stdout
    assert len(same.splitlines()) == 13


def test_commands_know_it(installed, serprep):
    folder, *_ = installed
    assert "Playground" in serprep("corpora").stdout
    assert "reader       playground" in serprep("init", "corpus", "-o", "guessed.toml", cwd=folder).stdout
    said = serprep("features", "corpus/s1/1-A.wav", "--set", "spectrum", "-o", "table.csv", cwd=folder)
    assert said.returncode == 0, said.stderr
    assert (folder / "table.csv").read_text().splitlines()[0] == "file,start,centroid,flux"


# -- uninstalled ---------------------------------------------------------------------

WITHOUT = r"install that \(.* without\)$"


def refused(serprep, *words, cwd):
    """The one line that a command ends with."""
    said = serprep(*words, cwd=cwd)
    lines = [line for line in said.stderr.splitlines() if not line.startswith("note:")]
    assert said.returncode == 1 and said.stdout == "" and len(lines) == 1 and "Traceback" not in said.stderr, said
    return lines[0]


@pytest.mark.parametrize("command", ["build", "train", "run", "split", "report"])
def test_a_recipe_that_names_its_kind_is_one_line(uninstalled, serprep, command):
    words = ["-o", "split.json"] if command == "split" else []
    line = refused(serprep, command, "recipe.toml", *words, cwd=uninstalled[0])
    assert re.search(r"\[features\] unknown key 'spectrum'; expected one of segments, logmel.*" + WITHOUT, line)


def test_a_recipe_that_names_its_system_or_its_reader_is_one_line(uninstalled, serprep):
    folder, *_ = uninstalled
    text = (folder / "recipe.toml").read_text(encoding="utf-8").replace("[features.spectrum]\nhop_length = 160\n", "")
    (folder / "system.toml").write_text(text, encoding="utf-8")
    line = refused(serprep, "train", "system.toml", cwd=folder)
    assert re.search(r"\[train\] systems: 'attention'; expected some of plain-crnn.*" + WITHOUT, line)
    (folder / "reader.toml").write_text(text[: text.index("[train]")], encoding="utf-8")
    line = refused(serprep, "build", "reader.toml", cwd=folder)
    assert re.search(r"unknown reader 'playground'; expected one of audformat.*" + WITHOUT, line)


def test_its_form_its_kind_and_its_checkpoints_are_one_line_each(uninstalled, serprep):
    folder, built, outcome, _ = uninstalled
    checkpoint = outcome.folder / "attention/fold-01/seed-0"
    line = refused(serprep, "predict", checkpoint, "corpus/s1/1-A.wav", "--format", "tsv", cwd=folder)
    assert re.search(r"unknown form 'tsv'; expected one of csv, .*; .* If another package.*" + WITHOUT, line)
    for source in ("corpus/s1/1-A.wav", built.store):
        line = refused(serprep, "predict", checkpoint, source, cwd=folder)
        assert re.search(r"seed-0: unknown system 'attention'; expected one of plain-crnn.*" + WITHOUT, line)
    line = refused(serprep, "onnx", checkpoint, "x.onnx", cwd=folder)
    assert re.search(r"unknown system 'attention'.*" + WITHOUT, line)
    line = refused(serprep, "features", "corpus/s1/1-A.wav", "--set", "spectrum", "-o", "other.csv", cwd=folder)
    assert re.search(r"no feature set 'spectrum'; expected one of logmel.*" + WITHOUT, line)


@pytest.mark.parametrize("container", ["zarr", "hdf5"])
def test_a_store_without_the_package_is_read_converted_and_verified_but_for_its_kind(uninstalled, serprep, container):
    folder, built, *_ = uninstalled
    place = built.store if container == "zarr" else str(folder / "converted.h5")
    assert "spectrum/values" in serprep("info", place).stdout
    assert serprep("verify", place).returncode == 0
    said = serprep("verify", place, "--against-audio", folder / "corpus")
    problem, verdict, unchecked = said.stdout.splitlines()
    assert unchecked == "could not be checked here: spectrum"
    assert problem == (
        "not checked: spectrum: the kind of feature 'spectrum' came from the package speechlab 0.3.0, which is not "
        "installed: install it to compute, verify or predict; reading, training and converting work without"
    )
    assert verdict.startswith("whole: ") and verdict.endswith(", 12 utterances recomputed, 1 problems")
    again = convert(place, folder / ("again.h5" if container == "zarr" else "again.zarr"), quiet=True)
    assert again.version == built.version and verify(again.path).problems == ()
    assert np.array_equal(again.values("spectrum", 3), open_store(place).values("spectrum", 3))


def test_the_store_is_split_audited_listed_and_reported_without_the_package(uninstalled, serprep):
    folder, built, *_ = uninstalled
    assert serprep("split", built.store, "-o", "split.json", cwd=folder).returncode == 0
    assert serprep("audit", built.store, "split.json", cwd=folder).returncode == 0
    assert serprep("diff", built.store, "converted.h5", cwd=folder).stdout.startswith("no difference")
    assert built.version[:12] in serprep("log", "stores", cwd=folder).stdout
    assert serprep("gc", "stores", cwd=folder).returncode == 0
    assert "attention" in serprep("experiments", "stores", cwd=folder).stdout
    assert serprep("report", built.store, "-o", "page.html", cwd=folder).returncode == 0


def test_another_system_is_trained_on_the_store_and_predicts_without_the_package(uninstalled, inline, serprep):
    from serprep_models.experiments import run_experiments

    folder, built, *_ = uninstalled
    own = recipe(folder, lacking=["spectrum"], systems=["plain-crnn"], epochs=1)
    outcome = run_experiments(own, open_store(built.store), pool=inline, folds=["1"])
    for source in ("corpus/s1/1-A.wav", built.store):
        said = serprep("predict", outcome.folder / "plain-crnn", source, cwd=folder)
        assert said.returncode == 0, said.stderr


def test_a_system_of_ours_on_its_kind_predicts_stores_without_and_recordings_only_with_the_package(
    installed, package, inline, serprep
):
    from serprep_models.experiments import run_experiments

    folder, *_ = installed
    own = recipe(folder, of="spectrum", systems=["plain-crnn"], epochs=1)
    built = build(own, pool=inline)
    outcome = run_experiments(own, open_store(built.store), pool=inline, folds=["1"])
    words = ["predict", outcome.folder / "plain-crnn", built.store]
    before = serprep(*words, cwd=folder).stdout
    package(False)
    assert serprep(*words, cwd=folder).stdout == before and len(before.splitlines()) == 13
    line = refused(serprep, "predict", outcome.folder / "plain-crnn", "corpus/s1/1-A.wav", cwd=folder)
    assert line.startswith("Error: the kind of feature 'spectrum' came from the package speechlab 0.3.0, which is not")
