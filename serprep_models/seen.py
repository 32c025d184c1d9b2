"""Checkpoints and a store → which of its speakers and recordings they were trained on, or chosen by.

Recordings are compared by the digests of their files, and by fingerprints (``serprep.audit``) made of
the log-mels that both stores hold: a scaled, converted or cut copy has another digest and sounds the same.
So are those of one store with each other.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serprep._typing import FloatArray
from serprep.audit.fingerprint import Fingerprint, compare, fingerprint_of
from serprep.errors import SerprepError, TrainError, one_line
from serprep.features.framing import Segment
from serprep.features.logmel import LogMel
from serprep.split import Split, read_split
from serprep.store.store import Store, open_store
from serprep_models.checkpoint import Checkpoint

GONE = "; name it with --trained-on"
_GONE = f"the store of training is not there: speakers and recordings were not compared{GONE}"
_WENT_ON = "it went on from another checkpoint: what that one was trained on was not compared"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What of a store was in training."""

    speakers: tuple[str, ...] = ()
    recordings: tuple[tuple[str, str], ...] = ()  # ids: here, in training; the same bytes
    sounds: tuple[tuple[str, str], ...] = ()  # they sound the same
    n_scored: int = 0
    same_corpus: bool = True  # speakers of other corpora may have the same names
    notes: tuple[str, ...] = ()  # what was not compared

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes scores better than they would be elsewhere, in sentences."""
        better = "scores are better than on unseen speakers and recordings"
        sentences = []
        for pairs, what in ((self.recordings, "are"), (self.sounds, "sound like")):
            if pairs:
                here, there = map(one_line, pairs[0])
                example = f"{here} ({there} in training)"
                n = len({pair[0] for pair in pairs})
                sentences.append(f"{n} of {self.n_scored} scored utterances {what} recordings of training: {example}")
        if self.speakers and self.same_corpus:
            sentences.append(f"{len(self.speakers)} speakers of training are in it: {self._named}")
        return tuple(f"{sentence}; {better}" for sentence in sentences)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What proves nothing, and what was not compared."""
        if self.same_corpus or not self.speakers:
            return self.notes
        same = f"{len(self.speakers)} speakers have names of training speakers: {self._named}"
        return (f"{same}; the corpora are different, so these are other people unless you know better", *self.notes)

    @property
    def _named(self) -> str:
        return one_line(", ".join(self.speakers[:5])) + (" …" if len(self.speakers) > 5 else "")


def find_seen(
    checkpoints: Sequence[Checkpoint],
    folders: Sequence[Path],
    store: Store,
    *,
    rows: Sequence[int],
    trained_on: Store | None = None,
) -> Seen:
    """What of some rows of a store was in the training of checkpoints.

    Parameters
    ----------
    checkpoints : sequence of Checkpoint
    folders : sequence of Path
        Where each was read.
    store : Store
    rows : sequence of int
    trained_on : Store, optional
        Instead of the store that lies where the checkpoint's folders say.

    Raises
    ------
    TrainError
        If `trained_on` is another store.
    """
    notes: dict[str, None] = {}
    of_store: dict[str, tuple[Store, set[int]]] = {}
    for checkpoint, folder in zip(checkpoints, folders, strict=True):
        version = str(checkpoint.about.get("version"))
        if checkpoint.about.get("start_from"):
            notes[_WENT_ON] = None
        known = trained_on or (of_store[version][0] if version in of_store else _store_of(folder, version))
        if known is None:
            notes[_GONE] = None
            continue
        if known.version != version:
            raise TrainError(
                f"{one_line(known.path)} is not what {one_line(folder)} was trained on; expected version {version[:12]}"
            )
        of_store.setdefault(version, (known, set()))[1].update(_training_rows(checkpoint, folder, known))
    seen = [_compared(known, sorted(chosen), store, list(rows)) for known, chosen in of_store.values()]
    return Seen(
        speakers=tuple(sorted({name for part in seen for name in part.speakers})),
        recordings=tuple(pair for part in seen for pair in part.recordings),
        sounds=tuple(pair for part in seen for pair in part.sounds),
        n_scored=len(rows),
        same_corpus=any(part.same_corpus for part in seen),
        notes=tuple(dict.fromkeys((*notes, *(note for part in seen for note in part.notes)))),
    )


def _store_of(folder: Path, version: str) -> Store | None:
    """The store a checkpoint was trained on, in the data set that its folder lies in; None where it is gone."""
    for place in folder.resolve().parents:
        if (place / "versions").is_dir():
            try:
                return open_store(f"{place}@{version}")
            except SerprepError:
                return None
    return None


def _training_rows(checkpoint: Checkpoint, folder: Path, store: Store) -> list[int]:
    """Rows of the train and dev parts of its fold; all of them where its split is not there."""
    split = _split_of(folder, str(checkpoint.about.get("split")))
    fold = checkpoint.about.get("fold")
    if split is None or fold not in split.folds:
        return list(range(len(store)))
    number = split.folds.index(str(fold))
    ids = {name for role in ("train", "dev") for name in split.ids(number, role)}
    return [row for row, name in enumerate(store.ids) if name in ids]


