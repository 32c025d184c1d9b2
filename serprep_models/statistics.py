"""The statistics of a fold: computed once, kept beside the experiments, shared by all systems and seeds.

An array is kept as ``<name>.npy`` with ``<name>.json``, which says what it was computed
from, and the SHA-256 of its values and of the note that may lie there with them.  Files
that say something else, or are damaged, are computed and written again, whole.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serprep._json import canonical_json
from serprep._typing import AnyArray, IntArray
from serprep.errors import TrainError, one_line
from serprep.files import discard, read_regular, refuse_store, write_whole
from serprep.recipe import TrainConfig
from serprep.store.store import Store
from serprep_models.children import parents_of
from serprep_models.standardise import (
    Moments,
    OwnMoments,
    Ranks,
    Ready,
    SpeakerMoments,
    Standardiser,
    moments_of_groups,
    parts,
    row_bytes,
    table_of,
    training_statistics,
)

FEW = 10  # utterances of a speaker: fewer give uncertain statistics
TRANSDUCTIVE = (
    "transductive: features are standardised per speaker, by unlabelled recordings of the test speakers too; "
    "compare these scores with such systems only"
)
_BLOCK = 128  # utterances read at once


def fold_statistics(
    store: Store,
    rows: Sequence[int] | IntArray,
    kinds: Sequence[str],
    *,
    how: TrainConfig,
    folder: Path | None = None,
) -> dict[str, Standardiser]:
    """How each kind of features is standardised in a fold.

    Parameters
    ----------
    store : Store
    rows : sequence of int
        Utterances of the training part, and no others.
    kinds : sequence of str
        What is read: names of segments, and kinds of feature.
    how : TrainConfig
        Its keys `standardisation` and `enrol`.
    folder : Path, optional
        Where arrays are kept; those that are there are not computed again.

    Raises
    ------
    TrainError
        If statistics of speakers are wanted and an utterance has no speaker.
    """
    standardisers: dict[str, Standardiser] = {}
    for kind in kinds:
        if how.transductive:
            standardisers[kind] = _of_speakers(store, kind, how=how, folder=folder)
        elif how.standardisation == "utterance" and not table_of(store, kind).per_utterance:
            standardisers[kind] = OwnMoments()
        else:
            standardisers[kind] = _of_training(store, rows, kind, folder=folder)
    return standardisers


def _of_training(store: Store, rows: Sequence[int] | IntArray, kind: str, *, folder: Path | None) -> Moments:
    def fill(out: AnyArray) -> None:
        own = training_statistics(store, rows, [kind])[kind]
        out[0], out[1] = own.mean, own.std

    chosen = hashlib.sha256(np.sort(np.asarray(rows, np.int64)).tobytes()).hexdigest()
    place = folder / f"train-{kind}-{chosen[:16]}.npy" if folder else None
    origin = [store.seal, kind, chosen]
    mean, std = np.array(remembered(place, (2, table_of(store, kind).row[-1]), np.float64, origin=origin, fill=fill)[0])
    return Moments(mean, std)


def _of_speakers(store: Store, kind: str, *, how: TrainConfig, folder: Path | None) -> Standardiser:
    speakers = Speakers.of(store.ids, store.speakers, enrol=how.enrol, parents=parents_of(store))
    ranked = table_of(store, kind).per_utterance and how.standardisation == "speaker-rank"
    place = folder / f"{'ranks' if ranked else 'speakers'}-{kind}.npy" if folder else None
    origin = [store.seal, kind, how.standardisation, how.enrol]
    n_features = table_of(store, kind).row[-1]
    if ranked:
        values, _ = remembered(
            place,
            (len(store), n_features),
            np.float32,
            origin=origin,
            fill=lambda out: rank_rows(store, kind, speakers, out),
        )
        return Ready(values)

    def fill(out: AnyArray) -> None:
        out[:] = moments_of_groups(_Blocks(store, kind, speakers), len(speakers.enrolled))

    mean, std = remembered(place, (2, len(speakers.enrolled), n_features), np.float64, origin=origin, fill=fill)[0]
    return SpeakerMoments(speakers.numbers, mean, std)


def rank_rows(store: Store, kind: str, speakers: "Speakers", out: AnyArray) -> None:
    """Write one kind's rows of the whole store as normal deviates of their ranks within their speakers."""
    for first in range(0, len(store), _BLOCK):
        out[first : first + _BLOCK] = store.read(kind, slice(first, first + _BLOCK))[0]
    for number, enrolled in enumerate(speakers.enrolled):
        own = np.flatnonzero(speakers.numbers == number)
        out[own] = Ranks.of(out[enrolled]).apply(out[own])


# -- who speaks ----------------------------------------------------------------------


