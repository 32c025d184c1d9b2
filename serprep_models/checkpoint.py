"""A trained system on disk: weights as safetensors, everything else as JSON beside them; no pickle.

What a checkpoint says is believed only after it was checked: types, sizes and shapes
first, and only then are weights allocated.  Nothing in it names a file.
"""

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from serprep._json import canonical_json
from serprep.config import configured, hints_of, words_of
from serprep.errors import FeatureError, RecipeError, TrainError, brief, one_line
from serprep.features.extract import Features, features_from_json
from serprep.files import write_whole
from serprep.recipe import TrainConfig, is_scale
from serprep.store.claims import missing_kinds
from serprep.store.store import Store
from serprep.systems import SYSTEMS, is_row, shapes_of
from serprep_models.catalogue import resolve
from serprep_models.scores.calibration import Calibration
from serprep_models.standardise import Moments, Statistics
from serprep_models.system import SystemConfig
from serprep_models.train import Trained, narrowed

FORMAT = 2  # 1 had one list of keys for all systems
NUMBERS = 3  # of a system that says numbers, whose scales stand in it: an older serprep takes them for logits
BOTH = 4  # of one that says numbers and, in outputs behind these, logits of the labels that stand in it
STANDARDISATIONS = words_of(hints_of(TrainConfig)["standardisation"])
WEIGHTS, ABOUT = "weights.safetensors", "checkpoint.json"
DTYPES = ("float32", "float16")  # of the segments it was trained on
_LARGEST = 256 << 20  # bytes of checkpoint.json
_LARGEST_HEAD = 1 << 20  # bytes of what safetensors say before the weights
_MOST_LABELS, _LARGEST_SIZE = 10_000, 1_000_000

Scales = Mapping[str, tuple[float, float]]


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
    calibration: Calibration | None = None
    scales: Scales = field(default_factory=dict)  # of a system that says numbers, which `labels` names


