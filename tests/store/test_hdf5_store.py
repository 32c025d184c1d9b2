import hashlib
import json
import os
import random
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from serprep.errors import StoreError
from serprep.store import hdf5_store
from serprep.store.container import as_text
from serprep.store.layout import Array

SEGMENTS = Array(name="logmel/2/segments", shape=(5, 2, 3), dtype="float32", dimensions=("segment", "frame", "mel"))
HALVES = Array(name="logmel/3/segments", shape=(5, 2, 3), dtype="float16", dimensions=("segment", "frame", "mel"))
IDS = Array(name="utterances/id", shape=(4,), dtype="string", dimensions=("utterance",))
EMPTY = Array(name="utterances/größe", shape=(4,), dtype="string", dimensions=("utterance",))
COUNTS = Array(name="utterances/n_frames", shape=(4,), dtype="int64", dimensions=("utterance",))
SPECS = (SEGMENTS, HALVES, IDS, EMPTY, COUNTS)
ATTRIBUTES = {
    "format": 1,
    "version": "ü" * 64,
    "zeta": {"b": [1, 2.5, None, True], "a": {"": "NaN"}},
    "columns": ["id"],
    "digits": "1234567890",
    "number": "1e5",
    "words": ["true", "", "null"],
    **{f"text {i}": text for i, text in enumerate(["true", "", "null", "NaN", "[", '{"a": 1}', "a\0b", "a\0", " x "])},
    "truth": True,
    "nothing": None,
    "tiny": 5e-324,
    "huge": 2**63,
    "negative": -(2**63),
    "long": "日本" * 50_000,
}


def values():
    """Values that tempt: fill values, NaN with a payload, negative zero, odd text."""
    segments = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    segments[0] = np.nan
    segments[1, 0] = np.array([0x7FC12345, 0x80000000, 0xFF800000], np.uint32).view(np.float32)
    return {
        SEGMENTS: segments,
        HALVES: segments.astype(np.float16),
        IDS: np.array(["", "ü日🙂", 'a"\n\0b', "x" * 300], object),
        EMPTY: np.array([""] * 4, object),
        COUNTS: np.array([0, 1, -1, 2**62], "i8"),
    }


