"""What scores travel in: those of an experiment, of a system over its experiments, and of two systems side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

Interval = tuple[float, float] | None
MARKS = ("standardisation", "enrol", "transductive")  # how features were standardised


@dataclass(frozen=True, kw_only=True)
class Result:
    """Scores of one experiment, as ``result.json`` has them; None where undefined."""

    system: str
    fold: str = ""
    seed: int = 0
    standardisation: str = ""
    enrol: int = 0
    transductive: bool = False
    scored: str = "test"  # the role
    n_train: int = 0
    n_children: int = 0  # of [train.augment], trained on besides
    n_test: int = 0
    wa: float | None = None
    ua: float | None = None
    reason: str = ""  # why UA is undefined
    recall: Mapping[str, float | None] = field(default_factory=dict)
    confusion: Sequence[Sequence[int]] = ()
    calibration: Mapping[str, Any] = field(default_factory=dict)  # empty: it was not asked for
    device: str = "cpu"
    feature_bytes: int = 0  # 0: no gradient trained it, or an older serprep
    memory_budget: int | None = None  # MiB; None: features were in memory
    seconds: float = 0.0
    json: Mapping[str, Any] = field(default_factory=dict, repr=False)  # all that was told

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """What a JSON object tells."""
        return cls(**{entry.name: told[entry.name] for entry in fields(cls) if entry.name in told}, json=told)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Scores of one system: pooled over folds, mean over seeds, with 95 % intervals; None where undefined.

    The order of the fields is that of JSON.
    """

    standardisation: str = ""
    enrol: int = 0
    transductive: bool = False
    macro_f1: float | None = None
    macro_f1_interval: Interval = None
    weighted_f1: float | None = None
    weighted_f1_interval: Interval = None
    precision: Mapping[str, float | None] = field(default_factory=dict)  # by label
    precision_interval: Mapping[str, Interval] = field(default_factory=dict)
    nll: float | None = None
    nll_interval: Interval = None
    brier: float | None = None
    brier_interval: Interval = None
    ece: float | None = None
    ece_interval: Interval = None
    ece_classwise: float | None = None
    ece_classwise_interval: Interval = None
    aurc: float | None = None
    aurc_interval: Interval = None
    ece_bins: int = 0  # 0: there are no probabilities
    reliability: Sequence[tuple[float, float]] = ()
    risk_coverage: Sequence[tuple[float, float]] = ()
    system: str
    n_runs: int = 0
    n_defined: int = 0  # runs whose UA is defined
    n_seeds: int = 0
    wa: float | None = None
    ua: float | None = None
    reason: str = ""  # why UA is undefined
    ua_per_seed: Sequence[float | None] = ()
    ua_seed_std: float | None = None
    ua_fold_mean: float | None = None  # over single runs
    ua_fold_std: float | None = None
    wa_per_seed: Sequence[float | None] = ()
    wa_seed_std: float | None = None
    wa_fold_mean: float | None = None
    wa_fold_std: float | None = None
    recall: Mapping[str, float | None] = field(default_factory=dict)  # by label
    recall_interval: Mapping[str, Interval] = field(default_factory=dict)
    wa_interval: Interval = None
    ua_interval: Interval = None
    redrawn: int = 0  # draws of the bootstrap that lost a label
    uncalibrated: Mapping[str, Any] = field(default_factory=dict)  # scores of probabilities before they were calibrated

    @property
    def json(self) -> dict[str, Any]:
        """As files have it."""
        absent = {name for name in ("ece_bins", "uncalibrated") if not getattr(self, name)}
        return {name: value for name, value in vars(self).items() if name not in absent}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """How much better one system is than another on the same utterances; see `serprep.metrics.Paired`."""

    first: str
    second: str
    wa: float = 0.0
    ua: float = 0.0
    wa_interval: tuple[float, float] = (0.0, 0.0)
    ua_interval: tuple[float, float] = (0.0, 0.0)
    wa_p: float = 1.0
    ua_p: float = 1.0
    ua_p_holm: float = 1.0  # corrected for all pairs
    wa_p_holm: float = 1.0


def marks_in(scores: Result | Summary) -> dict[str, Any]:
    """What scores say about how features were standardised."""
    return {name: getattr(scores, name) for name in MARKS}


def pairs_json(pairs: Iterable[Pair], summary: Iterable[Summary], *, sides: bool = False) -> list[dict[str, Any]]:
    """Pairs as JSON, with the marks of the first system, or with those of both, where they may differ."""
    marks = {row.system: marks_in(row) for row in summary}
    if not sides:
        return [marks[pair.first] | vars(pair) for pair in pairs]
    return [
        {"transductive": marks[pair.first]["transductive"] or marks[pair.second]["transductive"]}
        | {f"first_{name}": value for name, value in marks[pair.first].items()}
        | {f"second_{name}": value for name, value in marks[pair.second].items()}
        | vars(pair)
        for pair in pairs
    ]
