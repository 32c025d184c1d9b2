"""What is asked of a URL through fsspec; and what goes wrong there is one line."""

import hashlib
import io
import multiprocessing
import sys
from datetime import UTC, datetime

import fsspec
import numpy as np
import pytest

from serprep import remote
from serprep.corpora import read_corpus
from serprep.errors import CorpusError
from serprep.place.corpus import as_root
from serprep.place.place import at
from serprep.remote import ObjectFile


@pytest.fixture
def bucket(tmp_path):
    """A name of its own in the memory of this process, emptied afterwards."""
    yield f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


# -- what an object is ---------------------------------------------------------------


def test_a_stamp_is_size_and_tag_or_time():
    now = datetime(2024, 5, 1, tzinfo=UTC)
    assert remote.stamp({"size": 3, "ETag": '"abc"', "LastModified": now}) == [3, '"abc"']
    assert remote.stamp({"size": 3, "ETag": "", "mtime": 12.5}) == [3, 12.5]
    assert remote.stamp({"size": 3, "created": now}) == [3, now.timestamp()]
    assert remote.stamp({"size": 3, "updated": "2024-05-01T00:00:00Z"}) == [3, now.timestamp()]
    assert remote.stamp({"size": 3}) is None and remote.stamp(None) is None
    assert remote.has_tag([3, "abc"]) and not remote.has_tag([3, 12.5])


def test_what_is_there(bucket):
    assert remote.info(f"{bucket}/a") is None and remote.entries(bucket) == {} and remote.listing(bucket) == {}
    remote.write(f"{bucket}/a/b", b"12")
    remote.write(f"{bucket}/c", b"1")
    assert remote.entries(bucket) == {"a": "directory", "c": "file"}
    assert remote.info(f"{bucket}/a") is None and remote.info(f"{bucket}/c")["size"] == 1
    assert {name: entry["size"] for name, entry in remote.listing(bucket).items()} == {"a/b": 2, "c": 1}
    remote.remove(f"{bucket}/c")
    remote.remove(f"{bucket}/c")
    assert remote.entries(bucket) == {"a": "directory"}


def test_an_object_is_replaced_where_its_tag_is_known_only_without_quotes(bucket, monkeypatch):
    """As by Ceph's radosgw 16."""
    filesystem, path = remote.connect(f"{bucket}/x")
    put, about = filesystem.pipe_file, filesystem.info
    filesystem.pipe_file(path, b"1")

    def tag():
        return hashlib.sha256(filesystem.cat_file(path)).hexdigest()

    def strict(path, data, IfMatch):
        if tag() != IfMatch:
            raise FileExistsError(path)
        put(path, data)

    monkeypatch.setattr(filesystem, "pipe_file", strict)
    monkeypatch.setattr(filesystem, "info", lambda path, **options: {**about(path, **options), "ETag": f'"{tag()}"'})
    assert remote.replace(f"{bucket}/x", b"2", before=b"1") and remote.read(f"{bucket}/x") == b"2"
    assert not remote.replace(f"{bucket}/x", b"3", before=b"1") and remote.read(f"{bucket}/x") == b"2"


def test_an_object_is_read_like_a_file(bucket, monkeypatch):
    data = np.random.default_rng(0).bytes(10_000)
    remote.write(f"{bucket}/x", data)
    monkeypatch.setattr(remote, "_BLOCK", 512)
    fetched = []
    read = remote.read
    monkeypatch.setattr(remote, "read", lambda *args, **how: fetched.append(args[1:]) or read(*args, **how))
    file, expected = ObjectFile(f"{bucket}/x"), io.BytesIO(data)
    assert file.size == len(data)
    random = np.random.default_rng(1)
    for _ in range(300):
        place, size = int(random.integers(0, 11_000)), int(random.choice([0, 1, 7, 511, 512, 513, 3000, 20_000]))
        assert file.seek(place) == expected.seek(place)
        assert file.read(size) == expected.read(size) and file.tell() <= max(place, len(data))
    for whence in (io.SEEK_CUR, io.SEEK_END):
        assert file.seek(-20, whence) == expected.seek(-20, whence) or whence == io.SEEK_CUR
    fetched.clear()
    file.seek(0)
    assert file.read(10) + file.read(10) == data[:20]
    assert len(fetched) <= 1, "a small piece comes from the block that is there"
    assert len(file._blocks) <= remote._KEPT
    with at(f"{bucket}/x").open() as again:
        assert again.read() == data
    with pytest.raises(FileNotFoundError, match="no such object"):
        ObjectFile(f"{bucket}/none")


# -- what goes wrong -----------------------------------------------------------------


class NoCredentialsError(Exception):
    """Named like botocore's."""


class EndpointConnectionError(Exception):
    """Named like botocore's."""


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (FileNotFoundError("x"), FileNotFoundError, "no such object"),
        (FileNotFoundError("The specified bucket does not exist"), OSError, "no such bucket; make it, or correct"),
        (PermissionError("Forbidden"), PermissionError, "access denied; check the credentials"),
        (NoCredentialsError("Unable to locate"), OSError, r"no credentials \(Unable to locate\); set AWS_PROFILE"),
        (EndpointConnectionError("http://x"), OSError, r"no answer \(http://x\); check the network and"),
        (TimeoutError(), OSError, r"no answer \(TimeoutError\)"),
        (ImportError("Install s3fs"), OSError, r"not installed \(Install s3fs\); `pip install serprep\[s3\]`"),
        (RuntimeError("two\nlines\x1b"), OSError, r"two lines\\x1b"),
    ],
)
def test_errors_are_one_line_and_say_what_to_do(raised, kind, message):
    with pytest.raises(kind, match=message) as caught, remote.errors("s3://lab/x"):
        raise raised
    assert "\n" not in str(caught.value) and caught.value.strerror and caught.value.filename == "s3://lab/x"
    assert isinstance(caught.value, FileNotFoundError) == (kind is FileNotFoundError)


def test_an_address_of_no_kind():
    with pytest.raises(CorpusError, match="no such kind of address as nowhere://; expected one that fsspec knows"):
        read_corpus("ravdess", as_root("nowhere://x/y"))


def test_a_library_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(OSError, match="gs:// needs a library that is not installed"):
        remote.read("gs://bucket/x")


# -- processes -----------------------------------------------------------------------


def _connection(queue):
    queue.put(id(remote.connect("memory://x/y")[0]) and remote._filesystem.cache_info().misses)


def test_a_forked_process_makes_its_own_connection():
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("no fork here")
    remote._filesystem.cache_clear()
    remote.connect("memory://x/y")
    remote.connect("memory://x/z")
    assert remote._filesystem.cache_info().misses == 1
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_connection, args=(queue,))
    process.start()
    assert queue.get(timeout=300) == 2
    process.join()


def test_nothing_is_collected_while_h5py_reads_and_waits(monkeypatch):
    """Else an object of h5py, collected by the thread that fetches, waits for the lock of the thread that waits."""
    import gc

    collecting = []
    monkeypatch.setattr(remote, "info", lambda url: {"size": 10})
    monkeypatch.setattr(remote, "read", lambda *_, **__: collecting.append(gc.isenabled()) or b"0123456789")
    with ObjectFile("memory://lab/store.h5") as file:
        assert file.read(4) == b"0123"
    assert collecting == [False] and gc.isenabled()
