"""Names on a command line → recordings to predict; no torch, so that a wrong name is told at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from serprep.audio.decode import OTHER_SUFFIXES as OTHERS
from serprep.audio.decode import SUFFIXES
from serprep.errors import TrainError, one_line
from serprep.files import without_suffix
from serprep.manifest.table import read_manifest
from serprep.place.corpus import walk


@dataclass(frozen=True)
class Utterances:
    """Recordings, or excerpts of them, to predict."""

    ids: tuple[str, ...]
    paths: tuple[str, ...]
    starts: tuple[float | None, ...]  # seconds; None is the file's start
    ends: tuple[float | None, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, first: int, last: int) -> "Utterances":
        """Utterances ``first`` to ``last - 1``."""
        columns = (self.ids, self.paths, self.starts, self.ends)
        return Utterances(*(column[first:last] for column in columns))  # type: ignore[arg-type]


def utterances_of(places: Sequence[str], *, root: Path | None = None) -> Utterances:
    """Utterances of recordings, of folders of them, and of manifests.

    Parameters
    ----------
    places : sequence of str
        Audio files, folders, manifests (``utterances.csv`` or its folder).
    root : Path, optional
        Where a manifest's recordings lie.

    Returns
    -------
    Utterances
        Ids are a manifest's own, paths below a folder without suffix, file stems; and whole paths, without
        suffix if that will do, where those are not unique.  Bytes that are no UTF-8 are escaped.

    Raises
    ------
    TrainError
        If a place does not exist or holds no recordings.
    """
    rows: list[tuple[str, str, float | None, float | None]] = []
    for place in places:
        path = Path(place)
        if not place:
            raise TrainError("an empty name; expected a recording, a folder, a manifest or a store")
        if path.suffix == ".csv" or (path / "utterances.csv").is_file():
            if root is None:
                raise TrainError(f"{one_line(place)} is a manifest: say where its recordings lie with --root")
            rows += [(row.id, str(root / row.path), row.start, row.end) for row in read_manifest(path).utterances]
        elif path.is_dir():
            names = list(walk(path, SUFFIXES))
            if not names:
                raise TrainError(f"{one_line(place)}: no recordings; expected {', '.join(SUFFIXES)}")
            rows += [(without_suffix(name), str(path / name), None, None) for name in names]
        elif path.is_file():
            rows.append((path.stem, place, None, None))
        else:
            raise TrainError(
                f"{one_line(place)}: no such file; expected a recording, a folder, a manifest, or one store"
            )
    if not rows:
        raise TrainError(f"{one_line(places[0])}: no utterances; expected a manifest with a row at least")
    ids, paths, starts, ends = (list(column) for column in zip(*rows, strict=True))
    for longer in (without_suffix, str):
        counts = Counter(ids)
        ids = [name if counts[name] == 1 else longer(path) for name, path in zip(ids, paths, strict=True)]
    ids = [name.encode(errors="backslashreplace").decode() for name in ids]  # an id is written, a path is opened
    doubled = next((name for name, count in Counter(ids).items() if count > 1), None)
    if doubled is not None:
        raise TrainError(f"{one_line(doubled)!r} is named twice; name each recording once")
    return Utterances(tuple(ids), tuple(paths), tuple(starts), tuple(ends))


def other_recordings(places: Sequence[str]) -> list[str]:
    """What lies in folders and looks like sound, but is not taken."""
    counts = Counter(
        PurePath(name).suffix.lower()
        for place in map(Path, places)
        if place.is_dir()
        for name in walk(place, OTHERS)
        if (place / name).is_file()
    )
    counted = ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))
    return [f"passed over: {counted}; folders are searched for {', '.join(SUFFIXES)}"] if counts else []
