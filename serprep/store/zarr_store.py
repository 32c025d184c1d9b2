"""The Zarr v3 container: sharded arrays, one task per shard, sealed root metadata.

Root attribute ``files`` maps every other file to its SHA-256; ``seal`` is the SHA-256
of the root ``zarr.json`` with the seal's digits set to 0.  Nothing is consolidated:
that is not in the specification.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from serprep._json import load_object
from serprep._typing import AnyArray
from serprep.errors import StoreError, one_line
from serprep.forms import FORMS
from serprep.place.place import at
from serprep.store import claims
from serprep.store.container import Block, Container, Inspected, Opened, Problem, Sharding, Tell, digest_of
from serprep.store.described import DescribedArray, is_plain, read_plain
from serprep.store.layout import Array
from serprep.store.shards import Shards, encode_shard

ROOT = FORMS[0].mark
NO_SEAL = "0" * 64
ROOT_LIMIT = 1 << 28  # bytes: a hundred for each file of a store, of which a hundred million rows have half a million
_GROUP = '{\n  "attributes": {},\n  "zarr_format": 3,\n  "node_type": "group"\n}'


def create_array(path: str, spec: Array) -> None:
    """Make an empty array, with its groups."""
    for number in range(spec.name.count("/") + 1):  # zarr makes groups by hard link, which not every disk has
        group = Path(path, *spec.name.split("/")[:number])
        group.mkdir(parents=True, exist_ok=True)
        if not (group / ROOT).exists():
            (group / ROOT).write_text(_GROUP, encoding="utf-8", newline="\n")
    import zarr
    from zarr.codecs import Crc32cCodec

    zarr.create_array(
        store=Path(path, spec.name),  # a text would be taken apart as a URL
        shape=spec.shape,
        dtype=spec.dtype,
        chunks=(spec.chunk, *spec.shape[1:]),
        shards=(spec.shard, *spec.shape[1:]) if spec.is_large else None,
        compressors=Crc32cCodec(),
        filters=None,
        fill_value=_fill(spec),
        dimension_names=spec.dimensions,
        zarr_format=3,
    )


def shard_bytes(spec: Array, rows: AnyArray) -> bytearray:
    """What the file of a whole shard holds, byte for byte as zarr writes it."""
    return encode_shard(rows, per_chunk=spec.chunk, per_shard=spec.shard, fill=_fill(spec))


def _fill(spec: Array) -> float | str:
    """The value of what was not written."""
    return float("nan") if spec.dtype.startswith("float") else "" if spec.dtype == "string" else 0


def write_rows(path: str, name: str, first: int, values: AnyArray) -> None:
    """Write whole shards of an array: rows from `first` on."""
    import zarr

    # a chunk that happens to equal the fill value must still exist: its absence means damage
    with zarr.config.set({"array.write_empty_chunks": True}):
        array = zarr.open_array(store=Path(path), path=name, mode="r+", zarr_format=3)
        array[first : first + len(values)] = values.astype(object) if array.dtype.kind == "T" else values


def write_texts(path: str, spec: Array, texts: Sequence[str]) -> None:
    """Write a whole array of strings, byte for byte as zarr does, which would hold a large column six times.

    A chunk is, by the codecs vlen-utf8 and crc32c: the number of strings, then each with
    its length before it, then a checksum; numbers are uint32, little-endian.
    """
    for number, first in enumerate(range(0, spec.shape[0], spec.chunk)):
        place = Path(path, spec.name, "c", str(number))
        place.parent.mkdir(exist_ok=True)
        check = 0
        with place.open("wb") as file:
            for piece in _pieces(texts, first, spec):
                check = google_crc32c.extend(check, piece)
                file.write(piece)
            file.write(check.to_bytes(4, "little"))


def _pieces(texts: Sequence[str], first: int, spec: Array) -> Iterator[bytes]:
    """The bytes of a chunk of strings before its checksum, a thousand strings at a time."""
    yield spec.chunk.to_bytes(4, "little")
    last = min(first + spec.chunk, spec.shape[0])
    for start in range(first, last, 1000):
        encoded = [texts[i].encode() for i in range(start, min(start + 1000, last))]
        yield b"".join(len(text).to_bytes(4, "little") + text for text in encoded)
    yield bytes(4 * (first + spec.chunk - last))  # the last chunk is filled up with ""


def shard_file(spec: Array, first: int) -> str:
    """Relative name of the file that holds the shard beginning at row `first`."""
    return "/".join([spec.name, "c", str(first // spec.shard), *["0"] * (len(spec.shape) - 1)])


def seal(path: Path, attributes: Mapping[str, Any], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Write the root metadata, with digests of every other file, which are returned.

    `known` holds digests of files that were read and hashed just now, or lie at a URL already.
    """
    known = known or {}
    names = sorted((file_names(path) | known.keys()) - {ROOT})
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:  # hashing releases Python's lock
        digests = pool.map(lambda name: known.get(name) or digest_of(path / name), names)
        files = dict(zip(names, digests, strict=True))
    text = root_text({**attributes, "files": files, "seal": NO_SEAL})
    digest = hashlib.sha256(text.encode()).hexdigest()
    beside = path / f".{ROOT}.tmp"
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text.replace(f'"seal": "{NO_SEAL}"', f'"seal": "{digest}"'))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path / ROOT)
    return files


