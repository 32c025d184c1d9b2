"""A trained system on disk: weights as safetensors, everything else as JSON beside them; no pickle.

What a checkpoint says is believed only after it was checked: types, sizes and shapes
first, and only then are weights allocated.  Nothing in it names a file.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from serprep._json import canonical_json
from serprep.errors import FeatureError, TrainError, one_line
from serprep.features.extract import Features, features_from_json
from serprep.features.functionals import N_FEATURES
from serprep.files import write_whole
from serprep.recipe import CHOICES, STANDARDISATIONS, TrainConfig
from serprep.store.store import Store
from serprep_models.catalogue import resolve
from serprep_models.crnn import SEGMENTS_OF, SystemConfig, make_system
from serprep_models.examples import kinds_of
from serprep_models.standardise import Moments, Statistics
from serprep_models.train import Trained

FORMAT = 1
WEIGHTS, ABOUT = "weights.safetensors", "checkpoint.json"
DTYPES = ("float32", "float16")  # of the segments it was trained on
_LARGEST = 256 << 20  # bytes of checkpoint.json
_LARGEST_HEAD = 1 << 20  # bytes of what safetensors say before the weights
_MOST = {"n_labels": 10_000, "n_mels": 10_000, "short": 100_000, "long": 100_000, "n_functionals": 1_000_000}


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A trained system and what it needs to score new audio."""

    system: nn.Module
    config: SystemConfig
    features: Features
    segment_dtype: str
    labels: tuple[str, ...]  # in logit order
    standardisation: str  # "train", "utterance", "speaker" or "speaker-rank"
    enrol: int  # utterances of a speaker that "speaker" and "speaker-rank" took in training; 0 is all
    statistics: Mapping[str, Moments]  # of the kinds that are standardised by those of the training part
    about: Mapping[str, Any]  # checkpoint.json


