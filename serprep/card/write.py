"""Cards as files: beside what they are of."""

import contextlib
import hashlib
from pathlib import Path
from typing import Any

from serprep._json import canonical_json
from serprep.cache.parts import Cache
from serprep.card.beside import build_of
from serprep.card.page import make_card
from serprep.errors import SplitError, StoreError, one_line
from serprep.files import refuse_store
from serprep.forms import stem_of
from serprep.manifest.table import read_manifest
from serprep.place.place import at
from serprep.recipe import Recipe, read_recipe
from serprep.split import Split, make_split, read_split
from serprep.store.store import Store, open_store

SUFFIX = ".card.html"
MOST = 100_000  # utterances of a store for whose card a split is made and audited: that takes longer than the rest
REVISION = 2  # raised when cards show something else of the same store


def write_card(
    store: Store,
    *,
    split: Split | None = None,
    recipe: Recipe | None = None,
    cache: Cache | None = None,
    place: str = "",
    **options: Any,
) -> str:
    """Write a store's card beside it, unless the one that is there says the same; its path or URL.

    Parameters
    ----------
    store : Store
    split, cache, options :
        As for `make_card`.
    recipe : Recipe, optional
        Whose split is shown where none is given.
    place : str
        Where to write it; default: beside the store, with the suffix ``.card.html``.
    """
    place = place or stem_of(store.path.rstrip("/")) + SUFFIX
    facts = _digest(store, split, recipe, options)
    folder, name = _divided(place)
    with contextlib.suppress(OSError):
        if facts.encode() in at(folder).read(name, 0, 1000):
            return at(folder).path(name)
    split, note = split_of(recipe, store) if recipe and not split else (split, "")
    return _written(place, make_card(store, split=split, split_note=note, cache=cache, facts=facts, **options))


def card_of(
    what: str, *, output: str = "", split_file: Path | None = None, audio: Path | None = None, with_sound: int = 0
) -> str:
    """Write the card of whatever `what` names; its path or URL.

    Parameters
    ----------
    what : str
        A store, a data set, a recipe (its latest store, its split and its recordings), or a manifest.
    output : str
        The page; default: beside the store, or ``card.html`` beside the manifest.
    split_file : Path, optional
        A split to show.
    audio : Path, optional
        Folder of the recordings.
    with_sound : int
        How many recordings are put into the page.

    Raises
    ------
    SerprepError
        If it cannot be read, or sound is asked for and no folder is named.
    """
    split, recipe = read_split(split_file) if split_file else None, None
    if what.endswith(".toml"):
        recipe = read_recipe(Path(what))
        store = open_store(recipe.dataset_path)
        audio = audio or recipe.root
    elif what.endswith(".csv") or (Path(what) / "utterances.csv").is_file():
        path = Path(what) if what.endswith(".csv") else Path(what) / "utterances.csv"
        page = make_card(read_manifest(path), split=split)
        return _written(output or str(path.with_name("card.html")), page)
    else:
        store = open_store(what)
    if with_sound and audio is None:
        raise StoreError(f"{one_line(what)}: a store does not say where its recordings are; name their folder: --audio")
    return write_card(store, split=split, recipe=recipe, place=output, audio=audio, with_sound=with_sound)


def split_of(recipe: Recipe, store: Store) -> tuple[Split | None, str]:
    """The split that a recipe asks for, or why there is none."""
    config = recipe.split
    try:
        if config.protocol == "list":
            return read_split(recipe.path(config.file)), ""
        if len(store) > MOST:
            return None, f"Of more than {MOST} utterances no split is made for a card; one that is named is shown."
        return make_split(store.manifest(), config), ""
    except SplitError as error:
        return None, f"The recipe's split cannot be made: {error}"


def _digest(store: Store, split: Split | None, recipe: Recipe | None, options: dict[str, Any]) -> str:
    """What a card depends on, so that one that says the same is not made again."""
    build = {name: value for name, value in build_of(store)[2].items() if name != "built"}
    if split is None and recipe and recipe.split.file:
        split = split_of(recipe, store)[0]
    sides = split.digest if split else repr(recipe.split) if recipe else ""
    asked = [store.seal, build, sides, {name: str(value) for name, value in options.items()}, REVISION]
    return hashlib.sha256(canonical_json(asked)).hexdigest()


def _divided(place: str) -> tuple[str, str]:
    folder, _, name = place.rpartition("/")
    return folder or ("/" if place.startswith("/") else "."), name


def _written(place: str, page: bytes) -> str:
    refuse_store(place)
    folder, name = _divided(place)
    try:
        at(folder).write(name, page)
    except OSError as error:
        raise StoreError(f"{one_line(place)}: {error.strerror or one_line(error)}; name another file: -o") from None
    return at(folder).path(name)
