"""One experiment, a system, fold and seed: what it is asked for, and whether it is finished.

`tasks` trains and scores it.  Its files, ``result.json`` last, say by their digests whether it is finished.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serprep._json import canonical_json
from serprep.errors import TrainError, one_line
from serprep.files import open_regular, read_regular
from serprep.recipe import TrainConfig
from serprep.store.store import Store
from serprep.systems import SYSTEMS, SystemSpec, options_of
from serprep_models.catalogue import json_object
from serprep_models.checkpoint import ABOUT, WEIGHTS
from serprep_models.scores.dimensions import is_score
from serprep_models.targets import Target, target_of
from serprep_models.train import HISTORY

PREDICTIONS, CHECKPOINT = "predictions.csv", (WEIGHTS, ABOUT)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One experiment."""

    folder: str  # where its files go
    store: str
    split: str
    system: str
    fold: int
    seed: int
    how: TrainConfig
    statistics: str = ""  # folder of what systems and seeds share; "": each computes its own
    raters: str = ""  # what they said, where that is learnt
    start: str = ""  # folder of the checkpoint that it goes on from; "": it begins afresh
    augmented: str = ""  # store that has children of training utterances besides; "": there are none

    @property
    def spec(self) -> SystemSpec[Any]:
        """The system."""
        return SYSTEMS[self.system]

    @property
    def options(self) -> Any:
        """Its options."""
        return options_of(self.system, self.how.options)

    def reads(self, store: Store) -> tuple[str, ...]:
        """What it reads of the store."""
        return self.spec.inputs(self.options, store.features)

    @property
    def target(self) -> Target:
        """What it learns."""
        return target_of(self.how, self.raters)


def finished(experiment: Experiment) -> bool:
    """Whether an experiment was run, and its files are what it wrote; others are run again."""
    return is_whole(Path(experiment.folder), experiment.system)


def is_whole(folder: Path, system: str) -> bool:
    """Whether a folder holds a finished experiment of a system as it was written."""
    try:
        result = json.loads(read_regular(folder / "result.json"))
        digest = result.pop("sha256")
        whole = hashlib.sha256(canonical_json(result)).hexdigest() == digest
        keeps = system in SYSTEMS.names and SYSTEMS[system].by_gradient  # what others keep was once not kept
        needed = {PREDICTIONS, *(CHECKPOINT if keeps else ())}
        known = needed <= set(result["files"]) <= {PREDICTIONS, *CHECKPOINT}
        return bool(whole and known and _is_result(result) and result["files"] == digests_of(folder, result["files"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return False


def _is_result(result: Mapping[str, Any]) -> bool:
    """Whether what is read of a result has the types that `run_experiment` writes."""
    texts = all(isinstance(result[name], str) for name in ("system", "fold", "standardisation"))
    numbers = all(type(result[name]) is int and result[name] >= 0 for name in ("seed", "n_train", "n_test", "enrol"))
    rest = result["scored"] in ("dev", "test") and 0 <= float(result["seconds"]) < np.inf
    about = texts and numbers and rest and type(result["transductive"]) is bool
    if "dimensions" in result:
        return bool(about and is_score(result["dimensions"], result["scales"]))
    counts = np.array(result["confusion"])
    n_labels = len(counts)
    scores = all(result[name] is None or 0 <= float(result[name]) <= 1 for name in ("wa", "ua"))
    square = counts.dtype == np.int64 and counts.shape == (n_labels, n_labels) and (counts >= 0).all()
    return bool(about and isinstance(result["reason"], str) and scores and square)


def ran_as_asked(experiment: Experiment) -> bool:
    """Whether a finished experiment ran on the device that is named, and in memory or streamed as it would now.

    Device "auto" takes what there is, whatever it ran on.  Results of an older serprep do not
    tell: they count as a CPU's, with the same budget.
    """
    if not experiment.spec.by_gradient:
        return True
    result = json.loads((Path(experiment.folder) / "result.json").read_bytes())
    named = experiment.how.device.partition(":")[0]
    if named not in ("auto", result.get("device", "cpu")):
        return False
    streams = result.get("feature_bytes", 0) > experiment.how.memory_budget << 20
    return bool(result.get("memory_budget") == (experiment.how.memory_budget if streams else None))


def lacks_checkpoint(experiment: Experiment) -> bool:
    """Whether a finished experiment is of an older serprep, which kept less, or checkpoints of some systems only."""
    path = Path(experiment.folder) / ABOUT
    if experiment.spec.floor or not path.is_file():
        return not experiment.spec.floor
    return experiment.how.emotion_weight > 0 and "beside" not in json_object(path)


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of what an experiment writes before its result."""
    digests = {}
    for name in names:
        with open_regular(folder / name) as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def marks_of(experiment: Experiment) -> dict[str, Any]:
    """What every entry of a result says about how features were standardised."""
    how = experiment.how
    reads = not experiment.spec.floor
    return {"standardisation": how.standardisation, "enrol": how.enrol, "transductive": how.transductive and reads}


def n_epochs_of(experiment: Experiment) -> int:
    """Epochs of an experiment; what no gradient trains counts as one."""
    return experiment.how.epochs if experiment.spec.by_gradient else 1


def n_epochs_done(experiment: Experiment) -> int:
    """Epochs of an experiment that are done, also while it runs elsewhere."""
    folder = Path(experiment.folder)
    if (folder / "result.json").is_file():
        return n_epochs_of(experiment)
    try:
        return min(read_regular(folder / HISTORY).count(b"\n"), n_epochs_of(experiment))
    except OSError:
        return 0


def read_predictions(path: Path) -> pd.DataFrame:
    """Predictions as written; text stays text.

    Raises
    ------
    TrainError
        If the file is not what an experiment writes.
    """
    text = dict.fromkeys(("id", "speaker", "role", "truth", "prediction"), str)
    try:
        table = pd.read_csv(path, dtype=text, keep_default_na=False, encoding="utf-8")
        chances = table.filter(regex="^p_").to_numpy(np.float64)
        known = {name.removeprefix("p_") for name in table.columns} | {""}
        fits = list(table.columns[:5]) == list(text) and np.isfinite(chances).all() and chances.shape[1] > 0
        fits = fits and set(table["truth"]) <= known and set(table["prediction"]) <= known - {""}
    except (ValueError, KeyError, TypeError, OSError, OverflowError, csv.Error) as error:
        raise TrainError(f"{one_line(path)}: {one_line(error)}; remove its folder, and train again") from None
    if not fits:
        raise TrainError(f"{one_line(path)}: not as an experiment writes it; remove its folder, and train again")
    return table
