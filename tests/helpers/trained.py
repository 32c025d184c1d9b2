"""What the session's trainings left: folders of checkpoints, and what training said."""

from pathlib import Path

import pandas as pd


def checkpoint_of(trained: Path, system: str) -> Path:
    return trained / system / "fold-01" / "seed-0"


def probabilities_of(folder: Path) -> pd.DataFrame:
    """Probabilities of the test part as training wrote them, by id."""
    from serprep_models.experiment import read_predictions

    table = read_predictions(folder / "predictions.csv").set_index("id")
    return table[[name for name in table.columns if name.startswith("p_")]]
