"""What the metadata of a store announce is a claim: can it be true?

Digests and seals show accidents.  Whoever writes a file can write its digest, too, so
nothing that metadata say is used before it was looked at here: types, ranges, names that
stay in the store's folder, and no more bytes than there are files for.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from serprep.errors import SerprepError
from serprep.features.extract import config_from_json, features_from_json
from serprep.features.kind import MissingKind
from serprep.features.kinds import kind_names, kind_of
from serprep.utterance import Utterance

MANY = 1 << 40  # rows that nobody has
WIDEST = 1 << 20  # columns
CHUNK_LIMIT = 1 << 28  # bytes of a chunk
TEXTS_LIMIT = 1 << 17  # strings of a chunk
ITEM_BYTES = {"float16": 2, "float32": 4, "float64": 8, "int16": 2, "int64": 8, "uint8": 1, "string": 1}

_DIGEST = re.compile("[0-9a-f]{64}")
_COLUMNS = {name for name in Utterance.__dataclass_fields__ if name != "extra"} | {"n_samples"}
_CODECS = {"bytes", "crc32c", "vlen-utf8"}


def is_inside(name: object) -> bool:
    """Whether a relative ``/`` name stays in its folder.

    Examples
    --------
    >>> is_inside("logmel/30/zarr.json"), is_inside("../x"), is_inside("/etc"), is_inside("a//b")
    (True, False, False, False)
    """
    if not isinstance(name, str) or "\0" in name or "\\" in name or len(name) > 4096:
        return False
    return all(part not in ("", ".", "..") for part in name.split("/"))


def check_files(files: object) -> None:
    """Raise a ValueError unless `files` maps names inside a store to digests."""
    if not isinstance(files, dict) or not all(map(is_inside, files)):
        raise ValueError("files is no table of names inside the store")
    if not all(_is_digest(digest) for digest in files.values()):
        raise ValueError("files names something that is no SHA-256")


def check_attributes(about: Mapping[str, Any]) -> None:
    """Raise a ValueError, of one line, unless root attributes can be those of a store of this format."""
    for name in ("version", "seal"):
        _expect(_is_digest(about.get(name)), f"{name} is no SHA-256")
    _expect(_is_count(about.get("n_utterances")), "n_utterances is no possible number of utterances")
    columns: Any = about.get("columns")
    _expect(_is_texts(columns) and len(set(columns)) == len(columns), "columns is no list of different names")
    _expect(all(is_inside(name) and "/" not in name for name in columns), "columns holds an impossible name")
    _expect(set(columns) >= _COLUMNS, "columns lacks some that every store has")
    _expect(about.get("segment_dtype") in ("float16", "float32"), "segment_dtype is neither float16 nor float32")
    _expect(_is_texts(about.get("licences")), "licences is no list of text")
    origin: Any = about.get("provenance")
    _expect(isinstance(origin, dict) and isinstance(origin.get("corpus"), dict), "provenance names no corpus")
    _expect(_is_digest(origin.get("manifest_digest")), "provenance names no digest of the manifest")
    used: Any = origin.get("extractors")
    _expect(isinstance(used, dict) and all(isinstance(told, dict) for told in used.values()), "extractors is no table")
    asked: Any = about.get("configurations")
    _expect(isinstance(asked, dict) and isinstance(asked.get("features"), dict), "configurations names no features")
    labels: Any = asked.get("labels")
    _expect(_is_texts(labels) and len(set(labels)) == len(labels), "labels is no list of different names")
    try:
        features_from_json(asked["features"], missing_kinds(about))
    except SerprepError as error:
        raise ValueError(str(error)) from None
    except (ArithmeticError, ValueError, TypeError):
        raise ValueError("the features' configuration is impossible") from None


def missing_kinds(about: Mapping[str, Any]) -> dict[str, MissingKind]:
    """Kinds of feature that root attributes name and that cannot be computed here, as they describe them.

    Raises
    ------
    ValueError
        If the description is impossible.
    """
    kinds: Any = about.get("kinds", {})
    _expect(isinstance(kinds, dict) and all(map(is_inside, kinds)), "kinds is no table of kinds of feature")
    missing = {}
    for name, entry in kinds.items():
        fine = isinstance(entry, dict) and entry.get("shape") in ("row", "contour") and _is_count(entry.get("columns"))
        _expect(fine and isinstance(entry.get("distribution"), str), "kinds describes one that cannot be")
        _expect("/" not in name and entry["columns"] <= WIDEST, "kinds describes one that cannot be")
        dtype = entry.get("dtype", "float32")
        _expect(dtype in ("float32", "int16"), "kinds describes one that cannot be")
        why = _missing(name, about) if name in kind_names() else ""
        if why or name not in kind_names():
            names = tuple(f"{name}_{i}" for i in range(entry["columns"]))
            missing[name] = MissingKind(name, entry["shape"], names, entry["distribution"], dtype, why)
    return missing


def _missing(name: str, about: Mapping[str, Any]) -> str:
    """What an installed kind lacks here to be computed as configured; "" for nothing."""
    try:
        values = about["configurations"]["features"]["kinds"][name]
    except (KeyError, TypeError):
        raise ValueError(f"kinds describes {name}, which is not configured") from None
    return kind_of(name).missing(config_from_json(name, values))


def check_zarr_array(about: Mapping[str, Any], n_files: int) -> None:
    """Raise a ValueError unless a ``zarr.json`` describes an array as serprep writes them.

    Parameters
    ----------
    about : mapping
    n_files : int
        Files of chunks or shards that the store has of the array.
    """
    shape: Any = about.get("shape")
    kind: Any = about.get("data_type")
    _expect(about.get("node_type") == "array" and isinstance(shape, list), "no array is described")
    _expect(isinstance(kind, str) and kind in ITEM_BYTES, "its type is none that a store has")
    _expect(1 <= len(shape) <= 3 and all(map(_is_count, shape)), "its shape is impossible")
    grid = about.get("chunk_grid")
    outer = _chunk_of(grid if isinstance(grid, dict) and grid.get("name") == "regular" else None, len(shape))
    codecs: Any = about.get("codecs")
    inner = outer
    if isinstance(codecs, list) and len(codecs) == 1 and _name(codecs[0]) == "sharding_indexed":
        inner, codecs = _chunk_of(codecs[0], len(shape)), codecs[0]["configuration"].get("codecs")
        _expect(all(a % b == 0 for a, b in zip(outer, inner, strict=True)), "its shards do not hold whole chunks")
    known = isinstance(codecs, list) and all(_name(codec) in _CODECS for codec in codecs)
    _expect(known and not about.get("storage_transformers"), "its codecs are none that a store has")
    limit = TEXTS_LIMIT if kind == "string" else CHUNK_LIMIT
    _expect(math.prod(inner) * ITEM_BYTES[kind] <= limit, "its chunks are larger than a store's")
    _expect(math.prod(outer) // math.prod(inner) <= TEXTS_LIMIT, "its shards are larger than a store's")
    n = math.prod(-(-length // rows) for length, rows in zip(shape, outer, strict=True))
    _expect(n == n_files, f"it needs {n} files of chunks, the store has {n_files}")


def _chunk_of(holder: Any, n_dimensions: int) -> list[int]:
    how = holder.get("configuration") if isinstance(holder, dict) else None
    chunk = how.get("chunk_shape") if isinstance(how, dict) else None
    fine = isinstance(chunk, list) and len(chunk) == n_dimensions and all(_is_count(rows) and rows for rows in chunk)
    _expect(fine, "its chunks are impossible")
    return list(chunk or ())


def _name(codec: object) -> object:
    return codec.get("name") if isinstance(codec, dict) else None


def _expect(fine: object, message: str) -> None:
    if not fine:
        raise ValueError(message)


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and bool(_DIGEST.fullmatch(value))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < MANY


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
