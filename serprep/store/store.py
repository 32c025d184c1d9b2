"""Reading a store: the small interface that everything downstream uses."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from serprep._typing import AnyArray, ByteArray, FloatArray, IntArray
from serprep.columns import DIMENSIONS, RESERVED
from serprep.errors import StoreError, one_line
from serprep.features.extract import Features, features_from_json
from serprep.features.framing import Segment
from serprep.features.kind import Meaning
from serprep.manifest.table import Manifest, make_manifest
from serprep.store.claims import check_attributes, missing_kinds
from serprep.store.container import DAMAGE, Opened, as_text
from serprep.store.containers import container_of
from serprep.store.frames import picture_of
from serprep.store.layout import SMALL_CHUNK, Array, StoreConfig, Table, arrays, counted_columns, tables
from serprep.utterance import FIELDS, Texts, Utterance, Utterances, column_of
from serprep.version import STORE_FORMAT, resolve

_ANY = -1  # rows: the attributes do not tell how many

Rows = slice | Sequence[int] | IntArray


def open_store(place: str | Path) -> "Store":
    """Open a store for reading.

    Parameters
    ----------
    place : str or path
        ``PATH.zarr``, ``PATH.h5``, ``DATASET@NAME`` or a data set's folder (its latest store).

    Returns
    -------
    Store

    Raises
    ------
    StoreError
        If there is no store, it is half-written or damaged, or its format is newer.
    """
    return Store(resolve(str(place)))


class Store:
    """One immutable version of a data set.  Safe to pickle; opens its files anew where it lands."""

    def __init__(self, path: str, *, complete: bool = True) -> None:
        self.path = path
        self.container = container_of(path)
        self.attributes: dict[str, Any] = self.container.attributes(path, complete=complete)
        number = self.attributes.get("format")
        if number != STORE_FORMAT:
            raise StoreError(f"{one_line(path)} has format {number}, this serprep reads {STORE_FORMAT}: build it again")
        try:
            check_attributes(self.attributes)
        except ValueError as error:
            raise StoreError(
                f"{one_line(path)}: its root metadata is impossible: {one_line(error)}; build it again"
            ) from None
        self._arrays: dict[str, Opened] = {}
        self._offsets: dict[str, IntArray] = {}
        self._features: Features | None = None
        self._tables: dict[str, Table] | None = None
        self._names: list[str] = []
        self._columns: dict[str, list[Any]] = {}

    def __reduce__(self) -> tuple[type["Store"], tuple[str]]:
        return Store, (self.path,)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its files; reading opens them again.  A Zarr store keeps none open."""
        for array in self._arrays.values():
            array.close()
        self._arrays.clear()

    def __len__(self) -> int:
        return int(self.attributes["n_utterances"])

    def __repr__(self) -> str:
        return f"<Store {self.version[:12]}: {len(self)} utterances, {len(self.labels)} labels>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from serprep.pages.notebook import table

        counts = Counter(self.emotions)
        return table(
            f"Store {self.version[:12]}",
            {
                "path": self.path,
                "corpus": self.attributes["provenance"]["corpus"].get("corpus", ""),
                "utterances": f"{len(self)} of {len(set(self.speakers) - {''})} speakers, {self.hours:.2f} h",
                "labels": ", ".join(f"{label} {counts[label]}" for label in self.labels),
                "features": ", ".join(f"{t.name} {t.row}" for t in self.tables),
            },
        )

    def to_pandas(self, kind: str = "") -> Any:
        """Labels, and the columns of a kind that has one row per utterance, as a DataFrame by id.

        Parameters
        ----------
        kind : str
            Such as "functionals"; default: labels alone.
        """
        import pandas as pd

        frame = pd.DataFrame({name: self.column(name) for name in self.columns}).set_index("id")
        if not kind:
            return frame
        values, names = self._named(kind)
        return pd.concat([frame, pd.DataFrame(values, index=frame.index, columns=names)], axis=1)

    def to_xarray(self, kind: str) -> Any:
        """A kind that has one row per utterance as a DataArray, with ids, emotions and speakers as coordinates.

        Raises
        ------
        StoreError
            If xarray is not installed, or the kind has many rows per utterance.
        """
        try:
            import xarray as xr
        except ModuleNotFoundError:
            raise StoreError("to_xarray needs xarray, which is not installed: `pip install xarray`") from None
        values, names = self._named(kind)
        along = {"emotion": ("id", self.emotions), "speaker": ("id", self.speakers)}
        if meanings := self.meanings(kind):
            _, units, texts = zip(*meanings, strict=True)
            along |= {"unit": ("column", list(units)), "meaning": ("column", list(texts))}
        return xr.DataArray(values, dims=("id", "column"), coords={"id": self.ids, "column": names, **along}, name=kind)

    def _named(self, kind: str) -> tuple[AnyArray, list[str]]:
        """Rows and column names of a kind with one row per utterance."""
        table = self.table(kind)
        if not table.per_utterance:
            raise StoreError(f"{kind!r} has many rows per utterance; `store.values({kind!r}, i)` gives one utterance's")
        names = self.names(kind) if table.names else [f"{kind}_{i}" for i in range(table.row[0])]
        return self.read_table(table, slice(None))[0], names

    def play(self, i: int, root: str | Path) -> Any:
        """A player of utterance `i` for a notebook; `root` is the folder of the recordings."""
        from serprep.pages.notebook import shown
        from serprep.pages.player import player

        return shown(player(self._utterance(i), Path(root)) or "its recording is not there")

    def show(self, i: int, root: str | Path | None = None) -> Any:
        """What utterance `i` is, its log-mel picture and, with the folder of the recordings, its player."""
        from serprep.pages.notebook import shown, table
        from serprep.pages.picture import spectrogram
        from serprep.pages.player import player

        row = self._utterance(i)
        facts = {"speaker": row.speaker, "emotion": row.emotion, "path": row.path, "seconds": row.duration, **row.extra}
        frames = picture_of(self, self._row(i))
        picture = "" if frames is None else spectrogram(frames, says=f"spectrogram of {row.id}")
        return shown(table(row.id, facts), picture, player(row, Path(root)) if root else "")

    def _utterance(self, i: int) -> Utterance:
        return self.manifest().utterances[self._row(i)]

    @property
    def format(self) -> str:
        """The container's name, such as "zarr"."""
        return self.container.form.name

    @property
    def version(self) -> str:
        """What the store holds, as 64 hexadecimal digits."""
        return str(self.attributes["version"])

    @property
    def seal(self) -> str:
        """Digest over everything in the store."""
        return str(self.attributes["seal"])

    @property
    def features(self) -> Features:
        """The configuration its features were computed with."""
        if self._features is None:
            values = self.attributes["configurations"]["features"]
            self._features = features_from_json(values, missing_kinds(self.attributes))
        return self._features

    @property
    def labels(self) -> tuple[str, ...]:
        """The declared emotions, in logit order."""
        return tuple(self.attributes["configurations"]["labels"])

    @property
    def lengths(self) -> tuple[int, ...]:
        """Lengths of the stored segments, in frames."""
        return tuple(segment.length for segment in self.features.segments.values())

    def array(self, name: str) -> Any:
        """The array of that name, to be sliced by rows.

        Raises
        ------
        StoreError
            If the store has none of that name, or its metadata is damaged.
        """
        if name not in self._arrays:
            if name not in self.array_names:
                known = ", ".join(map(one_line, self.array_names))
                raise StoreError(f"{one_line(self.path)} has no array {one_line(repr(name))}; it has {known}")
            try:
                opened = self.container.open(self.path, name, self.attributes)
            except DAMAGE as error:
                raise error if isinstance(error, StoreError) else self._damaged(name, error) from None
            self._check_form(name, opened.array)
            self._arrays[name] = opened
        return self._arrays[name].array

    def _read(self, name: str, first: int = 0, last: int | None = None) -> AnyArray:
        """Rows ``[first, last)`` of an array."""
        self.array(name)
        try:
            return self._arrays[name].read(first, last)
        except DAMAGE as error:  # a checksum, or a file cut short
            raise error if isinstance(error, StoreError) else self._damaged(name, error) from None

    def _damaged(self, name: str, reason: object) -> StoreError:
        return StoreError(
            f"{one_line(self.path)}: array {one_line(repr(name))} is damaged ({one_line(reason)[:200]}); "
            "remove it and build again"
        )

    def _of_no_format(self, name: str, reason: str) -> StoreError:
        return StoreError(
            f"{one_line(self.path)}: array {one_line(repr(name))} has not the shape and type of its format "
            f"({reason}); build it again"
        )

    def _check_form(self, name: str, array: Any) -> None:
        """Raise a StoreError unless an array has the shape and type that an array of its name has."""
        spec = self._layout.get(name)
        if spec is None:
            return
        fits = len(spec.shape) == len(array.shape) and all(
            expected in (length, _ANY) for length, expected in zip(array.shape, spec.shape, strict=True)
        )
        kind = "string" if array.dtype.kind in "TO" else str(array.dtype)
        if not fits:
            expected = " × ".join("any" if length == _ANY else str(length) for length in spec.shape)
            raise self._of_no_format(name, f"shape {tuple(array.shape)}, expected {expected}")
        if kind != spec.dtype and not (
            name.removeprefix("utterances/") in DIMENSIONS and kind in ("string", "float64")
        ):
            raise self._of_no_format(name, f"type {kind}, expected {spec.dtype}")

    @cached_property
    def _layout(self) -> dict[str, Array]:
        """Every array that the attributes announce; lengths that they do not tell are `_ANY`."""
        specs = self.specs({table.name: _ANY for table in self.tables}, numbers=())
        return {array.name: array for array in specs}

    def specs(self, n_rows: Mapping[str, int], *, numbers: Sequence[str]) -> list[Array]:
        """The arrays of a store of this configuration; `numbers` are the dimensions that are not stored as text."""
        return arrays(
            columns=[name for name in self.columns if name not in counted_columns(self.features)],
            numbers=numbers,
            n=len(self),
            n_rows=n_rows,
            features=self.features,
            config=StoreConfig(segment_dtype=self.attributes["segment_dtype"]),
        )

    def _read_runs(self, name: str, runs: Sequence[tuple[int, int]]) -> AnyArray:
        """Several runs of rows of an array, one after the other."""
        if len(runs) == 1:
            return self._read(name, *runs[0])
        array = self.array(name)
        out = np.empty((sum(last - first for first, last in runs), *array.shape[1:]), array.dtype)
        done = 0
        for first, last in runs:
            out[done : done + last - first] = self._read(name, first, last)
            done += last - first
        return out

    @property
    def array_names(self) -> list[str]:
        """Names of all arrays, sorted."""
        if not self._names:
            self._names = self.container.array_names(self.path, self.attributes)
        return list(self._names)

    # -- utterances ------------------------------------------------------------------

    @property
    def columns(self) -> list[str]:
        """Columns of the utterance table: the manifest's, then n_samples and n_frames."""
        return list(self.attributes["columns"])

    def column(self, name: str) -> list[Any]:
        """One column of the utterance table: str, float (NaN: missing) or int."""
        if name not in self._columns:
            values = self._read(f"utterances/{name}")
            self._columns[name] = values.tolist() if values.dtype.kind in "fiu" else as_text(values)
        return self._columns[name]

    @property
    def numbers(self) -> list[str]:
        """Columns among valence, arousal and dominance that are stored as numbers."""
        return [
            name for name in self.columns if name in DIMENSIONS and self.array(f"utterances/{name}").dtype.kind == "f"
        ]

    @property
    def hours(self) -> float:
        """Hours of sound."""
        return float(np.nansum(self.column("duration"))) / 3600

    @property
    def ids(self) -> list[str]:
        """Utterance ids, sorted."""
        return self.column("id")

    @property
    def emotions(self) -> list[str]:
        """The label of each utterance; "" where there is none."""
        return self.column("emotion")

    @property
    def speakers(self) -> list[str]:
        """The speaker of each utterance."""
        return self.column("speaker")

    def manifest(self) -> Manifest:
        """The manifest of what is in the store."""
        own = {name: column_of(name, (None if cell != cell else cell for cell in self._cells(name))) for name in FIELDS}
        extra = {name: Texts(map(_text, self._cells(name))) for name in self.columns if name not in RESERVED}
        info = self.attributes["provenance"]["corpus"]
        return make_manifest(Utterances.of_columns(own | extra), info, as_written=True)

    def _cells(self, name: str) -> Iterator[Any]:
        """The values of `column`, a chunk at a time: nothing is kept."""
        if name in self._columns:
            yield from self._columns[name]
            return
        for first in range(0, len(self), SMALL_CHUNK):
            values = self._read(f"utterances/{name}", first, min(first + SMALL_CHUNK, len(self)))
            yield from values.tolist() if values.dtype.kind in "fiu" else as_text(values)

    # -- features --------------------------------------------------------------------

    @property
    def tables(self) -> list[Table]:
        """The feature arrays: what kind, what shape, which offsets and keys."""
        if self._tables is None:
            self._tables = {table.name: table for table in tables(self.features, self.attributes["segment_dtype"])}
        return list(self._tables.values())

    def table(self, kind: str, length: int | None = None) -> Table:
        """The table of a kind's rows, or of its segments of that length.

        Raises
        ------
        StoreError
            If the store has none.
        """
        for table in self.tables:
            if table.kind == kind and (table.segment.length if table.segment else None) == length:
                return table
        known = ", ".join(table.name for table in self.tables)
        what = f"{kind!r}" if length is None else f"segments of {length} frames of {kind!r}"
        raise StoreError(f"{one_line(self.path)} has no {what}; it has {known}")

    def table_offsets(self, table: Table) -> IntArray:
        """Rows of utterance *i* are ``offsets[i]:offsets[i + 1]``; shape (n + 1,)."""
        if not table.offsets:
            return np.arange(len(self) + 1)
        name = table.offsets
        if name not in self._offsets:
            offsets = self._read(name).astype(np.int64)
            n_rows = self.array(table.name).shape[0]
            if offsets[0] or (np.diff(offsets) < 0).any() or offsets[-1] != n_rows:
                raise self._damaged(name, f"it does not rise from 0 to the {n_rows} rows of {table.name}")
            self._offsets[name] = offsets
        return self._offsets[name]

    def read_table(self, table: Table, rows: Rows) -> tuple[AnyArray, IntArray]:
        """Rows of many utterances at once.

        Parameters
        ----------
        table : Table
            One of `tables`.
        rows : slice or sequence of int
            Utterances, in any order.

        Returns
        -------
        values : ndarray, shape (n_rows, …)
            Of all asked-for utterances, one after the other.
        offsets : ndarray, shape (n_utterances + 1,), int64
            Where each utterance's begin.
        """
        wanted = self._rows(rows)
        offsets = self.table_offsets(table)
        counts = offsets[wanted + 1] - offsets[wanted]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        runs = [(int(offsets[wanted[first]]), int(offsets[wanted[last - 1] + 1])) for first, last in _runs(wanted)]
        return self._read_runs(table.name, runs), starts

    def read(self, kind: str, rows: Rows) -> tuple[AnyArray, IntArray]:
        """Rows of a kind of feature of many utterances, as `read_table` gives them."""
        return self.read_table(self.table(kind), rows)

    def values(self, kind: str, i: int) -> FloatArray:
        """A kind of feature of one utterance: (n_columns,) if it has one row each, else (n_rows, n_columns)."""
        table = self.table(kind)
        rows = self._rows_of(table, i)
        return rows[0] if table.per_utterance else rows

    def _rows_of(self, table: Table, i: int) -> AnyArray:
        """Rows of one utterance, by the shortest way."""
        i = self._row(i)
        first, last = self.table_offsets(table)[i : i + 2].tolist() if table.offsets else (i, i + 1)
        return self._read(table.name, first, last)

    def names(self, kind: str) -> list[str]:
        """Names of a kind's columns, in order."""
        names: list[str] = as_text(self._read(f"{self.table(kind).name}_names"))
        return names

    def meanings(self, kind: str) -> tuple[Meaning, ...]:
        """Name, unit and one line on each column of a kind, in order; () for one that does not say.

        A store holds the names; what they mean its kind says, also for stores of before.
        """
        if kind not in self.features.kinds:
            self.table(kind)  # says what there is
        return self.features.kind(kind).meanings(self.features.configs[kind])

    def segments(self, i: int, length: int, of: str = Segment.of) -> AnyArray:
        """Segments of one utterance, shape (n_segments, length, n_columns), as stored."""
        return self._rows_of(self.table(of, length), i)

    def read_segments(self, rows: Rows, length: int, of: str = Segment.of) -> tuple[AnyArray, IntArray]:
        """Segments of many utterances at once, as `read_table` gives them.

        Parameters
        ----------
        rows : slice or sequence of int
            Utterances, in any order.
        length : int
            Frames of a segment: one of `lengths`.
        of : str
            The contour they were cut from.
        """
        return self.read_table(self.table(of, length), rows)

    def offsets(self, length: int, of: str = Segment.of) -> IntArray:
        """Segments of utterance *i* are rows ``offsets[i]:offsets[i + 1]``; shape (n + 1,)."""
        return self.table_offsets(self.table(of, length))

    def keys(self, group: str) -> ByteArray:
        """Cache keys of each row's origin, shape (n, 32); `group` is such as "functionals", "lld" or "logmel/30"."""
        return self._read(f"{group}/keys")

    # the words that the paper's systems and older programs use

    def functionals(self, i: int) -> FloatArray:
        """Functionals of one utterance, shape (6373,)."""
        return self.values("functionals", i)

    def read_functionals(self, rows: Rows) -> FloatArray:
        """Functionals of many utterances, shape (n_rows, 6373)."""
        return self.read("functionals", rows)[0]

    def functional_names(self) -> list[str]:
        """Names of the functionals, in column order."""
        return self.names("functionals")

    def lld(self, i: int) -> FloatArray:
        """Low-level descriptors and deltas of one utterance as contours, shape (n_rows, 130)."""
        return self.values("lld", i)

    def lld_names(self) -> list[str]:
        """Names of the contours, in column order."""
        return self.names("lld")

    def _row(self, i: int) -> int:
        if not -len(self) <= i < len(self):
            raise IndexError(f"utterance {i} of {len(self)}")
        return int(i) % len(self)

    def _rows(self, rows: Rows) -> IntArray:
        if isinstance(rows, slice):
            return np.arange(len(self))[rows]
        wanted = np.asarray(rows)
        if wanted.size and wanted.dtype.kind not in "iu":  # a mask would be read as rows 0 and 1
            raise IndexError(f"rows are {wanted.dtype}; expected row numbers, such as np.flatnonzero(mask)")
        wanted = wanted.astype(np.int64).reshape(-1)
        if wanted.size and not (wanted.min() >= -len(self) and wanted.max() < len(self)):
            raise IndexError(f"utterances {wanted.min()} to {wanted.max()} of {len(self)}")
        return wanted % max(1, len(self))


def _text(value: Any) -> str:
    """A cell of a manifest's other columns."""
    return value if isinstance(value, str) else "" if np.isnan(value) else repr(value)


def _runs(rows: IntArray) -> list[tuple[int, int]]:
    """Places ``[first, last)`` where `rows` count upwards by one: what one read fetches."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    edges = [0, *breaks.tolist(), len(rows)]
    return [(a, b) for a, b in pairwise(edges) if a < b]
