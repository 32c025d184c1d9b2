"""Predictions of a test part whose labels are withheld → the files that a challenge takes.

ComParE 2018 takes ARFF with the attributes ``name`` and ``prediction``; later challenges
take CSV, ``file_name,prediction`` in 2019 and 2020, ``filename,prediction`` from 2021 on.
Rows stand in the order of the names; a name has the suffix ``.wav``, as the challenges
publish it, whatever the recording's suffix on this disk.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from serprep.errors import TrainError
from serprep.exports.arff import arff_lines
from serprep.files import write_whole
from serprep.recipe import Recipe
from serprep.split import Split

#: Form → column of file names in the CSV.
COLUMNS = {"compare2018": "file_name", "compare2019": "file_name", "compare2021": "filename"}
ARFF = ("compare2018",)  # forms with an ARFF file besides
RELATION = "ComParE2018_AtypicalAffect_Predictions"


def check_submission(recipe: Recipe, split: Split) -> None:
    """Find out before anything is computed what could not be submitted afterwards.

    Raises
    ------
    TrainError
        If emotions were renamed, or there is not one fold with a test part.
    """
    renamed = sorted(name for name, new in (recipe.corpus.emotions or {}).items() if name != new)
    if renamed:
        raise TrainError(
            f"[corpus.emotions] renames {renamed[0]!r}, but a submission needs the challenge's own words: "
            'map each to itself, or set submission = "none"'
        )
    if len(split.folds) != 1 or not split.ids(0, "test"):
        raise TrainError(
            f"a submission needs one fold with a test part, the split has {len(split.folds)} folds and "
            f'{len(split.ids(0, "test"))} test utterances in the first: use [split] protocol = "fixed"'
        )


def write_submissions(
    form: str, predictions: pd.DataFrame, *, paths: Mapping[str, str], folder: Path, mark: str = ""
) -> list[Path]:
    """Write the submission of every system and seed, and return the files' paths.

    Parameters
    ----------
    form : str
        A key of `COLUMNS`.
    predictions : DataFrame
        Columns system, seed, id, prediction and one ``p_<label>`` per label; of test utterances alone.
    paths : mapping of str to str
        Utterance id → path of its recording.
    folder : Path
        Where the files go, named after system and seed.
    mark : str
        Goes into the names, after the system.
    """
    labels = [column.removeprefix("p_") for column in predictions.columns if column.startswith("p_")]
    written = []
    for (system, seed), own in predictions.groupby(["system", "seed"], sort=False):
        rows = sorted(
            (PurePosixPath(paths[name]).with_suffix(".wav").name, prediction)
            for name, prediction in zip(own["id"], own["prediction"], strict=True)
        )
        files = {".csv": to_csv(rows, column=COLUMNS[form])}
        if form in ARFF:
            files[".arff"] = "".join(arff_lines(rows, relation=RELATION, labels=labels))
        for suffix, text in sorted(files.items()):
            path = folder / f"{system}{mark}-seed-{seed}{suffix}"
            write_whole(path, text.encode())
            written.append(path)
    return written


def to_csv(rows: Iterable[tuple[str, str]], *, column: str) -> str:
    """(name, prediction) rows as the CSV of a submission.

    Examples
    --------
    >>> print(to_csv([("test_0001.wav", "sad")], column="filename"), end="")
    filename,prediction
    test_0001.wav,sad
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([(column, "prediction"), *rows])
    return text.getvalue()


def unpredicted(whole: Split, predictions: pd.DataFrame) -> list[str]:
    """A note for the reader where test utterances of the corpus have no prediction."""
    absent = sorted(set(whole.ids(0, "test")) - set(predictions["id"]))
    if not absent:
        return []
    return [
        f"the submission is incomplete: {len(absent)} of {len(whole.ids(0, 'test'))} test utterances have no "
        f"prediction, such as {absent[0]!r}; see the build's quarantine"
    ]
