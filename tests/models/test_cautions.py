"""What a run must tell of its scores: leaks, label conflicts, speakers that tell the class."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from serprep import make_manifest
from serprep.errors import TrainError
from serprep.recipe import TrainConfig
from serprep.split import make_split
from serprep.testing import write_synthetic_corpus
from serprep_models.cautions import audited, confounded

RECIPE = """
[dataset]
path = "data"
[corpus]
reader = "pattern"
root = "corpus"
pattern = "{emotion}/{speaker}_{text}_{take}.wav"
[features.functionals]
enabled = false
[split]
protocol = "leave-one-group-out"
[train]
systems = ["majority"]
seeds = [0]
"""
SPEAKER = TrainConfig(standardisation="speaker")
MIXED = (["a", "a", "b", "b"] * 10, ["sad", "angry"] * 20)
APART = (["a\x1b", "b"] * 20, ["sad", "angry"] * 20)
PARTLY = (["a", "b"] * 20, ["sad", "angry"] * 15 + ["angry", "sad"] * 5)  # 1 - H(1/4) = 0.19 of the entropy


def test_statistics_of_speakers_are_refused_where_speakers_are_classes():
    assert confounded(*MIXED, how=SPEAKER) == ()
    assert confounded(*APART, how=TrainConfig()) == ()
    with pytest.raises(
        TrainError, match=r"100\.0 % of the class entropy .*a\\x1b \(only sad\).*allow_confounded = true"
    ):
        confounded(*APART, how=SPEAKER)
    (warning,) = confounded(*APART, how=dataclasses.replace(SPEAKER, allow_confounded=True))
    assert "b (only angry)" in warning and "\x1b" not in warning
    (warning,) = confounded(*PARTLY, how=SPEAKER)
    assert "tells 18.9 % of the class entropy" in warning and "partly the class: a (sad 15, angry 5)" in warning
    numbers = dataclasses.replace(SPEAKER, target=("arousal",), scales={"arousal": (1, 5)})
    assert confounded(*PARTLY, how=numbers) == ()
    assert confounded(*PARTLY, how=dataclasses.replace(numbers, emotion_weight=0.5)) == (warning,)


@pytest.fixture(scope="module")
def leaking(tmp_path_factory) -> Path:
    """One recording stands under two speakers and two labels."""
    folder = tmp_path_factory.mktemp("leaking")
    write_synthetic_corpus(folder / "corpus", n_speakers=2, n_texts=1)
    shutil.copy(folder / "corpus/sad/synth01_t01_1.wav", folder / "corpus/angry/synth02_t01_1.wav")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return folder


LEAK = (
    "the split leaks: byte-identical recordings on both sides (1), such as angry/synth02_t01_1 = sad/synth01_t01_1 "
    "(2 of 8 scored utterances)"
)
CONFLICT = (
    "label conflict: recordings under two labels (1), such as angry/synth02_t01_1 (angry) = sad/synth01_t01_1 (sad)"
)


def test_a_leak_and_a_label_conflict_are_told_everywhere(leaking, serprep):
    for words in (("run", "recipe.toml"), ("train", "recipe.toml")):
        done = serprep(*words, "--json", "--workers", "1", cwd=leaking)
        found = json.loads(done.stdout)
        assert done.returncode == 0
        for text in (LEAK, CONFLICT):
            assert any(warning.startswith(text) for warning in found["warnings"])
            assert f"warning: {text}" in done.stderr
        assert {"bytes", "label-conflict"} <= {row["kind"] for row in found["audit"]}
        assert found["best"]["system"] is None
    page = next(leaking.glob("data/experiments/*/report.html")).read_text(encoding="utf-8")
    assert LEAK in page[: page.index("<h1>")] and CONFLICT in page[: page.index("<h1>")]
    results = json.loads(next(leaking.glob("data/experiments/*/results.json")).read_bytes())
    assert len(results["warnings"]) == 2
    told = serprep("run", "recipe.toml", cwd=leaking)
    assert f"warning: {LEAK}" in told.stderr
    serprep("manifest", "pattern", "corpus", "-o", ".", "--pattern", RECIPE.split('"')[7], cwd=leaking)
    done = serprep("split", "utterances.csv", "--json", cwd=leaking)
    assert f"warning: {LEAK}" in done.stderr
    assert [warning.partition(":")[0] for warning in json.loads(done.stdout)["warnings"]] == [
        "the split leaks",
        "label conflict",
    ]


def test_rows_that_the_store_lacks_are_not_audited(small):
    recipe, store = small
    manifest = store.manifest()
    fewer = make_manifest(manifest.utterances[:-1], manifest.info)
    found = audited(fewer, make_split(manifest, recipe.split))
    assert found.n_utterances == len(store) - 1 and found.warnings == ()


def test_a_refused_training_computes_nothing(serprep, tmp_path):
    write_synthetic_corpus(tmp_path / "corpus", n_speakers=4, n_texts=4)
    for path in tmp_path.glob("corpus/*/*"):  # two speakers are angry or happy, two neutral or sad
        if (path.name[:7] in ("synth01", "synth02")) != (path.parent.name in ("angry", "happy")):
            path.unlink()
    text = RECIPE.replace('["majority"]', '["plain-crnn"]') + 'standardisation = "speaker"\n'
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")
    done = serprep("run", "recipe.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "tells 50.0 % of the class entropy" in done.stderr  # one bit of two
    assert "allow_confounded = true" in done.stderr and "synth01 (angry 4, happy 4)" in done.stderr
    assert not (tmp_path / "data").exists()
