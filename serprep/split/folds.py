"""Columns of a manifest → folds and roles, by the protocols of ``docs/split.md``.

Groups are divided into parts of equal size, alike in genders and classes: the test sides
of folds, or the development groups of a training side and the rest of it.  They are
first *dealt*: a keyed hash says where each would like to go, whatever its utterances
are, and every part has room for its share of each gender.  Only where a class then
misses a part, or lies further from an even share than `TOLERANCE`, are groups
*exchanged*, as few as it takes.  So utterances of known groups can come and go without
moving anybody while the dealt parts stay alike, and a new group moves few others.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serprep._json import canonical_json
from serprep.errors import SplitError, one_line

TOLERANCE = 1 / 3  # of an even share of a class; one utterance is always tolerated
#: What corpora call their partitions → role.
PARTITIONS = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "devel": "dev",
    "development": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
}
_NUMBERED = re.compile(r"(?i)test[ _-]?[0-9]+")  # MSP-Podcast has Test1, Test2, Test3

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Groups in sorted order, what each holds, and its gender ("female+male" for both, "" unknown)."""

    names: tuple[str, ...]
    counts: Counts  # (n_groups, n_classes) utterances
    classes: tuple[str, ...]
    genders: tuple[str, ...]

    def of(self, kept: Sequence[int]) -> "Groups":
        """Some of the groups, with the same classes."""
        names, genders = ([column[i] for i in kept] for column in (self.names, self.genders))
        return Groups(tuple(names), self.counts[list(kept)], self.classes, tuple(genders))


def count_groups(values: Sequence[str], emotions: Sequence[str], genders: Sequence[str]) -> Groups:
    """The groups of utterances, each given by its group, emotion and gender.

    Utterances without emotion count only where none has one.
    """
    names = tuple(sorted(set(values)))
    classes = tuple(sorted(set(filter(None, emotions)))) or ("",)
    row = {name: i for i, name in enumerate(names)}
    column = {name: i for i, name in enumerate(classes)}
    counts = np.zeros((len(names), len(classes)), np.int64)
    known: list[set[str]] = [set() for _ in names]
    for value, emotion, gender in zip(values, emotions, genders, strict=True):
        if emotion in column:
            counts[row[value], column[emotion]] += 1
        known[row[value]] |= {gender} - {""}
    return Groups(names, counts, classes, tuple("+".join(sorted(several)) for several in known))


def partition_roles(values: Sequence[str], *, column: str, test: str = "") -> list[str]:
    """Roles from the values of a column; `test` names the test set where there are several.

    Raises
    ------
    SplitError
        If a value is no partition's name, several test sets leave open which is meant,
        or there is nothing to train or nothing to score.
    """
    present = sorted(set(filter(None, values)))
    several = [value for value in present if PARTITIONS.get(value.lower()) == "test" or _NUMBERED.fullmatch(value)]
    tests = [value for value in present if value.lower() == test.lower()] if test else several
    if test and not tests:
        raise SplitError(f"column {column!r} has no value {test!r} to test; it holds {_listed(present)}")
    if len({value.lower() for value in tests}) > 1:
        raise SplitError(
            f"column {column!r} holds {len(tests)} test sets, {_listed(tests)}; choose one, such as test = {tests[0]!r}"
        )
    role_of = {value: PARTITIONS.get(value.lower(), "") for value in present}
    role_of |= dict.fromkeys(several, "") | dict.fromkeys(tests, "test")
    unknown = [value for value in present if not role_of[value] and value not in several]
    if unknown:
        raise SplitError(f"column {column!r} holds {unknown[0]!r}; expected train, dev (devel, validation) or test")
    roles = [role_of.get(value, "") for value in values]
    if "train" not in roles or not {"dev", "test"} & set(roles):
        raise SplitError(
            f"column {column!r} gives {sorted(set(filter(None, roles))) or 'no roles'}; expected train, and dev or test"
        )
    return roles


def _listed(values: Sequence[str]) -> str:
    return one_line(", ".join(values[:10])) + (" …" if len(values) > 10 else "")


def group_roles(
    groups: Groups, *, column: str, n_folds: int | None, n_dev: int, seed: int
) -> tuple[list[str], list[dict[str, str]]]:
    """Fold names, and the role of each group per fold; without `n_folds` each group is a fold.

    Raises
    ------
    SplitError
        If there are too few groups, or an emotion occurs in one of them only.
    """
    protocol = "group-k-fold" if n_folds else "leave-one-group-out"
    if len(groups.names) < (n_folds or 2):
        if len(groups.names) == 1:
            remedy = (
                "one cannot be both trained and tested: name the speakers, or another column, such as "
                'group = "session", or take the corpus\'s own partition with protocol = "fixed"'
            )
        else:
            remedy = f"ask for fewer folds, {len(groups.names)} at most" if n_folds else "there is nothing to leave out"
        raise SplitError(f"{column!r} has {len(groups.names)} values, {protocol} needs {n_folds or 2}; {remedy}")
    for emotion, counts in zip(groups.classes, groups.counts.T, strict=True):
        if emotion and np.count_nonzero(counts) == 1:
            only = groups.names[int(counts.argmax())]
            raise SplitError(
                f"emotion {one_line(emotion)!r} occurs in one {column} only, {one_line(only)!r} "
                f"({counts.max()} utterances), so it cannot be both trained and tested; leave it out or merge it"
            )
    if n_folds:
        folds = [str(number) for number in range(1, n_folds + 1)]
        parts = divide(groups, n_folds, seed=seed)
    else:
        folds, parts = list(groups.names), list(range(len(groups.names)))
    roles = []
    for number, fold in enumerate(folds):
        training = [group for group, part in enumerate(parts) if part != number]
        if n_dev and len(training) <= n_dev:
            raise SplitError(
                f"{len(training)} training groups leave none after {n_dev} for development; ask for fewer dev_groups"
            )
        apart = set_apart(groups.of(training), n_dev, seed=seed, fold=fold) if n_dev else [False] * len(training)
        role = dict.fromkeys(groups.names, "test")
        role |= {groups.names[i]: "dev" if chosen else "train" for i, chosen in zip(training, apart, strict=True)}
        roles.append(role)
    return folds, roles


