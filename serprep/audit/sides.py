"""Listed names → utterances, and who stands on which side of every fold.

A name is matched, in this order, as id or audio digest, as path or the end of one,
and without what was put before it: ``cremad-1052-WSI-ANG-XX`` is
``1052_WSI_ANG_XX``.  A name that fits several utterances fits none.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from serprep.audit.foreign import Listing
from serprep.audit.rows import Entry
from serprep.errors import SplitError, first_ten, one_line
from serprep.manifest.table import Manifest, value_of
from serprep.split import ROLES, Split
from serprep.utterance import FIELDS, Utterance, Utterances

#: Role → its bit in `Sides.roles`.
BITS = {role: 1 << number for number, role in enumerate(ROLES)}
_FEWEST = 4  # letters and digits of a name that may be told without its prefix
_PREFIXES = 4  # words that may stand before a name


@dataclass(frozen=True)
class Sides:
    """Utterances that a split lists, and their roles in each fold."""

    utterances: Sequence[Utterance]
    folds: tuple[str, ...]
    roles: npt.NDArray[np.uint8]  # (n_utterances, n_folds), bits of `BITS`; 0 where left out
    doubled: tuple[tuple[int, int], ...]  # utterance, fold: listed twice with one role
    unmatched: tuple[tuple[str, str], ...]  # fold, name: of no known utterance
    named: Mapping[int, str]  # utterance → speaker as the split has it
    absent: tuple[Utterance, ...]  # known utterances that no fold lists
    notes: tuple[str, ...]

    def column(self, name: str) -> list[str]:
        """A column of all utterances as text, "" where there is none."""
        rows = self.utterances
        if isinstance(rows, Utterances):
            cells = rows.column(name) if name in (*FIELDS, *rows.extra) else [""] * len(rows)
            return [str(value or "") for value in cells]
        return [str(value_of(row, name) or "") for row in rows]


def sides_of(split: Split, manifest: Manifest) -> Sides | None:
    """The sides of one of our own splits whose names are all ids of a manifest, by column; None of another.

    What `find_sides` gives, in a tenth of the memory.
    """
    rows, names = manifest.utterances, list(split.utterances)
    place = {name: i for i, name in enumerate(rows.column("id"))}
    if len(place) < len(rows) or not place.keys() >= split.utterances.keys():
        return None
    bits = BITS | {"": 0}
    packed = {
        several: bytes(bits[role] for role in several) for several in {row.roles for row in split.utterances.values()}
    }
    data = b"".join(packed[row.roles] for row in split.utterances.values())
    roles = np.frombuffer(data, np.uint8).reshape(len(names), len(split.folds))
    listed = np.flatnonzero(roles.any(axis=1))
    if not listed.size:
        return None
    listed = listed[np.argsort((roles[listed] != 0).argmax(axis=1), kind="stable")]  # as the folds list them
    numbers = [place[names[i]] for i in listed.tolist()]
    speakers = [split.utterances[names[i]].speaker for i in listed.tolist()]
    return Sides(
        utterances=rows.take(numbers),
        folds=split.folds,
        roles=roles[listed],
        doubled=(),
        unmatched=(),
        named={i: speaker for i, speaker in enumerate(speakers) if speaker},
        absent=tuple(rows[i] for i in sorted(set(range(len(rows))).difference(numbers))),
        notes=split.notes,
    )


def find_sides(listing: Listing, find: Callable[[Entry], list[Utterance]], known: Sequence[Utterance] = ()) -> Sides:
    """Match a listing.

    Parameters
    ----------
    listing : Listing
    find : callable
        The utterances that an entry names, such as `finder` gives.
    known : sequence of Utterance
        All there are, where that is known: the manifest's.

    Raises
    ------
    SplitError
        If no name fits.
    """
    places: dict[tuple[str, str], int] = {}  # id and path, since ids may be doubled
    utterances: list[Utterance] = []
    cells: dict[tuple[int, int], int] = {}
    doubled, unmatched, named = [], [], dict[int, str]()
    memo: dict[tuple[tuple[str, ...], float | None], list[Utterance]] = {}
    for fold, (title, entries) in enumerate(listing.folds.items()):
        for entry in entries:
            key = (entry.names, entry.start)
            if key not in memo:
                memo[key] = find(entry)
            if not memo[key]:
                unmatched.append((title, entry.names[0]))
            for utterance in memo[key]:
                row = places.setdefault((utterance.id, utterance.path if known else ""), len(utterances))
                if row == len(utterances):
                    utterances.append(replace(utterance, emotion=utterance.emotion or entry.label))
                before = cells.get((row, fold), 0)
                if before & BITS[entry.role]:
                    doubled.append((row, fold))
                cells[row, fold] = before | BITS[entry.role]
                if entry.speaker:
                    named[row] = entry.speaker
    if not utterances:
        examples = [f"no such utterance: {one_line(name)!r}" for _, name in unmatched]
        raise SplitError(f"none of the split's {len(memo)} names is known here:\n{first_ten(examples)}")
    roles = np.zeros((len(utterances), len(listing.folds)), np.uint8)
    for (row, fold), bits in cells.items():
        roles[row, fold] = bits
    absent = tuple(utterance for utterance in known if (utterance.id, utterance.path) not in places)
    return Sides(
        utterances=tuple(utterances),
        folds=tuple(listing.folds),
        roles=roles,
        doubled=tuple(doubled),
        unmatched=tuple(unmatched),
        named=named,
        absent=absent,
        notes=listing.notes,
    )


def finder(utterances: Sequence[Utterance]) -> Callable[[Entry], list[Utterance]]:
    """What tells which of a manifest's utterances an entry names: none, one, or the excerpts of a file."""
    by_id: dict[str, list[Utterance]] = {}
    by_end: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        for name in {utterance.id, utterance.audio_digest} - {""}:
            by_id.setdefault(name, []).append(utterance)
        ends = {*_ends(utterance.path), *_ends(utterance.id)}
        for end in ends | {end.replace("/", "-") for end in ends}:  # "dc/a01" is published as "dc-a01" too
            by_end.setdefault(end, []).append(utterance)

    def find(entry: Entry) -> list[Utterance]:
        for named in (by_id.get(name, ()) for name in entry.names):
            if named:
                return _excerpt(named, entry)
        for end in (end for name in entry.names for end in _ends(name)):
            if _is_one(by_end.get(end, ())):
                return _excerpt(by_end[end], entry)
        for shorter in (shorter for name in entry.names for shorter in _without_prefix(_ends(name)[-1])):
            if _is_one(by_end.get(shorter, ())):
                return _excerpt(by_end[shorter], entry)
        return []

    return find


