"""Batches → a trained system, its history and its predictions.

Adam, cross-entropy (or what `objectives` has for another target), a fixed number of epochs; where a
development part is given that is not the part being scored, the epoch with the best development UA.  Same seed, same
machine, same scores, also when the training was killed and went on.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from serprep._typing import FloatArray
from serprep.errors import TrainError
from serprep.files import write_whole
from serprep.recipe import TrainConfig
from serprep_models.adam import Adam
from serprep_models.augment import augment, draw_mix
from serprep_models.besides import Besides
from serprep_models.loader import MEMORY_BUDGET, Batches, Examples, Loader, Stored, fitting_batch
from serprep_models.objectives import Distributions, Labels, Numbers, NumbersAndLabels, Objective
from serprep_models.resume import UNFIT, read_state, write_state
from serprep_models.system import Batch, System, SystemConfig, make_system

EVALUATION_BATCH = 256  # utterances; no effect on logits
SAVE_EVERY = 30.0  # seconds between states that a killed training can go on from
STATE = "state.safetensors"
HISTORY = "history.jsonl"


@dataclass(frozen=True)
class Trained:
    """A trained system."""

    system: nn.Module
    config: SystemConfig
    history: list[dict[str, Any]] = field(default_factory=list)  # per epoch, as in ``history.jsonl``


def device_named(name: str) -> torch.device:
    """The device of that name; "auto" is a GPU where there is one.

    Raises
    ------
    TrainError
        If there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise TrainError(f"device {name!r}: expected auto, cpu or cuda") from None
    if device.type not in ("cpu", "cuda") or (
        device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    ):
        raise TrainError(f'device {name!r} is not on this machine; use device = "cpu"')
    return device


def check_training(how: TrainConfig) -> None:
    """Raise a TrainError where a training configuration asks for what is not there."""
    device = device_named(how.device)
    if how.mixed_precision and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise TrainError("this GPU has no bfloat16; leave out mixed_precision")
    if how.tensorboard:
        _scalar_writer()


def train(
    config: SystemConfig,
    examples: Examples | Stored,
    *,
    how: TrainConfig,
    seed: int,
    dev: Examples | Stored | None = None,
    speakers: Sequence[str] = (),
    start: Mapping[str, Tensor] | None = None,
    folder: Path | None = None,
    save_every: float = SAVE_EVERY,
) -> Trained:
    """Train one system on one fold.

    Parameters
    ----------
    config : SystemConfig
    examples : Examples or Stored
        The training part, every utterance labelled.
    how : TrainConfig
    seed : int
        Decides initial weights and the order of utterances.
    dev : Examples or Stored, optional
        Chooses the epoch by UA.
    speakers : sequence of str, optional
        Of every row of the store, for `how.adversary`.
    start : mapping of str to Tensor, optional
        Weights to begin with; others are drawn.
    folder : Path, optional
        Gets ``history.jsonl`` while the training goes on, and ``state.safetensors``, from
        where it goes on if it is there.
    save_every : float
        Seconds between states.

    Raises
    ------
    TrainError
        If an utterance has no label, or the loss is no longer finite.
    """
    if len(examples) == 0 or (how.target == "emotion" and int(examples.labels.min()) < 0):
        raise TrainError("the training part is empty or holds utterances without a label; leave them out")
    begin = partial(_Training, config, examples, how=how, seed=seed, speakers=speakers, start=start)
    training = begin()
    if folder is not None and not training.resume(folder):
        training = begin()  # a state that did not fit may have touched it
    writer = _scalar_writer()(str(folder / "tensorboard")) if how.tensorboard and folder is not None else None
    while not training.is_over(dev is not None):
        training.epoch(dev, folder=folder, save_every=save_every)
        entry = training.history[-1]
        if folder is not None:
            with (folder / HISTORY).open("a", encoding="utf-8") as file:
                file.write(json_line(entry))
        if writer is not None:
            for name in ("train_loss", *_scores(training.objective.measure)):
                writer.add_scalar(name, entry[name], entry["epoch"])
    if writer is not None:
        writer.close()
    if training.best is not None:
        training.whole.load_state_dict(training.best)
    return Trained(training.system.eval(), config, training.history)