def divide(groups: Groups, n_parts: int, *, seed: int) -> list[int]:
    """The part of each group, 0 to ``n_parts - 1``: equally many groups, alike in genders and classes."""
    room: dict[str, list[int]] = {}
    seat = 0  # runs on from one gender to the next, so that the parts differ by one group at most
    for gender, n_groups in sorted(Counter(groups.genders).items()):
        seats = Counter((seat + i) % n_parts for i in range(n_groups))
        room[gender] = [seats[part] for part in range(n_parts)]
        seat += n_groups
    dealt = _deal(groups, room, seed=seed, purpose="test")
    return _exchange(groups, dealt, sizes=[1] * n_parts, importance=[1] * n_parts)


def set_apart(groups: Groups, n_apart: int, *, seed: int, fold: str) -> list[bool]:
    """Which of a fold's training groups become its development groups.

    Genders have their share of them, and every class is among them and stays in
    training, as far as exchanges of two groups of one gender can bring that about.
    """
    purpose = f"dev {fold}"
    n_of = Counter(groups.genders)
    shares = {gender: divmod(n_apart * count, len(groups.names)) for gender, count in n_of.items()}
    apart = {gender: share[0] for gender, share in shares.items()}
    by_remainder = sorted(n_of, key=lambda gender: (-shares[gender][1], _rank(seed, purpose, 0, f"gender {gender}")))
    for gender in by_remainder[: n_apart - sum(apart.values())]:
        apart[gender] += 1
    room = {gender: [apart[gender], n_of[gender] - apart[gender]] for gender in n_of}
    dealt = _deal(groups, room, seed=seed, purpose=purpose)
    sizes = [n_apart, len(groups.names) - n_apart]
    return [part == 0 for part in _exchange(groups, dealt, sizes=sizes, importance=[1, 1 + len(groups.classes)])]


def _rank(seed: int, purpose: str, part: int, name: str) -> bytes:
    return hashlib.sha256(canonical_json([seed, purpose, part, name])).digest()


def _deal(groups: Groups, room: Mapping[str, Sequence[int]], *, seed: int, purpose: str) -> list[int]:
    """The part of each group: of all pairs of group and part, in hash order, those that find room.

    One more group displaces a few others at most, each into the part it likes next.
    """
    left = {gender: list(parts) for gender, parts in room.items()}
    pairs = sorted(
        (_rank(seed, purpose, part, name), number, part)
        for number, name in enumerate(groups.names)
        for part, free in enumerate(left[groups.genders[number]])
        if free
    )
    parts: dict[int, int] = {}
    for _, number, part in pairs:
        if number not in parts and left[groups.genders[number]][part]:
            parts[number] = part
            left[groups.genders[number]][part] -= 1
    return [parts[number] for number in range(len(groups.names))]


def _exchange(groups: Groups, dealt: Sequence[int], *, sizes: Sequence[int], importance: Sequence[int]) -> list[int]:
    """`dealt`, with pairs of one gender exchanged until every part holds its share of every class.

    Parts hold groups in proportion to `sizes`.  What is made smaller is first the number
    of classes that a part misses, times its `importance`, then the squared excess over
    the tolerance, in whole numbers so that every machine finds the same.
    """
    parts, table, genders = np.array(dealt), groups.counts, np.array(groups.genders)
    share = np.outer(np.array(sizes) / sum(sizes), table.sum(axis=0))  # (n_parts, n_classes) utterances
    tolerated = np.maximum(TOLERANCE * share, 1.0)

    def lack(counts: Counts, part: int | Counts) -> Counts:
        """How much is wrong with parts that hold `counts`: (…, 2) missing classes and excess."""
        excess = np.maximum(np.abs(counts - share[part]) - tolerated[part], 0.0) / np.maximum(share[part], 1e-9)
        missing = ((counts == 0) & (share[part] > 0)).sum(axis=-1) * np.array(importance)[part]
        return np.stack([missing, np.rint(excess**2 * 2**20).astype(np.int64).sum(axis=-1)], axis=-1)

    held = np.stack([table[parts == part].sum(axis=0) for part in range(len(sizes))])
    while True:
        now = lack(held, np.arange(len(sizes)))
        worst = sorted(range(len(sizes)), key=lambda part: (*(-now[part]).tolist(), part))
        best: tuple[int, int, int, int] | None = None
        for part in worst:
            if not now[part].any() or best:
                break
            for group in np.flatnonzero(parts == part):
                others = np.flatnonzero((parts != part) & (genders == genders[group]))
                if not len(others):
                    continue
                gain = table[others] - table[group]
                there = parts[others]
                change = lack(held[part] + gain, part) + lack(held[there] - gain, there) - now[part] - now[there]
                first = np.lexsort((change[:, 1], change[:, 0]))[0]
                candidate = (*change[first].tolist(), int(group), int(others[first]))
                if candidate[:2] < (0, 0) and (best is None or candidate < best):
                    best = candidate
        if best is None:
            return [int(part) for part in parts]
        pair = list(best[2:])
        gain = table[pair[1]] - table[pair[0]]
        held[parts[pair]] += np.stack([gain, -gain])
        parts[pair] = parts[pair[::-1]]
