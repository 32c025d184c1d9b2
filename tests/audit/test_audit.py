"""A whole audit: what is read, matched, found and handed back."""

import json
import warnings

import pytest
import soundfile

import serprep
from serprep import Split, Utterance, audit_split, make_manifest, make_split, write_split
from serprep.audit import LEAKS
from serprep.errors import CorpusError, SplitError
from serprep.split import Assignment, SplitConfig
from serprep.testing import synthetic_utterance


def manifest(n_speakers=3, n=4):
    return make_manifest(
        Utterance(id=f"s{s}_{i}", path=f"wav/s{s}_{i}.wav", speaker=f"s{s}", emotion="xy"[i % 2])
        for s in range(n_speakers)
        for i in range(n)
    )


def test_our_own_splits_do_not_leak(tmp_path):
    for config in (SplitConfig(), SplitConfig(dev_groups=1), SplitConfig(protocol="group-k-fold", folds=3)):
        split = make_split(manifest(), config)
        for given in (split, write_split(split, tmp_path / "split.json")):
            found = audit_split(manifest(), given)
            assert found.leaks == ()
            assert (found.n_utterances, found.n_scored, found.n_compared) == (12, 12, 0)
            assert {one.severity for one in found.findings} == {"info"}


def leaking():
    rows = {
        row.id: Assignment(row.speaker, "", (("train", "test")[i % 2],)) for i, row in enumerate(manifest().utterances)
    }
    return Split(protocol="list", group="", seed=0, folds=("1",), utterances=rows)


def test_a_leak_fails_unless_it_is_allowed():
    found = audit_split(manifest(), leaking())
    assert [(one.kind, one.count, one.n_utterances) for one in found.leaks] == [("speaker", 3, 6)]
    allowed = audit_split(manifest(), leaking(), allow=["speaker"])
    assert allowed.leaks == ()
    assert allowed.findings == found.findings
    with pytest.raises(SplitError, match=f"no kind of leak is called 'text'; expected {', '.join(LEAKS)}"):
        audit_split(manifest(), leaking(), allow=["text"])


def test_json_holds_what_is_promised():
    values = json.loads(json.dumps(audit_split(manifest(), leaking(), allow=["bytes"]).to_json(), allow_nan=False))
    assert values["ok"] is False
    speaker = values["findings"][0]
    assert {name: speaker[name] for name in ("kind", "severity", "fold", "count", "of", "examples")} == {
        "kind": "speaker",
        "severity": "leak",
        "fold": "1",
        "count": 3,
        "of": 3,
        "examples": ["s0", "s1", "s2"],
    }
    assert (speaker["n_utterances"], speaker["n_scored"], speaker["sides"]) == (6, 6, "train, test")


def test_names_alone(tmp_path):
    (tmp_path / "train.txt").write_text("emodb-03a01Wa\n")
    (tmp_path / "test.txt").write_text("emodb-03a02Na\nemodb-08a01Wa\n")
    found = audit_split("emodb", tmp_path)
    assert [(one.kind, one.things, one.n_utterances, one.n_scored) for one in found.leaks] == [
        ("speaker", ("03",), 1, 2)
    ]
    assert found.notes == ("no manifest: speakers come from the names; 3 utterances are listed, 535 are published",)
    with pytest.raises(CorpusError, match="unknown reader 'emo-db'"):
        audit_split("emo-db", tmp_path)
    with pytest.raises(SplitError, match=r"names of .* do not tell the speaker; give a manifest \(.*emodb, .*ravdess"):
        audit_split("table", tmp_path)


def test_one_side_alone_is_said(tmp_path):
    (tmp_path / "train.txt").write_text("03a01Wa\n")
    assert audit_split("emodb", tmp_path).notes[-1] == "fold 'fixed' has no test side: nothing is compared there"


