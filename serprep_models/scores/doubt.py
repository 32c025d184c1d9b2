"""Out-of-fold predictions → which given labels to doubt, the most doubtful first.

The probability of a label is what systems that never trained on the utterance give it: mean over seeds and folds,
then over systems, floors left out.  The margin is the given label's probability minus the highest of another label,
below 0 where another is likelier (self-confidence and normalised margin of Northcutt et al., 2021).

First come utterances that sound the same as one under another label, for one of the two labels is wrong whatever
systems say; then the order is that of the margin, of equal ones that of the share of raters who gave the label.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from serprep.systems import is_floor

COLUMNS = (  # of the table
    *("id", "path", "given", "likeliest", "probability", "margin", "systems_agreeing", "systems"),
    *("raters_agreeing", "raters", "same_sound"),
)


def doubtful(
    predictions: pd.DataFrame,
    labels: Sequence[str],
    *,
    paths: Mapping[str, str],
    raters: Mapping[str, tuple[int, int]] | None = None,
    conflicts: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """One row per utterance that has a label and was predicted, the most doubtful first.

    Parameters
    ----------
    predictions : DataFrame
        Columns system, fold, seed, id, truth and p_LABEL, of utterances that were not trained on.
    labels : sequence of str
    paths : mapping
        Id → path of the recording.
    raters : mapping, optional
        Id → how many raters gave the label, and how many there were.
    conflicts : mapping, optional
        Id → ids of the same sound under other labels.

    Returns
    -------
    DataFrame
        `COLUMNS`: ``systems_agreeing`` of ``systems`` find the likeliest label likeliest by themselves,
        ``raters_agreeing`` of ``raters`` (missing where not told) gave the given label.

    Examples
    --------
    >>> rows = pd.DataFrame({"system": "svm", "id": ["u1", "u2"], "truth": ["sad", "happy"],
    ...                      "p_happy": [0.75, 0.625], "p_sad": [0.25, 0.375]})
    >>> table = doubtful(rows, ["happy", "sad"], paths={"u1": "1.wav", "u2": "2.wav"})
    >>> table[["id", "given", "likeliest", "probability", "margin"]].to_dict("records")[0]
    {'id': 'u1', 'given': 'sad', 'likeliest': 'happy', 'probability': 0.25, 'margin': -0.5}
    """
    columns = [f"p_{label}" for label in labels]
    known = predictions[predictions["truth"].isin(list(labels)) & ~predictions["system"].map(is_floor).astype(bool)]
    if not len(known) or not set(columns) <= set(known.columns):
        return pd.DataFrame(columns=list(COLUMNS))
    of_system = known.groupby(["id", "system"])[columns].mean()
    mean = of_system.groupby(level="id").mean()
    chances, names = mean.to_numpy(np.float64), np.array(labels)
    given = known.drop_duplicates("id").set_index("id")["truth"].loc[mean.index]
    place, rows = given.map({label: i for i, label in enumerate(labels)}).to_numpy(), np.arange(len(mean))
    others = chances.copy()
    others[rows, place] = -np.inf
    likeliest = pd.Series(names[chances.argmax(axis=1)], mean.index)
    votes = pd.Series(names[of_system.to_numpy(np.float64).argmax(axis=1)], of_system.index)
    same = (votes == likeliest.loc[votes.index.get_level_values("id")].to_numpy()).groupby(level="id")
    told = [(raters or {}).get(str(name)) for name in mean.index]
    table = pd.DataFrame(
        {
            "id": mean.index,
            "path": [paths.get(str(name), "") for name in mean.index],
            "given": given.to_numpy(),
            "likeliest": likeliest.to_numpy(),
            "probability": chances[rows, place],
            "margin": chances[rows, place] - others.max(axis=1),
            "systems_agreeing": same.sum().to_numpy(np.int64),
            "systems": same.size().to_numpy(np.int64),
            "raters_agreeing": pd.array([None if pair is None else pair[0] for pair in told], "Int64"),
            "raters": pd.array([None if pair is None else pair[1] for pair in told], "Int64"),
            "same_sound": ["; ".join((conflicts or {}).get(str(name), ())) for name in mean.index],
        }
    )
    rank = table.assign(
        alone=table["same_sound"] == "",
        margin=table["margin"].round(12),  # equal but for rounding is equal
        share=[np.inf if pair is None else pair[0] / pair[1] for pair in told],
    )
    order = rank.sort_values(["alone", "margin", "share", "id"]).index
    return table.loc[order].reset_index(drop=True)


def conflicting(copies: Iterable[tuple[str, str]], given: Mapping[str, str]) -> dict[str, list[str]]:
    """Id → ids of the same sound under another label; `copies` are pairs of one sound, `given` labels ("": none).

    Examples
    --------
    >>> conflicting([("a", "b"), ("b", "c")], {"a": "sad", "b": "happy", "c": "happy"})
    {'a': ['b'], 'b': ['a']}
    """
    conflicts: dict[str, list[str]] = {}
    for first, second in copies:
        if given[first] and given[second] and given[first] != given[second]:
            conflicts.setdefault(first, []).append(second)
            conflicts.setdefault(second, []).append(first)
    return conflicts
