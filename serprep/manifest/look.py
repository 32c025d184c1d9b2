"""What the recordings of a manifest are, and how a folder differs from it."""

import itertools
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serprep.audio.decode import SUFFIXES, clip_end, digest_of, probe, read_bytes
from serprep.audio.signal import Recording
from serprep.errors import AudioError, ManifestError, one_line
from serprep.manifest.table import Manifest, make_manifest
from serprep.place.corpus import walk
from serprep.utterance import Numbers, Texts, Utterances

Look = Callable[[Path], Recording]

_LARGE = 1 << 25  # bytes of a file
# threads that need not wait only take Python's lock from each other: files are looked at one by one until 32 of them
# take so many seconds, and so many times those of the processor
_NOTICED, _WAITS = 0.05, 4
_ONE_LARGE = threading.Lock()


def look_at(path: Path) -> Recording:
    """Digest, duration and rate of a file.

    Raises
    ------
    AudioError
        If it is missing, cannot be decoded, or is so large that there is no memory for it; the digest is then not
        known.
    """
    try:
        size = path.stat().st_size
    except (OSError, AttributeError):  # missing, or at a URL
        size = 0
    # large files are in memory one after the other, however many threads look at files
    with _ONE_LARGE if size > _LARGE else nullcontext():
        try:
            data = read_bytes(path)
            probed = probe(data)
            return Recording(probed.duration, probed.sample_rate, digest_of(data), probed.revised)
        except MemoryError:
            if size <= _LARGE:
                raise
            raise AudioError(f"no memory for its {size >> 20} MB: cut it, or give more memory") from None


@dataclass(frozen=True)
class Looked:
    """A manifest whose digests, durations and rates were read from the files."""

    manifest: Manifest
    reasons: Mapping[str, str]  # path → why its audio could not be read
    revised: frozenset[str] = frozenset()  # digests of what is decoded otherwise since revision 2
    n_clipped: int = 0  # excerpts whose end rounding put behind the file's

    @property
    def remarks(self) -> tuple[str, ...]:
        """What whoever uses the manifest should know."""
        n = self.n_clipped
        return (f"{n} excerpts end up to 1 ms behind their recordings and were cut there",) if n else ()


class Read:
    """What was read of the recordings of a manifest so far; more is added while others ask.

    Places count utterances in the order of their paths.
    """

    def __init__(self, rows: Utterances) -> None:
        names = rows.column("path")
        self.by_path = sorted(range(len(rows)), key=names.__getitem__)  # place → number of the row
        self.durations, self.rates, self.digests = Numbers("d"), Numbers("q"), Texts()  # by place
        self.revised: set[str] = set()  # digests of what is decoded otherwise since revision 2
        self._rows = rows

    def is_usable(self, place: int) -> bool:
        """Whether the recording could be read and is the manifest's, and no other row has the utterance's id."""
        row, ids, digest = self.by_path[place], self._rows.column("id"), self.digests[place]
        beside = [ids[other] for other in (row - 1, row + 1) if 0 <= other < len(ids)]
        expected = self._rows.column("audio_digest")[row]
        return bool(digest) and expected in (None, "", digest) and ids[row] not in beside

    def take(self, places: Sequence[int]) -> Utterances:
        """The utterances at some places, with what was read."""
        return self._filled(self._rows.take([self.by_path[place] for place in places]), places)

    def all(self) -> Utterances:
        """All utterances in their own order, when all was read."""
        return self._filled(self._rows, sorted(range(len(self._rows)), key=self.by_path.__getitem__))

    def _filled(self, rows: Utterances, places: Sequence[int]) -> Utterances:
        return rows.replace(
            duration=Numbers("d", (self.durations[place] for place in places)),
            sample_rate=Numbers("q", (self.rates[place] for place in places)),
            audio_digest=Texts(self.digests[place] for place in places),
        )


