"""Embeddings of a self-supervised model: by ``transformers`` from safetensors, or any ONNX model by onnxruntime.

Nothing is downloaded: a model is a folder, an ``.onnx`` file, or lies in the user's hub
cache.  What decides values enters keys and versions by its SHA-256, never by its place.
torch, transformers and onnxruntime are imported when the first signal is computed.

Signals are computed one by one on one thread, so that an embedding has the same bits
whatever is computed beside it; processes are what runs in parallel (``docs/decisions.md``).
A signal longer than `Embedding.window` is computed in overlapping windows, and each
frame is taken from the window in whose middle it lies.
"""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from serprep._typing import FloatArray
from serprep.audio.signal import Signal
from serprep.config import check, within
from serprep.errors import FeatureError, SerprepError, one_line
from serprep.features.embedding_model import SAMPLE_RATE, SEEN, Model, Run, find_model
from serprep.features.kind import Extractor, Kind, Say
from serprep.features.libraries import minor

REVISION = 1  # raised whenever a value changes
WIDEST = 1 << 20  # numbers of a frame


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Configuration of ``[features.embedding]``; `weights`, `configuration` and `width` are found in the model."""

    model: str = ""  # a folder, an .onnx file, or a name in the hub cache
    revision: str = "main"  # of a name in the hub cache
    layers: str | tuple[int, ...] = "last"  # or "mean" of all, or numbers: 0 is what enters the first layer
    pooling: Literal["mean", "mean+std", "none"] = "mean"  # over frames; "none" is a contour
    window: float = within(1, 600, default=20.0, unit="s")  # computed at once
    overlap: float = 2.0  # seconds that two windows share
    device: Literal["auto", "cpu", "cuda"] = "auto"  # a GPU where there is one
    #: of recordings, for pooling "none"
    max_megabytes_per_hour: float = within(0, math.inf, above=True, below=True, default=1000.0)
    weights: str = ""  # SHA-256, checked where it is given
    configuration: str = ""  # SHA-256 of config.json, checked where it is given
    width: int = 0  # numbers of a frame in one layer

    def __post_init__(self) -> None:
        if self.layers not in ("last", "mean"):
            numbers = self.layers if isinstance(self.layers, tuple) else ()
            fine = all(type(number) is int and number >= 0 for number in numbers) and len(set(numbers)) == len(numbers)
            if not numbers or not fine:
                raise FeatureError(
                    f'layers is {one_line(repr(self.layers))}; expected "last", "mean", or different numbers from 0'
                )
        check(self, FeatureError, "features.embedding")
        if not 0.1 <= self.overlap <= self.window / 2:
            raise FeatureError(f"overlap is {self.overlap}; expected 0.1 s to half a window ({self.window / 2} s)")
        n_layers = len(self.layers) if isinstance(self.layers, tuple) else 1
        if not 0 <= self.width * n_layers <= WIDEST:
            raise FeatureError(f"width is {self.width}; expected at most {WIDEST} numbers of all layers")
        for digest in filter(None, (self.weights, self.configuration)):
            if not re.fullmatch("[0-9a-f]{64}", digest):
                raise FeatureError(f"{one_line(digest)[:80]!r} is no SHA-256; expected 64 hexadecimal digits")


def _model(config: Embedding) -> Model:
    return find_model(config.model, config.revision, config.weights)


def settle(config: Embedding) -> Embedding:
    """The configuration with what the model says: digests and width.

    Raises
    ------
    FeatureError
        If the model is not there, or not the one that the configuration names by its digests.
    """
    model = _model(config)
    weights, configuration = model.digests()
    for what, wanted, there in (
        ("weights", config.weights, weights),
        ("configuration", config.configuration, configuration),
    ):
        if wanted and wanted != there:
            raise FeatureError(
                f"{one_line(model.place)} is another model: its {what} have SHA-256 {there[:12]}, "
                f"expected {one_line(wanted)[:12]}; name the one that was used, or build anew"
            )
    if config.width and config.width != model.width:
        raise FeatureError(
            f"{one_line(model.place)} gives {model.width} numbers a frame, not {config.width}; remove width"
        )
    if isinstance(config.layers, tuple) and max(config.layers) >= model.n_layers:
        raise FeatureError(
            f"layers is {list(config.layers)}; {one_line(model.place)} has 0 to {model.n_layers - 1}"
            if model.n_layers
            else f'layers is {list(config.layers)}; of an ONNX model expected "last"'
        )
    if config.layers == "mean" and not model.n_layers:
        raise FeatureError('layers is "mean"; of an ONNX model expected "last"')
    config = replace(config, weights=weights, configuration=configuration, width=model.width)
    if config.pooling == "none":
        megabytes = _megabytes_per_hour(config, model)
        if megabytes > config.max_megabytes_per_hour:
            raise FeatureError(
                f"frames of {EMBEDDING.n_columns(config)} numbers are {megabytes:.0f} MB per hour of recordings, over "
                f"max_megabytes_per_hour = {config.max_megabytes_per_hour:g}: pool them, take fewer layers, or raise it"
            )
    SEEN[weights] = model.place.resolve()
    return config


def _megabytes_per_hour(config: Embedding, model: Model) -> float:
    stride = model.stride or 320  # of an ONNX model it is not known: that of the others
    return EMBEDDING.n_columns(config) * 4 * 3600 * SAMPLE_RATE / stride / 1e6


def _library(name: str) -> str:
    try:
        return minor(version(name))
    except PackageNotFoundError:
        raise FeatureError(f"embeddings need the package {name}: pip install serprep[embedding]") from None


def _device(config: Embedding) -> Literal["cpu", "cuda"]:
    """What computes: "cpu", or "cuda" where torch is built for it and the machine has one."""
    if config.device != "auto":
        return config.device
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    there = Path("/dev/nvidiactl").exists() and not hidden
    return "cuda" if there and not version("torch").endswith("+cpu") else "cpu"  # asked without importing it


def _normalised(samples: FloatArray) -> FloatArray:
    """Mean 0 and variance 1, as ``Wav2Vec2FeatureExtractor`` makes them."""
    scaled = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    return np.asarray(scaled, np.float32)


def windows(n_samples: int, *, window: int, hop: int) -> Iterator[tuple[int, int, float, float]]:
    """Start and stop of each window, and the samples whose frames it gives.

    Examples
    --------
    >>> list(windows(100, window=60, hop=40))
    [(0, 60, 0, 50.0), (40, 100, 50.0, inf)]
    >>> list(windows(60, window=60, hop=40))
    [(0, 60, 0, inf)]
    """
    first: float = 0
    for start in range(0, max(1, n_samples - (window - hop)), hop):
        stop = min(n_samples, start + window)
        last = math.inf if stop == n_samples else start + hop + (window - hop) / 2
        yield start, stop, first, last
        if stop == n_samples:
            return
        first = last


def frames_of(samples: FloatArray, run: Run, *, stride: int, window: int, hop: int) -> Iterator[FloatArray]:
    """Frames of a signal of any length, shape (n, n_layers * width), window by window."""
    for start, stop, first, last in windows(len(samples), window=window, hop=hop):
        frames = np.concatenate(run(np.ascontiguousarray(samples[start:stop])), axis=1)
        step = stride or (stop - start) / max(1, len(frames))
        at = start + step * np.arange(len(frames))
        yield frames[(at >= first) & (at < last)]


def pooled(parts: Iterator[FloatArray], pooling: str) -> FloatArray:
    """Frames that come in parts → one vector, or the frames themselves; sums are of double precision.

    Examples
    --------
    >>> pooled(iter([np.array([[1.0], [3.0]], np.float32)]), "mean+std").tolist()
    [2.0, 1.0]
    """
    if pooling == "none":
        return np.concatenate(list(parts)).astype(np.float32, copy=False)
    n, total, squares = 0, np.float64(0), np.float64(0)
    for part in parts:
        frames = part.astype(np.float64)
        n += len(frames)
        total = total + frames.sum(axis=0)
        squares = squares + np.square(frames).sum(axis=0)
    mean = total / max(n, 1)
    rows = [mean] if pooling == "mean" else [mean, np.sqrt(np.maximum(squares / max(n, 1) - mean**2, 0))]
    return np.concatenate(rows).astype(np.float32)


class _Embedding(Kind[Embedding]):
    name = "embedding"
    config = Embedding
    shape = "row"
    revision = REVISION
    dimensions = ("", "dimension")

    def shape_of(self, config: Embedding) -> Literal["row", "contour"]:
        return "contour" if config.pooling == "none" else "row"

    def located(self, config: Embedding, folder: Path) -> Embedding:
        place = folder / Path(config.model).expanduser()
        there = os.path.exists(place) or place.suffix == ".onnx" or config.model.startswith((".", "~"))  # noqa: PTH110
        return replace(config, model=str(place.resolve())) if config.model and there else config

    def settled(self, config: Embedding) -> Embedding:
        return replace(settle(config), device=_device(config))

    def plain(self, config: Embedding) -> dict[str, Any]:
        config = config if config.weights and config.width else settle(config)
        is_place = Path(config.model).is_absolute() or config.model.startswith((".", "~"))
        values = asdict(config) | {"model": Path(config.model).name if is_place else config.model}
        if isinstance(config.layers, tuple):
            values["layers"] = list(config.layers)
        return {key: value for key, value in values.items() if key not in ("device", "max_megabytes_per_hour")}

    def settings(self, config: Embedding) -> dict[str, Any]:
        plain = self.plain(config)
        return {self.name: {key: value for key, value in plain.items() if key not in ("model", "revision")}}

    def names(self, config: Embedding) -> tuple[str, ...]:
        width = config.width or settle(config).width
        layers = [f"layer{number}_" for number in config.layers] if isinstance(config.layers, tuple) else [""]
        pools = {"mean": ["mean_"], "mean+std": ["mean_", "std_"], "none": [""]}[config.pooling]
        return tuple(f"{pool}{layer}{i}" for pool in pools for layer in layers for i in range(width))

    def extractor(self, config: Embedding, signal: Signal) -> Extractor:
        try:
            config = settle(config)
            model = _model(config)
            run = model.run(config.layers, _device(config))
        except FeatureError as error:  # no fault of a recording
            raise SerprepError(str(error)) from None
        normalises = model.normalises
        window, hop = _geometry(config, model)

        def embedding(samples: FloatArray) -> FloatArray:
            if len(samples) < model.shortest:
                raise FeatureError(f"{len(samples)} samples are fewer than one frame ({model.shortest}); leave it out")
            samples = _normalised(samples) if normalises else samples
            try:
                values = pooled(frames_of(samples, run, stride=model.stride, window=window, hop=hop), config.pooling)
            except RuntimeError as error:  # torch's, such as a GPU without memory: no fault of a recording
                raise SerprepError(f"{one_line(model.place)}: {one_line(error)[:300]}") from None
            if not np.isfinite(values).all():
                raise FeatureError(f"{one_line(model.place)} gives values that are not finite; leave it out")
            return values

        return embedding

    def prepare(self, config: Embedding, say: Say | None) -> None:
        self.identity(config)
        if say and config.pooling == "none":
            size = _megabytes_per_hour(settle(config), _model(config))
            say(f"embedding: frames of {self.n_columns(config)} numbers, {size:.0f} MB per hour of recordings")

    def sample_rate(self, config: Embedding) -> int:
        return SAMPLE_RATE

    def check(self, config: Embedding, signal: Signal) -> None:
        if not config.model:
            _model(config)

    def licence(self, config: Embedding) -> str:
        return f"embedding: values of the model {one_line(self.plain(config)['model'])}, whose licence holds for them"

    def identity(self, config: Embedding) -> dict[str, Any]:
        if config.model.endswith(".onnx"):
            return {"onnxruntime": _library("onnxruntime"), "device": _device(config)}
        return {"torch": _library("torch"), "transformers": _library("transformers"), "device": _device(config)}


def _geometry(config: Embedding, model: Model) -> tuple[int, int]:
    """Samples of a window, and from one to the next: whole frames."""
    step = model.stride or 1
    window = round(config.window * SAMPLE_RATE) // step * step
    window = min(window, model.longest) if model.longest else window
    overlap = min(round(config.overlap * SAMPLE_RATE), window // 2)
    return window, max(1, (window - overlap) // step) * step


EMBEDDING = _Embedding()