def written(path, attributes=ATTRIBUTES, *, blocks=2):
    found = values()
    small = {spec.name: found[spec] for spec in SPECS if not spec.is_large}
    large = [
        (spec, first, found[spec][first : first + blocks])
        for spec in SPECS
        if spec.is_large
        for first in range(0, 5, blocks)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    hdf5_store.write_file(path, SPECS, attributes, small=small, large=large)
    return path


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr("serprep.store.layout.CHUNK_BYTES", 24)  # a row of segments


@pytest.fixture
def store(tmp_path):
    return written(tmp_path / "x.h5")


def test_arrays_are_read_as_written(store):
    assert hdf5_store.array_names(str(store), {}) == sorted(spec.name for spec in SPECS)
    for spec, rows in values().items():
        array = hdf5_store.open_array(str(store), spec.name)
        assert array.shape == spec.shape and len(array) == spec.shape[0]
        if spec.dtype == "string":
            assert as_text(array[:]) == list(rows)
            assert as_text(array[1:3]) == list(rows[1:3])
            assert array[1] == rows[1] and array[:].dtype == array.dtype == object
        else:
            assert array.dtype == spec.dtype
            assert array[:].tobytes() == rows.tobytes()
            assert array[1:4].tobytes() == rows[1:4].tobytes()
        array.close()
        assert len(array[:]) == spec.shape[0], "a closed array opens its file again"


def test_rows_of_a_chunk_that_was_checked_are_read_past_hdf5_and_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("serprep.store.layout.CHUNK_BYTES", 48)  # two rows of segments
    path = written(tmp_path / "y.h5", blocks=4)
    rows = values()[SEGMENTS]
    array = hdf5_store.open_array(str(path), SEGMENTS.name)
    damaged = bytearray(path.read_bytes())
    for first, last in [(a, b) for a in range(6) for b in (*range(a, 8), None)] * 2:
        assert array.read(first, last).tobytes() == rows[first:last].tobytes()
    assert len(array._checked) == 3
    monkeypatch.setattr(type(array), "__getitem__", None)
    assert array.read(1, 2).tobytes() == rows[1:2].tobytes()
    array.close()
    damaged[damaged.index(rows[2:3].tobytes()) + 24] ^= 1  # of row 3
    replaced(path, damaged)
    with pytest.raises(OSError, match="Can't synchronously read data"):
        array.read(2, 3)


def test_attributes_are_read_as_written_in_their_order(store):
    found = hdf5_store.read_attributes(str(store))
    seal = found.pop("seal")
    assert json.dumps(found) == json.dumps(ATTRIBUTES)
    assert {name: type(value) for name, value in found.items()} == {n: type(v) for n, v in ATTRIBUTES.items()}
    assert seal == hashlib.sha256(store.read_bytes()[512:]).hexdigest()


def test_plain_h5py_reads_a_store(store):
    with h5py.File(store, "r") as file:
        assert file.attrs["format"] == 1
        assert file.attrs["version"].decode() == ATTRIBUTES["version"]
        assert json.loads(file.attrs["zeta"]) == ATTRIBUTES["zeta"]
        assert file.userblock_size == 512
        segments = file["logmel/2/segments"]
        assert segments[:].tobytes() == values()[SEGMENTS].tobytes()
        assert [axis.label for axis in segments.dims] == ["segment", "frame", "mel"]
        assert file["utterances/id"].asstr()[:].tolist() == values()[IDS].tolist()


def test_every_array_is_chunked_and_has_checksums_and_no_date(store):
    with h5py.File(store, "r") as file:
        for spec in SPECS:
            array = file[spec.name]
            assert array.fletcher32 and array.chunks and array.compression is None
            assert array.chunks[1:] == spec.shape[1:]
            assert h5py.h5o.get_info(array.id).mtime == 0
            text = h5py.check_string_dtype(array.dtype)
            if spec.dtype == "string":
                assert text.encoding == "utf-8" and text.length == (1 if spec is EMPTY else 300)
            fill = array.fillvalue
            assert np.isnan(fill) if spec.is_large else fill in (b"", 0)


def test_chunks_have_no_more_rows_than_the_array_and_no_more_text_than_fits(tmp_path, monkeypatch):
    monkeypatch.setattr("serprep.store.layout.CHUNK_BYTES", 1 << 20)
    path = tmp_path / "x.h5"
    text = Array(name="a/text", shape=(300,), dtype="string", dimensions=("utterance",))
    rows = np.array(["x" * 20_000, *map(str, range(299))], object)
    hdf5_store.write_file(path, [text, SEGMENTS], {}, small={"a/text": rows}, large=[])
    with h5py.File(path, "r") as file:
        assert file["a/text"].chunks == (52,)
        assert file["logmel/2/segments"].chunks == (5, 2, 3)
        assert np.isnan(file["logmel/2/segments"][:]).all(), "what was never written is no number"
    assert as_text(hdf5_store.open_array(str(path), "a/text")[:]) == list(rows)


def test_an_array_without_rows(tmp_path):
    spec = Array(name="a/b", shape=(0, 3), dtype="float32", dimensions=("x", "y"))
    text = Array(name="a/c", shape=(0,), dtype="string", dimensions=("x",))
    none = np.array([], object)
    hdf5_store.write_file(tmp_path / "x.h5", [spec, text], {}, small={"a/c": none}, large=[])
    assert hdf5_store.open_array(str(tmp_path / "x.h5"), "a/b")[:].shape == (0, 3)
    assert as_text(hdf5_store.open_array(str(tmp_path / "x.h5"), "a/c")[:]) == []


def test_text_that_hdf5_would_cut_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"utterances/id: the text of row 2 ends in a NUL character"):
        rows = np.array(["", "a\0b", "a\0", "x"], object)
        hdf5_store.write_file(tmp_path / "x.h5", [IDS], {}, small={IDS.name: rows}, large=[])


def test_same_values_same_bytes(tmp_path, store):
    """Wherever, in another process, and however late."""
    other = written(tmp_path / "elsewhere" / "y.h5")
    assert other.read_bytes() == store.read_bytes()
    code = (
        "import pathlib, sys, time; sys.path[:0] = [sys.argv[2], sys.argv[3]]\n"
        "while int(time.time()) <= int(sys.argv[4]): pass\n"  # HDF5 keeps whole seconds
        "import serprep.store.layout; serprep.store.layout.CHUNK_BYTES = 24\n"
        "import test_hdf5_store; test_hdf5_store.written(pathlib.Path(sys.argv[1]))"
    )
    here = os.path.dirname(__file__)  # noqa: PTH120
    root = os.path.dirname(os.path.dirname(here))  # noqa: PTH120
    written_by = str(int(time.time()))
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "z.h5"), here, root, written_by], check=True)
    assert (tmp_path / "z.h5").read_bytes() == store.read_bytes()


def test_an_existing_file_is_not_overwritten(store):
    before = store.read_bytes()
    with pytest.raises(OSError, match="exists"):
        written(store)
    assert store.read_bytes() == before


def test_the_user_block_is_as_documented(store):
    data = store.read_bytes()
    lines = data[:512].rstrip(b"\0").decode("ascii").splitlines()
    about = json.dumps(ATTRIBUTES, ensure_ascii=False).encode()
    expected = ["serprep hdf5 1", f"size {len(data)}", f"sha256 {hashlib.sha256(data[512:]).hexdigest()}"]
    expected.append(f"attributes {hashlib.sha256(about).hexdigest()}")
    expected.append("check " + hashlib.sha256(("\n".join(expected) + "\n").encode()).hexdigest())
    assert lines == expected
    assert data[512:520] == b"\x89HDF\r\n\x1a\n"


