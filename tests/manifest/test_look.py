"""What recordings are, and how folders differ from a manifest."""

import hashlib
import math
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import serprep.manifest.look as manifest_look
from serprep.audio.signal import Recording
from serprep.errors import AudioError, ManifestError
from serprep.manifest.look import check_manifest, look, look_at
from serprep.manifest.select import select
from serprep.manifest.table import make_manifest, read_manifest, write_manifest
from serprep.utterance import Utterance


def utterance(name="a", **changes):
    return Utterance(**{"id": name, "path": f"{name}.wav", **changes})


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_excerpts_last_as_long_as_their_samples(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", np.zeros(2 * rate), rate)
    spans = [(0.1, 0.30001), (None, 0.77777), (1.33333, None), (0.0, 2.0), (1.5, 1.6)]
    rows = [Utterance(id=f"{k}", path="a.wav", start=start, end=end) for k, (start, end) in enumerate(spans)]
    for row, (start, end) in zip(look(make_manifest(rows), tmp_path).manifest.utterances, spans, strict=True):
        first = math.floor((start or 0) * rate + 0.5)
        last = math.floor((2.0 if end is None else end) * rate + 0.5)
        assert row.duration == (last - first) / rate
        assert abs(row.duration - ((end or 2.0) - (start or 0.0))) <= 1 / rate


def test_an_excerpt_behind_the_end_of_its_file_has_no_duration(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    manifest = look(make_manifest([utterance(start=3.0)]), tmp_path).manifest
    assert manifest.utterances[0].duration is None
    assert read_manifest(write_manifest(manifest, tmp_path / "m")) == manifest


def test_a_file_is_read_once_however_many_excerpts_it_has(tmp_path):
    rows = [Utterance(id=f"{k}", path=f"{k % 3}.wav", start=float(k), end=k + 0.5) for k in range(30)]
    lock, seen, counts = threading.Lock(), [], []

    def fake(path):
        with lock:
            seen.append(path)
        if path.name == "2.wav":
            raise AudioError("broken")
        return Recording(100.0, 8000, "f" * 64)

    looked = look(make_manifest(rows), tmp_path, look_at=fake, progress=counts.append)
    assert sorted(seen) == [tmp_path / f"{k}.wav" for k in range(3)]
    assert counts == [1, 2, 3]
    assert looked.reasons == {"2.wav": "broken"}
    assert {row.duration for row in looked.manifest.utterances} == {0.5, None}
    assert [row.id for row in looked.manifest.utterances] == sorted(row.id for row in rows)


def test_look_at_reads_one_file(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 16_000)
    digest = hashlib.sha256((tmp_path / "a.wav").read_bytes()).hexdigest()
    assert look_at(tmp_path / "a.wav") == Recording(0.05, 16_000, digest)
    with pytest.raises(AudioError, match="file is missing"):
        look_at(tmp_path / "b.wav")


def labelled():
    emotions = {"a": "sad", "b": "joy", "c": "excited", "d": "bored", "e": "", "f": "joy"}
    rows = [utterance(name, emotion=emotion) for name, emotion in emotions.items()]
    return make_manifest([*rows, utterance("t", partition="test")], {"corpus": "x"})


def test_without_a_table_every_utterance_and_label_stays():
    selection = select(labelled())
    assert selection.manifest == labelled()
    assert selection.dropped == {}
    assert selection.labels == ("bored", "excited", "joy", "sad")


@pytest.fixture
def folder(tmp_path):
    """A folder of four files and its manifest."""
    root = tmp_path / "corpus"
    rows = []
    for k, name in enumerate(["a.wav", "s/b.wav", "s/c.flac", "ü.wav"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, np.full(100, k / 10), 16_000)
        rows.append(Utterance(id=name, path=name))
    return look(make_manifest(rows), root).manifest, root


def test_an_unchanged_folder_is_the_same(folder):
    manifest, root = folder
    (root / "README.txt").touch()
    (root / "._a.wav").touch()
    check = check_manifest(manifest, root)
    assert check.same
    assert (check.n_files, check.missing, check.changed, check.extra) == (4, (), (), ())


def test_missing_extra_and_changed_files_are_told_apart(folder):
    manifest, root = folder
    (root / "a.wav").unlink()
    (root / "s/b.wav").write_bytes((root / "s/b.wav").read_bytes() + b"\0")
    (root / "s/new.MP3").touch()
    (root / "s/c.flac").unlink()
    (root / "s/c.flac").mkdir()
    counts = []
    check = check_manifest(manifest, root, progress=counts.append)
    assert not check.same
    assert check.missing == ("a.wav", "s/c.flac")
    assert check.changed == ("s/b.wav",)
    assert check.extra == ("s/new.MP3",)
    assert counts == [1, 2, 3, 4]


def test_a_file_whose_digest_was_never_known_is_not_called_changed(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no sound")
    manifest = look(make_manifest([utterance()]), tmp_path).manifest
    assert manifest.utterances[0].audio_digest == ""
    assert check_manifest(manifest, tmp_path).same


def test_a_missing_folder_is_refused(folder):
    manifest, root = folder
    with pytest.raises(ManifestError, match="no such folder; expected the corpus root"):
        check_manifest(manifest, root / "nowhere")


def rated(*cells, name="valence"):
    return [Utterance(id=f"u{i}", path="a.wav", extra={name: cell}) for i, cell in enumerate(cells)]


@pytest.mark.parametrize("name", ["valence", "arousal", "dominance"])
def test_numbers_of_a_dimension_are_written_by_repr(tmp_path, name):
    manifest = make_manifest(rated("2.5000", "", "3", "-1e-3", name=name))
    assert manifest.column(name) == ["2.5", "", "3.0", "-0.001"]
    assert manifest.numbers == (name,)
    assert read_manifest(write_manifest(manifest, tmp_path)) == manifest


@pytest.mark.parametrize(("size", "alone"), [(11, True), (10, False)])
def test_large_files_are_in_memory_one_after_the_other(tmp_path, monkeypatch, size, alone):
    read = []

    def read_bytes(path):
        read.append(manifest_look._ONE_LARGE.locked())
        raise AudioError("nothing")

    monkeypatch.setattr(manifest_look, "read_bytes", read_bytes)
    monkeypatch.setattr(manifest_look, "_LARGE", 10)
    for name in "abc":
        (tmp_path / f"{name}.wav").write_bytes(b"x" * size)
    looked = look(make_manifest([utterance(name) for name in "abc"]), tmp_path)
    assert read == [alone] * 3 and len(looked.reasons) == 3


@pytest.mark.parametrize(
    ("large", "error", "message"), [(0, AudioError, "no memory for its 0 MB"), (99, MemoryError, "^$")]
)
def test_no_memory_for_a_large_file_is_its_own_reason_and_for_a_small_one_the_machines(
    tmp_path, monkeypatch, large, error, message
):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    monkeypatch.setattr(manifest_look, "read_bytes", lambda path: (_ for _ in ()).throw(MemoryError))
    monkeypatch.setattr(manifest_look, "_LARGE", large)
    with pytest.raises(error, match=message):
        look_at(tmp_path / "a.wav")


def many(n=70):
    return make_manifest([Utterance(id=f"{i:03}", path=f"{i:03}.wav", emotion="sad") for i in range(n)])


def test_files_that_are_waited_for_are_looked_at_side_by_side(tmp_path, monkeypatch):
    """Also where the first ones are not: they are known from a build that was stopped."""
    together, clock = threading.Barrier(2), [0.0]
    stand_in = SimpleNamespace(monotonic=lambda: clock[0], process_time=lambda: 0.0)
    monkeypatch.setattr(manifest_look, "time", stand_in)

    def look_at(path):
        if 32 <= int(path.stem) < 64:
            clock[0] += 0.02
        elif 64 <= int(path.stem) < 66:
            together.wait(60)
        return Recording(1.0, 16_000, "0" * 64, False)

    assert len(look(many(), tmp_path, look_at=look_at).manifest) == 70


def test_files_that_are_not_waited_for_are_looked_at_by_one_thread_in_turn(tmp_path, monkeypatch):
    monkeypatch.setattr("serprep.manifest.look._WAITS", float("inf"))
    seen = []

    def look_at(path):
        seen.append((threading.get_ident(), path.stem))
        return Recording(1.0, 16_000, "0" * 64, False)

    look(many(), tmp_path, look_at=look_at)
    assert seen == [(threading.get_ident(), f"{i:03}") for i in range(70)]


def test_what_is_found_is_told_as_it_is_read(tmp_path):
    manifest = make_manifest(
        [
            Utterance(id="b", path="1.wav", emotion="sad", start=1.0),
            Utterance(id="a", path="2.wav", emotion="sad"),
            Utterance(id="c", path="1.wav", emotion="sad", audio_digest="1" * 64),
            Utterance(id="d", path="3.wav", emotion="sad", audio_digest="5" * 64),
            Utterance(id="e", path="4.wav", emotion="sad"),
            Utterance(id="f", path="5.wav", emotion="sad"),
            Utterance(id="f", path="6.wav", emotion="sad"),
        ]
    )
    told = []

    def look_at(path):
        if path.stem == "4":
            raise AudioError("no")
        return Recording(2.0, 8_000, path.stem * 64, path.stem == "2")

    def tell(read, places):
        usable = [place for place in places if read.is_usable(place)]
        told.append((list(places), {row.id: row for row in read.take(usable)}, set(read.revised)))

    looked = look(manifest, tmp_path, look_at=look_at, tell=tell)
    ((places, rows, revised),) = told
    assert places == [0, 1, 2, 3, 4, 5, 6] and revised == {"2" * 64}
    # d is another recording than the manifest's, e cannot be read, and two are called f
    assert sorted(rows) == ["a", "b", "c"]
    assert rows == {row.id: row for row in looked.manifest.utterances if row.id in rows}
    assert (rows["b"].duration, rows["a"].duration, rows["a"].sample_rate) == (1.0, 2.0, 8_000)
