import csv

import numpy as np
import pytest
import soundfile

from serprep.audio.decode import decode, read_bytes
from serprep.cache.parts import Cache
from serprep.errors import FeatureError, PartError
from serprep.features import egemaps_v02
from serprep.features.logmel import LogMel, log_mel
from serprep.pipeline import table
from serprep.pipeline.table import recordings_of, write_table


@pytest.fixture
def recordings(tmp_path):
    """Six recordings of noise, each of another length; their names, the last one first."""
    names = [str(tmp_path / f"{number}.wav") for number in range(6)]
    for number, name in enumerate(names):
        soundfile.write(name, 0.1 * np.random.default_rng(number).normal(size=1600 + 320 * number), 16_000)
    return names[::-1]


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    return head, rows


def test_each_recording_has_a_row_named_as_openSMILE_does(recordings, tmp_path):
    written = write_table(recordings, tmp_path / "x.csv")
    head, rows = read(tmp_path / "x.csv")
    assert head == ["file", *egemaps_v02.functional_names()]
    assert [row[0] for row in rows] == recordings
    for name, *cells in rows:
        expected = egemaps_v02.functionals(decode(read_bytes(name)))
        assert np.array(cells, np.float32).tobytes() == expected.tobytes()
    assert (written.n_recordings, written.n_used, written.n_rows, dict(written.reasons)) == (6, 6, 6, {})


def test_contours_have_rows_one_after_the_other_with_their_times(recordings, tmp_path):
    write_table(recordings, tmp_path / "x.csv", feature_set="logmel")
    head, rows = read(tmp_path / "x.csv")
    assert head[:3] == ["file", "start", "mel_0"]
    for name in recordings:
        own = [row for row in rows if row[0] == name]
        expected = log_mel(decode(read_bytes(name)), LogMel())
        assert [float(row[1]) for row in own] == [round(0.01 * t, 9) for t in range(len(expected))]
        assert np.array([row[2:] for row in own], np.float32).tobytes() == expected.tobytes()


def test_bytes_depend_neither_on_workers_nor_on_blocks(recordings, tmp_path, monkeypatch):
    write_table(recordings, tmp_path / "a.csv", feature_set="logmel")

    class Backwards:
        """Workers that finish the last batch first."""

        def __init__(self, n_workers):
            self.n_workers = n_workers

        def run(self, function, items, *, once=False):
            return ((number, function(items[number])) for number in reversed(range(len(items))))

        def close(self):
            pass

    monkeypatch.setattr(table, "Workers", Backwards)
    monkeypatch.setattr(table, "_BLOCK", 1000)
    write_table(recordings, tmp_path / "b.csv", feature_set="logmel", workers=3)
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()


def test_what_cannot_be_used_is_named_and_the_rest_is_written(recordings, tmp_path):
    bad, short = tmp_path / "bad.wav", tmp_path / "short.wav"
    bad.write_bytes(b"no sound at all")
    soundfile.write(short, np.zeros(900), 16_000)
    odd = str(tmp_path / "\udcff.wav")
    (tmp_path / odd).write_bytes(b"")
    asked = [str(bad), recordings[0], str(short), recordings[1], odd, recordings[0]]
    written = write_table(asked, tmp_path / "x.csv")
    assert [row[0] for row in read(tmp_path / "x.csv")[1]] == [recordings[0], recordings[1], recordings[0]]
    assert list(written.reasons) == [str(bad), str(short), odd]
    assert "too short: 900 samples" in written.reasons[str(short)]
    assert "not UTF-8" in written.reasons[odd]


def test_a_table_is_whole_or_not_there(recordings, tmp_path, monkeypatch):
    before = tmp_path / "x.csv"
    before.touch()
    (tmp_path / "bad.wav").write_bytes(b"no sound at all")
    with pytest.raises(FeatureError, match=r"bad\.wav: not a recording"):
        write_table([str(tmp_path / "bad.wav")], before)
    monkeypatch.setattr(Cache, "read", lambda self, places: (_ for _ in ()).throw(MemoryError("no more")))
    with pytest.raises(MemoryError, match="no more"):
        write_table(recordings, before, feature_set="signal")
    assert before.read_bytes() == b""
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]


def test_somebody_s_own_file_is_not_replaced(recordings, tmp_path):
    (tmp_path / "labels.csv").write_text("file,speaker,emotion\n1.wav,s1,sad\n")
    with pytest.raises(FeatureError, match=r"labels\.csv is there and holds something else; name another file"):
        write_table(recordings, tmp_path / "labels.csv")
    assert (tmp_path / "labels.csv").read_text().startswith("file,speaker")


def test_what_is_cached_is_not_computed_again_and_what_vanished_is(recordings, tmp_path, monkeypatch):
    monkeypatch.setenv("SERPREP_CACHE", str(tmp_path / "cache"))
    write_table(recordings, tmp_path / "a.csv", feature_set="logmel")

    def refuse(*arguments, **options):
        raise AssertionError("computed again")

    with monkeypatch.context() as patched:
        patched.setattr("serprep.pipeline.extract.extract", refuse)
        write_table(recordings, tmp_path / "b.csv", feature_set="logmel")
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()
    read_rows, failures = Cache.read, [PartError("gone")]

    def gone_once(self, places):
        if failures:
            for part in places.parts:
                self.folder.remove(part)
            raise failures.pop()
        return read_rows(self, places)

    monkeypatch.setattr(Cache, "read", gone_once)
    write_table(recordings, tmp_path / "c.csv", feature_set="logmel")
    assert (tmp_path / "c.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()


def test_recordings_are_named_as_they_were_asked_for(tmp_path, monkeypatch):
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for name in ("b/c/1.wav", "b/2.flac", "b/notes.txt", "3.wav"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert recordings_of(["3.wav", "b"]) == ["3.wav", "b/2.flac", "b/c/1.wav"]
    with pytest.raises(FeatureError, match=r"empty: no recordings; expected \.wav"):
        recordings_of(["empty"])
    with pytest.raises(FeatureError, match=r"4\.wav: no such file"):
        recordings_of(["4.wav"])
    with pytest.raises(FeatureError, match="an empty name: no such file"):
        recordings_of([""])
