"""Is a store what was sealed, is its content consistent, and is it what its recordings give?

In this order: the set of files, their digests, the seal, the content, and, where asked
for, features recomputed from the recordings.  Nothing a damaged file holds may stop the
inspection: whatever goes wrong becomes a finding.
"""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from serprep._json import canonical_json
from serprep._typing import ByteArray, IntArray
from serprep.audio.decode import decode, digest_of, read_bytes
from serprep.cache.parts import offsets_of
from serprep.errors import AudioError, CorpusError, FeatureError, SerprepError, StoreError, one_line
from serprep.features.extract import Features, extract, not_computable
from serprep.features.framing import cut_segments
from serprep.features.kinds import KINDS
from serprep.place.place import at
from serprep.store.container import NOT_CHECKED, Inspected, Problem
from serprep.store.containers import container_of
from serprep.store.layout import Array, Table
from serprep.store.store import Store
from serprep.version import resolve, version_of, versions

Progress = Callable[[int], None]
_MANY = 64  # utterances read at once


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What an inspection found."""

    store: str
    version: str  # "" where the root cannot be read
    n_files: int  # of the container, checked
    n_recomputed: int  # utterances whose recordings were looked for; 0 where no kind of feature can be computed here
    problems: tuple[Problem, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong with the store itself."""
        return not any(problem.damage for problem in self.problems)


