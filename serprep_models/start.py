"""What a training goes on from: the weights of a checkpoint, such as one of another corpus (``[train] start_from``).

The system, its options and its inputs must be those of the checkpoint; where it told other labels, its outputs alone
begin afresh.  No speaker and no recording of the checkpoint's training may be scored.  The checkpoint is kept beside
the experiments, for workers, and its digest is a part of their identity.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from serprep._json import canonical_json
from serprep.errors import TrainError, one_line
from serprep.files import write_whole
from serprep.recipe import Recipe
from serprep.split import Bound
from serprep.store.store import Store
from serprep.systems import SYSTEMS
from serprep_models.checkpoint import Checkpoint, checkpoints_below, read_checkpoint
from serprep_models.experiment import CHECKPOINT, digests_of
from serprep_models.predict_store import computed_alike
from serprep_models.seen import GONE, find_seen
from serprep_models.system import SystemConfig, WithSVM, make_system

NAME = "start"  # in the folder of the experiments
OUTPUTS = ("out.", "auxiliary.")  # what begins afresh where labels are others


@dataclass(frozen=True, kw_only=True)
class Start:
    """A checkpoint that trainings go on from."""

    checkpoint: Checkpoint
    folder: Path

    @property
    def digest(self) -> str:
        """SHA-256 of what its files hold."""
        return digest_of(self.folder)

    def write(self, folder: Path) -> Path:
        """Keep it, for workers."""
        for name in CHECKPOINT:
            write_whole(folder / name, (self.folder / name).read_bytes())
        return folder

    def refuse_seen(self, store: Store, bound: Bound, folds: Sequence[int]) -> tuple[str, ...]:
        """What could not be compared; raise a TrainError if anything scored was in the checkpoint's training."""
        rows = sorted({row for fold in folds for role in ("dev", "test") for row in bound.rows(fold, role)})
        seen = find_seen([self.checkpoint], [self.folder], store, rows=rows)
        place = f"[train] start_from {one_line(self.folder)}"
        if seen.warnings:
            raise TrainError(f"{place}: {seen.warnings[0]}; name a checkpoint whose training had none of them")
        return tuple(f"{place}: {remark.removesuffix(GONE)}" for remark in seen.remarks)


def start_of(recipe: Recipe, systems: Sequence[str]) -> Start | None:
    """The checkpoint that a recipe's trainings go on from, if it names one.

    Raises
    ------
    TrainError
        If there is none, it is damaged, or no system that is trained by gradient can go on from it.
    """
    if not recipe.train.start_from:
        return None
    places = checkpoints_below(recipe.path(recipe.train.start_from))
    place = f"[train] start_from {one_line(recipe.train.start_from)}"
    if len(places) > 1:
        raise TrainError(
            f"{place}: {len(places)} checkpoints are there; name one's folder, such as {one_line(places[0])}"
        )
    start = Start(checkpoint=read_checkpoint(places[0]), folder=places[0])
    config, about = start.checkpoint.config, start.checkpoint.about
    if about.get("start_from"):
        raise TrainError(
            f"{place}: it went on from another checkpoint itself, whose training nobody can compare with what is "
            "scored; name one that began afresh"
        )
    if wrong := [name for name in systems if SYSTEMS[name].by_gradient and name != config.system]:
        raise TrainError(f"{place} is of {config.system}, from which {wrong[0]} cannot go on; leave {wrong[0]} out")
    options = recipe.train.options.get(config.system, {})
    own = SystemConfig.of(config.system, recipe.features, config.n_labels, **options)
    if not computed_alike(recipe.features, start.checkpoint.features, tuple(own.shapes)):
        raise TrainError(f"{place} was trained on other features; write the same [features] of what it reads")
    weights_for(own, start.checkpoint, start.checkpoint.labels)
    return start


def weights_for(config: SystemConfig, checkpoint: Checkpoint, labels: Sequence[str]) -> Mapping[str, Tensor]:
    """The weights of a checkpoint with which a system begins; not its outputs', if `labels` are others.

    Raises
    ------
    TrainError
        If the system has other weights than the checkpoint.
    """
    whole = checkpoint.system
    given = (whole.system if isinstance(whole, WithSVM) else whole).state_dict()
    with torch.device("meta"):
        own = make_system(config).state_dict()
    fresh = () if tuple(labels) == checkpoint.labels else OUTPUTS
    taken = {name: value for name, value in given.items() if not name.startswith(fresh)}
    wanted = {name: value.shape for name, value in own.items() if not name.startswith(fresh)}
    other = [name for name in {**taken, **wanted} if name not in taken or wanted.get(name) != taken[name].shape]
    if other or not taken:
        told = f"{one_line(other[0])} differs" if other else "no layer but its outputs, which told other labels"
        raise TrainError(
            f"[train] start_from: {config.system} has other layers in the checkpoint ({told}); write its options and "
            "[features] as they were there"
        )
    return taken


def digest_of(folder: Path) -> str:
    """SHA-256 of what a checkpoint's files hold."""
    return hashlib.sha256(canonical_json(digests_of(folder, CHECKPOINT))).hexdigest()