def write_checkpoint(
    folder: Path,
    trained: Trained,
    *,
    store: Store,
    statistics: Statistics,
    how: TrainConfig,
    origin: Mapping[str, Any],
) -> None:
    """Write ``weights.safetensors`` and ``checkpoint.json``.

    Parameters
    ----------
    folder : Path
    trained : Trained
    store : Store
        What it was trained on.
    statistics : mapping of str to Standardiser
        With which its features were standardised; those of the training part are written.
    how : TrainConfig
    origin : mapping
        Split digest, fold and seed.
    """
    tensors: dict[str, Tensor] = {name: value.cpu().contiguous() for name, value in trained.system.state_dict().items()}
    about = {
        "format": FORMAT,
        "system": asdict(trained.config),
        "features": store.features.to_json(),
        "segment_dtype": store.attributes["segment_dtype"],
        "labels": list(store.labels),
        "standardisation": how.standardisation,
        "enrol": how.enrol,
        "statistics": {
            name: {"mean": moments.mean.tolist(), "std": moments.std.tolist()}
            for name, moments in statistics.items()
            if isinstance(moments, Moments)
        },
        "version": store.version,
        **origin,
        "train": asdict(how),
        "libraries": {name: version(name) for name in ("serprep", "torch")},
    }
    weights = save(tensors)
    about["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    about["sha256"] = _digest(json.loads(json.dumps(about)))
    write_whole(folder / WEIGHTS, weights)
    write_whole(folder / ABOUT, (json.dumps(about) + "\n").encode())


def training_of(about: Mapping[str, Any]) -> dict[str, Any]:
    """``[train]`` as a checkpoint or results tell it, with the defaults for keys that an older serprep did not have."""
    given = about.get("train")
    return {**json.loads(json.dumps(asdict(TrainConfig()))), **(given if isinstance(given, dict) else {})}


def _digest(about: Mapping[str, Any]) -> str:
    """SHA-256 of everything in a checkpoint.json but this digest."""
    return hashlib.sha256(canonical_json({key: about[key] for key in about if key != "sha256"})).hexdigest()


def checkpoints_below(place: Path) -> list[Path]:
    """The checkpoint at `place`, or all of those below it, sorted.

    Raises
    ------
    TrainError
        If there is none.
    """
    place = resolve(place)
    if (place / ABOUT).is_file() or (place.is_file() and place.name in (WEIGHTS, ABOUT)):
        return [place if place.is_dir() else place.parent]
    found = sorted(path.parent for path in place.rglob(ABOUT))
    if not found:
        raise TrainError(f"{one_line(place)}: {_why_none(place)}")
    return found


def _why_none(place: Path) -> str:
    """Why there is no checkpoint below a folder, and what to do."""
    systems = {path.resolve().parents[2].name for path in place.rglob("result.json")}
    if "compare-svm" in systems:
        return (
            "results of compare-svm by an older serprep, which kept no checkpoint; run `serprep train` with the recipe "
            "again: it adds one, and trains nothing else anew"
        )
    if systems == {"majority"}:
        return "majority keeps no checkpoint, since it says the same of every recording; name another system's folder"
    return (
        "no checkpoint there; expected a folder that `serprep train` wrote for a system such as hsf-crnn, or one above"
    )


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Parameters
    ----------
    folder : Path
        The folder, or one of its two files.

    Raises
    ------
    TrainError
        If a file is missing, damaged, or not what this serprep writes.
    """
    folder = folder.parent if folder.name in (WEIGHTS, ABOUT) else folder
    place = one_line(folder)
    about = _read_json(folder / ABOUT)
    try:
        if about["format"] != FORMAT or type(about["format"]) is not int:
            raise TrainError(f"{place}: checkpoint has format {about['format']!r}, this serprep reads {FORMAT}")
        config = _system_config(about["system"])
        features = features_from_json(about["features"])
        labels = tuple(about["labels"])
        dtype = about.get("segment_dtype", "float32")
        if len(labels) != config.n_labels or len(set(labels)) < len(labels) or not all(map(_is_name, labels)):
            raise TrainError(f"labels {one_line(list(labels)[:5])} are not {config.n_labels} different names")
        if dtype not in DTYPES:
            raise TrainError(f"segment_dtype is {one_line(dtype)}; expected one of {', '.join(DTYPES)}")
        standardisation = about.get("standardisation", "train")
        if standardisation not in STANDARDISATIONS:
            raise TrainError(
                f"standardisation is {one_line(standardisation)}; expected one of {', '.join(STANDARDISATIONS)}"
            )
        enrol = about.get("enrol", 0)
        if type(enrol) is not int or enrol < 0:
            raise TrainError(f"enrol is {one_line(enrol)}; expected a whole number")
        statistics = _statistics(about["statistics"], config, features, standardisation=standardisation)
        if about.get("sha256", digest := _digest(about)) != digest:  # those of an older serprep have none
            raise TrainError("checkpoint.json is not as it was written (other SHA-256)")
        system = _system(folder / WEIGHTS, config, about.get("weights_sha256"))
    except TrainError as error:
        raise TrainError(f"{place}: {error}; train it again") from None
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, FeatureError) as error:
        raise TrainError(f"{place}: checkpoint.json: {one_line(error)}; expected what `serprep train` writes") from None
    return Checkpoint(
        system=system,
        config=config,
        features=features,
        segment_dtype=dtype,
        labels=labels,
        standardisation=standardisation,
        enrol=enrol,
        statistics=statistics,
        about=about,
    )


def _is_name(label: object) -> bool:
    return isinstance(label, str) and bool(label) and not any("\ud800" <= letter <= "\udfff" for letter in label)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST or (path.exists() and not path.is_file()):  # a pipe would be waited for
            raise TrainError(f"{one_line(path)}: {path.stat().st_size} bytes are no checkpoint.json")
        about = json.loads(path.read_bytes())
    except OSError as error:
        raise TrainError(
            f"{one_line(path)}: {error.strerror}; expected a checkpoint: a folder that `serprep train` wrote"
        ) from None
    except (ValueError, RecursionError) as error:
        raise TrainError(f"{one_line(path)}: {one_line(error)}; expected JSON") from None
    if not isinstance(about, dict):
        raise TrainError(f"{one_line(path)}: expected a JSON object")
    return about


def _system_config(values: Mapping[str, Any]) -> SystemConfig:
    known: dict[str, Any] = {field.name: field.default for field in fields(SystemConfig)}
    added = {"hsf_layers", "activation", "batch_norm", "dropout", "auxiliary_heads", "svm"}  # after the first format 1
    if not set(known) - added <= set(values) <= set(known):
        raise TrainError(f"system has the keys {one_line(sorted(values)[:15])}; expected {', '.join(sorted(known))}")
    values = known = known | dict(values)
    for name in ("batch_norm", "auxiliary_heads"):
        if type(values[name]) is not bool:
            raise TrainError(f"system.{name} is {one_line(values[name])}; expected true or false")
    if values["activation"] not in CHOICES["activation"]:
        raise TrainError(f"system.activation is {one_line(values['activation'])}; expected sigmoid or relu")
    for name in ("dropout", "svm"):
        if type(values[name]) not in (int, float) or not 0 <= values[name] < 1:
            raise TrainError(f"system.{name} is {one_line(values[name])}; expected 0 to 1")
    layers = values["hsf_layers"]
    if not 1 <= len(layers) <= 100 or not all(type(units) is int and 1 <= units <= 65_536 for units in layers):
        raise TrainError(f"system.hsf_layers is {one_line(layers)}; expected units of one or more layers")
    known["hsf_layers"] = tuple(layers)
    for name, most in _MOST.items():
        if type(values[name]) is not int or not 1 <= values[name] <= most:
            raise TrainError(f"system.{name} is {one_line(values[name])}; expected 1 to {most}")
    if values["system"] not in SEGMENTS_OF:
        raise TrainError(f"unknown system {one_line(values['system'])}; expected one of {', '.join(SEGMENTS_OF)}")
    if values["svm"] and "functionals" not in kinds_of(values["system"]):
        raise TrainError("system.svm needs a system that reads functionals, such as hsf-crnn")
    return SystemConfig(**values)


def _statistics(
    values: Mapping[str, Any], config: SystemConfig, features: Features, *, standardisation: str
) -> dict[str, Moments]:
    """Moments of the training part, of every kind that needs them; kinds and sizes agree with the features."""
    wanted = dict.fromkeys(SEGMENTS_OF[config.system], config.n_mels)
    if "functionals" in kinds_of(config.system):
        if config.n_functionals != N_FEATURES or not features.functionals.enabled:
            raise TrainError(f"features and system disagree about functionals; expected {N_FEATURES}")
        wanted["functionals"] = config.n_functionals
    for name in SEGMENTS_OF[config.system]:
        length = features.segments[name].length if name in features.segments else None
        if length != getattr(config, name) or features.logmel.n_mels != config.n_mels:
            raise TrainError(f"features and system disagree about segments named {name!r}")
    found = {}
    for kind in SEGMENTS_OF[config.system] if standardisation == "utterance" else ():
        del wanted[kind]
    for kind, size in wanted.items() if standardisation in ("train", "utterance") else ():
        mean, std = (np.asarray(values[kind][part], np.float64) for part in ("mean", "std"))
        if mean.shape != (size,) or std.shape != (size,) or not np.isfinite([mean, std]).all() or (std < 0).any():
            raise TrainError(f"statistics of {kind!r} are not {size} finite means and deviations")
        found[kind] = Moments(mean, std)
    return found


def _system(path: Path, config: SystemConfig, digest: object) -> nn.Module:
    """The system with its weights; shapes are compared before anything of their size is made."""
    with torch.device("meta"):
        system = make_system(config)
    expected = {name: list(value.shape) for name, value in system.state_dict().items()}
    try:
        most = 4 * sum(value.numel() for value in system.state_dict().values()) + _LARGEST_HEAD
        if path.stat().st_size > most or (path.exists() and not path.is_file()):
            raise TrainError(f"weights.safetensors: {path.stat().st_size} bytes; expected a file of at most {most}")
        data = path.read_bytes()
        head = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
        shapes = {name: list(entry["shape"]) for name, entry in head.items() if name != "__metadata__"}
        if shapes != expected:
            other = next((n for n in {**expected, **shapes} if expected.get(n) != shapes.get(n)), "")
            raise TrainError(
                f"weights.safetensors: {one_line(other)} has shape {one_line(shapes.get(other))}, "
                f"expected {expected.get(other)}"
            )
        tensors = load(data)
    except OSError as error:
        raise TrainError(f"weights.safetensors: {error.strerror}") from None
    except (struct.error, ValueError, TypeError, AttributeError, KeyError, RecursionError, SafetensorError) as error:
        if isinstance(error, TrainError):
            raise
        raise TrainError(f"weights.safetensors: {one_line(error)}; the file is damaged") from None
    if any(value.dtype != torch.float32 or not bool(value.isfinite().all()) for value in tensors.values()):
        raise TrainError("weights.safetensors: weights are not finite float32 numbers")
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        raise TrainError("weights.safetensors: not the weights that were trained (other SHA-256)")
    system.load_state_dict(tensors, assign=True)
    return system.eval()