def _split_of(folder: Path, digest: str) -> Split | None:
    for place in folder.resolve().parents[:4]:
        if (place / "split.json").is_file():
            try:
                split = read_split(place / "split.json")
            except SerprepError:
                return None
            return split if split.digest == digest else None
    return None


def _compared(known: Store, training: Sequence[int], store: Store, rows: Sequence[int]) -> Seen:
    """Rows of a store beside those of training."""
    of_digest: dict[str, list[int]] = {}
    for row in training:
        of_digest.setdefault(known.column("audio_digest")[row], []).append(row)
    excerpts, mine = _excerpts(known), _excerpts(store)
    recordings, others = [], []
    for row in rows:
        same = of_digest.get(store.column("audio_digest")[row], ())
        shared = [place for place in same if mine[row][0] < excerpts[place][1] and excerpts[place][0] < mine[row][1]]
        recordings += [(store.ids[row], known.ids[place]) for place in shared[:1]]
        others += [] if shared else [row]
    names = {known.speakers[row] for row in training} & {store.speakers[row] for row in rows} - {""}
    sounds, notes = _alike(known, training, store, others)
    return Seen(
        speakers=tuple(sorted(names)),
        recordings=tuple(recordings),
        sounds=sounds,
        same_corpus=known.attributes["provenance"]["corpus"] == store.attributes["provenance"]["corpus"],
        notes=notes,
    )


def copies_within(store: Store, *, most_heard: int = 2000) -> tuple[list[tuple[str, str]], str]:
    """Pairs of ids of a store that are one recording, and what was not compared; "" if all was.

    Parameters
    ----------
    store : Store
    most_heard : int
        Utterances up to which sounds are compared as well, not only bytes.
    """
    excerpts, of_digest = _excerpts(store), dict[str, list[int]]()
    for row in sorted(range(len(store)), key=lambda row: excerpts[row]):
        of_digest.setdefault(store.column("audio_digest")[row], []).append(row)
    starts, pairs = [start for start, _ in excerpts], set[tuple[int, int]]()
    for same in of_digest.values():
        for place, row in enumerate(same):
            end = bisect_left(same, excerpts[row][1], lo=place + 1, key=starts.__getitem__)
            pairs |= {(row, other) for other in same[place + 1 : end]}
    cut, note = _log_mels(store), ""
    if len(store) > most_heard:
        note = f"recordings were compared by their bytes only, not by sound: more than {most_heard} utterances"
    elif cut is None:
        note = "recordings were compared by their bytes only, not by sound: no log-mels by the default configuration"
    else:
        certain, _ = compare([_print(store, row, cut) for row in range(len(store))])
        pairs |= {(match.first, match.second) for match in certain}
    unique = sorted({(min(pair), max(pair)) for pair in pairs})
    return [(store.ids[row], store.ids[other]) for row, other in unique], note


def _excerpts(store: Store) -> list[tuple[float, float]]:
    """Where each utterance begins and ends in its file, in seconds."""
    ends = zip(store.column("start"), store.column("end"), strict=True)
    return [(0.0 if start != start else start, np.inf if end != end else end) for start, end in ends]


def _alike(
    known: Store, training: Sequence[int], store: Store, rows: Sequence[int]
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Pairs of ids that sound the same, here and in training; and what was not compared."""
    segments = [_log_mels(each) for each in (known, store)]
    lacking = [one_line(each.path) for each, cut in zip((known, store), segments, strict=True) if cut is None]
    if lacking:
        return (), (f"not compared by sound: no log-mels by the default configuration in {' and '.join(lacking)}",)
    prints = [
        *(_print(known, row, segments[0]) for row in training),
        *(_print(store, row, segments[1]) for row in rows),
    ]
    certain, doubtful = compare(prints)
    pairs = []
    for match in certain:
        place, other = sorted((match.first, match.second))
        if place < len(training) <= other:
            pairs.append((store.ids[rows[other - len(training)]], known.ids[training[place]]))
    maybe = sum((match.first < len(training)) != (match.second < len(training)) for match in doubtful)
    notes = (f"{maybe} pairs with training hold too little sound to tell whether they are copies",) if maybe else ()
    return tuple(sorted(pairs)), notes


def _log_mels(store: Store) -> Segment | None:
    """The segments from which whole log-mels of the default configuration can be read; None without any."""
    if store.features.configs.get("logmel") != LogMel():
        return None
    return next((cut for cut in store.features.segments.values() if cut.of == "logmel" and cut.hop <= cut.length), None)


def _print(store: Store, row: int, cut: Segment | None) -> Fingerprint | None:
    assert cut is not None
    runs = store.segments(row, cut.length)
    energies: FloatArray = np.concatenate([*(run[: cut.hop] for run in runs[:-1]), runs[-1]]).astype(np.float32)
    return fingerprint_of(energies)
