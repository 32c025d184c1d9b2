"""A recipe → the store that its build made, and what that build left out; nothing is built or decoded.

A version follows from what could be decoded, which only a build knows.  So the newest store
is taken whose configuration is the recipe's, and whose rows are those that the recipe asks
for now, but for what its build quarantined.
"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from serprep.errors import SerprepError, StoreError, one_line
from serprep.forms import SUFFIXES
from serprep.pipeline.build import BuildResult
from serprep.pipeline.gather import Quarantined, gather
from serprep.place.place import at
from serprep.recipe import Recipe
from serprep.store.store import Store
from serprep.utterance import Utterance
from serprep.version import build_number, versions


def find_built(recipe: Recipe, *, name: str) -> tuple[BuildResult, Store]:
    """What the last build of a recipe gave, and its store.

    Parameters
    ----------
    recipe : Recipe
    name : str
        What to call the recipe in a message.

    Raises
    ------
    StoreError
        If there is no such store; the message says what to run.
    """
    stems = {entry.rsplit(".", 1)[0] for entry in versions(recipe.dataset_path)}
    if not stems:
        raise StoreError(
            f"{one_line(name)}: no store in {one_line(recipe.dataset_path)} yet; run `serprep run {one_line(name)}`"
        )
    asked = gather(recipe)
    wanted = {_row(row) for row in asked.manifest.utterances}
    for stem in sorted(stems, key=lambda stem: (build_number(recipe.dataset_path, stem), stem), reverse=True):
        for store in _stores(recipe.dataset_path, stem):
            about = _report(recipe.dataset_path, stem)
            held = {_row(row) for row in store.manifest().utterances}
            missing = {row[0] for row in wanted - held} - {entry.id for entry in _quarantined(about)}
            if _fits(store, recipe, asked.labels) and held <= wanted and not missing:
                return _result(about, store, dropped=dict(asked.dropped), warnings=asked.warnings), store
    raise StoreError(
        f"{one_line(name)}: no store in {one_line(recipe.dataset_path)} holds what the recipe asks for now (other "
        f"recordings, labels or features); run `serprep run {one_line(name)}`"
    )


def _row(row: Utterance) -> tuple[Any, ...]:
    """What a recipe decides of an utterance before it is decoded, the id first."""
    return (row.id, row.path, row.start, row.end, row.speaker, row.emotion, tuple(sorted(row.extra.items())))


def _stores(dataset: str, stem: str) -> Iterator[Store]:
    for suffix in SUFFIXES:
        if f"{stem}{suffix}" in versions(dataset):
            with contextlib.suppress(StoreError):  # a damaged one is nobody's
                yield Store(at(dataset).path(f"{stem}{suffix}"))


def _fits(store: Store, recipe: Recipe, labels: tuple[str, ...]) -> bool:
    dtype = store.attributes["segment_dtype"]
    return (store.features, dtype, store.labels) == (recipe.features, recipe.store.segment_dtype, tuple(labels))


def _report(dataset: str, stem: str) -> dict[str, Any]:
    """``build.json`` beside a store; nothing where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError, SerprepError):
        return dict(json.loads(at(dataset).read(f"{stem}.build.json")))
    return {}


def _quarantined(about: dict[str, Any]) -> tuple[Quarantined, ...]:
    with contextlib.suppress(TypeError, KeyError):
        return tuple(
            Quarantined(**{key: str(entry[key]) for key in ("id", "path", "reason")}) for entry in about["quarantined"]
        )
    return ()


def _result(about: dict[str, Any], store: Store, *, dropped: dict[str, int], warnings: tuple[str, ...]) -> BuildResult:
    reasons = _quarantined(about)
    return BuildResult(
        version=store.version,
        store=store.path,
        n_utterances=len(store),
        computed=0,
        reused=len(store),
        quarantined=len(reasons),
        reasons=reasons,
        dropped=dropped,
        warnings=warnings,
        n_files_read=0,
        audio_seconds=0.0,
        seconds=0.0,
    )