class _Training:
    """System, optimiser, loader and what was reached so far: all that a state must hold."""

    def __init__(
        self,
        config: SystemConfig,
        examples: Examples | Stored,
        *,
        how: TrainConfig,
        seed: int,
        speakers: Sequence[str] = (),
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.config, self.how, self.seed = config, how, seed
        self.device = device_named(how.device)
        torch.manual_seed(seed)
        self.system = make_system(config)
        self.system.load_state_dict({**self.system.state_dict(), **(start or {})})
        self.system.to(self.device)
        for name in ("mixup", "adversary", "contrast"):
            if getattr(how, name) and not isinstance(self.system, System):
                raise TrainError(f"{config.system} cannot be trained with {name}; leave it out")
        self.besides: Besides | None = None
        self.whole = self.system  # with what is trained besides
        if isinstance(self.system, System) and (how.adversary or how.contrast):
            self.besides = Besides(self.system.out.in_features, speakers, examples.rows.tolist(), how).to(self.device)
            self.whole = nn.ModuleList([self.system, self.besides])
        self.optimiser = Adam(self.whole.parameters(), rate=how.learning_rate, weight_decay=how.weight_decay)
        self.objective = _objective(config, examples.labels, how=how, device=self.device)
        batches = Batches(
            examples,
            batch_size=how.batch_size,
            seed=seed,
            balanced=how.sampling == "balanced",
            bucket=how.bucket,
            memory_budget=how.memory_budget << 20,
        )
        self.loader = Loader(batches, pin_memory=self.device.type == "cuda")
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Tensor] | None = None
        self.saved = monotonic()
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.total = torch.zeros((), dtype=torch.float64, device=self.device)  # sum of losses
        self.counts = self.objective.nothing.to(self.device)
        self.n = 0  # utterances
        self.seconds = 0.0

    def is_over(self, has_dev: bool) -> bool:
        """Whether all epochs are done, or the development score has not risen for too long."""
        ranked = [_rank(entry[_scores(self.objective.measure)[1]]) for entry in self.history]
        waited = len(ranked) - 1 - ranked.index(max(ranked)) if ranked else 0
        return len(ranked) >= self.how.epochs or (has_dev and 0 < self.how.patience <= waited)

    def epoch(self, dev: Examples | Stored | None, *, folder: Path | None, save_every: float) -> None:
        """All batches, or what is left of them, and the development part; a TrainError if the loss is not finite."""
        began, before = monotonic(), self.seconds
        self.system.train()
        n_batches = len(self.loader) if self.how.schedule != "constant" else 0
        for batch in self.loader:
            if n_batches:
                reached = len(self.history) + (sum(self.loader.done) - 1) / n_batches
                self.optimiser.rate = self.how.learning_rate * one_cycle(reached / self.how.epochs)
            self.step(augment(batch.to(self.device), self.how))
            if folder is not None and monotonic() - self.saved >= save_every:
                self.seconds = before + monotonic() - began
                self.save(folder)
        number, total, counts = len(self.history) + 1, self.total.item(), self.counts.cpu().numpy()
        of_train, of_dev = _scores(self.objective.measure)
        if not np.isfinite(total):
            rate = self.how.learning_rate
            raise TrainError(f"the loss is not finite in epoch {number}; lower learning_rate ({rate})")
        entry = {
            "epoch": number,
            "train_loss": total / self.n,
            of_train: self.objective.of_sums(counts),
            of_dev: float("nan"),
        }
        if dev is not None:
            budget = self.how.memory_budget << 20
            given = outputs(self.system, dev, probabilities=self.objective.probabilities, memory_budget=budget)
            entry[of_dev] = self.objective.of_part(given, dev.labels.numpy())
            better = not self.history or _rank(entry[of_dev]) > max(_rank(old[of_dev]) for old in self.history)
            if better and self.how.keep == "best":
                self.best = {name: value.clone() for name, value in self.whole.state_dict().items()}
        entry["seconds"] = round(before + monotonic() - began, 3)
        self.history.append(entry)
        self._begin_epoch()

    def step(self, batch: Batch) -> None:
        """One step of the optimiser."""
        mixed = self.how.mixed_precision and self.device.type == "cuda"
        mix = draw_mix(len(batch.labels), self.how.mixup).to(self.device) if self.how.mixup else None
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            system = self.system
            besides: Tensor | float = 0.0
            if self.besides is not None and isinstance(system, System):
                branches = system.branches(batch, mix)
                heads, besides = system.outputs(branches), self.besides(branches[0], batch, mix)
            else:  # (B, n_labels) each
                heads = system.heads(batch, mix) if isinstance(system, System) else [system(batch)]
            loss = torch.stack([self.objective.loss(logits, batch.labels, mix) for logits in heads]).mean() + besides
        self.whole.zero_grad(set_to_none=True)
        loss.backward()
        if self.how.clip_norm:
            nn.utils.clip_grad_norm_(self.whole.parameters(), self.how.clip_norm)
        self.optimiser.step()
        self.total += loss.detach().double() * len(batch.labels)
        self.counts += self.objective.sums(heads[0].detach(), batch.labels)
        self.n += len(batch.labels)

    # -- surviving a kill ------------------------------------------------------------

    def origin(self) -> list[Any]:
        """What a state must be of to go on from it."""
        besides = ("systems", "seeds", "allow_confounded", "groups")
        how = {name: value for name, value in asdict(self.how).items() if name not in besides}
        how["device"] = self.device.type  # "auto" may be another one when it goes on
        for name in ("emotion_weight", "adversary", "contrast", "start_from"):
            if not how[name]:
                del how[name]  # as states had it before there was such a key
        return json.loads(json.dumps([asdict(self.config), how, self.seed, torch.__version__]))  # type: ignore[no-any-return]

    def save(self, folder: Path) -> None:
        """Write where the training is."""
        about = {
            "origin": self.origin(),
            "loader": self.loader.state_dict(),
            "history": [json.loads(json_line(entry)) for entry in self.history],
            "total": self.total.item(),
            "counts": self.counts.tolist(),
            "n": self.n,
            "seconds": self.seconds,
        }
        write_state(folder / STATE, self.whole, self.optimiser, best=self.best, about=about)
        self.saved = monotonic()

    def resume(self, folder: Path) -> bool:
        """Go on from a state, if there is one that fits; its history is written again."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            about, self.best = read_state(folder / STATE, self.whole, self.optimiser, origin=self.origin())
            self.history = [_epoch(entry, self.objective.measure) for entry in about["history"]]
            self.loader.load_state_dict(about["loader"])
            self.total.fill_(about["total"])
            self.counts.copy_(torch.tensor(about["counts"]))
            self.n = int(about["n"])
            self.seconds = float(about["seconds"])
            fits = True
        except UNFIT:
            fits = False
        write_whole(folder / HISTORY, "".join(map(json_line, self.history if fits else ())).encode())
        return fits


def one_cycle(reached: float) -> float:
    """Share of the highest learning rate after a share of the training: up to it in three tenths, and down to 0.

    Half waves of a cosine, from 1/25 and to 1/250 000 (Smith and Topin, 2018; the numbers are PyTorch's).

    Examples
    --------
    >>> [round(one_cycle(x), 3) for x in (0.0, 0.3, 0.65, 1.0)]
    [0.04, 1.0, 0.5, 0.0]
    """
    first, last, top = 1 / 25, 1 / 250_000, 0.3
    begin, end, place = (first, 1.0, reached / top) if reached < top else (1.0, last, (reached - top) / (1 - top))
    return end + (begin - end) * (1 + math.cos(math.pi * min(place, 1.0))) / 2


def narrowed(trained: Trained, outputs: slice) -> Trained:
    """The same with some of its outputs alone: the numbers, or the labels that were learnt beside them."""
    n_outputs = len(range(trained.config.n_labels)[outputs])
    config = replace(trained.config, n_labels=n_outputs)
    with torch.device("meta"):
        system, own = make_system(config), trained.system.state_dict()
    state = {
        name: own[name] if own[name].shape == value.shape else own[name][outputs]
        for name, value in system.state_dict().items()
    }
    system.load_state_dict(state, assign=True)
    return replace(trained, system=system.eval(), config=config)


def json_line(entry: dict[str, Any]) -> str:
    """An epoch as a line of JSON; NaN as null, which JSON has instead."""
    return json.dumps({name: None if value != value else value for name, value in entry.items()}) + "\n"


def _epoch(entry: dict[str, Any], measure: str) -> dict[str, Any]:
    """What `json_line` wrote."""
    names = ("train_loss", *_scores(measure), "seconds")
    numbers = {name: float("nan") if entry[name] is None else float(entry[name]) for name in names}
    return {"epoch": int(entry["epoch"]), **numbers}


def _rank(ua: float) -> float:
    """NaN ranks last."""
    return -1.0 if ua != ua else ua


def _scalar_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise TrainError("tensorboard is not installed: pip install 'serprep[tensorboard]', or leave it out") from None
    return SummaryWriter


def _scores(measure: str) -> tuple[str, str]:
    """What an epoch calls its scores of the training part, and of the development part."""
    return f"train_{measure}", f"dev_{measure}"


def _objective(config: SystemConfig, labels: Tensor, *, how: TrainConfig, device: torch.device) -> Objective:
    """What a training of this target minimises."""
    if how.emotion_weight:
        return NumbersAndLabels(len(how.dimensions), how.emotion_weight)
    if how.dimensions:
        return Numbers(config.n_labels)
    return Distributions() if how.target == "raters" else Labels(labels, config.n_labels, how, device)


def probabilities(system: nn.Module, examples: Examples | Stored, *, memory_budget: int = MEMORY_BUDGET) -> FloatArray:
    """Softmax outputs of every utterance, shape (n, n_labels); `memory_budget` is in bytes."""
    return outputs(system, examples, probabilities=True, memory_budget=memory_budget)


def outputs(
    system: nn.Module, examples: Examples | Stored, *, probabilities: bool, memory_budget: int = MEMORY_BUDGET
) -> FloatArray:
    """Outputs of every utterance, as they are or through a softmax, shape (n, n_labels)."""
    device = next(system.parameters()).device
    system.eval()
    with torch.inference_mode():
        size = EVALUATION_BATCH
        if isinstance(examples, Stored):
            size = fitting_batch(examples, memory_budget=memory_budget, at_most=size)
        batches = Batches(examples, batch_size=size, shuffle=False, memory_budget=memory_budget)
        given = (system(batch.to(device)) for batch in batches)
        blocks = [(torch.softmax(each, 1) if probabilities else each).cpu().numpy() for each in given]
    return np.concatenate(blocks)