# -- forks ---------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_opens_its_own_files(store):
    arrays = [hdf5_store.open_array(str(store), spec.name) for spec in (SEGMENTS, COUNTS)]
    handles = [array._handles for array in arrays]
    expected = [array[:].tobytes() for array in arrays]
    pid = os.fork()
    if not pid:
        status = 1
        try:
            same = arrays[0][:].tobytes() == expected[0]
            closed = not any(file.id.valid for file, _ in handles)  # also of the array not yet read
            status = 0 if same and closed and arrays[1][:].tobytes() == expected[1] else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert all(file.id.valid for file, _ in handles)
    assert [array[:].tobytes() for array in arrays] == expected


# -- what is refused -----------------------------------------------------------------

ANY = r"unfinished or damaged|user block is damaged|cut short|do not match their digest"


def replaced(path, data):
    path.unlink()  # HDF5 knows an open file by its inode
    path.write_bytes(data)


def test_no_flipped_bit_of_the_user_block_goes_unnoticed(store):
    whole = store.read_bytes()
    n_lines = whole.index(b"\0")
    for place in range(n_lines):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        replaced(store, damaged)
        with pytest.raises(StoreError, match=ANY):
            hdf5_store.read_attributes(str(store))
        assert len(hdf5_store.check_file(str(store))) == 1
    replaced(store, whole)
    assert hdf5_store.check_file(str(store)) == []


def test_no_flipped_bit_of_an_attribute_goes_unnoticed(store):
    whole = store.read_bytes()
    rng = random.Random(1)
    for text in ("日本".encode() * 100, b'"NaN"', b"1234567890", b"columns"):
        place = whole.index(text) + rng.randrange(len(text))
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        replaced(store, damaged)
        with pytest.raises(StoreError, match=ANY):
            hdf5_store.read_attributes(str(store))


def test_no_truncated_or_lengthened_file_goes_unnoticed(store):
    whole = store.read_bytes()
    for data in [*(whole[:length] for length in range(0, len(whole), 9973)), whole[:511], whole[:-1], whole + b"\0"]:
        replaced(store, data)
        with pytest.raises(StoreError, match=ANY):
            hdf5_store.read_attributes(str(store))
        assert len(hdf5_store.check_file(str(store))) == 1


def test_a_file_that_was_not_finished_is_refused(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w", userblock_size=512) as file:
        file["a"] = 1
    with pytest.raises(StoreError, match="its user block does not begin with 'serprep hdf5 1'; build it again"):
        hdf5_store.read_attributes(str(tmp_path / "x.h5"))
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["a"] = 1
    with pytest.raises(StoreError, match="not an HDF5 store of this serprep"):
        hdf5_store.read_attributes(str(tmp_path / "y.h5"))


def test_places_that_hold_no_file(tmp_path):
    for place, message in (
        (tmp_path / "a\nb.h5", r"a\\nb\.h5: no store there; expected a file that `serprep build` made"),
        (tmp_path, "Is a directory; make it readable"),
        ("x\0.h5", r"x\\x00\.h5: embedded null byte"),
        ("memory://x.h5", r"memory://x\.h5: no store there; expected a file that `serprep build` made"),
    ):
        with pytest.raises(StoreError, match=message):
            hdf5_store.read_attributes(str(place))
        (problem,) = hdf5_store.check_file(str(place))
        assert "\n" not in problem


def test_check_file_notices_any_change_and_counts_bytes(store):
    whole = store.read_bytes()
    seen = []
    assert hdf5_store.check_file(str(store), seen.append) == []
    assert seen[-1] == len(whole) - 512
    for place in range(512, len(whole), 4999):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        replaced(store, damaged)
        (problem,) = hdf5_store.check_file(str(store))
        assert "its SHA-256 is" in problem and "build it again" in problem


def test_damaged_rows_and_names_are_noticed(store):
    whole = store.read_bytes()
    place = whole.index(values()[COUNTS].tobytes()[:24]) + 9
    damaged = bytearray(whole)
    damaged[place] ^= 1
    replaced(store, damaged)
    array = hdf5_store.open_array(str(store), COUNTS.name)
    with pytest.raises(OSError, match="Can't synchronously read data"):
        array[:]
    replaced(store, whole.replace(b"n_frames", b"n_framez"))
    with pytest.raises(StoreError, match="array 'utterances/n_frames' is damaged"):
        hdf5_store.open_array(str(store), COUNTS.name)
    with pytest.raises(StoreError, match="its tree is damaged"):
        hdf5_store.array_names(str(store), {})
