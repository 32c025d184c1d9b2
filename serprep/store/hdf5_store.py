"""The HDF5 container: one file, written once by one task, with digests in its user block.

The user block is the first 512 bytes, which HDF5 leaves to us: ASCII lines, then zeros::

    serprep hdf5 1
    size <bytes of the whole file>
    sha256 <of everything after the block>     the seal
    attributes <sha256 of the root attributes, as JSON>
    check <sha256 of the four lines above>

Every chunk has a Fletcher-32, HDF5's own metadata has checksums, attributes have none:
hence their digest.  An open HDF5 handle must not cross a fork, so files are opened in
the process that reads.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from serprep._json import load_json
from serprep._typing import AnyArray
from serprep.errors import StoreError, one_line
from serprep.forms import FORMS
from serprep.place.place import at
from serprep.store import layout
from serprep.store.container import DAMAGE, Block, Container, Inspected, Opened, Problem, Tell
from serprep.store.hdf5_array import open_array
from serprep.store.hdf5_file import NewFile, open_file
from serprep.store.layout import Array

BLOCK = 512
TITLE = "serprep hdf5 1"
FIELDS = ("size", "sha256", "attributes", "check")
LIBVER = ("v110", "v110")  # the oldest whose metadata all has checksums; "latest" depends on the library
READING = 1 << 22

# -- writing -------------------------------------------------------------------------


def write_file(
    path: Path,
    specs: Sequence[Array],
    attributes: Mapping[str, Any],
    *,
    small: Mapping[str, AnyArray],
    large: Iterable[tuple[Array, int, AnyArray]],
) -> str:
    """Write a whole store in one open; returns the seal.

    Parameters
    ----------
    path : Path
        A new file, beside the final name.
    specs : sequence of Array
        Every array of the store, in any order.
    attributes : mapping
        JSON values by name.
    small : mapping of str to ndarray
        The arrays that are not large, by name.
    large : iterable of (Array, int, ndarray)
        Blocks of the large ones with their first row: whole shards, by name and then by row.
    """
    with NewFile(path) as disk:
        with h5py.File(disk, "w", driver="fileobj", libver=LIBVER, userblock_size=BLOCK, track_order=True) as file:
            for spec in sorted(specs, key=lambda spec: spec.name):
                _create(file, spec, small.get(spec.name))
            for spec, first, values in large:
                file[spec.name][first : first + len(values)] = values
                disk.check()
            for name, value in attributes.items():
                _set_attribute(file, name, value)
        disk.check()
    return _seal(path, attributes)


def _create(file: h5py.File, spec: Array, values: AnyArray | None) -> None:
    """Make an array, with its groups, and write it if it is small."""
    dtype: Any = np.dtype("S1" if spec.dtype == "string" else spec.dtype)
    if spec.dtype == "string":
        encoded = [str(value).encode() for value in ([] if values is None else values)]
        if any(cell.endswith(b"\0") for cell in encoded):
            row = next(row for row, cell in enumerate(encoded) if cell.endswith(b"\0"))
            raise StoreError(
                f"{spec.name}: the text of row {row} ends in a NUL character, which HDF5 would lose; "
                "remove it or use the format 'zarr'"
            )
        dtype = h5py.string_dtype("utf-8", max(1, max(map(len, encoded), default=1)))
        values = np.array(encoded, dtype) if encoded else None
    array = file.create_dataset(
        spec.name,
        shape=spec.shape,
        dtype=dtype,
        chunks=(_chunk(spec, dtype.itemsize), *spec.shape[1:]) if all(spec.shape) else None,
        fletcher32=all(spec.shape),
        fillvalue=float("nan") if spec.dtype.startswith("float") else b"" if spec.dtype == "string" else 0,
        track_times=False,
    )
    for number, name in enumerate(spec.dimensions):
        array.dims[number].label = name
    if values is not None:
        array[...] = values


def _chunk(spec: Array, itemsize: int) -> int:
    """Rows of a chunk: the layout's, but no more than there are, and no more text than fits its bytes."""
    rows = min(spec.chunk, spec.shape[0])
    return rows if spec.is_large else max(1, min(rows, layout.CHUNK_BYTES // itemsize))


def _set_attribute(file: h5py.File, name: str, value: Any) -> None:
    """Whole numbers as numbers, plain text as text, everything else as JSON text."""
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        file.attrs.create(name, value, dtype="int64")
        return
    text = value if isinstance(value, str) and _is_plain(value) else _to_json(value)
    data = text.encode()
    file.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", len(data)))


def _is_plain(text: str) -> bool:
    """Whether `text` cannot be taken for JSON, and HDF5 can hold it."""
    if not text or "\0" in text:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False


def _get_attribute(value: Any) -> Any:
    """The JSON value that `_set_attribute` wrote."""
    if isinstance(value, np.integer):
        return int(value)
    text = value.decode() if isinstance(value, bytes) else str(value)
    try:
        return load_json(text)
    except ValueError:
        return text


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _digest(attributes: Mapping[str, Any]) -> str:
    """SHA-256 of the root attributes as JSON, in their order, hex."""
    return hashlib.sha256(_to_json(dict(attributes)).encode()).hexdigest()


def _seal(path: Path, attributes: Mapping[str, Any]) -> str:
    """Write the user block; returns the seal."""
    seal = _digest_of_rest(path)
    lines = f"{TITLE}\nsize {path.stat().st_size}\nsha256 {seal}\nattributes {_digest(attributes)}\n"
    lines += f"check {hashlib.sha256(lines.encode()).hexdigest()}\n"
    with path.open("r+b") as file:
        file.write(lines.encode().ljust(BLOCK, b"\0"))
        file.flush()
        os.fsync(file.fileno())
    return seal


def _digest_of_rest(path: str | Path, progress: Callable[[int], None] | None = None) -> str:
    """SHA-256 of everything after the user block, hex; `progress` is given bytes done."""
    digest, done = hashlib.sha256(), 0
    with at(path).open() as file:
        file.seek(BLOCK)
        while data := file.read(READING):
            digest.update(data)
            done += len(data)
            if progress:
                progress(done)
    return digest.hexdigest()


# -- reading -------------------------------------------------------------------------


def read_block(path: str) -> dict[str, str]:
    """The fields of the user block: size, sha256, attributes, check.

    Raises
    ------
    StoreError
        If there is no such file, it is none of ours, or it is not as long as it says.
    """
    place = one_line(path)
    try:
        with at(path).open() as file:
            block, size = file.read(BLOCK), file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        raise StoreError(f"{place}: no store there; expected a file that `serprep build` made") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{place}: {getattr(error, 'strerror', None) or one_line(error)}; make it readable") from None
    text = block.rstrip(b"\0").decode("ascii", "replace")
    head, _, check = text.rpartition("check ")
    lines = text.splitlines()
    fields = dict(line.split(" ", 1) for line in lines[1:] if " " in line)
    if lines[:1] != [TITLE]:
        raise StoreError(
            f"{place}: not an HDF5 store of this serprep, unfinished or damaged: its user block does not begin with "
            f"{TITLE!r}; build it again"
        )
    if len(block) != BLOCK or tuple(fields) != FIELDS or hashlib.sha256(head.encode()).hexdigest() != check.strip("\n"):
        raise StoreError(f"{place}: its user block is damaged; build it again")
    if fields["size"] != str(size):
        raise StoreError(f"{place}: has {size} bytes of {fields['size']}, it is cut short or damaged; build it again")
    return fields


def read_attributes(path: str, *, complete: bool = True) -> dict[str, Any]:
    """Root attributes of a store, and its seal; one file is always complete.

    The digest of the whole file is not compared, that takes as long as reading it:
    `check_file` does.

    Raises
    ------
    StoreError
        If the file is missing, cut short, or its attributes are not what was written.
    """
    block = read_block(path)
    try:
        with open_file(path) as file:
            attributes = {str(name): _get_attribute(value) for name, value in file.attrs.items()}
        digest = _digest(attributes)
    except DAMAGE as error:
        raise StoreError(
            f"{one_line(path)}: its root is unfinished or damaged ({one_line(error)}); build it again"
        ) from None
    if digest != block["attributes"]:
        raise StoreError(f"{one_line(path)}: its root attributes do not match their digest; build it again")
    return {**attributes, "seal": block["sha256"]}


def check_file(path: str, progress: Callable[[int], None] | None = None) -> list[str]:
    """What is wrong with a file as a whole: its length, its user block, its SHA-256; empty if nothing.

    Parameters
    ----------
    path : str
    progress : callable, optional
        Called with the number of bytes read so far.
    """
    try:
        expected = read_block(path)["sha256"]
        digest = _digest_of_rest(path, progress)
    except StoreError as error:
        return [str(error)]
    except OSError as error:
        return [f"{one_line(path)}: {error.strerror or one_line(error)}"]
    if digest != expected:
        return [f"{one_line(path)}: its SHA-256 is {digest[:16]}…, its seal says {expected[:16]}…; build it again"]
    return []


def array_names(path: str, attributes: Mapping[str, Any]) -> list[str]:
    """Names of all arrays, sorted."""
    names: list[str] = []

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            names.append(name)

    try:
        with open_file(path) as file:
            file.visititems(visit)
    except DAMAGE as error:
        raise StoreError(f"{one_line(path)}: its tree is damaged ({one_line(error)}); build it again") from None
    return sorted(names)


def opened(path: str, name: str, attributes: Mapping[str, Any]) -> Opened:
    """One array, whose metadata can be true."""
    array = open_array(path, name)
    return Opened(array, array.read, array.close)


def inspect(path: str, progress: Tell | None = None) -> Inspected:
    """Compare the whole file with its user block; `progress` is given MiB done."""
    lines = check_file(path, (lambda done: progress(done >> 20)) if progress else None)
    place = path.rstrip("/").rpartition("/")[2]
    return Inspected(1, tuple(Problem(kind="damaged file", place=place, message=line) for line in lines))


def write(
    path: Path,
    specs: Sequence[Array],
    attributes: Mapping[str, Any],
    small: Callable[[Array], Any],
    large: Iterable[Block],
) -> dict[str, str]:
    """Write and seal a whole store."""
    values = {
        spec.name: np.array(list(small(spec)), object) if spec.dtype == "string" else np.asarray(small(spec))
        for spec in specs
        if not spec.is_large
    }
    return {"": write_file(path, specs, attributes, small=values, large=large)}


HDF5 = Container(
    form=FORMS[1],
    unit="MiB",
    attributes=read_attributes,
    array_names=array_names,
    open=opened,
    inspect=inspect,
    size=lambda path, attributes: int(read_block(path)["size"]) >> 20,
    suspects=lambda problem, tables: [(name, None) for name in tables],  # its checksums tell which chunks
    write=write,
)
