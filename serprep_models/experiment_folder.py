"""Where the experiments of a recipe lie: under a digest of all that changes their numbers."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from serprep._json import canonical_json
from serprep.files import write_other
from serprep.recipe import Recipe, TrainConfig
from serprep.split import Split
from serprep.store.store import Store
from serprep.systems import SYSTEMS, beyond_defaults, default_systems
from serprep_models.catalogue import ABOUT, FOLDER

REVISION = 3  # raised whenever the same experiment gives other numbers
# keys of [train] that change no number of an experiment: where and how, not what
NO_NUMBERS = ("systems", "seeds", "submission", "tensorboard", "device", "memory_budget", "allow_confounded", "groups")


def tell(
    folder: Path, recipe: Recipe, store: Store, split: Split, *, systems: Sequence[str], **besides: object
) -> None:
    """Write what the folder's name is a digest of, for people and for `serprep experiments`, and what else there is."""
    about = {"recipe": recipe.name, "version": store.version, "split": split.digest, "train": asdict(recipe.train)}
    text = (json.dumps(about | _revisions(recipe, systems) | besides, indent=1) + "\n").encode()
    write_other(folder / ABOUT, text)


def experiments_folder(
    recipe: Recipe, store: Store, split: Split, *, systems: Sequence[str] = (), raters: str = "", start: str = ""
) -> Path:
    """Where the experiments of this store, split and configuration lie.

    Parameters
    ----------
    recipe : Recipe
    store : Store
    split : Split
    systems : sequence of str
        What is trained besides the recipe's.
    raters : str
        A digest of what they said.
    start : str
        A digest of the checkpoint that trainings go on from.
    """
    plain = asdict(TrainConfig())
    # what is not asked for is not named, so that a new key does not move what is finished
    how = {name: value for name, value in asdict(recipe.train).items() if value != plain[name]}
    how = {name: value for name, value in how.items() if name not in (*NO_NUMBERS, "options", "augment", "start_from")}
    how |= (
        {"augment": [[applied.name, applied.to_json()] for applied in given]}
        if (given := sorted(recipe.train.augmentations, key=lambda applied: applied.name))
        else {}
    )
    how |= {"options": changed} if (changed := beyond_defaults(recipe.train.options)) else {}
    how |= _revisions(recipe, systems)
    how |= {"start_from": start} if start else {}
    depends = [REVISION, store.version, split.digest, how, *([raters] if raters else [])]
    digest = hashlib.sha256(canonical_json(depends)).hexdigest()
    return recipe.experiments_root / FOLDER / f"{digest[:16]}{'-transductive' if recipe.train.transductive else ''}"


def _revisions(recipe: Recipe, systems: Sequence[str]) -> dict[str, dict[str, int]]:
    """``revisions``, by system, of those of a recipe and others; nothing where all are 0."""
    own = recipe.train.systems or default_systems(recipe.train.learns)
    revisions = {name: SYSTEMS[name].revision for name in sorted({*own, *systems}) if SYSTEMS[name].revision}
    return {"revisions": revisions} if revisions else {}
