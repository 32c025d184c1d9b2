"""How far a system's probabilities are from what raters said, and whether it doubts what they doubt."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from serprep._typing import DoubleArray, FloatArray
from serprep.metrics import confusion, ua_of, wa_of
from serprep_models.scores.intervals import drawn_weights, interval_of

LEAST = float(np.finfo(np.float32).eps)  # probability of a label, so that no divergence is infinite
Shares = FloatArray | DoubleArray


@dataclass(frozen=True, kw_only=True)
class Divergences:
    """Of each utterance, shape (n,), in bits."""

    kl: DoubleArray  # Kullback–Leibler, of the system from the raters
    js: DoubleArray  # Jensen–Shannon, 0 to 1


def divergences(raters: Shares, system: Shares) -> Divergences:
    """How far distributions (n, K) are from those of raters.

    Examples
    --------
    >>> bits = divergences(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    >>> bits.kl.round(3).tolist(), bits.js.round(3).tolist()
    ([1.0], [0.311])
    """
    p, q = np.asarray(raters, np.float64), np.clip(np.asarray(system, np.float64), LEAST, None)
    q = q / q.sum(axis=1, keepdims=True)
    middle = (p + q) / 2
    return Divergences(kl=_kl(p, q), js=(_kl(p, middle) + _kl(q, middle)) / 2)


def _kl(p: DoubleArray, q: DoubleArray) -> DoubleArray:
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return np.asarray((p * np.log2(ratio)).sum(axis=1))


def entropies(distributions: Shares) -> DoubleArray:
    """In bits, of each row.

    Examples
    --------
    >>> entropies(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    p = np.asarray(distributions, np.float64)
    return np.asarray(-(p * np.log2(np.where(p > 0, p, 1.0))).sum(axis=1)) + 0.0


def divergence_of(predictions: pd.DataFrame, raters: pd.DataFrame) -> dict[str, float | int | None]:
    """Of one experiment: on how many utterances, and mean divergences in bits; None where there is none.

    Parameters
    ----------
    predictions : DataFrame
        Columns id, and ``p_LABEL`` for each label.
    raters : DataFrame
        A row per utterance, by id, and a column per label.
    """
    own = predictions[predictions["id"].isin(raters.index)]
    if not len(own):
        return {"n": 0, "kl": None, "js": None}
    distances = _divergences(own, raters)
    return {"n": len(own), "kl": float(distances.kl.mean()), "js": float(distances.js.mean())}


def _divergences(predictions: pd.DataFrame, raters: pd.DataFrame) -> Divergences:
    given = predictions[[f"p_{label}" for label in raters.columns]].to_numpy(np.float64)
    return divergences(raters.loc[predictions["id"]].to_numpy(np.float64), given)


@dataclass(frozen=True, kw_only=True)
class RaterScore:
    """One system against the raters, on all utterances or on a third of them; mean over seeds.

    Intervals draw speakers, and seeds within.
    """

    system: str
    part: str  # "all", or a third by the entropy of what raters said
    entropy: tuple[float, float]  # the least and the most of it, in bits
    n_utterances: int
    n_without_majority: int  # of them: those have no part in WA and UA
    kl: float
    kl_interval: tuple[float, float] | None
    js: float
    js_interval: tuple[float, float] | None
    system_entropy: float  # of the system's own probabilities: does it doubt what raters doubt?
    wa: float | None
    ua: float | None


THIRDS = ("raters agree most", "in between", "raters agree least")
ALL = "all"


def score_raters(predictions: pd.DataFrame, raters: pd.DataFrame) -> tuple[RaterScore, ...]:
    """A row per system for all scored utterances that raters told of, and one for each third by their entropy.

    Parameters
    ----------
    predictions : DataFrame
        Columns system, seed, id, speaker, truth, prediction and ``p_LABEL``.
    raters : DataFrame
        A row per utterance, by id, and a column per label.
    """
    known = predictions[predictions["id"].isin(raters.index)]
    if not len(known):
        return ()
    scored = raters.loc[sorted(set(known["id"]))]
    entropy = pd.Series(entropies(scored.to_numpy()), index=scored.index)
    ranks = entropy.rank(method="min").to_numpy() - 1  # equal entropies are in one third
    third = pd.Series(np.minimum(3 * ranks // len(ranks), 2).astype(int), index=scored.index)
    rows = []
    for system, own in known.groupby("system", sort=False):
        parts = [(ALL, own), *((name, own[own["id"].map(third) == number]) for number, name in enumerate(THIRDS))]
        for part, chosen in parts:
            if len(chosen):
                rows.append(_score(str(system), part, chosen, raters=raters, entropy=entropy))
    return tuple(rows)


def _score(
    system: str, part: str, own: pd.DataFrame, *, raters: pd.DataFrame, entropy: "pd.Series[float]"
) -> RaterScore:
    distances = _divergences(own, raters)
    labels = [str(label) for label in raters.columns]
    speakers, whose = np.unique(own["speaker"].astype(str), return_inverse=True)
    seeds, which = np.unique(own["seed"].to_numpy(), return_inverse=True)
    shape = (len(speakers), len(seeds))
    place = whose * len(seeds) + which

    def table(values: DoubleArray) -> DoubleArray:
        return np.asarray(np.bincount(place, values, shape[0] * shape[1]), np.float64).reshape(shape)

    counts = table(np.ones(len(own)))
    intervals: dict[str, tuple[float, float] | None] = dict.fromkeys(("kl", "js"))
    if len(speakers) > 1 and "" not in speakers:
        weights, drawn = drawn_weights(*shape)
        below = weights @ counts
        for name in intervals:
            above = weights @ table(getattr(distances, name))
            means = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
            intervals[name] = interval_of(means, drawn)
    told = own[own["truth"] != ""]
    matrices = [confusion(list(rows["truth"]), list(rows["prediction"]), labels) for _, rows in told.groupby("seed")]
    own_entropy = entropy.loc[own["id"].unique()]
    given = own[[f"p_{label}" for label in labels]].to_numpy(np.float64)
    return RaterScore(
        system=system,
        part=part,
        entropy=(float(own_entropy.min()), float(own_entropy.max())),
        n_utterances=len(own) // len(seeds),
        n_without_majority=(len(own) - len(told)) // len(seeds),
        kl=float(distances.kl.mean()),
        kl_interval=intervals["kl"],
        js=float(distances.js.mean()),
        js_interval=intervals["js"],
        system_entropy=float(entropies(given).mean()),
        wa=_mean([wa_of(counts) for counts in matrices]),
        ua=_mean([ua_of(counts) for counts in matrices]),
    )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values and not np.isnan(values).any() else None