def look(
    manifest: Manifest,
    root: Path,
    *,
    look_at: Look = look_at,
    progress: Callable[[int], None] | None = None,
    tell: Callable[[Read, range], None] | None = None,
) -> Looked:
    """Fill in duration, sample rate and audio digest from the files under `root`.

    Each file is read once, however many excerpts are cut from it.  Missing or
    unreadable audio stays a row with empty values, and a reason.

    Parameters
    ----------
    manifest : Manifest
    root : Path
    look_at : callable
        What reads one file; the cache's memo spares reading unchanged ones.
    progress : callable
        Called with the number of files done.
    tell : callable
        Called with what was read so far, and the places whose recordings were read since it was called before.
    """
    rows, read = manifest.utterances, Read(manifest.utterances)
    columns: list[Sequence[Any]] = [rows.column(name) for name in ("path", "start", "end")]
    names, starts, ends = columns
    reasons: dict[str, str] = {}

    def attempt(path: str) -> Recording | str:
        try:
            return look_at(root / path)
        except AudioError as error:
            return str(error)

    n_done = n_clipped = 0
    waits = False
    with ThreadPoolExecutor(max_workers=min(16, 2 * (os.cpu_count() or 1))) as pool:
        # a few at a time: what waits in a thread pool takes kilobytes each
        groups = ((path, list(numbers)) for path, numbers in itertools.groupby(read.by_path, key=names.__getitem__))
        while some := list(itertools.islice(groups, 256 if waits else 32)):
            n_before, began, worked = len(read.digests), time.monotonic(), time.process_time()
            looks = (pool.map if waits else map)(attempt, (path for path, _ in some))
            for (path, numbers), recording in zip(some, looks, strict=True):
                seen = None if isinstance(recording, str) else recording
                if isinstance(recording, str):
                    reasons[path] = recording
                elif recording.revised:
                    read.revised.add(recording.digest)
                for i in numbers:
                    duration, clipped = (None, False) if seen is None else _duration(starts[i], ends[i], seen)
                    read.durations.append(duration)
                    n_clipped += clipped
                    read.rates.append(None if seen is None else seen.sample_rate)
                    read.digests.append("" if seen is None else seen.digest)
                n_done += 1
                if progress:
                    progress(n_done)
            took, worked = time.monotonic() - began, time.process_time() - worked
            waits = waits or took > max(_NOTICED, _WAITS * worked)
            if tell:
                tell(read, range(n_before, len(read.digests)))
    return Looked(make_manifest(read.all(), manifest.info), reasons, frozenset(read.revised), n_clipped)


def _duration(start: float | None, end: float | None, recording: Recording) -> tuple[float | None, bool]:
    """Seconds of an utterance, None if it starts behind the file's end; and whether its end is the file's instead."""
    if start is None and end is None:
        return recording.duration, False
    rate = recording.sample_rate
    first = math.floor((start or 0.0) * rate + 0.5)
    asked = math.floor((recording.duration if end is None else end) * rate + 0.5)
    last = clip_end(asked, rate, round(recording.duration * rate))
    return ((last - first) / rate if last > first else None), last < asked


@dataclass(frozen=True)
class Check:
    """How a folder differs from a manifest; all are relative paths."""

    n_files: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    extra: tuple[str, ...]
    digests: Mapping[str, str] = field(default_factory=dict)  # of the files that are there

    @property
    def same(self) -> bool:
        """Whether every file of the manifest is there, unchanged, and no other."""
        return not (self.missing or self.changed or self.extra)


def check_manifest(manifest: Manifest, root: Path, *, progress: Callable[[int], None] | None = None) -> Check:
    """Compare a corpus folder with a manifest: missing, changed and extra recordings.

    A file counts as changed when its bytes do not have the manifest's digest, and as
    missing when it is not there or cannot be read.

    Raises
    ------
    ManifestError
        If there is no such folder.
    """
    if not root.is_dir():
        raise ManifestError(f"{one_line(root)}: no such folder; expected the corpus root")
    expected = dict(zip(manifest.column("path"), manifest.column("audio_digest"), strict=True))

    def digest(path: str) -> str | None:
        try:
            return digest_of(read_bytes(root / path))
        except AudioError:
            return None

    missing, changed, digests = [], [], {}
    with ThreadPoolExecutor(max_workers=min(16, 2 * (os.cpu_count() or 1))) as pool:
        for number, (path, own_digest) in enumerate(zip(expected, pool.map(digest, expected), strict=True), 1):
            if own_digest is None:
                missing.append(path)
            else:
                digests[path] = own_digest
                if expected[path] and own_digest != expected[path]:
                    changed.append(path)
            if progress:
                progress(number)
    extra = [path for path in walk(root, SUFFIXES) if path not in expected]
    return Check(len(expected), tuple(missing), tuple(changed), tuple(extra), digests)
