"""Recordings of a split → their digests, and pairs that sound the same."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from serprep.audio.decode import SUFFIXES, decode, digest_of, read_bytes
from serprep.audit.fingerprint import Fingerprint, compare, fingerprint
from serprep.errors import AudioError, SplitError, one_line
from serprep.place.corpus import walk
from serprep.utterance import Utterance


@dataclass(frozen=True)
class Sounds:
    """What listening told."""

    utterances: Sequence[Utterance]  # with the digests of their files
    pairs: tuple[tuple[int, int, float], ...]  # of one recording, and how alike; 1: the same samples
    notes: tuple[str, ...]
    n_compared: int


@dataclass(frozen=True)
class _Heard:
    digest: str  # of the bytes
    samples: str  # of the guarded signal
    print: Fingerprint | None


def listen(
    utterances: Sequence[Utterance], root: Path, *, progress: Callable[[int, int], None] | None = None
) -> Sounds:
    """Read the recordings under `root` and compare each with each.

    A recording is looked for at its path, else by the end of its path, else by its
    name: a published split has paths of its own.  Byte-identical files are not
    named again as sounding the same.

    Raises
    ------
    SplitError
        If none of the recordings is there.
    """
    if not root.is_dir():
        raise SplitError(f"{one_line(root)}: no such folder; expected the recordings")
    paths = _places(utterances, root)
    keys = sorted({(path, row.start, row.end) for path, row in zip(paths, utterances, strict=True) if path}, key=str)
    if not keys:
        raise SplitError(
            f"{one_line(root)}: none of the split's {len(utterances)} recordings is there; "
            "name the folder in which its paths begin"
        )
    heard: dict[tuple[str, float | None, float | None], _Heard | str] = {}
    with ThreadPoolExecutor(max_workers=min(16, 2 * (os.cpu_count() or 1))) as pool:
        for key, result in zip(keys, pool.map(lambda key: _hear(root, *key), keys), strict=True):
            heard[key] = result
            if progress:
                progress(len(heard), len(keys))
    by_row = [heard.get((path, row.start, row.end), "") for path, row in zip(paths, utterances, strict=True)]
    n_there = sum(isinstance(recording, _Heard) for recording in by_row)
    notes = []
    if n_there < len(utterances):
        examples = (row for row, recording in zip(utterances, by_row, strict=True) if not isinstance(recording, _Heard))
        notes.append(
            f"{len(utterances) - n_there} of {len(utterances)} recordings are missing or unreadable, "
            f"such as {one_line(next(examples).path)}: not compared by sound"
        )
    listened = tuple(
        dataclasses.replace(row, audio_digest=recording.digest) if isinstance(recording, _Heard) else row
        for row, recording in zip(utterances, by_row, strict=True)
    )
    pairs, doubtful = _pairs(by_row)
    if doubtful:
        recording, other = (one_line(utterances[i].path) for i in doubtful[0])
        notes.append(
            f"{len(doubtful)} pairs of recordings with little sound are alike, such as {recording} and {other}: "
            "copies or takes of one word, which cannot be told apart"
        )
    return Sounds(listened, tuple(pairs), tuple(notes), n_there)


def _places(utterances: Sequence[Utterance], root: Path) -> list[str]:
    """Where each recording lies below `root`, or "" where it does not; nothing outside is ever opened."""
    by_end: dict[str, list[str]] = {}
    there = list(walk(root, SUFFIXES))
    for path in there:
        for end in _ends(path):
            by_end.setdefault(end, []).append(path)
    files = set(there)

    def place(path: str) -> str:
        if path in files:
            return path
        return next((by_end[end][0] for end in _ends(path) if len(by_end.get(end, ())) == 1), "")

    return [place(row.path) for row in utterances]


def _ends(path: str) -> list[str]:
    parts = PurePosixPath(path.replace("\\", "/")).with_suffix("").parts
    return ["/".join(parts[i:]) for i in range(len(parts))]


def _hear(root: Path, path: str, start: float | None, end: float | None) -> _Heard | str:
    try:
        data = read_bytes(root / path)
        signal = decode(data, start=start, end=end)
    except AudioError as error:
        return str(error)
    return _Heard(digest_of(data), hashlib.sha256(signal.tobytes()).hexdigest(), fingerprint(signal))


def _pairs(by_row: Sequence[_Heard | str]) -> tuple[list[tuple[int, int, float]], list[tuple[int, int]]]:
    """Equal samples, then near duplicates between the first of each group of equal ones and all of another.

    And pairs that may be: they hold too little sound to tell.
    """
    groups: dict[str, list[int]] = {}
    for number, heard in enumerate(by_row):
        if isinstance(heard, _Heard) and heard.print is not None:  # silences are alike, but no recording
            groups.setdefault(heard.samples, []).append(number)
    pairs = []
    for group in groups.values():
        pairs += [(i, j, 1.0) for at, i in enumerate(group) for j in group[at + 1 :] if not _same_bytes(by_row, i, j)]
    members = list(groups.values())
    prints = [heard.print if isinstance(heard := by_row[group[0]], _Heard) else None for group in members]
    certain, doubtful = compare(prints)
    for match in certain:
        for i in members[match.first]:
            pairs += [(min(i, j), max(i, j), min(match.likeness, 0.9999)) for j in members[match.second]]
    maybe = [(members[match.first][0], members[match.second][0]) for match in doubtful]
    return sorted(pairs), sorted((min(pair), max(pair)) for pair in maybe)


def _same_bytes(by_row: Sequence[_Heard | str], i: int, j: int) -> bool:
    first, second = by_row[i], by_row[j]
    return isinstance(first, _Heard) and isinstance(second, _Heard) and first.digest == second.digest