def root_text(attributes: Mapping[str, Any]) -> str:
    """The root ``zarr.json``, always the same text for the same attributes."""
    root = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    return json.dumps(root, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def file_names(path: str | Path) -> set[str]:
    """Relative ``/`` names of all files below a store."""
    return at(path).files()


def read_attributes(path: str, *, complete: bool = True) -> dict[str, Any]:
    """Attributes of a sealed store.

    Raises
    ------
    StoreError
        If the root metadata is missing, not sealed, or not what was sealed; or, where
        the store must be complete, if one of its files is missing.
    """
    folder, place = at(path), one_line(path)
    try:
        data = folder.read(ROOT, 0, ROOT_LIMIT + 1)
    except FileNotFoundError:
        raise StoreError(f"{place}: no store there; expected a folder that `serprep build` made") from None
    except OSError as error:
        raise StoreError(f"{place}: {error.strerror or error}; make it readable") from None
    if len(data) > ROOT_LIMIT:
        raise StoreError(f"{place}: its root metadata has more than {ROOT_LIMIT >> 20} MB, as no store has")
    try:
        attributes = dict(load_object(data)["attributes"])
        claimed = str(attributes["seal"])
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{place}: its root metadata is unfinished or damaged; build it again") from None
    unsealed = data.replace(claimed.encode(), NO_SEAL.encode(), 1) if len(claimed) == 64 else b""
    if data.count(claimed.encode()) != 1 or hashlib.sha256(unsealed).hexdigest() != claimed:
        raise StoreError(f"{place}: its root metadata does not match its seal; build it again")
    try:
        claims.check_files(attributes.get("files"))
    except ValueError as error:
        raise StoreError(f"{place}: its root metadata is impossible: {error}; build it again") from None
    if complete:
        try:
            there = folder.files()
        except OSError as error:
            raise StoreError(f"{place}: {error.strerror or error}; make it readable") from None
        missing = [name for name in attributes["files"] if name not in there]
        if missing:
            raise StoreError(
                f"{place}: {len(missing)} of its {len(attributes['files'])} files are missing, "
                f"such as {one_line(missing[0])}; build it again"
            )
    return attributes


def inspect(path: str, progress: Tell | None = None) -> Inspected:
    """Compare the set of files and their digests with what was sealed."""
    try:
        expected: dict[str, str] = read_attributes(path, complete=False)["files"]
    except StoreError as error:
        return Inspected(1, (Problem(kind="seal", place=ROOT, message=str(error)),))
    there = file_names(path) - {ROOT}
    missing, extra = sorted(set(expected) - there), sorted(there - set(expected))
    problems = [Problem(kind="missing file", place=name, message="the file is not there") for name in missing]
    problems += [Problem(kind="extra file", place=name, message="it does not belong to the store") for name in extra]

    def digest(name: str) -> str:
        try:
            return digest_of(f"{path}/{name}")
        except OSError as error:
            return f"unreadable: {error.strerror}"

    names = sorted(set(expected) & there)
    with ThreadPoolExecutor(max_workers=min(8, 2 * (os.cpu_count() or 1))) as pool:
        for number, (name, actual) in enumerate(zip(names, pool.map(digest, names), strict=True), 1):
            if actual != expected[name]:
                message = actual if actual.startswith("unreadable") else "its bytes are not those that were sealed"
                problems.append(Problem(kind="damaged file", place=name, message=message))
            if progress:
                progress(number)
    return Inspected(len(expected) + 1, tuple(problems))


def check_file(path: str, name: str, files: Mapping[str, str]) -> bytes:
    """The bytes of a file of a store; a StoreError if they are not what was sealed."""
    try:
        data = at(path).read(name, 0, ROOT_LIMIT)
    except OSError as error:
        raise StoreError(f"{one_line(path)}: {one_line(name)}: {error.strerror or error}; build it again") from None
    if hashlib.sha256(data).hexdigest() != files[name]:
        raise StoreError(f"{one_line(path)}: {one_line(name)} does not match its digest; remove it and build again")
    return data


def check_array(path: str, name: str, files: Mapping[str, str]) -> dict[str, Any]:
    """The metadata of an array; a StoreError unless they are what was sealed, and can be true."""
    data = check_file(path, f"{name}/{ROOT}", files)
    try:
        about = load_object(data)
        claims.check_zarr_array(about, sum(file.startswith(f"{name}/c/") for file in files))
    except ValueError as error:
        raise StoreError(
            f"{one_line(path)}: array {one_line(repr(name))} is damaged ({one_line(error)}); remove it and build again"
        ) from None
    return about


def array_names(path: str, attributes: Mapping[str, Any]) -> list[str]:
    """Names of all arrays, sorted."""
    files = attributes["files"]
    folders = [name[: -len(f"/{ROOT}")] for name in files if name.endswith(f"/{ROOT}")]
    groups = {folder.rpartition("/")[0] for folder in folders}  # of format 1, every group holds an array or a group
    return sorted(set(folders) - groups)


def open_array(path: str, name: str) -> Any:
    """One array, for reading."""
    import zarr

    from serprep.store.place_store import PlaceStore

    return zarr.open_array(store=PlaceStore(path), path=name, mode="r", zarr_format=3)


def opened(path: str, name: str, attributes: Mapping[str, Any]) -> Opened:
    """One array, whose metadata are what was sealed."""
    about, folder = check_array(path, name, attributes["files"]), f"{path}/{name}"
    array = DescribedArray(about, lambda: open_array(path, name))
    if is_plain(about):
        return Opened(array, lambda first, last: read_plain(folder, about, first, last))
    if about["codecs"][0]["name"] not in ("sharding_indexed", "bytes"):  # `create_array` makes none: zarr says why
        whole = open_array(path, name)
        return Opened(whole, lambda first, last: np.asarray(whole[first:last]))
    direct = cache(lambda: Shards.of(folder, array.opened))

    def read(first: int, last: int | None) -> AnyArray:
        shards = direct()
        return shards.read(first, last) if shards else np.asarray(array[first:last])

    return Opened(array, read)


def _suspects(problem: Problem, tables: Sequence[str]) -> list[tuple[str, int | None]]:
    """The shard that a file holds."""
    name, _, cell = problem.place.partition("/c/")
    return [(name, int(cell.split("/")[0]))] if cell and problem.kind != "extra file" else []


def create(path: Path, specs: Sequence[Array], values: Callable[[Array], Any]) -> None:
    """Make all arrays, and write the small ones."""
    for spec in specs:
        create_array(str(path), spec)
        if spec.dtype == "string":
            write_texts(str(path), spec, values(spec))
        elif not spec.is_large:
            rows = values(spec)
            for first in range(0, spec.shape[0], spec.chunk):
                write_rows(str(path), spec.name, first, rows[first : first + spec.chunk])


def write(
    path: Path,
    specs: Sequence[Array],
    attributes: Mapping[str, Any],
    small: Callable[[Array], Any],
    large: Iterable[Block],
) -> dict[str, str]:
    """Write and seal a whole store."""
    create(path, specs, small)
    for spec, first, rows in large:
        write_rows(str(path), spec.name, first, rows)
    return seal(path, attributes)


ZARR = Container(
    form=FORMS[0],
    unit="files",
    attributes=read_attributes,
    array_names=array_names,
    open=opened,
    inspect=inspect,
    size=lambda path, attributes: len(attributes["files"]),
    suspects=_suspects,
    write=write,
    sharding=Sharding(create, shard_file, shard_bytes, seal),
    load=lambda: import_module("zarr"),
)
