"""Cached rows → a store: what each task writes.

Every task writes one whole shard, cut by row number; two writers inside one shard would
corrupt it silently (dask#12583, zarr-python#3682).  An HDF5 file is one task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serprep._typing import AnyArray, IntArray
from serprep.cache import Cache, Place, offsets_of
from serprep.features.extract import Features
from serprep.features.framing import Segment, cut_segments, n_segments
from serprep.features.functionals import LICENCE, feature_names
from serprep.manifest import Manifest, value_of
from serprep.store import hdf5_store, zarr_store
from serprep.store.layout import COUNTS, FUNCTIONALS, NUMBERS, Array, StoreConfig, arrays
from serprep.version import STORE_FORMAT


@dataclass(frozen=True)
class Row:
    """Where the features of one utterance come from: kind → cache key, kind → place."""

    keys: Mapping[str, bytes]
    places: Mapping[str, Place]


@dataclass(frozen=True)
class ShardJob:
    """One whole shard of one array."""

    store: str
    cache: str
    array: Array
    first: int  # row of the array
    last: int
    skip: int  # rows of the first utterance that belong to the shard before
    places: tuple[Place, ...]
    segment: Segment | None  # None: rows are stored as they are


@dataclass(frozen=True)
class FileJob:
    """A whole store in one file."""

    path: str
    cache: str
    plan: "Plan"
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """Everything about a store before it is written."""

    manifest: Manifest
    rows: tuple[Row, ...]
    features: Features
    config: StoreConfig
    offsets: Mapping[int, IntArray]  # segment length → offsets

    @property
    def arrays(self) -> list[Array]:
        """Every array of the store."""
        return arrays(
            columns=self.manifest.columns,
            numbers=self.manifest.numbers,
            n=len(self.rows),
            n_segments={length: int(offsets[-1]) for length, offsets in self.offsets.items()},
            features=self.features,
            config=self.config,
        )


def plan_store(manifest: Manifest, rows: Sequence[Row], features: Features, config: StoreConfig) -> Plan:
    """What a store of these rows will look like."""
    offsets = {
        segment.length: offsets_of([n_segments(row.places["logmel"].shape[0], segment) for row in rows])
        for segment in features.segments.values()
    }
    return Plan(manifest, tuple(rows), features, config, offsets)


def shard_jobs(plan: Plan, store: str, cache: Cache) -> list[ShardJob]:
    """The tasks that fill the feature arrays."""
    by_length = {segment.length: segment for segment in plan.features.segments.values()}
    jobs = []
    for array in plan.arrays:
        if not array.is_large:
            continue
        if array.name == FUNCTIONALS:
            kind, segment, offsets = "functionals", None, np.arange(len(plan.rows) + 1)
        else:
            segment = by_length[array.shape[1]]
            kind, offsets = "logmel", plan.offsets[segment.length]
        for first in range(0, array.shape[0], array.shard):
            last = min(first + array.shard, array.shape[0])
            begin = int(np.searchsorted(offsets, first, side="right")) - 1
            end = int(np.searchsorted(offsets, last, side="left"))
            jobs.append(
                ShardJob(
                    store=store,
                    cache=cache.root,
                    array=array,
                    first=first,
                    last=last,
                    skip=first - int(offsets[begin]),
                    places=tuple(row.places[kind] for row in plan.rows[begin:end]),
                    segment=segment,
                )
            )
    return jobs


def shard_values(job: ShardJob, cache: Cache) -> AnyArray:
    """The rows of one shard, cut from cached features."""
    blocks = cache.read(job.places)
    if job.segment is not None:
        blocks = [cut_segments(block, job.segment) for block in blocks]
    values = np.concatenate(blocks)[job.skip : job.skip + job.last - job.first]
    return np.asarray(values, job.array.dtype)


def write_shard(job: ShardJob) -> int:
    """Write one shard; the task that workers run.  Returns the rows written."""
    zarr_store.write_rows(job.store, job.array.name, job.first, shard_values(job, Cache(job.cache)))
    return job.last - job.first


def write_file(job: FileJob) -> int:
    """Write a whole HDF5 store, shard by shard; the task that a worker runs.  Returns the shards written."""
    cache = Cache(job.cache)
    shards = sorted(shard_jobs(job.plan, job.path, cache), key=lambda shard: (shard.array.name, shard.first))
    hdf5_store.write_file(
        Path(job.path),
        job.plan.arrays,
        job.attributes,
        small=small_values(job.plan),
        large=((shard.array, shard.first, shard_values(shard, cache)) for shard in shards),
    )
    return len(shards)


def small_values(plan: Plan) -> dict[str, AnyArray]:
    """Columns, offsets, keys and names: everything but the features."""
    values: dict[str, AnyArray] = {}
    numbers = {*NUMBERS, *plan.manifest.numbers}
    for column in plan.manifest.columns:
        cells = [value_of(row, column) for row in plan.manifest.utterances]
        if column in numbers:
            missing = [np.nan if cell in (None, "") else cell for cell in cells]
            values[f"utterances/{column}"] = np.array(missing, "f8")
        elif column in COUNTS:
            values[f"utterances/{column}"] = np.array(cells, "i8")
        else:
            values[f"utterances/{column}"] = np.array(cells, object)
    counts = [row.places["logmel"] for row in plan.rows]
    values["utterances/n_samples"] = np.array([place.n_samples for place in counts], "i8")
    values["utterances/n_frames"] = np.array([place.shape[0] for place in counts], "i8")
    for length, offsets in plan.offsets.items():
        values[f"logmel/{length}/offsets"] = offsets
        values[f"logmel/{length}/keys"] = _keys(plan, "logmel")
    if plan.features.functionals.enabled:
        values[f"{FUNCTIONALS}_names"] = np.array(feature_names(), object)
        values["functionals/keys"] = _keys(plan, "functionals")
    return values


def _keys(plan: Plan, kind: str) -> AnyArray:
    return np.frombuffer(b"".join(row.keys[kind] for row in plan.rows), np.uint8).reshape(-1, 32)


def attributes(
    plan: Plan, *, version: str, configurations: Mapping[str, Any], extractors: Mapping[str, Any]
) -> dict[str, Any]:
    """Root attributes; nothing in them tells when, where or by whom the store was built."""
    licences = [f"recordings: {plan.manifest.info.get('licence', 'unknown')}"]
    if plan.features.functionals.uses_opensmile:
        licences.append(LICENCE)
    return {
        "format": STORE_FORMAT,
        "version": version,
        "n_utterances": len(plan.rows),
        "columns": [*plan.manifest.columns, "n_samples", "n_frames"],
        "provenance": {
            "corpus": dict(plan.manifest.info),
            "manifest_digest": plan.manifest.digest,
            "extractors": dict(extractors),
        },
        "configurations": dict(configurations),
        "segment_dtype": plan.config.segment_dtype,
        "licences": licences,
    }


def create(plan: Plan, store: str) -> None:
    """Make the arrays and write all small ones."""
    values = small_values(plan)
    for array in plan.arrays:
        zarr_store.create_array(store, array)
        if not array.is_large:
            for first in range(0, array.shape[0], array.chunk):
                zarr_store.write_rows(store, array.name, first, values[array.name][first : first + array.chunk])
