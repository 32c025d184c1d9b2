"""How loud the utterances of a build are.

Levels are computed beside the features and kept in the cache, under keys of their own.
Where a cache has none, from before they were kept, the recordings are decoded once more.
"""

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serprep._typing import FloatArray
from serprep.audio.decode import Decoder, digest_of, read_bytes
from serprep.audio.levels import PROBLEMS, SILENT, Levels, problems_of
from serprep.cache.levels import KIND, keep_levels, level_key
from serprep.cache.parts import Cache, as_keys
from serprep.errors import AudioError, CacheError, one_line
from serprep.pipeline.gather import Quarantined
from serprep.progress import Progress
from serprep.utterance import Utterances

_AT_ONCE = 256  # files


@dataclass(frozen=True)
class Loudness:
    """What levels told of utterances."""

    keep: Sequence[int]  # numbers of those that stay
    quarantined: tuple[Quarantined, ...]
    counts: Mapping[str, int]  # problem → utterances that have it, kept or not
    warnings: tuple[str, ...]


def check_loudness(
    utterances: Utterances, root: Path, *, cache: Cache, silent: str = "keep", retry: bool = False, quiet: bool = True
) -> Loudness:
    """Levels of utterances, from the cache or their recordings, judged.

    Parameters
    ----------
    utterances : Utterances
        Whose features are there.
    root : Path
        Of their recordings.
    cache : Cache
    silent : {"keep", "quarantine"}
        What becomes of those that hold no sound.
    retry : bool
        Decode those again that could not be decoded before.
    quiet : bool
        Show no progress.
    """
    levels, reasons = _levels(utterances, root, cache=cache, retry=retry, quiet=quiet)
    known = np.array([i not in reasons for i in range(len(utterances))], bool)
    problems = {name: which & known for name, which in problems_of(levels).items()}
    warnings = tuple(
        f"{np.count_nonzero(which)} of {len(utterances)} utterances are {PROBLEMS[name]}; "
        f"such as {one_line(utterances[int(which.argmax())].id)}"
        for name, which in problems.items()
        if which.any()
    )
    if silent == "quarantine":
        reasons |= {i: PROBLEMS[name] for name in SILENT for i in np.flatnonzero(problems[name]).tolist()}
    return Loudness(
        keep=[i for i in range(len(utterances)) if i not in reasons],
        quarantined=tuple(
            Quarantined(id=utterances[i].id, path=utterances[i].path, reason=reasons[i]) for i in sorted(reasons)
        ),
        counts={name: int(np.count_nonzero(which)) for name, which in problems.items()},
        warnings=warnings,
    )


def _levels(
    utterances: Utterances, root: Path, *, cache: Cache, retry: bool, quiet: bool
) -> tuple[FloatArray, dict[int, str]]:
    """Levels, shape (n, 5), and the reasons of utterances that have none."""
    names = ("audio_digest", "start", "end")
    keys = as_keys(level_key(*cells) for cells in zip(*(utterances.column(name) for name in names), strict=True))
    places = cache.find(KIND, keys)
    levels = np.zeros((len(utterances), 5), np.float32)
    there = np.flatnonzero(places.cached)
    if len(there):
        levels[there] = np.concatenate(cache.read(places[there]))
    missing = np.flatnonzero(~places.cached).tolist()
    remembered = cache.failures() if missing and not retry else {}
    reasons = {i: remembered[key] for i in missing if (key := keys[i].tobytes()) in remembered}
    paths = utterances.column("path")
    missing = sorted((i for i in missing if i not in reasons), key=lambda i: (paths[i], i))
    groups = ((root / path, list(numbers)) for path, numbers in itertools.groupby(missing, key=paths.__getitem__))
    with (
        Progress("levels of recordings", len(missing), quiet=quiet or not missing) as progress,
        ThreadPoolExecutor() as threads,
    ):
        while some := list(itertools.islice(groups, _AT_ONCE)):
            new: list[tuple[bytes, FloatArray]] = []
            lasting: dict[bytes, str] = {}
            for results in threads.map(lambda group: _measure(utterances, *group), some):
                for i, result, last in results:
                    if isinstance(result, str):
                        reasons[i] = result
                        if last:
                            lasting[keys[i].tobytes()] = result
                    else:
                        levels[i] = result
                        new.append((keys[i].tobytes(), result))
                progress.add(len(results))
            keep_levels(cache, new)
            if lasting:
                with contextlib.suppress(CacheError):
                    cache.write_failures(lasting)
    return levels, reasons


def _measure(utterances: Utterances, path: Path, numbers: Sequence[int]) -> list[tuple[int, FloatArray | str, bool]]:
    """Number, levels or the reason there are none, and whether that reason will last; of utterances of one file."""
    try:
        data = read_bytes(path)
        if digest_of(data) != utterances[numbers[0]].audio_digest:
            raise AudioError("the file changed during the build; build again")
    except AudioError as error:
        return [(i, str(error), False) for i in numbers]
    measured: list[tuple[int, FloatArray | str, bool]] = []
    decoder = None
    for i in sorted(numbers, key=lambda i: utterances[i].start or 0.0):
        try:
            decoder = decoder or Decoder(data)
            heard = Levels()  # what is refused today may have been stored before
            decoder.guarded(utterances[i].start, utterances[i].end, levels=heard)
            measured.append((i, heard.values(), True))
        except AudioError as error:
            measured.append((i, str(error), True))
    return measured