def write_checkpoint(
    folder: Path,
    trained: Trained,
    *,
    store: Store,
    statistics: Statistics,
    how: TrainConfig,
    origin: Mapping[str, Any],
    calibration: Calibration | None = None,
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
    calibration : Calibration, optional
        How its probabilities become true ones.
    """
    numbers = bool(how.dimensions)
    tensors: dict[str, Tensor] = {name: value.cpu().contiguous() for name, value in trained.system.state_dict().items()}
    about = {
        "format": BOTH if how.emotion_weight else NUMBERS if numbers else FORMAT,
        "system": {
            "name": trained.config.system,
            "n_labels": trained.config.n_labels,
            "inputs": trained.config.shapes,
            "options": asdict(trained.config.options),
        },
        "features": store.features.to_json(),
        **{key: store.attributes[key] for key in ("kinds",) if key in store.attributes},
        "segment_dtype": store.attributes["segment_dtype"],
        "labels": list(how.dimensions or store.labels),
        **({"scales": {name: list(how.scales[name]) for name in how.dimensions}} if numbers else {}),
        **({"beside": list(store.labels)} if how.emotion_weight else {}),
        "standardisation": how.standardisation,
        "enrol": how.enrol,
        "statistics": {
            name: {"mean": moments.mean.tolist(), "std": moments.std.tolist()}
            for name, moments in statistics.items()
            if isinstance(moments, Moments)
        },
        **({} if calibration is None else {"calibration": asdict(calibration)}),
        **({"revision": revision} if (revision := SYSTEMS[trained.config.system].revision) else {}),
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
    folders = sorted(path.parent for path in place.rglob(ABOUT))
    if not folders:
        raise TrainError(f"{one_line(place)}: {_why_none(place)}")
    return folders


def _why_none(place: Path) -> str:
    """Why there is no checkpoint below a folder, and what to do."""
    systems = {path.resolve().parents[2].name for path in place.rglob("result.json")}
    systems &= set(SYSTEMS.names)
    floors = {name for name in systems if SYSTEMS[name].floor}
    if systems - floors:
        return (
            f"results of {one_line(', '.join(sorted(systems - floors)))} by an older serprep, which kept no "
            "checkpoint; run `serprep train` with the recipe again: it adds one, and trains nothing else anew"
        )
    if floors:
        names = ", ".join(sorted(floors))
        return f"{names} keeps no checkpoint, since it says the same of every recording; name another system's folder"
    return "no checkpoint there; expected a folder that `serprep train` wrote for a system, or one above"


def read_checkpoint(folder: Path, *, emotion: bool = False) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Parameters
    ----------
    folder : Path
        The folder, or one of its two files.
    emotion : bool
        Of a system that says numbers, take the labels that it learnt beside instead.

    Raises
    ------
    TrainError
        If a file is missing, damaged, or not what this serprep writes, or there is nothing beside.
    """
    folder = folder.parent if folder.name in (WEIGHTS, ABOUT) else folder
    place = one_line(folder)
    about = _read_json(folder / ABOUT)
    try:
        if about["format"] not in (1, FORMAT, NUMBERS, BOTH) or type(about["format"]) is not int:
            raise TrainError(f"{place}: checkpoint has format {brief(about['format'], 20)}, this serprep reads {BOTH}")
        claims = {"kinds": about.get("kinds", {}), "configurations": {"features": about["features"]}}
        features = features_from_json(about["features"], missing_kinds(claims))
        config = _system_config(_renamed(about["system"]) if about["format"] == 1 else about["system"], features)
        both, of_numbers = about["format"] == BOTH, about["format"] in (NUMBERS, BOTH)
        own, beside = tuple(about["labels"]), tuple(about["beside"]) if both else ()
        _check_labels(own, beside, n_labels=config.n_labels)
        dtype = _one_of(DTYPES, "segment_dtype", about.get("segment_dtype", "float32"))
        standardisation = _one_of(STANDARDISATIONS, "standardisation", about.get("standardisation", "train"))
        enrol = about.get("enrol", 0)
        if type(enrol) is not int or enrol < 0:
            raise TrainError(f"enrol is {one_line(enrol)}; expected a whole number")
        scales = _scales(about["scales"], own) if of_numbers else {}
        calibration = Calibration.read(about["calibration"]) if "calibration" in about else None
        statistics = _statistics(about["statistics"], config, features, standardisation=standardisation)
        if about.get("sha256", digest := _digest(about)) != digest:  # those of an older serprep have none
            raise TrainError("checkpoint.json is not as it was written (other SHA-256)")
        trained = Trained(_system(folder / WEIGHTS, config, about.get("weights_sha256")), config)
        if both and not (own and beside):
            raise TrainError("it says numbers and labels, and names none; expected both")
        if both:
            trained = narrowed(trained, slice(len(own), None) if emotion else slice(len(own)))
    except TrainError as error:
        again = "" if SYSTEMS.without in str(error) else "; train it again"  # it may be fine, and its package missing
        raise TrainError(f"{place}: {brief(error, 1000)}{again}") from None
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, FeatureError) as error:
        raise TrainError(f"{place}: checkpoint.json: {brief(error)}; expected what `serprep train` writes") from None
    if emotion and not both:
        raise TrainError(f"{place}: no emotion was learnt beside numbers; train with [train] emotion_weight")
    return Checkpoint(
        system=trained.system,
        config=trained.config,
        features=features,
        segment_dtype=dtype,
        labels=beside if emotion else own,
        standardisation=standardisation,
        enrol=enrol,
        statistics=statistics,
        about=about,
        calibration=calibration,
        scales={} if emotion else scales,
    )


def _check_labels(own: tuple[Any, ...], beside: tuple[Any, ...], *, n_labels: int) -> None:
    """Raise a TrainError unless these are names for all outputs, each once among its own."""
    labels = (*own, *beside)
    different = all(len(set(names)) == len(names) for names in (own, beside))
    if len(labels) != n_labels or not different or not all(map(_is_name, labels)):
        raise TrainError(f"labels {one_line(list(labels)[:5])} are not {n_labels} different names")


def _one_of(known: Sequence[str], name: str, value: Any) -> str:
    """The value, which must be one of those known."""
    if value not in known:
        raise TrainError(f"{name} is {one_line(value)}; expected one of {', '.join(known)}")
    return str(value)


