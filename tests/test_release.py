import gzip
import hashlib
import struct
import wave

import numpy as np
import pytest
import soundfile

from serprep import release
from serprep.corpora import CORPORA
from serprep.manifest.look import look_at
from serprep.release import LENGTH, Recognition, published, recognise


def signal(seed, n_channels=1):
    return np.random.default_rng(seed).integers(-(2**15), 2**15, size=(4000, n_channels), dtype=np.int16)


def write_wav(path, samples):
    """By the standard library: the plain header of 44 bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.astype("<i2").tobytes())


def with_chunk(path):
    """The same wav with one more chunk, as editors leave behind."""
    data = path.read_bytes()
    extra = b"note" + struct.pack("<I", 6) + b"edited"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(data) + len(extra) - 8) + data[8:12] + extra + data[12:])


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Four published files: a, b and c plain wavs, d (stereo) with a chunk and its samples' digest."""
    root = tmp_path / "original"
    rows = []
    for number, name in enumerate("abcd"):
        path = root / "wav" / f"{name}.wav"
        samples = signal(number, 2 if name == "d" else 1)
        write_wav(path, samples)
        if name == "d":
            with_chunk(path)
        of_samples = sha(samples.astype("<i2").tobytes())[:LENGTH] if name == "d" else ""
        rows.append(f"{name}\t{sha(path.read_bytes())[:LENGTH]}\t{of_samples}")
    (tmp_path / "package" / "releases").mkdir(parents=True)
    table = tmp_path / "package" / "releases" / "emodb.tsv.gz"
    table.write_bytes(gzip.compress(("id\tbytes\tsamples\n" + "\n".join(rows) + "\n").encode()))
    monkeypatch.setattr(release, "files", lambda _: tmp_path / "package")
    return root


def compare(root, **options):
    digests = {}
    for path in sorted(root.rglob("*.*")):
        try:
            digests[path.relative_to(root).as_posix()] = look_at(path).digest
        except ValueError:
            digests[path.relative_to(root).as_posix()] = ""
    return recognise("emodb", "EmoDB", digests, root, **options)


def pack(root, name, **options):
    """A wav → a flac of the same samples."""
    samples, rate = soundfile.read(root / "wav" / f"{name}.wav", dtype="int16")
    (root / "wav" / f"{name}.wav").unlink()
    soundfile.write(root / "wav" / f"{name}.flac", samples, rate, **options)


def test_the_published_files(root):
    done = []
    found = compare(root, progress=done.append)
    assert found.sentence == "4 of 4 files are the published EmoDB"
    assert (found.n_files, found.same, found.same_samples, found.different, found.n_missing) == (4, 4, 0, (), 0)
    assert done == [1, 2, 3, 4]


def test_packed_copies_have_the_published_samples(root):
    for name in "abcd":
        pack(root, name)
    assert compare(root).sentence == "4 of 4 files: the samples of the published EmoDB, in another file"
    found = compare(root, decode=False)
    assert (found.same_samples, len(found.different)) == (0, 4)
    assert found.sentence == (
        "4 of 4 files differ from the published EmoDB in bytes (their samples were not compared), such as wav/a.flac"
    )


def test_one_sample_is_enough_to_differ(root):
    for number, name in enumerate("abcd"):
        samples = signal(number, 2 if name == "d" else 1)
        samples[1234, 0] ^= 1
        write_wav(root / "wav" / f"{name}.wav", samples)
    assert compare(root).sentence == "4 of 4 files differ: not the published recordings of EmoDB"


def test_lossy_copies_are_not_called_other_recordings(root):
    for name in "abcd":
        samples, rate = soundfile.read(root / "wav" / f"{name}.wav")
        (root / "wav" / f"{name}.wav").unlink()
        soundfile.write(root / "wav" / f"{name}.mp3", samples, rate)
    found = compare(root)
    assert (len(found.lossy), found.different, found.n_files) == (4, (), 4)
    assert found.sentence == (
        "4 of 4 files are MP3 or Ogg and were not compared: serprep has digests of the wav files of EmoDB, "
        "and none of another release"
    )


def test_a_mixture_is_counted_kind_by_kind(root):
    pack(root, "a")
    write_wav(root / "wav" / "b.wav", signal(1)[:3000])  # cut short
    (root / "wav" / "c.wav").unlink()
    write_wav(root / "wav" / "other.wav", signal(9))
    (root / "wav" / "b2").mkdir()
    (root / "wav" / "b2" / "b.flac").write_bytes(b"no sound")
    found = compare(root)
    assert found.different == ("wav/b.wav", "wav/b2/b.flac", "wav/other.wav")
    assert found.sentence == (
        "3 of 5 files differ from the published EmoDB, such as wav/b.wav; "
        "1 of 5 files are the published EmoDB; "
        "1 of 5 files: the samples of the published EmoDB, in another file; "
        "1 of 4 published files are not here"
    )
    assert found.as_dict()["different"] == list(found.different)


def test_a_published_file_under_another_name_differs(root):
    (root / "wav" / "a.wav").write_bytes((root / "wav" / "b.wav").read_bytes())
    assert compare(root).different == ("wav/a.wav",)


@pytest.mark.parametrize("subtype", ["PCM_24", "PCM_S8"])
def test_other_bit_depths_are_not_the_published_samples(root, subtype):
    pack(root, "a", subtype=subtype)
    assert compare(root).different == ("wav/a.flac",)


@pytest.mark.parametrize("reader", ["table", "", "../releases/emodb", "a/b", "no\0name"])
def test_nothing_is_said_of_corpora_without_known_digests(reader, tmp_path):
    assert published(reader) == {}
    assert recognise(reader, "?", {"a.wav": "0" * 64}, tmp_path) is None


def test_nothing_is_said_of_no_files(tmp_path):
    assert recognise("emodb", "EmoDB", {}, tmp_path) is None


@pytest.mark.parametrize("reader", [name for name in CORPORA if published(name)])
def test_shipped_digests_are_as_many_as_published_files(reader):
    known = published(reader)
    assert len(known) == CORPORA[reader].n_utterances
    assert all(len(row.bytes) == LENGTH and len(row.samples) in (0, LENGTH) for row in known.values())
    assert bool(next(iter(known.values())).samples) == (reader == "ravdess")


def test_the_byte_identical_pair_of_ravdess_is_in_the_table():
    known = published("ravdess")
    assert known["03-01-03-01-02-01-07"] == known["03-01-03-01-02-02-07"]
    assert len({row.bytes for row in known.values()}) == 1439


def test_a_recognition_without_files_to_decode_says_only_what_it_knows():
    found = Recognition(
        title="X", n_published=2, same=1, same_samples=0, different=(), lossy=(), n_missing=1, decoded=False
    )
    assert found.sentence == "1 of 1 files are the published X; 1 of 2 published files are not here"


@pytest.mark.parametrize(
    ("reader", "folder", "sentence"),
    [
        ("emodb", "emodb_first2s", "535 of 535 files differ: not the published recordings of EmoDB"),
        ("ravdess", "ravdess", "60 of 60 files: the samples of the published RAVDESS speech, in another file; "),
    ],
)
def test_real_recordings(reader, folder, sentence, corpora):
    root = corpora / folder
    paths = sorted((root / "Actor_01" if reader == "ravdess" else root).rglob("*.flac"))
    digests = {path.relative_to(root).as_posix(): look_at(path).digest for path in paths}
    found = recognise(reader, CORPORA[reader].title, digests, root)
    assert found.sentence.startswith(sentence)
