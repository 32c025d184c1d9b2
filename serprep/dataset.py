"""A data set over time: its versions, their tags, and what differs between them.

Stores never change, so all that happens to a data set is that stores come, get names, and
go (`serprep.garbage`).  Sizes are bytes on the disk, or of objects.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serprep.errors import StoreError, one_line
from serprep.forms import form_of, stem_of
from serprep.place.place import at
from serprep.store.store import Store, open_store
from serprep.version import advice, build_number, check_tag, latest, read_build, tags, versions

_AUDIO = ("audio_digest", "start", "end")
_FOLLOWS = {"id", "emotion", "speaker", *_AUDIO, "duration", "sample_rate", "n_samples", "n_frames"}


def stores_of(dataset: str) -> list[str]:
    """Names of the stores of a data set; a StoreError if there is none."""
    found = versions(dataset)
    if not found:
        raise StoreError(f"{one_line(dataset)}: no store there; expected the folder of a data set: {advice(dataset)}")
    return found


def version_named(name: str) -> str:
    """The version that a store's name gives."""
    return stem_of(name).removeprefix("versions/")


# -- diff ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What is other in one version than in another; utterances by id, sorted."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    audio_changed: tuple[str, ...] = ()  # other bytes, or another excerpt of them
    label_changed: tuple[str, ...] = ()
    speaker_changed: tuple[str, ...] = ()
    other_changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # column → ids
    configuration_changed: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)  # dotted name → before, after
    renamed: tuple[tuple[str, str], ...] = ()  # the same audio under another id: before, after
    label_changes: Mapping[str, tuple[str, str]] = field(default_factory=dict, compare=False)  # id → before, after
    speaker_changes: Mapping[str, tuple[str, str]] = field(default_factory=dict, compare=False)

    @property
    def words(self) -> str:
        """All of it in one line."""
        counts = {
            "added": self.added,
            "removed": self.removed,
            "renamed": self.renamed,
            "with other audio": self.audio_changed,
            "with another label": self.label_changed,
            "with another speaker": self.speaker_changed,
            **{f"with another {column}": ids for column, ids in self.other_changed.items()},
        }
        parts = [f"{len(ids)} {what}" for what, ids in counts.items() if ids]
        changed = [
            f"{name} {in_short(a)} → {in_short(b)}" for name, (a, b) in list(self.configuration_changed.items())[:3]
        ]
        if len(self.configuration_changed) > 3:
            changed.append(f"and {len(self.configuration_changed) - 3} more settings")
        return "; ".join(filter(None, (", ".join(parts), ", ".join(changed)))) or "no difference"


def in_short(value: object) -> str:
    """A setting in at most 40 characters.

    Examples
    --------
    >>> in_short(["angry", "sad"]), in_short(None), in_short(30)
    ('angry, sad', 'none', '30')
    """
    if isinstance(value, (list, tuple)):
        text = ", ".join(map(str, value)) or "none"
    else:
        text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def diff(a: str | Path, b: str | Path) -> Difference:
    """What is other in store `b` than in store `a`.

    Parameters
    ----------
    a, b : str or path
        ``PATH.zarr``, ``DATASET@NAME``, or the folder of a data set (its latest store).

    Returns
    -------
    Difference

    Raises
    ------
    StoreError
        If one of them is not there or is damaged.
    """
    return compare(open_store(a), open_store(b))


def compare(before: Store, after: Store) -> Difference:
    """What is other in one open store than in another."""
    rows_a = {name: row for row, name in enumerate(before.ids)}
    rows_b = {name: row for row, name in enumerate(after.ids)}
    renamed = _same_audio(before, after, rows_a, rows_b)
    same = [(name, row, rows_b[name]) for name, row in rows_a.items() if name in rows_b]
    both = sorted([*same, *((new, rows_a[old], rows_b[new]) for old, new in renamed.items())])

    def changes(column: str) -> dict[str, tuple[Any, Any]]:
        a, b = (store.column(column) if column in store.columns else [""] * len(store) for store in (before, after))
        return {name: (a[i], b[j]) for name, i, j in both if not _equal(a[i], b[j])}

    moved = {name for column in _AUDIO for name in changes(column)}
    others = [column for column in dict.fromkeys([*before.columns, *after.columns]) if column not in _FOLLOWS]
    other = {column: tuple(found) for column in others if (found := changes(column))}
    if "path" in other:  # what has another name lies elsewhere, too
        other["path"] = tuple(name for name in other["path"] if name in rows_a)
    labels, speakers = changes("emotion"), changes("speaker")
    return Difference(
        added=tuple(name for name in rows_b if name not in rows_a and name not in renamed.values()),
        removed=tuple(name for name in rows_a if name not in rows_b and name not in renamed),
        renamed=tuple(renamed.items()),
        audio_changed=tuple(name for name, _, _ in both if name in moved),
        label_changed=tuple(labels),
        speaker_changed=tuple(speakers),
        label_changes=labels,
        speaker_changes=speakers,
        other_changed={column: ids for column, ids in other.items() if ids},
        configuration_changed=_changed_settings(_settings(before), _settings(after)),
    )


def _same_audio(before: Store, after: Store, rows_a: Mapping[str, int], rows_b: Mapping[str, int]) -> dict[str, str]:
    """Old id → new id of what has the same bytes and times under another id; of several, in the order of ids."""

    def by_audio(store: Store, rows: Mapping[str, int], others: Mapping[str, int]) -> dict[tuple[Any, ...], list[str]]:
        columns = [store.column(name) for name in _AUDIO]
        found: dict[tuple[Any, ...], list[str]] = {}
        for name, row in rows.items():
            if name not in others and columns[0][row]:
                found.setdefault(tuple("" if _equal(c[row], "") else c[row] for c in columns), []).append(name)
        return found

    gone, new = by_audio(before, rows_a, rows_b), by_audio(after, rows_b, rows_a)
    pairs = (pair for audio, ids in gone.items() for pair in zip(ids, new.get(audio, ()), strict=False))
    return dict(sorted(pairs))


