"""A store of a clean corpus → stores of the same utterances in other conditions, in the folder ``conditions``.

Each is a store like any other, of the same rows, and has a version of its own; what made it stands among
what it says of its corpus.  Nothing is trained on them.
"""

from serprep.cache.place import cache_of
from serprep.conditions import Applied
from serprep.errors import StoreError, first_ten, one_line
from serprep.manifest.table import Manifest
from serprep.parallel import Workers
from serprep.pipeline.extract import compute_features
from serprep.recipe import Recipe
from serprep.store.pack import pack
from serprep.store.store import Store, open_store
from serprep.version import CONDITIONS


def build_conditioned(recipe: Recipe, store: Store, applied: Applied, *, pool: Workers, quiet: bool = True) -> Store:
    """The store of a store's utterances in a condition; what is there is not built again.

    Raises
    ------
    StoreError
        If an utterance cannot be had in this condition: scores would be of other utterances.
    """
    clean = store.manifest()
    cache = cache_of(recipe.dataset_path, named=recipe.cache_path, scheduler=getattr(pool, "scheduler", None)).cache
    features = store.features.settled()
    rows, origins, failed, *_ = compute_features(
        clean.utterances,
        features,
        root=recipe.root,
        cache=cache,
        pool=pool,
        batch_size=None,
        retry=False,
        quiet=quiet,
        condition=applied,
    )
    if failed:
        reasons = [f"utterance {one_line(entry.id)!r}: {entry.reason}" for entry in failed]
        raise StoreError(f"[test.conditions] {one_line(applied.name)}: {first_ten(reasons)}")
    packed = pack(
        Manifest(rows, {**clean.info, "condition": applied.to_json()}),
        origins,
        dataset=f"{recipe.dataset_path}/{CONDITIONS}",
        labels=store.labels,
        features=features,
        config=recipe.store,
        cache=cache,
        pool=pool,
        quiet=quiet,
    )
    return open_store(packed.path)
