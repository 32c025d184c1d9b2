"""A trained system on disk: weights as safetensors, everything else as JSON beside them; no pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from serprep.files import write_whole
from serprep.store.store import Store
from serprep_models.standardise import Statistics
from serprep_models.train import Trained


def write_checkpoint(
    folder: Path, trained: Trained, *, store: Store, statistics: Statistics, origin: Mapping[str, Any]
) -> None:
    """Write ``weights.safetensors`` and ``checkpoint.json``.

    Parameters
    ----------
    folder : Path
    trained : Trained
    store : Store
        What it was trained on.
    statistics : mapping of str to Moments
        With which its features were standardised.
    origin : mapping
        Split digest, fold, seed and training configuration.
    """
    tensors: dict[str, Tensor] = {name: value.cpu().contiguous() for name, value in trained.system.state_dict().items()}
    about = {
        "format": 1,
        "system": asdict(trained.config),
        "features": store.features.to_json(),
        "labels": list(store.labels),
        "statistics": {
            name: {"mean": moments.mean.tolist(), "std": moments.std.tolist()} for name, moments in statistics.items()
        },
        "version": store.version,
        **origin,
        "libraries": {name: version(name) for name in ("serprep", "torch")},
    }
    write_whole(folder / "weights.safetensors", save(tensors))
    write_whole(folder / "checkpoint.json", (json.dumps(about) + "\n").encode())
