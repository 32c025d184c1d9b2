"""Manifests in one call, and folders held against them; what is printed of it is the commands' (`tests/cli`)."""

import pytest
import soundfile

from serprep.errors import CorpusError, ManifestError
from serprep.manifest.table import read_manifest
from serprep.pipeline.listing import check_corpus, list_corpus
from serprep.ratings import read_ratings
from serprep.testing import write_layout, write_synthetic_corpus

PATTERN = {"pattern": "{emotion}/{speaker}_{text}.wav"}


@pytest.fixture
def corpus(tmp_path):
    write_synthetic_corpus(tmp_path / "corpus", n_speakers=2, n_texts=1)
    return tmp_path / "corpus"


def test_what_is_written_is_what_is_returned_and_the_folder_fits_it(corpus, tmp_path):
    listed = list_corpus("pattern", corpus, tmp_path / "manifest", options=PATTERN)
    assert read_manifest(listed.path).digest == listed.manifest.digest
    assert (listed.ratings, listed.n_ratings, dict(listed.unreadable), listed.release) == (None, 0, {}, None)
    checked = check_corpus(tmp_path / "manifest", corpus)
    assert checked.comparison.same and checked.comparison.n_files == len(listed.manifest)


def test_a_recording_that_cannot_be_read_stays_a_row_and_one_that_changes_is_told(corpus, tmp_path):
    first, second, *_ = sorted(corpus.rglob("*.wav"))
    first.write_bytes(b"")
    listed = list_corpus("pattern", corpus, tmp_path / "manifest", options=PATTERN)
    assert list(listed.unreadable) == [first.relative_to(corpus).as_posix()]
    assert len(listed.manifest) == len(list(corpus.rglob("*.wav")))
    soundfile.write(second, [0.0] * 800, 16_000)
    assert check_corpus(listed.path, corpus).comparison.changed == (second.relative_to(corpus).as_posix(),)


def test_ratings_lie_beside_the_manifest_and_published_recordings_are_known(tmp_path):
    write_layout("crema_d", tmp_path / "crema_d")
    listed = list_corpus("crema_d", tmp_path / "crema_d", tmp_path / "manifest")
    assert listed.ratings and len(read_ratings(listed.ratings)) == listed.n_ratings > 0
    assert listed.release and listed.release.n_files == len({row.path for row in listed.manifest.utterances})
    assert len(listed.release.different) == listed.release.n_files  # synthetic ones


def test_nothing_is_written_of_a_corpus_that_cannot_be_read(tmp_path):
    with pytest.raises(CorpusError, match="no such folder"):
        list_corpus("ravdess", tmp_path / "absent", tmp_path / "manifest")
    assert not (tmp_path / "manifest").exists()
    with pytest.raises(ManifestError, match="expected a manifest written by"):
        check_corpus(tmp_path / "manifest", tmp_path)
