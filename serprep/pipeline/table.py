"""Recordings → one table of features, without a recipe, labels or a store.

What the cache has is not computed again, and what is computed is kept there, as in a build.  Rows stand in the
order of the recordings, whatever was finished first; a recording that cannot be used is left out and named.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serprep.audio.decode import SUFFIXES
from serprep.cache.memo import Memo
from serprep.cache.parts import Cache, Places
from serprep.cache.place import cache_of
from serprep.errors import FeatureError, PartError, first_ten, one_line
from serprep.features.extract import Features, only
from serprep.features.kinds import set_of
from serprep.files import whole
from serprep.manifest.look import look
from serprep.manifest.table import Manifest
from serprep.parallel import Workers
from serprep.pipeline.extract import compute_features
from serprep.pipeline.table_files import Block, Head, is_alike, write_csv, writer_of
from serprep.place.corpus import walk
from serprep.progress import Progress
from serprep.store.writer import Origins
from serprep.utterance import Utterance, Utterances

ATTEMPTS = 10  # at features that vanish from the cache meanwhile
FEW = 32  # recordings that are computed sooner than workers start
_BLOCK = 1 << 22  # values written at once


@dataclass(frozen=True, kw_only=True)
class Table:
    """What was written."""

    n_recordings: int  # asked for
    n_used: int  # of these, in the table
    n_rows: int
    columns: tuple[str, ...]  # of the features
    reasons: Mapping[str, str]  # recording that was left out → why


class _Here:
    """Workers that are this process."""

    n_workers = 1

    def run(
        self, function: Callable[[Any], Any], items: Sequence[Any], *, once: bool = False
    ) -> Iterator[tuple[int, Any]]:
        return ((number, function(item)) for number, item in enumerate(items))


def recordings_of(places: Sequence[str]) -> list[str]:
    """Recordings as they are named, and those below folders.

    Raises
    ------
    FeatureError
        If a place does not exist or holds no recordings.
    """
    names: list[str] = []
    for place in places:
        if place and Path(place).is_dir():
            below = [os.path.join(place, name) for name in walk(Path(place), SUFFIXES)]  # noqa: PTH118 - as typed
            if not below:
                raise FeatureError(f"{one_line(place)}: no recordings; expected {', '.join(SUFFIXES)}")
            names += below
        elif place and Path(place).exists():
            names.append(place)
        else:
            raise FeatureError(f"{one_line(place) or 'an empty name'}: no such file; expected a recording or a folder")
    return names


def write_table(
    recordings: Sequence[str],
    output: Path | None = None,
    *,
    feature_set: str = "egemaps",
    level: str = "",
    workers: int | None = None,
    quiet: bool = True,
) -> Table:
    """Write the features of recordings as one table, whole or not at all.

    Parameters
    ----------
    recordings : sequence of str
        Files, each with a row, or the rows of its contour, in this order.
    output : Path, optional
        ``.csv``, ``.arff`` or ``.parquet``; by default CSV on standard output.
    feature_set, level : str
        As `set_of` takes them.
    workers : int, optional
        Local processes; by default one per core, or none for a few recordings.
    quiet : bool
        Show no progress.

    Raises
    ------
    SerprepError
        If nothing can be computed, the table cannot be written, or `output` is a file of another kind.
    """
    write = writer_of(output.suffix) if output else write_csv
    kind, config = set_of(feature_set, level)
    features = only(kind, config)
    config = features.configs[kind.name]
    columns = kind.names(config)
    hop = kind.hop(config, features.signal)
    place = "" if kind.shape_of(config) == "row" else "start" if hop else "row"
    head = Head(f"serprep {feature_set} {level}".rstrip(), place, columns)
    if output and output.is_file() and not is_alike(output, write, head):
        raise FeatureError(f"{one_line(output)} is there and holds something else; name another file, or remove it")
    few = workers is None and len(recordings) <= FEW
    pool: Any = _Here() if few else Workers(workers)
    with tempfile.TemporaryDirectory(prefix="serprep-") as scratch:
        try:
            cache = cache_of(scratch).cache
            for attempts_left in reversed(range(ATTEMPTS)):
                rows, origins, reasons = _computed(recordings, features, cache=cache, pool=pool, quiet=quiet)
                places = origins.places[kind.name]
                blocks = _blocks([recordings[int(name)] for name in rows.column("id")], cache, places, hop or 1)
                try:
                    with whole(output or Path(scratch, "table.csv")) as file:
                        write(file, head, blocks)
                    break
                except PartError as error:  # damaged, or removed by somebody who wanted space
                    if not attempts_left:
                        raise
                    if not quiet:
                        print(f"computing again: {one_line(error)}", file=sys.stderr)
        finally:
            if not few:
                pool.close()
        if not output:
            with Path(scratch, "table.csv").open(encoding="utf-8", newline="") as table:
                for line in table:
                    sys.stdout.write(line)
    n_rows = int(places.table["n_rows"].sum())
    return Table(n_recordings=len(recordings), n_used=len(rows), n_rows=n_rows, columns=columns, reasons=reasons)


def _computed(
    recordings: Sequence[str], features: Features, *, cache: Cache, pool: Any, quiet: bool
) -> tuple[Utterances, Origins, dict[str, str]]:
    """Rows in order whose ids are numbers of recordings, where their features lie, and why others have none."""
    paths = [os.path.abspath(name) for name in recordings]  # noqa: PTH100 - links stay
    root = Path(os.path.commonpath([os.path.dirname(path) for path in paths]))  # noqa: PTH120
    reasons: dict[int, str] = {}
    rows = []
    for number, path in enumerate(paths):
        name = os.path.relpath(path, root)
        if _is_text(name):
            rows.append(Utterance(id=f"{number:09}", path=Path(name).as_posix()))
        else:
            reasons[number] = "its name is not UTF-8; rename the file"
    memo = Memo(cache, root)
    with Progress("reading recordings", len(rows), unit="files", quiet=quiet) as progress:
        try:
            looked = look(Manifest(Utterances(rows)), root, look_at=memo.look_at, progress=progress.to)
        finally:  # also after Ctrl-C
            memo.save()
    known = looked.manifest.utterances
    good = []
    for i, (name, path) in enumerate(zip(known.column("id"), known.column("path"), strict=True)):
        if path in looked.reasons:
            reasons[int(name)] = looked.reasons[path]
        else:
            good.append(i)
    computed = compute_features(
        known.take(good),
        features,
        root=root,
        cache=cache,
        pool=pool,
        batch_size=None,
        retry=False,
        quiet=quiet,
        revised=looked.revised,
    )
    reasons |= {int(row.id): row.reason for row in computed.failed}
    named = {recordings[number]: reasons[number] for number in sorted(reasons)}
    if not len(computed.utterances):
        raise FeatureError(first_ten([f"{one_line(name)}: {reason}" for name, reason in named.items()]))
    return computed.utterances, computed.origins, named


def _is_text(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def _blocks(files: Sequence[str], cache: Cache, places: Places, hop: float) -> Iterator[Block]:
    """The rows of each recording, some recordings at a time."""
    sizes = places.table["n_rows"] * places.table["width"]
    first = 0
    while first < len(files):
        last = first + max(1, int(np.searchsorted(np.cumsum(sizes[first:]), _BLOCK, side="right")))
        values = cache.read(places[first:last])
        lengths = [len(rows) for rows in values]
        yield Block(
            [name for name, n in zip(files[first:last], lengths, strict=True) for _ in range(n)],
            np.concatenate([hop * np.arange(n) for n in lengths]),
            np.concatenate(values),
        )
        first = last
