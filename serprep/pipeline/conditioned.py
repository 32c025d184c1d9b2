"""A store of a clean corpus → stores of its utterances in other conditions, in the folder ``conditions``.

Each is a store like any other and has a version of its own; what made it stands among what it says of its corpus.
One of the same rows is tested on; one that has children besides, rows made from others, is trained on.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from serprep.cache.parts import Cache, Places
from serprep.cache.place import cache_of
from serprep.conditions import Applied
from serprep.errors import StoreError, first_ten, one_line
from serprep.manifest.table import Manifest
from serprep.parallel import Workers
from serprep.pipeline.extract import compute_features
from serprep.recipe import Recipe
from serprep.store.pack import pack
from serprep.store.store import Store, open_store
from serprep.store.writer import Origins
from serprep.utterance import Utterance, Utterances
from serprep.version import CONDITIONS

PARENT = "parent"  # column of a child: the id of the utterance that it was made from


def child_id(parent: str, condition: str) -> str:
    """What an utterance in a condition is called."""
    return f"{parent}~{condition}"


def build_conditioned(recipe: Recipe, store: Store, applied: Applied, *, pool: Workers, quiet: bool = True) -> Store:
    """The store of a store's utterances in a condition; what is there is not built again.

    Raises
    ------
    StoreError
        If an utterance cannot be had in this condition: scores would be of other utterances.
    """
    clean, cache = store.manifest(), _cache(recipe, pool)
    origins = _origins(recipe, store, clean.utterances, applied, cache=cache, pool=pool, quiet=quiet)
    made = Manifest(clean.utterances, {**clean.info, "condition": applied.to_json()})
    return _packed(recipe, store, made, origins, cache=cache, pool=pool, quiet=quiet)


def build_augmented(
    recipe: Recipe,
    store: Store,
    conditions: Sequence[Applied],
    *,
    parents: Sequence[int],
    pool: Workers,
    quiet: bool = True,
) -> Store:
    """The store of a store's utterances and, in every condition, a child of each of the rows `parents`.

    Raises
    ------
    StoreError
        If an utterance cannot be had in a condition, or features of the store are no longer in the cache.
    """
    clean, cache = store.manifest(), _cache(recipe, pool)
    chosen = clean.utterances.take(parents)
    keys = {table.kind: store.keys(table.group) for table in store.tables}
    kept = Origins(keys, {kind: cache.find(kind, own) for kind, own in keys.items()})
    if not kept.complete.all():
        raise StoreError(f"{one_line(store.path)}: its features are no longer in the cache; `serprep build` again")
    utterances, parts = list(clean.utterances), [kept]
    for applied in conditions:
        parts.append(_origins(recipe, store, chosen, applied, cache=cache, pool=pool, quiet=quiet))
        utterances += [_child(row, applied) for row in chosen]
    order = sorted(range(len(utterances)), key=lambda i: utterances[i].id)
    if len({row.id for row in utterances}) < len(utterances):
        raise StoreError("[train.augment] children have ids of other utterances; call the conditions otherwise")
    made = Manifest(
        Utterances(utterances[i] for i in order),
        {**clean.info, "augmented": {applied.name: applied.to_json() for applied in conditions}},
    )
    return _packed(recipe, store, made, _joined(parts).take(np.array(order)), cache=cache, pool=pool, quiet=quiet)


def _child(row: Utterance, applied: Applied) -> Utterance:
    return replace(row, id=child_id(row.id, applied.name), extra={**row.extra, PARENT: row.id})


def _joined(parts: Sequence[Origins]) -> Origins:
    """Origins of some rows, then those of others."""
    kinds = parts[0].keys
    return Origins(
        {kind: np.concatenate([part.keys[kind] for part in parts]) for kind in kinds},
        {kind: Places.joined([part.places[kind] for part in parts]) for kind in kinds},
    )


def _cache(recipe: Recipe, pool: Workers) -> Cache:
    scheduler = getattr(pool, "scheduler", None)
    return cache_of(recipe.dataset_path, named=recipe.cache_path, scheduler=scheduler).cache


def _origins(
    recipe: Recipe, store: Store, utterances: Utterances, applied: Applied, *, cache: Cache, pool: Workers, quiet: bool
) -> Origins:
    """Where the features of some utterances in a condition lie, computed where they are not there."""
    computed = compute_features(
        utterances,
        store.features.settled(),
        root=recipe.root,
        cache=cache,
        pool=pool,
        batch_size=None,
        retry=False,
        quiet=quiet,
        condition=applied,
    )
    if computed.failed:
        reasons = [f"utterance {one_line(entry.id)!r}: {entry.reason}" for entry in computed.failed]
        raise StoreError(f"condition {one_line(applied.name)}: {first_ten(reasons)}")
    return computed.origins


def _packed(
    recipe: Recipe, store: Store, made: Manifest, origins: Origins, *, cache: Cache, pool: Workers, quiet: bool
) -> Store:
    packed = pack(
        made,
        origins,
        dataset=f"{recipe.dataset_path}/{CONDITIONS}",
        labels=store.labels,
        features=store.features.settled(),
        config=recipe.store,
        cache=cache,
        pool=pool,
        quiet=quiet,
    )
    return open_store(packed.path)
