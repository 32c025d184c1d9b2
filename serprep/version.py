"""The digest that names what a store holds, and the names people give it.

A version says what was asked for: the rows in the store, the configurations, the
extractors and their revisions.  Container, chunks, compression, library versions,
paths, dates and machines are not part of it.
"""

import contextlib
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from serprep._json import canonical_json, load_object
from serprep.errors import StoreError, one_line
from serprep.forms import SUFFIXES, form_of, stem_of
from serprep.place.place import Place, at

STORE_FORMAT = 1
CONDITIONS = "conditions"  # the folder of a data set that holds its stores in other conditions, a data set itself

_VERSION = re.compile(r"[0-9a-f]{64}")
_TAG = re.compile(r"(?!latest$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def version_of(
    *,
    manifest_digest: str,
    configurations: Mapping[str, Any],
    extractors: Mapping[str, Any],
    segment_dtype: str,
) -> str:
    """SHA-256 of canonical JSON of what was asked for, hex.

    Parameters
    ----------
    manifest_digest : str
        Of the rows in the store, after mapping, exclusion and quarantine.
    configurations : mapping
        Features, declared labels, and the corpus's own description.
    extractors : mapping
        Kind of feature → name, revision and, for functionals, openSMILE's version.
    segment_dtype : str
        "float32" or "float16".
    """
    asked = {
        "format": STORE_FORMAT,
        "manifest": manifest_digest,
        "configurations": configurations,
        "extractors": extractors,
        "segment_dtype": segment_dtype,
    }
    return hashlib.sha256(canonical_json(asked)).hexdigest()


def versions(dataset: str) -> list[str]:
    """Names of the stores of a data set (``versions/<hex>.zarr``, ``.h5``), sorted.

    Raises
    ------
    StoreError
        If its folder cannot be read.
    """
    place = at(dataset)
    try:
        entries = place.entries("versions")
        return sorted(
            f"versions/{name}"
            for name in entries
            if (form := form_of(name))
            and is_version(stem_of(name))
            and (f"{stem_of(name)}.build.json" in entries or place.is_whole(f"versions/{name}", form.mark))
        )
    except NotADirectoryError:
        return []
    except OSError as error:
        reason = f"{error.strerror or one_line(error)}; expected the folder of a data set"
        raise StoreError(f"{one_line(dataset)}: {reason}") from None


def refuse_inside(folder: str) -> None:
    """Raise a StoreError if a folder or URL lies in a data set, or in a store: what is there is serprep's own."""
    place = at(folder)
    place.refuse_store()
    for above in place.above():
        with contextlib.suppress(StoreError):  # what cannot be looked at is no data set of this user
            if versions(above.root):
                break
    else:
        return
    raise StoreError(f"{one_line(folder)}: it lies in the data set {one_line(above.root)}; name a place outside of it")


def stores_of(dataset: str) -> list[str]:
    """Names of the stores of a data set; a StoreError if there is none."""
    stores = versions(dataset)
    if not stores:
        raise StoreError(f"{one_line(dataset)}: no store there; expected the folder of a data set: {advice(dataset)}")
    return stores


def version_named(name: str) -> str:
    """The version that a store's name gives."""
    return stem_of(name).removeprefix("versions/")


def resolve(place: str) -> str:
    """The path or URL of the store that `place` names.

    ``PATH@NAME`` splits at the last ``@``; NAME is a tag, "latest", or at least
    eight digits of a version.  The folder of a data set alone means its latest.

    Raises
    ------
    StoreError
        If nothing, or more than one version, has that name.
    """
    path, sign, name = place.rpartition("@")
    path = path or "."
    if not sign or "/" in name or not versions(path):  # an "@" may also stand in a folder's own name
        if place.rstrip("/").endswith(SUFFIXES):
            return place
        path, name = place or ".", "latest"
    stores = versions(path)
    if not stores:
        raise StoreError(
            f"{one_line(place)}: no store there; expected PATH.zarr, PATH.h5 or DATASET@NAME: {advice(path)}"
        )
    if name == "latest":
        wanted = latest(path, stores)
    elif re.fullmatch(r"[0-9a-f]{8,64}", name) and not at(path).exists(f"tags/{name}"):
        matching = [entry for entry in stores if entry.startswith(f"versions/{name}")]
        stems = {stem_of(entry) for entry in matching}
        if len(stems) != 1:
            raise StoreError(
                f"{one_line(place)}: {len(stems)} versions begin with {name}; `serprep log {one_line(path)}` lists them"
            )
        wanted = _preferred(matching)
    else:
        wanted = _tagged(path, name, stores)
    return f"{path.rstrip('/')}/{wanted}"


def datasets_in(folder: str) -> list[str]:
    """Names of the data sets that lie directly in a local folder, sorted."""
    try:
        names = [entry.name for entry in Path(folder).iterdir() if (entry / "versions").is_dir()]
    except OSError:
        return []
    return sorted(name for name in names if versions(f"{folder}/{name}"))


