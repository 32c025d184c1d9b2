"""A version of a data set → another place: its store, what lies beside it, its experiments and tags.

File by file, the store's mark last: what arrived is read there and compared with its digest, what is there
already is not sent again, and what another version there holds gets a second name.  A carrying that was
stopped goes on with the next one.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serprep._json import load_object
from serprep.errors import StoreError, one_line
from serprep.forms import form_of, stem_of
from serprep.place.place import Place, at
from serprep.progress import Progress
from serprep.store.container import digest_of
from serprep.store.store import Store, open_store
from serprep.version import build_digest, build_number, is_version, read_build, refuse_inside, tags, versions

EXPERIMENTS = "experiments"
_PIECE = 1 << 20


@dataclass(frozen=True)
class Carried:
    """What was done."""

    version: str
    store: str  # where it lies now
    sent: int  # files whose bytes travelled
    sent_bytes: int
    present: int  # files that were there already
    shared: int  # files that another version there had
    experiments: int  # folders
    tags: tuple[str, ...]  # that name it there now
    notes: tuple[str, ...] = ()


def carry(source: str, destination: str, *, quiet: bool = True) -> Carried:
    """Take a version to another data set, here or at a URL.

    Parameters
    ----------
    source : str
        A store in a data set, as for `open_store`.
    destination : str
        The folder or URL of a data set; it is made where there is none.
    quiet : bool
        Show no progress.

    Raises
    ------
    StoreError
        If the store lies in no data set, the destination in one, it is damaged, or something arrived as other bytes.
    """
    store = open_store(source)
    folder, _, file = store.path.rstrip("/").rpartition("/")
    root, _, above = folder.rpartition("/")
    if above != "versions" or not is_version(stem_of(file)):
        raise StoreError(f"{one_line(store.path)}: it lies in no data set; name DATASET@VERSION, or take `convert`")
    there, here, name = at(destination.rstrip("/")), at(root or "."), f"versions/{file}"
    refuse_inside(there.root)
    if not there.root or there.exists():
        raise StoreError(f"{one_line(destination)!r} is no folder; expected the folder or URL of a data set")
    if here.path() == there.path():
        raise StoreError(f"{one_line(destination)}: the data set that it lies in; name another")
    count: Counter[str] = Counter()
    stem = stem_of(name)
    form = form_of(file)
    assert form is not None
    try:
        if there.is_whole(name, form.mark):
            count["present"] += 1
        else:
            count += _send_store(store, there, name, mark=form.mark, quiet=quiet)
        count += _send_beside(here, there, stem)
        folders = _experiments(here, store.version)
        files = [f"{experiment}/{path}" for experiment in folders for path in sorted((here / experiment).files())]
        with Progress("experiments", len(files), unit="files", quiet=quiet) as progress:
            for path in files:
                count += _send(here, path, there, path, digest=digest_of(here.path(path)), shared={})
                progress.add()
        named, notes = _send_tags(root or ".", there, store.version)
    except OSError as error:
        place = one_line(error.filename or destination)
        raise StoreError(
            f"{place}: {error.strerror or one_line(error)}; the same command goes on from what has arrived"
        ) from None
    return Carried(
        store.version,
        there.path(name),
        count["sent"],
        count["sent_bytes"],
        count["present"],
        count["shared"],
        len(folders),
        named,
        notes,
    )


def _send_store(store: Store, there: Place, name: str, *, mark: str, quiet: bool) -> Counter[str]:
    """All files of a store; it is seen there when it is whole."""
    source, grown = at(store.path), there.growing(name)
    count: Counter[str] = Counter()
    digests = dict(store.attributes.get("files", {})) if mark else {}
    digests[mark] = digest_of(f"{store.path}/{mark}" if mark else store.path)
    shared = _held(there, name) if mark else {}
    names = [file for file in sorted(digests) if file != mark]

    def send(file: str) -> Counter[str]:
        target = f"{grown}/{file}" if file else grown
        return _send(source, file, there, target, digest=digests[file], shared=shared)

    slow = source if not source.direct() else there
    with Progress("sending", len(digests), unit="files", quiet=quiet) as progress:
        for sent in slow.each(send, names):
            count += sent
            progress.add()
        count += send(mark)
        progress.add()
    there.settle(name)
    return count


def _held(there: Place, name: str) -> dict[str, str]:
    """Digest → file, of the other stores there."""
    held: dict[str, str] = {}
    for other in versions(there.path()):
        form = form_of(other)
        if other != name and form and form.mark:
            try:
                files = Store(there.path(other)).attributes["files"]
            except StoreError:  # damaged: nothing is taken from it
                continue
            held |= {digest: f"{other}/{file}" for file, digest in files.items()}
    return held


def _send(
    source: Place, file: str, there: Place, target: str, *, digest: str, shared: Mapping[str, str]
) -> Counter[str]:
    """One file: it is there, or another has its bytes, or they travel; then it is read there and compared."""

    def arrived() -> bool:
        return there.exists(target) and digest_of(there.path(target)) == digest

    if arrived():
        return Counter(present=1)
    if digest in shared:
        there.remove(target)
        there.copy(shared[digest], target)
        if arrived():
            return Counter(shared=1)
    read, size = hashlib.sha256(), 0
    if there.direct(target):
        Path(there.direct(target)).parent.mkdir(parents=True, exist_ok=True)
    with (there / target).new_file() as path, source.open(file) as opened:
        there.remove(target)
        with path.open("wb") as out:
            while data := opened.read(_PIECE):
                read.update(data)
                size += len(data)
                out.write(data)
    place = one_line(source.path(file))
    if read.hexdigest() != digest:
        there.remove(target)
        raise StoreError(f"{place}: damaged: it has not the digest of its store; `serprep build --repair` mends it")
    if not arrived():
        raise StoreError(f"{one_line(there.path(target))}: other bytes arrived than were sent; give the command again")
    return Counter(sent=1, sent_bytes=size)


def _send_beside(here: Place, there: Place, stem: str) -> Counter[str]:
    """Files beside a store that are named after it; a build's number is one that no other version there has."""
    dataset, count = there.path(), Counter[str]()
    for path in here.names("versions"):
        if not path.startswith(f"{stem}.") or form_of(path) or there.exists(path):
            continue
        data = here.read(path)
        if path == f"{stem}.build.json":
            about: dict[str, Any] = read_build(here.path(), stem)
            others = {stem_of(name) for name in versions(dataset)} - {stem}
            number = max(int(about.get("number", 1)), 1 + max((build_number(dataset, o) for o in others), default=0))
            while not there.create(f"numbers/{number}", f"{stem.removeprefix('versions/')}\n".encode()):
                number += 1
            about["number"] = number
            data = json.dumps(about | {"sha256": build_digest(about)}, indent=1).encode() + b"\n"
        there.write(path, data)
        count += Counter(sent=1, sent_bytes=len(data))
    return count


def _experiments(here: Place, version: str) -> list[str]:
    """Folders of the experiments on a version."""
    experiments = []
    for name, is_file in sorted(here.entries(EXPERIMENTS).items()):
        if is_file or name.startswith("."):
            continue
        for about in ("experiment.json", "results.json"):
            try:
                told = load_object(here.read(f"{EXPERIMENTS}/{name}/{about}")).get("version")
            except (FileNotFoundError, ValueError):
                continue
            if told == version:
                experiments.append(f"{EXPERIMENTS}/{name}")
                break
    return experiments


def _send_tags(dataset: str, there: Place, version: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the version, and notes on those that stand for another one there."""
    named, notes = [], []
    for name, meant in tags(dataset).items():
        if meant == version:
            if there.create(f"tags/{name}", f"{version}\n".encode()):
                named.append(name)
            else:
                notes.append(f"the tag {name} stands for another version there, and stays")
    return tuple(named), tuple(notes)
