"""Utterances in two dimensions, by any kind that is one row each: principal components, and UMAP where installed.

Columns are centred and divided by their deviation; those that do not vary take no part.  Of more
than `SAMPLE` utterances the components are those of a sample that is spread evenly over the store,
and all utterances are projected on them, in blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from serprep._typing import DoubleArray
from serprep.errors import StoreError, one_line
from serprep.store.store import Store

SAMPLE = 1000  # utterances
PCA, UMAP = "PCA", "UMAP"  # ways of making a map
COMPONENTS = 30  # principal ones that UMAP sees
NEIGHBOURS = 15  # that it keeps together
_BLOCK = 2000  # utterances read at a time


@dataclass(frozen=True)
class Plane:
    """Directions through the utterances of a store."""

    mean: DoubleArray  # (n_columns,)
    deviation: DoubleArray  # (n_columns,); 0: the column does not vary
    directions: DoubleArray  # (n_columns, n), of length 1, across one another
    shares: tuple[float, ...]  # of the variance, (n,)
    n_sample: int

    def scaled(self, rows: DoubleArray) -> DoubleArray:
        """Rows in deviations from the mean; 0 in columns that do not vary, and where a value is no number."""
        varies = self.deviation > 0
        scaled = (rows - self.mean) / np.where(varies, self.deviation, 1)
        return np.where(varies & np.isfinite(scaled), scaled, 0)


def row_kinds(store: Store) -> list[str]:
    """Kinds of feature of a store with one row of several numbers an utterance."""
    return [table.kind for table in store.tables if table.per_utterance and len(table.row) == 1 and table.row[0] > 1]


def maps_of(store: Store) -> list[tuple[str, str]]:
    """Kinds that can be mapped, each with a way to do it: `PCA`, and `UMAP` where umap-learn is installed.

    Fewer than `NEIGHBOURS` other utterances are no neighbourhood.
    """
    ways = (PCA, UMAP) if find_spec("umap") and len(store) > NEIGHBOURS else (PCA,)
    return [(kind, way) for way in ways for kind in row_kinds(store)]


def plane_of(store: Store, kind: str, n: int = 2) -> Plane:
    """The `n` directions of the largest variance of a kind's rows.

    Examples
    --------
    >>> directions_of(np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))[1]
    (0.9, 0.1)
    """
    rows = _sample(store, kind)
    with np.errstate(invalid="ignore", over="ignore"):
        mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    known = np.isfinite(mean) & np.isfinite(deviation)
    plane = Plane(
        np.where(known, mean, 0), np.where(known, deviation, 0), np.zeros((rows.shape[1], n)), (0,) * n, len(rows)
    )
    directions, shares = directions_of(plane.scaled(rows), n)
    return Plane(plane.mean, plane.deviation, directions, shares, len(rows))


def directions_of(rows: DoubleArray, n: int = 2) -> tuple[DoubleArray, tuple[float, ...]]:
    """First `n` principal directions of centred rows, each with its largest part positive; shares of the variance.

    They are eigenvectors of the smaller of the two products of the rows with themselves.
    """
    wide = rows.shape[1] > rows.shape[0]
    values, vectors = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    directions = np.zeros((rows.shape[1], n))
    for place in range(min(n, len(values))):
        direction = rows.T @ vectors[:, place] if wide else vectors[:, place]
        length = np.linalg.norm(direction)
        if values[place] > values[0] * 1e-12 and length:
            directions[:, place] = direction / length * np.sign(direction[np.abs(direction).argmax()])
    total = values.sum() or 1.0
    shares = np.zeros(n)
    shares[: len(values)] = values[:n] / total
    return directions, tuple(np.round(shares, 6).tolist())


def places_of(store: Store, kind: str, plane: Plane) -> DoubleArray:
    """Where each utterance lies along the directions of a plane, shape (n_utterances, n)."""
    return np.concatenate([plane.scaled(rows) @ plane.directions for _, rows in _blocks(store, kind)])


def neighbours_of(store: Store, kind: str) -> DoubleArray:
    """Where UMAP (McInnes et al. 2018) puts each utterance, shape (n, 2): like ones lie together.

    It sees the first `COMPONENTS` principal components, and draws from a fixed seed.

    Raises
    ------
    StoreError
        If umap-learn cannot.
    """
    rows = places_of(store, kind, plane_of(store, kind, COMPONENTS))
    try:
        from umap import UMAP as Umap

        return np.asarray(Umap(n_neighbors=NEIGHBOURS, random_state=0, n_jobs=1).fit_transform(rows), np.float64)
    except Exception as error:  # whatever somebody else's package does
        raise StoreError(f"{kind}: UMAP cannot draw it: {type(error).__name__}: {one_line(error)}; use PCA") from error


def _blocks(store: Store, kind: str) -> Iterator[tuple[int, DoubleArray]]:
    for first in range(0, len(store), _BLOCK):
        yield first, store.read(kind, slice(first, first + _BLOCK))[0].astype(np.float64)


def _sample(store: Store, kind: str) -> DoubleArray:
    n = len(store)
    wanted = np.unique(np.linspace(0, n - 1, min(n, SAMPLE)).astype(int))
    parts = [
        rows[wanted[(wanted >= first) & (wanted < first + len(rows))] - first] for first, rows in _blocks(store, kind)
    ]
    return np.concatenate(parts)