def advice(place: str) -> str:
    """What to do about a place that is no data set, in words."""
    path, shown = Path(place), one_line(place.rstrip("/"))
    if not path.exists():
        return "`serprep build` makes one"
    if place.rstrip("/").endswith(SUFFIXES):
        dataset = one_line(path.parent.parent) if path.parent.name == "versions" else ""
        return f"it is a store: `serprep info {shown}`" + (f"; its data set is {dataset}" if dataset else "")
    if path.name == "versions" and versions(str(path.parent)):
        return f"its data set is {one_line(path.parent)}"
    if inside := datasets_in(place):
        return f"`serprep info {shown}` lists the data sets in it, such as {shown}/{one_line(inside[0])}"
    if path.suffix == ".toml":
        return f"it looks like a recipe: `serprep build {shown}`"
    return "`serprep build` makes one"


def is_version(text: str) -> bool:
    """Whether `text` is a whole version: 64 hexadecimal digits."""
    return bool(_VERSION.fullmatch(text))


def check_tag(dataset: str, name: str) -> None:
    """Raise a StoreError unless `name` can be a tag."""
    if not _TAG.fullmatch(name):
        raise StoreError(
            f"{one_line(dataset)}@{one_line(name)}: not a possible tag; expected up to 64 letters, digits, "
            "'.', '_' or '-', the first a letter or digit, and not 'latest'"
        )


def tags(dataset: str) -> dict[str, str]:
    """Tag → the version it names, by name; damaged tags name something that is no version.

    Raises
    ------
    StoreError
        If a tag cannot be read.
    """
    folder = at(dataset)
    try:
        names = [name.removeprefix("tags/") for name in folder.names("tags")]
        return {name: _read_tag(folder, name) for name in names if _TAG.fullmatch(name)}
    except OSError as error:
        raise StoreError(f"{one_line(dataset)}: tags: {error.strerror or error}; make them readable") from None


def _read_tag(folder: Place, name: str) -> str:
    return folder.read(f"tags/{name}", 0, 1000).decode("ascii", "replace").strip()


def _tagged(dataset: str, name: str, stores: Sequence[str]) -> str:
    check_tag(dataset, name)
    try:
        version = _read_tag(at(dataset), name)
    except OSError:
        place = one_line(dataset)
        raise StoreError(f"{place}@{name}: no such tag; `serprep log {place}` lists versions and tags") from None
    matching = [entry for entry in stores if stem_of(entry) == f"versions/{version}"]
    if matching:
        return _preferred(matching)
    raise StoreError(
        f"{one_line(dataset)}@{name}: its store {one_line(version)[:12]} is gone; build it again or set the tag anew"
    )


def latest(dataset: str, stores: Sequence[str]) -> str:
    """The store built last."""
    stem = max({stem_of(entry) for entry in stores}, key=lambda stem: (build_number(dataset, stem), stem))
    return _preferred([entry for entry in stores if stem_of(entry) == stem])


def _preferred(entries: Sequence[str]) -> str:
    """Of one version's stores in several containers, the Zarr store."""
    return min(entries, key=lambda entry: SUFFIXES.index("." + entry.rsplit(".", 1)[1]))


_BUILD_TYPES: dict[str, type] = {
    "version": str,
    "number": int,
    "dataset": str,
    "built": str,
    "libraries": dict,
    "python": str,
    "platform": str,
    "n_utterances": int,
    "quarantined": list,
    "dropped": dict,
    "warnings": list,
}


def read_build(dataset: str, stem: str) -> dict[str, Any]:
    """What ``build.json`` beside a store says; {} where there is none.

    Raises
    ------
    StoreError
        If it cannot be read, or is not what was written.
    """
    place = f"{one_line(dataset)}/{stem}.build.json"
    try:
        about = load_object(at(dataset).read(f"{stem}.build.json"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(f"{place}: {one_line(reason)[:200]}; build the recipe again to write it anew") from None
    digest = about.pop("sha256", None)  # those of before had none
    wrong = [name for name, kind in _BUILD_TYPES.items() if name in about and type(about[name]) is not kind]
    wrong += [
        name for name in ("number", "n_utterances") if name not in wrong and not 0 <= about.get(name, 0) < 1 << 53
    ]
    if wrong or (digest is not None and digest != build_digest(about)):
        what = f"{wrong[0]} is not what it can be" if wrong else "it is not what was written"
        raise StoreError(f"{place}: damaged: {what}; build the recipe again to write it anew")
    return about


def build_digest(about: Mapping[str, Any]) -> str:
    """The checksum of a ``build.json``: SHA-256 of canonical JSON of everything else in it, hex."""
    return hashlib.sha256(canonical_json(about)).hexdigest()


def build_number(dataset: str, stem: str) -> int:
    """The running number of a build in its data set, 0 if it is not known; clocks may jump, it does not.

    Where ``build.json`` is gone or damaged, it is what was claimed for the version in the folder ``numbers``.
    """
    number = 0
    with contextlib.suppress(StoreError):
        number = int(read_build(dataset, stem).get("number", 0))
    return number or _claimed_number(dataset, version_named(stem))


def _claimed_number(dataset: str, version: str) -> int:
    place = at(dataset)
    with contextlib.suppress(OSError):
        for name in place.entries("numbers"):
            with contextlib.suppress(OSError):  # somebody else's
                if (
                    re.fullmatch("[1-9][0-9]{0,14}", name)
                    and place.read(f"numbers/{name}", 0, 66) == f"{version}\n".encode()
                ):
                    return int(name)
    return 0
