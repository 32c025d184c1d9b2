"""Predictions → whom a system fails, and what to listen to first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from serprep.pages.picture import spectrogram
from serprep.pages.player import player
from serprep.store.frames import picture_of
from serprep.store.store import Store
from serprep.systems import is_floor

MOST_WRONG = 12
_SILENT = Markup('<p class="small">Its recording is missing, or another one now.</p>')


def by_speaker(predictions: pd.DataFrame, labels: Sequence[str], names: Mapping[str, str]) -> pd.DataFrame:
    """Per system and speaker the utterances, the right ones, and the mean recall of the classes that they have.

    Examples
    --------
    >>> rows = pd.DataFrame({"system": "svm", "speaker": "s1", "truth": ["a", "a", "b"], "prediction": ["a", "b", "b"]})
    >>> by_speaker(rows, ["a", "b"], {"svm": "svm"}).to_dict("records")
    [{'system': 'svm', 'speaker': 's1', 'n': 3, 'wa': 0.6666666666666666, 'ua': 0.75}]
    """
    known = predictions[predictions["truth"].isin(list(labels)) & (predictions["speaker"] != "")]
    right = (known["truth"] == known["prediction"]).astype(float)
    recalls = right.groupby([known["system"], known["speaker"], known["truth"]], sort=False).mean()
    of_speaker = right.groupby([known["system"], known["speaker"]], sort=False)
    table = pd.DataFrame({"n": of_speaker.size(), "wa": of_speaker.mean(), "ua": recalls.groupby(level=[0, 1]).mean()})
    table = table.rename_axis(["system", "speaker"]).reset_index()
    table["n"] //= known.groupby("system")["seed"].nunique().max() if "seed" in known and len(known) else 1
    return table.replace({"system": dict(names)})


def surely_wrong(
    predictions: pd.DataFrame, system: str, *, store: Store, root: Path | None = None, n_sounds: int = 0
) -> list[dict[str, Any]]:
    """Utterances that a system is most sure of and wrong about, the surest first.

    Parameters
    ----------
    predictions : DataFrame
        Of all systems; probabilities are averaged over seeds.
    system : str
    store : Store
    root : Path, optional
        Of the recordings.
    n_sounds : int
        How many are put into the page, whose list grows with them.

    Returns
    -------
    list of dict
        id, speaker, truth, prediction, sure (fraction), agree and systems (how many say the same), picture, sound.
    """
    chances = [name for name in predictions.columns if name.startswith("p_")]
    if not chances:
        return []
    known = predictions[(predictions["truth"] != "") & ~predictions["system"].map(is_floor).astype(bool)]
    mean = known.groupby(["system", "id"])[chances].mean()
    said = mean.idxmax(axis=1).map(lambda column: str(column).removeprefix("p_"))
    about = known.drop_duplicates("id").set_index("id")
    if system not in mean.index.get_level_values(0):
        return []
    own = pd.DataFrame({"said": said.loc[system], "sure": pd.DataFrame(mean.loc[system]).max(axis=1)}).join(
        about[["truth", "speaker"]]
    )
    wrong = (
        own[own["said"] != own["truth"]]
        .sort_values("sure", ascending=False, kind="stable")
        .head(max(MOST_WRONG, n_sounds))
    )
    row_of = {name: i for i, name in enumerate(store.ids)}
    utterances = store.manifest().utterances if root is not None and n_sounds else None
    mistakes = []
    for name, row in wrong.iterrows():
        votes = said.xs(name, level="id")
        frames = picture_of(store, row_of[str(name)]) if str(name) in row_of else None
        sound = Markup("")
        if utterances is not None and root is not None and n_sounds and str(name) in row_of:
            sound = player(utterances[row_of[str(name)]], root)
            n_sounds -= bool(sound)
            sound = sound or _SILENT
        mistakes.append(
            {
                "id": str(name),
                "speaker": row["speaker"],
                "truth": row["truth"],
                "prediction": row["said"],
                "sure": float(row["sure"]),
                "agree": int((votes == row["said"]).sum()),
                "systems": len(votes),
                "picture": Markup("") if frames is None else spectrogram(frames, says=f"spectrogram of {name}"),
                "sound": sound,
            }
        )
    return mistakes
