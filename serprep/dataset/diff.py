"""What differs between two versions of a data set."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serprep.store.store import Store, open_store

_AUDIO = ("audio_digest", "start", "end")
_FOLLOWS = {"id", "emotion", "speaker", *_AUDIO, "duration", "sample_rate", "n_samples", "n_frames"}


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
    other = {column: tuple(changed) for column in others if (changed := changes(column))}
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
        ids_of: dict[tuple[Any, ...], list[str]] = {}
        for name, row in rows.items():
            if name not in others and columns[0][row]:
                ids_of.setdefault(tuple("" if _equal(c[row], "") else c[row] for c in columns), []).append(name)
        return ids_of

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
