"""The published manifests: what is committed is what ``manifests/make.py`` gives."""

import gzip
import importlib.util
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from serprep.corpora import CORPORA
from serprep.manifest.table import read_manifest
from serprep.split import bind, read_split, refuse_leaks

ROOT = Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location("make_manifests", ROOT / "manifests" / "make.py")
make_manifests = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_manifests)
NAMES = sorted(set(make_manifests.SPLITS) & set(CORPORA))


@pytest.mark.parametrize("name", NAMES)
def test_committed_files_are_what_the_script_makes(name, tmp_path):
    originals = make_manifests.from_manifest(name, ROOT / "manifests")
    make_manifests.make(name, originals, folder=tmp_path, releases=tmp_path)
    made = [path.relative_to(tmp_path) for path in sorted((tmp_path / name).rglob("*.*"))]
    assert {path.name for path in made} >= {"utterances.csv", "manifest.json"}
    for path in made:
        assert (tmp_path / path).read_bytes() == (ROOT / "manifests" / path).read_bytes(), path
    shipped = ROOT / "serprep" / "releases" / f"{name}.tsv.gz"
    assert gzip.decompress((tmp_path / shipped.name).read_bytes()) == gzip.decompress(shipped.read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_digests_are_those_of_the_checksum_tables(name, corpora):
    facts = make_manifests._table(corpora / "checksums" / f"{name}_originals.tsv")
    expected = {Path(row.get("path") or row["file"]).name: row["sha256"] for row in facts}
    manifest = read_manifest(ROOT / "manifests" / name)
    assert {Path(row.path).name: row.audio_digest for row in manifest.utterances} == expected


def test_ravdess_samples_are_those_of_the_packed_copy(corpora):
    facts = make_manifests._table(corpora / "ravdess" / "PCM.tsv")
    expected = {Path(row["path"]).stem: tuple(row.values())[2:] for row in facts}
    found = make_manifests._table(ROOT / "manifests" / "ravdess" / "samples.csv", ",")
    assert {row["id"]: tuple(row.values())[1:] for row in found} == expected


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_the_published_ones(name):
    corpus, manifest = CORPORA[name], read_manifest(ROOT / "manifests" / name)
    assert len(manifest) == corpus.n_utterances
    assert Counter(manifest.column("emotion")) == corpus.n_per_emotion
    assert len(set(manifest.column("speaker"))) == corpus.n_speakers
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in manifest.column("audio_digest"))
    assert json.loads((ROOT / "manifests" / name / "manifest.json").read_bytes())["digest"] == manifest.digest


@pytest.mark.parametrize("name", NAMES)
def test_canonical_splits_keep_speakers_apart_and_test_everybody_once(name):
    manifest = read_manifest(ROOT / "manifests" / name)
    paths = sorted((ROOT / "manifests" / name / "splits").glob("*.json"))
    assert paths
    for path in paths:
        split = read_split(path)
        refuse_leaks(split)
        assert bind(split, manifest).n_dropped == 0
        assert all(
            sorted(row.roles)[:1] == ["test"] and row.roles.count("test") == 1 for row in split.utterances.values()
        )
        sides = [
            {(split.utterances[name].speaker, role) for role in ("train", "test") for name in split.ids(fold, role)}
            for fold in range(len(split.folds))
        ]
        n_speakers = len(set(manifest.column("speaker")))
        assert all(len(side) == n_speakers for side in sides)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "emodb"])
def test_folds_by_actor_hold_equally_many_men_and_women(name):
    manifest = read_manifest(ROOT / "manifests" / name)
    gender = dict(zip(manifest.column("speaker"), manifest.column("gender"), strict=True))
    (path,) = (ROOT / "manifests" / name / "splits").glob("*.json")
    split = read_split(path)
    tested = [{split.utterances[i].speaker for i in split.ids(fold, "test")} for fold in range(len(split.folds))]
    for kind, total in Counter(gender.values()).items():
        counts = [sum(gender[speaker] == kind for speaker in side) for side in tested]
        assert set(counts) <= {total // len(tested), -(-total // len(tested))}
    if name == "ravdess":
        assert [len(side) for side in tested] == [4] * 6


def test_every_folder_explains_itself():
    for name in (*NAMES, "iemocap", "compare2018"):
        text = (ROOT / "manifests" / name / "README.md").read_text(encoding="utf-8")
        assert re.match(r"# .+\?\n", text), name
        assert all(word in text for word in ("Source", "Licence", "utterances")), name
        assert f"`{name}`" in text