def namer(named: Callable[[str], Utterance | None]) -> Callable[[Entry], list[Utterance]]:
    """What tells by a reader's name rules which utterance an entry names."""

    def find(entry: Entry) -> list[Utterance]:
        stems = [PurePosixPath(name.replace("\\", "/")).name for name in entry.names]
        cut = [stem.partition(".")[0] for stem in stems]
        shorter = [shorter for stem in cut for shorter in _raw_without_prefix(stem)]
        for name in (*entry.names, *stems, *cut, *shorter):
            for spelt in (name, name.replace("-", "_"), name.replace("_", "-")):
                utterance = named(spelt)
                if utterance is not None:
                    return [utterance]
        return []

    return find


def _ends(name: str) -> list[str]:
    """A path without suffix, in small letters and its words joined by hyphens; its ends, the longest first.

    Examples
    --------
    >>> _ends("wav/AudioWAV/1052_WSI_ANG_XX.wav")
    ['wav/audiowav/1052-wsi-ang-xx', 'audiowav/1052-wsi-ang-xx', '1052-wsi-ang-xx']
    """
    path = name.replace("\\", "/").strip("/")
    head, slash, last = path.rpartition("/")
    stem = re.sub(r"\.(?:wav|flac|ogg|mp3|mp4|avi|npy|pt|sph)$", "", last, flags=re.IGNORECASE)
    parts = [re.sub(r"[\W_]+", "-", part.lower()).strip("-") for part in f"{head}{slash}{stem}".split("/")]
    return ["/".join(parts[i:]) for i in range(len(parts))]


def _without_prefix(stem: str) -> Iterator[str]:
    """ "cremad-1052-wsi" → "1052-wsi", … while enough is left to tell recordings apart."""
    words = stem.split("-")
    for n in range(1, min(_PREFIXES, len(words) - 1) + 1):
        rest = "-".join(words[n:])
        if len(rest.replace("-", "")) >= _FEWEST:
            yield rest


def _raw_without_prefix(stem: str) -> Iterator[str]:
    places = [match.end() for match in re.finditer(r"[-_]+", stem)]
    yield from (stem[place:] for place in places[:_PREFIXES])


def _is_one(candidates: Sequence[Utterance]) -> bool:
    """Whether all are excerpts of one file."""
    return bool(candidates) and len({utterance.path for utterance in candidates}) == 1


def _excerpt(candidates: Sequence[Utterance], entry: Entry) -> list[Utterance]:
    """The excerpt that begins where the entry says; all of a file where it does not."""
    if len(candidates) > 1 and entry.start is not None:
        return [row for row in candidates if abs((row.start or 0.0) - entry.start) < 1e-3]
    return list(candidates)