def test_copies_under_other_speakers_are_found_by_their_sound(tmp_path):
    (tmp_path / "wav").mkdir()
    for i, row in enumerate(manifest().utterances):
        samples = synthetic_utterance(speaker=i // 4, emotion="neutral", text=i % 4)
        soundfile.write(tmp_path / row.path, samples, 16_000)
    samples, rate = soundfile.read(tmp_path / "wav/s0_0.wav")
    soundfile.write(tmp_path / "wav/s1_0.wav", 0.3 * samples[700:], rate)
    found = audit_split(manifest(), make_split(manifest(), SplitConfig()), audio=tmp_path)
    assert found.n_compared == 12
    assert [(one.kind, one.fold) for one in found.leaks] == [("sound", "s0"), ("sound", "s1")]
    assert found.leaks[0].things[0].startswith("s0_0 = s1_0 (0.9")


# -- real splits and recordings ------------------------------------------------------


@pytest.mark.parametrize(
    ("reader", "folder", "n_speakers", "n_folds", "n"),
    [
        ("emodb", "emodb", 10, 5, 535),
        ("crema_d", "cremad", 91, 1, 1856),
        ("ravdess", "ravdess", 0, 6, 1440),
        ("emovo", "emovo", 0, 6, 588),
        ("iemocap", "iemocap", 0, 5, 5531),
    ],
)
def test_the_published_splits(corpora, reader, folder, n_speakers, n_folds, n):
    found = audit_split(reader, corpora / "published_splits/emobox" / folder)
    assert (len(found.folds), found.n_scored) == (n_folds, n)
    if not n_speakers:
        assert found.leaks == ()
        return
    assert {one.kind for one in found.leaks} == {"speaker"}
    assert [one.count for one in found.leaks] == [n_speakers] * n_folds
    assert sum(one.n_utterances for one in found.leaks) == n
    assert not any(one.kind in ("unmatched", "missing", "doubled") for one in found.findings)


def test_the_prefix_taken_for_the_speaker(corpora, tmp_path):
    lines = (corpora / "iemocap/turns.csv").read_text().splitlines()[1:]
    turns = [cells for cells in (line.split(",") for line in lines) if cells[5] in ("ang", "hap", "exc", "neu", "sad")]
    rows = [f"{cells[0]},{cells[0][:6]},{cells[0][:6]}" for cells in turns]
    (tmp_path / "prefix.csv").write_text("\n".join(["id,speaker,fold", *rows]) + "\n")
    found = audit_split("iemocap", tmp_path / "prefix.csv")
    speaker = next(row for row in found.summary if row["kind"] == "speaker")
    assert (speaker["severity"], speaker["count"], speaker["of"]) == ("leak", 10, 10)
    assert (speaker["n_utterances"], speaker["n_scored"]) == (5531, 5531)
    wrong = next(one for one in found.findings if one.kind == "other-speaker")
    assert wrong.count == sum(cells[0][:6] != cells[3] for cells in turns) == 2750


@pytest.mark.slow
def test_the_byte_identical_pair_of_ravdess(corpora, tmp_path):
    names = [path.stem for path in sorted((corpora / "ravdess").glob("Actor_07/*.flac"))]
    pair = "03-01-03-01-02-01-07 = 03-01-03-01-02-02-07"
    (tmp_path / "takes.csv").write_text(
        "\n".join(["file,split", *(f"{name}.wav,{'train' if name[15:17] == '01' else 'test'}" for name in names)])
    )
    found = audit_split("ravdess", tmp_path / "takes.csv", audio=corpora / "ravdess", allow=["speaker"])
    assert [(one.kind, one.things) for one in found.leaks] == [("bytes", (pair,))]
    (tmp_path / "takes.csv").write_text("\n".join(["file,split", *(f"{name},train" for name in names)]))
    found = audit_split("ravdess", tmp_path / "takes.csv", audio=corpora / "ravdess")
    assert [(one.severity, one.things) for one in found.findings if one.kind == "bytes"] == [("info", (pair,))]
    assert not any(one.kind == "sound" for one in found.findings)


def test_the_name_in_the_package_is_the_function():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert serprep.audit_split is audit_split