def _equal(a: object, b: object) -> bool:
    missing = [value == "" or (isinstance(value, float) and math.isnan(value)) for value in (a, b)]
    return all(missing) or a == b


def _settings(store: Store) -> dict[str, Any]:
    """Everything but the rows that decides a store's version, by dotted name."""
    about = store.attributes
    asked = {
        **about["configurations"],
        "extractors": about["provenance"]["extractors"],
        "segment_dtype": about["segment_dtype"],
    }
    return dict(_flat(asked, ""))


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _flat(entry, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _changed_settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (a.get(name), b.get(name)) for name in sorted({*a, *b}) if a.get(name) != b.get(name)}


# -- log -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One store of a data set."""

    number: int  # of the build; 0 where build.json is gone or damaged
    version: str
    store: str  # path or URL
    built: str  # UTC, ISO 8601
    n_utterances: int | None  # None: it cannot be read
    labels: tuple[str, ...]
    format: str  # the container
    tags: tuple[str, ...]
    latest: bool
    bytes: int
    shared_bytes: int  # of these, in files that are also another store's by hard link
    changes: str  # against the version before, in words
    damaged: str  # what is wrong with it, or ""
    note: str = ""  # what is wrong with its build.json, or ""


def log(dataset: str | Path) -> list[Entry]:
    """The stores of a data set, the newest first.

    Raises
    ------
    StoreError
        If there is none.  A damaged store is an entry that says so.
    """
    dataset = str(dataset)
    found = sorted(stores_of(dataset), key=lambda name: (build_number(dataset, stem_of(name)), name))
    newest = stem_of(latest(dataset, found))
    names = tags(dataset)
    entries: list[Entry] = []
    previous: Store | None = None
    current: Store | None = None  # the last that could be read
    for name in found:
        about, note = _about_build(dataset, stem_of(name))
        place = at(dataset).path(name)
        size, shared = _size(place)
        damaged, changes, store = "", "", None
        try:
            store = Store(place)
            if current is not None and current.version != store.version:
                previous = current
            changes = compare(previous, store).words if previous is not None else "the first version"
            current = store
        except StoreError as error:
            damaged = str(error)
        entries.append(
            Entry(
                number=about.get("number", 0),
                version=version_named(name),
                store=place,
                built=about.get("built", ""),
                n_utterances=None if store is None else len(store),
                labels=() if store is None else store.labels,
                format=form.name if (form := form_of(name)) else "",
                tags=tuple(tag for tag, version in names.items() if version == version_named(name)),
                latest=stem_of(name) == newest,
                bytes=size,
                shared_bytes=shared,
                changes=changes,
                damaged=damaged,
                note=note,
            )
        )
    return entries[::-1]


def _about_build(dataset: str, stem: str) -> tuple[dict[str, Any], str]:
    """What is known of a build, and what is wrong with the file that tells it."""
    try:
        return read_build(dataset, stem), ""
    except StoreError as error:
        return {}, str(error)


def _size(place: str) -> tuple[int, int]:
    """Bytes of a store, and those in files with more than one name."""
    with contextlib.suppress(OSError):
        entries = at(place).below().values()
        return sum(entry.size for entry in entries), sum(entry.size for entry in entries if entry.n_names > 1)
    return 0, 0


# -- tag -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """What a name stands for now, and stood for before."""

    tag: str
    version: str
    store: str
    before: str  # the version it named, or ""


def tag(dataset: str | Path, version: str, name: str, *, force: bool = False) -> Tagged:
    """Give a version a name.

    Parameters
    ----------
    dataset : str or path
    version : str
        At least eight digits, a tag, or "latest".
    name : str
        Up to 64 letters, digits, ".", "_", "-".
    force : bool
        Move a tag that names another version.

    Returns
    -------
    Tagged

    Raises
    ------
    StoreError
        If there is no such version, it is damaged, or the name is impossible or taken.
    """
    dataset = str(dataset)
    check_tag(dataset, name)
    stores_of(dataset)
    store = open_store(f"{dataset}@{version}")
    found = version_named(f"versions/{store.path.rstrip('/').rsplit('/', 1)[-1]}")
    hidden = [entry for entry in versions(dataset) if entry.startswith(f"versions/{name}")]
    if len(name) >= 8 and hidden:
        raise StoreError(f"{one_line(dataset)}@{name}: these are digits of a version; choose a name that is none")
    place, data = at(dataset), f"{found}\n".encode()
    before = tags(dataset).get(name, "")
    if before != found:
        if before and not force:
            raise _taken(dataset, name, before)
        try:
            if not force and not place.create(f"tags/{name}", data):
                raise _taken(dataset, name, tags(dataset).get(name, ""))
            if force:
                place.write(f"tags/{name}", data)
        except OSError as error:
            raise StoreError(f"{one_line(dataset)}: tags/{name}: {error.strerror or error}; make it writable") from None
    return Tagged(tag=name, version=found, store=store.path, before=before)


def _taken(dataset: str, name: str, version: str) -> StoreError:
    return StoreError(
        f"{one_line(dataset)}@{name}: the tag names version {one_line(version)[:12]}; "
        "choose another name, or move it with --force"
    )
