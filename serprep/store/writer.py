"""Cached rows → a store: what each task writes.

Every task writes one whole shard, cut by row number; two writers inside one shard would
corrupt it silently (dask#12583, zarr-python#3682).  An HDF5 file is one task.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from serprep._typing import AnyArray, ByteArray, IntArray
from serprep.cache.parts import Cache, Places, offsets_of
from serprep.features.extract import Features
from serprep.features.framing import Segment, segments_within
from serprep.features.kinds import brought_by
from serprep.manifest.table import Manifest
from serprep.place.place import at
from serprep.store.containers import CONTAINERS
from serprep.store.layout import Array, StoreConfig, Table, arrays, counted_columns, tables
from serprep.version import STORE_FORMAT


@dataclass(frozen=True, eq=False)
class Origins:
    """Where the features of each utterance come from: kind → cache keys (n, 32), kind → places."""

    keys: Mapping[str, ByteArray]
    places: Mapping[str, Places]

    @property
    def complete(self) -> AnyArray:
        """Which utterances have every kind of feature in the cache, shape (n,), bool."""
        return np.asarray(np.logical_and.reduce([places.cached for places in self.places.values()]))

    def take(self, numbers: AnyArray) -> "Origins":
        """Those rows alone."""
        return Origins(
            {kind: keys[numbers] for kind, keys in self.keys.items()},
            {kind: places[numbers] for kind, places in self.places.items()},
        )


@dataclass(frozen=True)
class ShardJob:
    """One whole shard of one array."""

    store: str
    container: str
    cache: str
    array: Array
    first: int  # row of the array
    last: int
    skip: int  # rows of the first utterance that belong to the shard before
    places: Places
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
    origins: Origins
    features: Features
    config: StoreConfig
    offsets: Mapping[str, IntArray]  # name of a table with offsets → they

    @property
    def tables(self) -> list[Table]:
        """The feature arrays."""
        return tables(self.features, self.config.segment_dtype)

    @property
    def arrays(self) -> list[Array]:
        """Every array of the store."""
        return arrays(
            columns=self.manifest.columns,
            numbers=self.manifest.numbers,
            n=len(self.manifest),
            n_rows={name: int(offsets[-1]) for name, offsets in self.offsets.items()},
            features=self.features,
            config=self.config,
        )


def plan_store(manifest: Manifest, origins: Origins, features: Features, config: StoreConfig) -> Plan:
    """What a store of these rows will look like."""
    offsets = {
        table.name: offsets_of([table.n_rows(n) for n in origins.places[table.kind].table["n_rows"].tolist()])
        for table in tables(features)
        if table.offsets
    }
    return Plan(manifest, origins, features, config, offsets)


def shard_jobs(plan: Plan, store: str, cache: Cache) -> list[ShardJob]:
    """The tasks that fill the feature arrays."""
    by_name = {array.name: array for array in plan.arrays}
    jobs = []
    for table in plan.tables:
        array = by_name[table.name]
        offsets = plan.offsets[table.name] if table.offsets else np.arange(len(plan.manifest) + 1)
        for first in range(0, array.shape[0], array.shard):
            last = min(first + array.shard, array.shape[0])
            begin = int(np.searchsorted(offsets, first, side="right")) - 1
            end = int(np.searchsorted(offsets, last, side="left"))
            jobs.append(
                ShardJob(
                    store=store,
                    container=plan.config.format,
                    cache=cache.root,
                    array=array,
                    first=first,
                    last=last,
                    skip=first - int(offsets[begin]),
                    places=plan.origins.places[table.kind][begin:end],
                    segment=table.segment,
                )
            )
    return jobs


def shard_values(job: ShardJob, cache: Cache) -> AnyArray:
    """The rows of one shard, cut from cached features."""
    blocks = cache.read(job.places)
    if job.segment is not None:
        blocks = [segments_within(block, job.segment) for block in blocks]
    values = np.concatenate(blocks)[job.skip : job.skip + job.last - job.first]
    return np.asarray(values, job.array.dtype)


def write_shard(job: ShardJob) -> tuple[str, str]:
    """Write one shard; the task that workers run.  Returns the file's name and SHA-256."""
    sharding = CONTAINERS[job.container].sharding
    if sharding is None:
        raise ValueError(job.container)
    name, data = sharding.file(job.array, job.first), sharding.encode(job.array, shard_values(job, Cache(job.cache)))
    at(job.store).write(name, data)
    return name, hashlib.sha256(data).hexdigest()


def write_file(job: FileJob) -> dict[str, str]:
    """Write a whole store, shard by shard; the task that a worker runs.  Returns the digests of its files."""
    cache, plan = Cache(job.cache), job.plan
    shards = sorted(shard_jobs(plan, job.path, cache), key=lambda shard: (shard.array.name, shard.first))
    blocks = ((shard.array, shard.first, shard_values(shard, cache)) for shard in shards)
    container, small = CONTAINERS[plan.config.format], partial(small_value, plan)
    with at(job.path).new_file() as path:
        return container.write(path, plan.arrays, job.attributes, small, blocks)


def small_value(plan: Plan, array: Array) -> AnyArray | Sequence[str]:
    """A column, offsets, keys or names: any array but the features."""
    if array.dtype == "string":
        return texts_of(plan, array)
    for table in plan.tables:
        if array.name == table.keys:
            return plan.origins.keys[table.kind]
        if array.name == table.offsets:
            return plan.offsets[table.name]
    name = array.name.rpartition("/")[2]
    if name == "n_samples":
        return np.array(next(iter(plan.origins.places.values())).table["n_samples"], array.dtype)
    if name == "n_frames" and plan.features.framed:
        return np.array(plan.origins.places[plan.features.framed].table["n_rows"], array.dtype)
    cells = plan.manifest.utterances.column(name)
    return np.array([np.nan if cell in (None, "") else cell for cell in cells], array.dtype)


def texts_of(plan: Plan, array: Array) -> Sequence[str]:
    """The strings of an array of them."""
    for table in plan.tables:
        if array.name == f"{table.name}_names":
            return table.names
    return cast(Sequence[str], plan.manifest.utterances.column(array.name.rpartition("/")[2]))


def attributes(
    plan: Plan, *, version: str, configurations: Mapping[str, Any], extractors: Mapping[str, Any]
) -> dict[str, Any]:
    """Root attributes; nothing in them tells when, where or by whom the store was built."""
    licences = [f"recordings: {plan.manifest.info.get('licence', 'unknown')}", *plan.features.licences]
    return {
        "format": STORE_FORMAT,
        "version": version,
        "n_utterances": len(plan.manifest),
        "columns": [*plan.manifest.columns, *counted_columns(plan.features)],
        "provenance": {
            "corpus": dict(plan.manifest.info),
            "manifest_digest": plan.manifest.digest,
            "extractors": dict(extractors),
        },
        "configurations": dict(configurations),
        "segment_dtype": plan.config.segment_dtype,
        "licences": licences,
        **shapes_of(plan.features),
    }


def shapes_of(features: Features) -> dict[str, Any]:
    """Root attribute ``kinds``: the shapes of kinds that a reader may not have installed."""
    shapes = {
        table.kind: {
            "shape": "row" if table.per_utterance else "contour",
            "columns": table.row[-1],
            "distribution": brought_by(table.kind) or "serprep",
            **({} if table.dtype in ("float16", "float32") else {"dtype": table.dtype}),
        }
        for table in tables(features)
        if not features.kind(table.kind).named_at_top
    }
    return {"kinds": shapes} if shapes else {}