def verify(
    place: str,
    *,
    against_audio: Path | None = None,
    by_opensmile: bool = False,
    sources: Features | None = None,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Verification:
    """Inspect a store.

    Parameters
    ----------
    place : str
        ``PATH.zarr``, ``PATH.h5`` or ``DATASET@NAME``.
    against_audio : Path, optional
        Corpus root: recompute features from its recordings and compare bit for bit.
    by_opensmile : bool
        Recompute only what openSMILE computes too, and by openSMILE.
    sources : Features, optional
        Of a recipe: where that lies which a store does not hold and values come from, such as imported arrays.
    sample : int, optional
        How many utterances to recompute; None is all.
    seed : int
        Chooses the sample.
    progress : callable
        Called with the number of files and utterances done.

    Raises
    ------
    StoreError
        If there is no store at that place at all, or no folder of recordings.
    """
    path = resolve(place)
    if against_audio is not None and not against_audio.is_dir():
        raise StoreError(f"{one_line(against_audio)}: no such folder; expected the root of the store's recordings")
    if not _is_there(path):
        raise StoreError(f"{one_line(path)}: no store there; expected a folder or file that `serprep build` made")
    container = container_problems(path, progress=progress)
    try:
        store = Store(path, complete=False)
    except SerprepError as error:
        problems = container.problems or (Problem(kind="seal", place=path, message=str(error)),)
        return Verification(store=path, version="", n_files=container.n_files, n_recomputed=0, problems=problems)
    problems = (*_touched(store, container.problems), *_guarded("content", path, lambda: _content(store)))
    rows = np.arange(len(store) if against_audio is not None else 0)
    if sample is not None and sample < len(rows):
        rows = np.sort(np.random.default_rng(seed).choice(rows, sample, replace=False))
    features = store.features
    if len(rows):
        features = _by_opensmile(store) if by_opensmile else _with_sources(features, sources)
    lacking = not_computable(features) if len(rows) else {}
    problems += tuple(Problem(kind=NOT_CHECKED, place=name, message=why) for name, why in lacking.items())
    kinds = tuple(kind for kind in features.kinds if kind not in lacking)
    for done, row in enumerate(rows.tolist(), 1):
        problems += tuple(
            _guarded("audio", f"utterance {row}", partial(_against_audio, store, row, against_audio, features, kinds))
        )
        if progress:
            progress(container.n_files + done)
    return Verification(
        store=path,
        version=store.version,
        n_files=container.n_files,
        n_recomputed=len(rows) if kinds else 0,
        problems=problems,
    )


def _is_there(path: str) -> bool:
    """Whether anything of a store is at a path or URL."""
    try:
        return at(path).holds()
    except OSError as error:
        raise StoreError(f"{one_line(path)}: {error.strerror or one_line(error)}; make it readable") from None


def _guarded(kind: str, place: str, check: Callable[[], list[Problem]]) -> list[Problem]:
    """Findings of a check; an error inside it is one too."""
    try:
        return check()
    except Exception as error:  # whatever a damaged file leads to
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        return [Problem(kind=kind, place=place, message=f"cannot be read: {text}")]


# -- the container -------------------------------------------------------------------


def container_problems(path: str, *, progress: Progress | None = None) -> Inspected:
    """The set of files, their digests, and the seal; the content is not looked at."""
    container = container_of(path)
    inspected = container.inspect(path, progress if container.unit == "files" else None)
    problems = (dataclasses.replace(problem, shared_with=_sharing(path, problem)) for problem in inspected.problems)
    return Inspected(inspected.n_files, tuple(problems))


def _sharing(path: str, problem: Problem) -> tuple[str, ...]:
    """Other stores of the data set that hold a damaged file by hard link."""
    own = at(path).below(problem.place).get("") if problem.kind == "damaged file" else None
    root = Path(path)
    if own is None or own.n_names < 2 or root.parent.name != "versions":
        return ()
    others = (str(root.parent.parent / entry) for entry in versions(str(root.parent.parent)))
    entries = ((other, at(other).below(problem.place).get("")) for other in others if Path(other) != root)
    return tuple(other for other, entry in entries if entry and entry.content == own.content)


def _touched(store: Store, problems: Sequence[Problem]) -> list[Problem]:
    """The same problems with the ids of the utterances they touch, where that can be told."""
    touched = []
    for problem in problems:
        ids: set[str] = set()
        for array, shard in store.container.suspects(problem, [table.name for table in store.tables]):
            with contextlib.suppress(Exception):  # the table of utterances itself may be what is damaged
                ids.update(_ids_in(store, array, shard))
        touched.append(dataclasses.replace(problem, utterances=tuple(sorted(ids))))
    return touched


def _ids_in(store: Store, name: str, shard: int | None) -> list[str]:
    """Utterances with rows in the unreadable chunks of a shard, or in all of it if every chunk can be read."""
    spec = next(array for array in specs(store) if array.name == name)
    first, last = (0, spec.shape[0]) if shard is None else (shard * spec.shard, (shard + 1) * spec.shard)
    chunks = [(a, min(a + spec.chunk, last, spec.shape[0])) for a in range(first, min(last, spec.shape[0]), spec.chunk)]
    broken = [chunk for chunk in chunks if not _readable(store.array(name), *chunk)]
    if not broken and shard is not None:
        broken = chunks
    table = next((table for table in store.tables if table.name == name), None)
    offsets = store.table_offsets(table) if table else np.arange(len(store) + 1)
    if offsets[-1] != spec.shape[0]:
        return []
    rows: set[int] = set()
    for a, b in broken:
        rows.update(range(int(np.searchsorted(offsets, a, side="right")) - 1, int(np.searchsorted(offsets, b))))
    return [store.ids[row] for row in rows]


def _readable(array: Any, first: int, last: int) -> bool:
    """Whether a chunk passes its checksum, and was there: a missing one reads as fill values."""
    try:
        values = np.asarray(array[first:last])
    except Exception:
        return False
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


# -- the content ---------------------------------------------------------------------


def specs(store: Store) -> list[Array]:
    """The arrays that a store of these rows and this configuration has."""
    n_rows = {table.name: int(_expected_offsets(store, table)[-1]) for table in store.tables if table.offsets}
    return store.specs(n_rows, numbers=store.numbers)


def _expected_offsets(store: Store, table: Table) -> IntArray:
    """The offsets that follow from the lengths of the utterances; the stored ones where nothing follows."""
    features = store.features
    if table.kind == features.framed:
        counts: list[int | None] = store.column("n_frames")
    else:
        kind, config = features.kind(table.kind), features.configs[table.kind]
        counts = [kind.n_rows(n, config) for n in store.column("n_samples")]
    if None in counts:
        return store.table_offsets(table)
    return offsets_of([table.n_rows(count) for count in counts if count is not None])


def _content(store: Store) -> list[Problem]:
    """Everything that must hold between the arrays and attributes of a whole store."""
    problems: list[Problem] = []

    def wrong(place: str, message: str, ids: Sequence[str] = ()) -> None:
        problems.append(Problem(kind="content", place=place, message=message, utterances=tuple(ids)))

    manifest = store.manifest()
    attributes = store.attributes
    if manifest.digest != attributes["provenance"]["manifest_digest"]:
        wrong("utterances", "the table does not have the manifest digest that the store names")
    version = version_of(
        manifest_digest=manifest.digest,
        configurations=attributes["configurations"],
        extractors=attributes["provenance"]["extractors"],
        segment_dtype=attributes["segment_dtype"],
    )
    if version != store.version:
        wrong("attributes", f"the content has version {version[:12]}, the store names {store.version[:12]}")
    doubled = [name for name, count in Counter(store.ids).items() if count > 1]
    if doubled:
        wrong("utterances/id", f"{len(doubled)} ids stand more than once", doubled)
    declared = {*store.labels, ""}
    foreign = [name for name, emotion in zip(store.ids, store.emotions, strict=True) if emotion not in declared]
    if foreign:
        wrong("utterances/emotion", f"{len(foreign)} utterances have a label that is not declared", foreign)
    expected = {spec.name: spec for spec in specs(store)}
    if set(expected) != set(store.array_names):
        wrong("arrays", f"expected {sorted(expected)}, found {store.array_names}")
    for name, spec in expected.items():
        problems += _guarded("content", name, partial(_array, store, name, spec))
    by_kind: dict[str, ByteArray] = {}
    for table in store.tables:
        keys = store.keys(table.group)
        if not np.array_equal(by_kind.setdefault(table.kind, keys), keys):
            wrong(table.kind, "the segment tensors name different origins for the same utterances")
    return problems


def _array(store: Store, name: str, spec: Array) -> list[Problem]:
    """Shape, offsets and finiteness of one array."""
    array = store.array(name)
    if tuple(array.shape) != spec.shape:
        return [Problem(kind="content", place=name, message=f"has shape {tuple(array.shape)}, expected {spec.shape}")]
    for table in store.tables:
        if name == table.offsets:
            stored = store.table_offsets(table)
            differing = np.flatnonzero(np.diff(stored) != np.diff(_expected_offsets(store, table)))
            if differing.size or stored[0] != 0:
                ids = tuple(store.ids[row] for row in differing)
                column = "n_frames" if table.kind == store.features.framed else "n_samples"
                message = f"does not agree with {column}"
                return [Problem(kind="content", place=name, message=message, utterances=ids)]
        if name == table.name:
            return _finite(store, table)
    return []


def _finite(store: Store, table: Table) -> list[Problem]:
    """Utterances whose rows of a table hold NaN or infinity."""
    bad: list[str] = []
    for first in range(0, len(store), _MANY):
        rows = range(first, min(first + _MANY, len(store)))
        values, starts = store.read_table(table, list(rows))
        fine = np.logical_and.reduceat(np.isfinite(values).reshape(len(values), -1).all(axis=1), starts[:-1])
        bad += [store.ids[row] for row, finite in zip(rows, fine.tolist(), strict=True) if not finite]
    if bad:
        message = f"{len(bad)} utterances hold NaN or infinity"
        return [Problem(kind="content", place=table.name, message=message, utterances=tuple(bad))]
    return []


# -- the recordings ------------------------------------------------------------------


def _with_sources(features: Features, sources: Features | None) -> Features:
    """The store's features, with the recipe's configuration of what cannot be computed from the store's alone."""
    sourced = {
        name: sources.configs[name]
        for name in features.missing
        if sources
        and name in sources.kinds
        and canonical_json(sources.kind(name).plain(sources.configs[name])) == canonical_json(features.configs[name])
    }
    missing = {name: kind for name, kind in features.missing.items() if name not in sourced}
    off = {name: None for name in KINDS if name not in features.configs}
    return Features(features.segments, missing, **{**off, **features.configs, **sourced})


def _by_opensmile(store: Store) -> Features:
    """What openSMILE computes of the store's features, by openSMILE."""
    own = store.features
    references = {name: own.kind(name).reference(own.configs[name]) for name in own.kinds}
    if not any(references.values()):
        raise StoreError(f"{one_line(store.path)}: it holds nothing that openSMILE computes too, such as functionals")
    return Features({}, {}, **{**dict.fromkeys(KINDS), **references})


def _against_audio(
    store: Store, row: int, root: Path | None, features: Features, kinds: tuple[str, ...]
) -> list[Problem]:
    """Some kinds of one utterance's features against those of its recording."""
    name = store.ids[row]

    def differs(message: str, *, recording: bool = False) -> list[Problem]:
        return [Problem(kind="audio", place=name, message=message, utterances=(name,), recording=recording)]

    start, end = (None if np.isnan(store.column(edge)[row]) else store.column(edge)[row] for edge in ("start", "end"))
    try:
        try:
            data = read_bytes((root or Path()) / store.column("path")[row])
        except (AudioError, CorpusError) as error:  # missing, or a bucket that does not answer
            return differs(str(error), recording=True)
        if digest_of(data) != store.column("audio_digest")[row]:
            return differs("the recording is not the one the store was made from (other SHA-256)", recording=True)
        signal = decode(data, start=start, end=end, config=features.signal)
        values = extract(signal, features, kinds, utterance=name)
    except (AudioError, FeatureError) as error:
        return differs(str(error))
    except SerprepError as error:  # no fault of a recording: a GPU without memory, say
        return [Problem(kind=NOT_CHECKED, place=name, message=str(error), utterances=(name,))]
    differing = []
    for table in (table for table in store.tables if table.kind in values):
        stored = store.read_table(table, [row])[0]
        expected = values[table.kind]
        if table.segment:
            expected = cut_segments(expected, table.segment)
        expected = expected.astype(stored.dtype)
        if stored.shape != expected.shape:
            differing.append(table.name)
        elif stored.tobytes() != expected.tobytes():
            n = np.count_nonzero((stored != expected) | (np.signbit(stored) != np.signbit(expected)))
            differing.append(f"{table.name} ({n} of {stored.size} numbers)")
    return differs(f"recomputed values differ in {', '.join(differing)}") if differing else []