@dataclass(frozen=True)
class Speakers:
    """Who speaks each utterance of a store, and by which utterances a speaker is known."""

    numbers: IntArray  # (n_utterances,) numbers of speakers
    enrolled: tuple[IntArray, ...]  # rows of the store, per speaker

    @classmethod
    def of(
        cls, ids: Sequence[str], speakers: Sequence[str], *, enrol: int = 0, parents: IntArray | None = None
    ) -> "Speakers":
        """The speakers of some utterances; `enrol` is how many of each count, the first by id, or 0 for all.

        Children do not count, whose `parents` are other rows: a speaker's recordings alone tell of a speaker.

        Raises
        ------
        TrainError
            If an utterance has no speaker.
        """
        check_speakers(ids, speakers)
        numbers = np.unique(np.array(speakers, object), return_inverse=True)[1].astype(np.int64).reshape(-1)
        by_id = np.array(sorted(range(len(ids)), key=ids.__getitem__), np.int64)
        if parents is not None:
            by_id = by_id[parents[by_id] == by_id]
        own = [by_id[numbers[by_id] == number] for number in range(int(numbers.max(initial=-1)) + 1)]
        return cls(numbers, tuple(rows[: enrol or None] for rows in own))


def check_speakers(ids: Sequence[str], speakers: Sequence[str]) -> None:
    """Raise a TrainError if an utterance has no speaker."""
    without = [name for name, speaker in zip(ids, speakers, strict=True) if not speaker]
    if without:
        raise TrainError(
            f"{len(without)} utterances have no speaker, such as {one_line(without[0])!r}; statistics of speakers "
            'need them: name the speakers, or set standardisation = "train"'
        )


def few_utterances(speakers: Sequence[str], *, enrol: int = 0) -> list[str]:
    """A note where speakers are known by very few utterances."""
    counts = Counter(speakers)
    few = [count for count in counts.values() if min(count, enrol or count) < FEW]
    if not few:
        return []
    least = min(min(few), enrol or min(few))
    return [
        f"statistics of {len(few)} of {len(counts)} speakers come from fewer than {FEW} utterances (the fewest: "
        f"{least}), and are uncertain"
    ]


@dataclass(frozen=True)
class _Blocks:
    """Enrolled utterances of one kind with the speaker of each segment, read each time they are gone through."""

    store: Store
    kind: str
    speakers: Speakers

    def __iter__(self) -> Iterator[tuple[AnyArray, IntArray]]:
        table = table_of(self.store, self.kind)
        rows = np.sort(np.concatenate(self.speakers.enrolled))
        for part in parts(rows, row_bytes(self.store, rows, self.kind)):
            numbers = self.speakers.numbers[part]
            values, offsets = self.store.read_table(table, part)
            if table.per_utterance or not table.segment:
                values = values[:, None]  # (rows, 1, d), as segments of one frame
            yield values, np.repeat(numbers, np.diff(offsets))


# -- arrays in files -----------------------------------------------------------------


def remembered(
    place: Path | None, shape: tuple[int, ...], dtype: type, *, origin: Any, fill: Callable[[AnyArray], Any]
) -> tuple[AnyArray, Any]:
    """The array in a file, not to be written to, and its note; computed if they are not there yet.

    Parameters
    ----------
    place : Path or None
        A name that ends in ``.npy``; None keeps nothing.
    shape, dtype
    origin
        What the array follows from, as JSON can hold it: what was computed from anything else is not taken.
    fill : callable
        Writes into the array, and returns the note, as JSON can hold it, or None.
    """
    if place is None:
        values: AnyArray = np.empty(shape, dtype)
        return values, fill(values)
    digest = hashlib.sha256(canonical_json(origin)).hexdigest()
    read = _read(place, shape, dtype, origin=digest)
    if read is not None:
        return read
    refuse_store(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.stem}.{np.random.default_rng().bytes(6).hex()}.tmp")
    try:
        written = np.lib.format.open_memmap(beside, mode="w+", dtype=dtype, shape=shape)
        note = fill(written)
        written.flush()
        about = {"origin": digest, "note": note, "sha256": _digest(written, note)}
        del written
        beside.replace(place)
    finally:
        discard(beside)
    write_whole(place.with_suffix(".json"), (json.dumps(about) + "\n").encode())
    read = _read(place, shape, dtype, origin=digest)
    if read is None:
        raise TrainError(f"{one_line(place)}: what was written is not what is read; check the disk")
    return read


def _read(place: Path, shape: tuple[int, ...], dtype: type, *, origin: str) -> tuple[AnyArray, Any] | None:
    """The array in a file, mapped, and its note, if they are whole and of this origin."""
    try:
        about = json.loads(read_regular(place.with_suffix(".json")))
        values = np.asarray(np.load(place, mmap_mode="r", allow_pickle=False))
        note = about.get("note")
        fits = values.shape == shape and values.dtype == dtype and about["origin"] == origin
        return (values, note) if fits and _digest(values, note) == about["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError, OverflowError):
        return None
    except (MemoryError, SyntaxError):  # a header that tells of another size, or is no literal
        return None


def _digest(values: AnyArray, note: Any) -> str:
    digest = hashlib.sha256(values.data)
    digest.update(b"" if note is None else canonical_json(note))
    return digest.hexdigest()