def _scales(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """Where the scale of each number begins and ends."""
    if tuple(values) != names or not all(map(is_scale, values.values())):
        raise TrainError(f"scales are {one_line(values)}; expected two ends for each of {one_line(list(names)[:5])}")
    return {name: (float(low), float(high)) for name, (low, high) in values.items()}


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


def _renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The system of a checkpoint of format 1, which had the keys of all systems, as it is written now."""
    spec = SYSTEMS[values["system"]]
    names = spec.formerly
    fields_ = hints_of(spec.options)
    options = {names.get(key, key): value for key, value in values.items() if names.get(key, key) in fields_}
    width, rows = values["n_mels"], values["n_functionals"]
    shapes = {"short": [values["short"], width], "long": [values["long"], width], "functionals": [rows]}
    inputs = spec.inputs(spec.options(), Features())
    return {
        "name": values["system"],
        "n_labels": values["n_labels"],
        "inputs": {name: shapes[name] for name in inputs},
        "options": options,
    }


def _system_config(values: Mapping[str, Any], features: Features) -> SystemConfig:
    """What a checkpoint says of its system, which agrees with its features."""
    if set(values) != {"name", "n_labels", "inputs", "options"}:
        raise TrainError(
            f"system has the keys {one_line(sorted(values)[:15])}; expected name, n_labels, inputs, options"
        )
    name, n_labels = values["name"], values["n_labels"]
    if not isinstance(name, str):
        raise TrainError(f"system.name is {one_line(name)}; expected text")
    if type(n_labels) is not int or not 1 <= n_labels <= _MOST_LABELS:
        raise TrainError(f"system.n_labels is {one_line(n_labels)}; expected 1 to {_MOST_LABELS}")
    if not isinstance(values["options"], dict):
        raise TrainError(f"system.options is {one_line(values['options'])}; expected a table")
    spec = SYSTEMS[name]
    try:
        options = configured(spec.options, values["options"], "system.options")
        shapes = shapes_of(spec.inputs(options, features), features)
    except (RecipeError, TrainError) as error:
        raise TrainError(f"features and system disagree, or its options are none: {error}") from None
    if {name: list(shape) for name, shape in shapes.items()} != values["inputs"]:
        raise TrainError("features and system disagree about the shapes of what it reads")
    if max((size for shape in shapes.values() for size in shape), default=0) > _LARGEST_SIZE:
        raise TrainError(f"system.inputs has sizes above {_LARGEST_SIZE}")
    return SystemConfig(system=name, n_labels=n_labels, shapes=shapes, options=options)


def _statistics(
    values: Mapping[str, Any], config: SystemConfig, features: Features, *, standardisation: str
) -> dict[str, Moments]:
    """Moments of the training part, of every input that needs them."""
    wanted = {name: shape[-1] for name, shape in config.shapes.items()}
    if standardisation == "utterance":  # then only rows do
        wanted = {name: wanted[name] for name, shape in config.shapes.items() if is_row(name, features)}
    read = {}
    for name, size in wanted.items() if standardisation in ("train", "utterance") else ():
        mean, std = (np.asarray(values[name][part], np.float64) for part in ("mean", "std"))
        if mean.shape != (size,) or std.shape != (size,) or not np.isfinite([mean, std]).all() or (std < 0).any():
            raise TrainError(f"statistics of {name!r} are not {size} finite means and deviations")
        read[name] = Moments(mean, std)
    return read


def _system(path: Path, config: SystemConfig, digest: object) -> nn.Module:
    """The system with its weights; shapes are compared before anything of their size is made."""
    with torch.device("meta"):
        system: nn.Module = SYSTEMS[config.system].whole(config.options, config.shapes, config.n_labels)
    own = system.state_dict()
    expected = {name: list(value.shape) for name, value in own.items()}
    try:
        most = sum(value.numel() * value.element_size() for value in own.values()) + _LARGEST_HEAD
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
    for name, value in tensors.items():
        if value.dtype != own[name].dtype or not bool(value.isfinite().all()):
            kind = str(own[name].dtype).removeprefix("torch.")
            raise TrainError(f"weights.safetensors: {one_line(name)}: not finite {kind} numbers")
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        raise TrainError("weights.safetensors: not the weights that were trained (other SHA-256)")
    system.load_state_dict(tensors, assign=True)
    return system.eval()
