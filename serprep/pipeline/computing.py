"""What a build computes, and how much of it."""

from collections.abc import Collection
from dataclasses import dataclass

from serprep.cache.parts import Cache
from serprep.parallel import Workers
from serprep.pipeline.extract import Computed, compute_features
from serprep.recipe import Recipe
from serprep.utterance import Utterances


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the caller of `build` asked for besides the recipe."""

    batch_size: int | None
    on_bad_audio: str
    retry: bool
    repair: bool
    recompute: bool
    quiet: bool


class Computing:
    """Computes what the cache lacks of some rows, and counts it."""

    def __init__(self, recipe: Recipe, cache: Cache, pool: Workers, options: Options) -> None:
        self.recipe, self.cache, self.pool, self.options = recipe, cache, pool, options
        self.n = 0  # utterances, those counted twice whose features vanished meanwhile
        self.seconds = 0.0  # of sound, of these
        self._failed: dict[bytes, str] = {}
        self._recompute = options.recompute

    def __call__(self, rows: Utterances, revised: Collection[str]) -> Computed:
        computed = compute_features(
            rows,
            self.recipe.features,
            root=self.recipe.root,
            cache=self.cache,
            pool=self.pool,
            batch_size=self.options.batch_size,
            retry=self.options.retry,
            quiet=self.options.quiet,
            revised=revised,
            recompute=self._recompute,
            failed=self._failed,
        )
        self._recompute = False  # once is enough
        self.n += computed.n
        self.seconds += computed.seconds
        return computed
