import re
from urllib.parse import unquote

import numpy as np
import pytest

from serprep.exports.export import export
from serprep.exports.kaldi import name_of


def lines(path):
    return dict(line.partition(" ")[::2] for line in path.read_text(encoding="utf-8").splitlines())


def test_files_are_sorted_complete_and_of_one_name_per_utterance(shop):
    folder = shop.export("kaldi", audio=True)
    speakers, emotions = lines(folder / "utt2spk"), lines(folder / "utt2emo")
    assert list(speakers) == sorted(speakers, key=str.encode)
    assert {unquote(key).partition("-")[2]: speaker for key, speaker in speakers.items()} == dict(
        zip(shop.store.ids, shop.store.speakers, strict=True)
    )
    assert all(not re.search(r"\s", key) for key in speakers)
    assert {key: unquote(word) for key, word in emotions.items()} == {
        f"{name_of(s)}-{name_of(i)}": e
        for s, i, e in zip(shop.store.speakers, shop.store.ids, shop.store.emotions, strict=True)
    }
    assert lines(folder / "spk2utt")["s3"] == "s3-e s3-f" and lines(folder / "text")["s1-a%20b.1"] == "so it is"
    for fold, name in enumerate(shop.splits[3].folds):
        for role in ("train", "dev", "test"):
            keys = lines(folder / name / role / "utt2spk")
            assert sorted(unquote(key).partition("-")[2] for key in keys) == shop.splits[3].ids(fold, role)


def test_kaldiio_reads_the_features(shop):
    kaldiio = pytest.importorskip("kaldiio")
    folder = shop.export("kaldi")
    vectors, segments = (
        dict(kaldiio.load_ark(str(folder / "egemaps.ark"))),
        dict(kaldiio.load_ark(str(folder / "logmel_30.ark"))),
    )
    for i, (speaker, name) in enumerate(zip(shop.store.speakers, shop.store.ids, strict=True)):
        key = f"{speaker}-{name_of(name)}"
        assert np.array_equal(vectors[key], shop.vectors[i])
        assert np.array_equal(segments[key].reshape(-1, 30, 40), shop.segments[i])
        file, _, place = lines(folder / "egemaps.scp")[key].partition(":")
        assert np.array_equal(kaldiio.load_mat(f"{folder / file}:{place}"), shop.vectors[i])


def test_lhotse_reads_the_folder(shop):
    lhotse = pytest.importorskip("lhotse.kaldi")
    recordings, supervisions, _ = lhotse.load_kaldi_data_dir(shop.export("kaldi", audio=True), 16_000)
    times = {unquote(s.id): (s.start, round(s.end, 6), s.speaker, s.text) for s in supervisions}
    assert times["s2-d"] == (0.75, 1.5, "s2", "é") and times["s1-c"][:2] == (0.0, 0.7) and len(times) == 6
    assert "long.wav" in {r.id for r in recordings}


def test_recordings_are_named_whole_wherever_they_are_read(shop, tmp_path, monkeypatch):
    monkeypatch.chdir(shop.root)
    export(shop.store.path, tmp_path / "out", form="kaldi", audio=".")
    assert lines(tmp_path / "out" / "wav.scp") == lines(shop.export("kaldi", audio=True) / "wav.scp")
