"""Embeddings of a self-supervised model: by ``transformers`` from safetensors, or any ONNX model by onnxruntime.

Nothing is downloaded: a model is a folder, an ``.onnx`` file, or lies in the user's hub
cache.  What decides values enters keys and versions by its SHA-256, never by its place.
torch, transformers and onnxruntime are imported when the first signal is computed.

Signals are computed one by one on one thread, so that an embedding has the same bits
whatever is computed beside it; processes are what runs in parallel (``docs/decisions.md``).
A signal longer than `Embedding.window` is computed in overlapping windows, and each
frame is taken from the window in whose middle it lies.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from serprep._typing import AnyArray, FloatArray
from serprep.audio.signal import Signal
from serprep.config import check, within
from serprep.errors import FeatureError, SerprepError, one_line
from serprep.features.kind import Extractor, Kind, Say
from serprep.features.libraries import minor

REVISION = 1  # raised whenever a value changes
SAMPLE_RATE = 16_000  # Hz, of all these models
VARIABLE = "SERPREP_MODELS"
WIDEST = 1 << 20  # numbers of a frame
PREPROCESSOR = "preprocessor_config.json"
WHISPER_HOP = 160  # samples of a mel frame; an encoder's frame is two of them

#: Layers → arrays of shape (n_frames, width), one each.
Run = Callable[[FloatArray], list[AnyArray]]


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


@dataclass(frozen=True)
class Model:
    """A model on this disk, as far as it is known without running it."""

    place: Path  # a folder, or an .onnx file
    files: tuple[Path, ...]  # of weights
    settings: Path | None  # config.json
    width: int
    n_layers: int  # that can be asked for, the input of the first included; 0 for ONNX
    stride: int = 0  # samples from frame to frame; 0: it follows from what comes out
    shortest: int = 1  # samples of one frame
    longest: int = 0  # samples that it takes at once, and pads everything to: Whisper's; 0 for any

    @property
    def is_onnx(self) -> bool:
        """Whether onnxruntime computes it."""
        return self.settings is None

    def digests(self) -> tuple[str, str]:
        """SHA-256 of the weights, and of the configuration; "" for none."""
        weights = [_digest_of(path) for path in self.files]
        if len(weights) > 1:  # shards, or an ONNX model with its data beside it
            weights = [hashlib.sha256("".join(weights).encode()).hexdigest()]
        if self.settings is None:
            return weights[0], ""
        configuration, beside = _digest_of(self.settings), self.settings.with_name(PREPROCESSOR)
        if beside.is_file():  # it says how samples are scaled
            configuration = hashlib.sha256((configuration + _digest_of(beside)).encode()).hexdigest()
        return weights[0], configuration


# -- where a model is ----------------------------------------------------------------


def hub_cache() -> Path:
    """The folder in which the Hugging Face hub keeps what a user downloaded."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()


def _places(config: Embedding) -> Iterator[Path]:
    """Where a model of that name may lie, in order."""
    yield Path(config.model).expanduser()
    hub = hub_cache() / f"models--{config.model.replace('/', '--')}"
    try:
        commit = (hub / "refs" / config.revision).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        commit = config.revision
    yield hub / "snapshots" / commit
    for folder in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        yield Path(folder).expanduser() / Path(config.model).name
    if config.weights in _seen:
        yield _seen[config.weights]


_seen: dict[str, Path] = {}  # digest of weights → where this process found them


def find(config: Embedding) -> Model:
    """The model that a configuration names.

    Raises
    ------
    FeatureError
        If there is none, or it is of no kind that can be read.
    """
    if not config.model:
        raise FeatureError("[features.embedding] names no model; expected a folder, an .onnx file or a hub name")
    for place in _places(config):
        try:
            if place.suffix == ".onnx" and place.is_file():
                return _onnx_model(place.resolve(), place.stat().st_mtime_ns)
            if place.is_dir():
                return _transformers_model(place)
        except OSError as error:
            raise FeatureError(f"{one_line(place)}: {one_line(error)}; expected a model") from None
    raise FeatureError(
        f"model {one_line(config.model)!r} is neither a folder nor an .onnx file, and not in the hub cache "
        f"({one_line(hub_cache())}): download it there, or name its parent folder in {VARIABLE}; "
        "serprep downloads nothing"
    )


def _transformers_model(folder: Path) -> Model:
    settings = folder / "config.json"
    try:
        values = json.loads(settings.read_text(encoding="utf-8"))
        if values["model_type"] == "whisper":
            width, n_layers, stride = values["d_model"], values["encoder_layers"], 2 * WHISPER_HOP
            shortest, longest = 1, values["max_source_positions"] * stride
        else:
            width, n_layers, stride = (
                values["hidden_size"],
                values["num_hidden_layers"],
                math.prod(values["conv_stride"]),
            )
            shortest, longest = 1, 0
            for kernel, step in zip(reversed(values["conv_kernel"]), reversed(values["conv_stride"]), strict=True):
                shortest = (shortest - 1) * step + kernel
        if not all(type(number) is int and 0 < number < 1 << 20 for number in (width, n_layers, stride, shortest)):
            raise ValueError("sizes that cannot be")
    except FileNotFoundError:
        raise FeatureError(f"{one_line(folder)} has no config.json; expected a model of transformers") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FeatureError(
            f"{one_line(settings)}: {one_line(repr(error))[:200]}; expected wav2vec 2.0, HuBERT, WavLM, Whisper or a "
            "relative with conv_stride; export others to ONNX"
        ) from None
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        pickled = [path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in sorted(folder.glob(pattern))]
        what = f"weights only as {one_line(pickled[0])}, a pickle that may run code" if pickled else "no weights"
        raise FeatureError(
            f"{one_line(folder)} has {what}; expected model.safetensors: where you trust it, load it once with "
            "transformers and save it again by save_pretrained"
        )
    return Model(folder, tuple(files), settings, width, n_layers + 1, stride, shortest, longest)


@lru_cache(maxsize=8)
def _onnx_model(path: Path, modified: int) -> Model:
    # entries of ModelProto's external data: key "location", then its value
    named = re.findall(rb"\x0a\x08location\x12([\x01-\x7f])([^\x00]{1,127})", path.read_bytes())
    names = {value[: length[0]].decode("utf-8", "replace") for length, value in named}
    files = [path, *(path.parent / name for name in sorted(names))]
    for file in files:
        if file.parent != path.parent or not file.is_file():
            raise FeatureError(f"{one_line(path)} keeps weights in {one_line(file)}; expected a file beside it")
    model = Model(path, tuple(files), None, 0, 0)
    (frames,) = _onnx_run(model, "cpu")(np.zeros(SAMPLE_RATE, np.float32))
    return replace(model, width=frames.shape[1])


@lru_cache(maxsize=64)
def _digest(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of(path: Path) -> str:
    about = path.stat()
    return _digest(path, about.st_size, about.st_mtime_ns)


def settle(config: Embedding) -> Embedding:
    """The configuration with what the model says: digests and width.

    Raises
    ------
    FeatureError
        If the model is not there, or not the one that the configuration names by its digests.
    """
    model = find(config)
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
    _seen[weights] = model.place.resolve()
    return config


def _megabytes_per_hour(config: Embedding, model: Model) -> float:
    stride = model.stride or 320  # of an ONNX model it is not known: that of the others
    return EMBEDDING.n_columns(config) * 4 * 3600 * SAMPLE_RATE / stride / 1e6


# -- running it ----------------------------------------------------------------------


def _module(name: str) -> Any:
    """A package of the extra ``embedding``."""
    try:
        return import_module(name)
    except ImportError as error:
        raise SerprepError(f"embeddings need {name} ({one_line(error)}): pip install serprep[embedding]") from None


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


def _transformers_run(model: Model, config: Embedding, device: str) -> Run:
    """A model of transformers: signal → the layers asked for."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when it is imported
    torch, transformers = _module("torch"), _module("transformers")
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()  # what the weights lack is said below
    if device == "cuda" and not torch.cuda.is_available():
        raise SerprepError('[features.embedding] device is "cuda", and torch finds no GPU here; set "cpu"')
    try:
        network, about = transformers.AutoModel.from_pretrained(
            model.place,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # whatever a model of somebody else's leads to
        raise SerprepError(f"{one_line(model.place)} cannot be loaded: {one_line(error)[:300]}") from None
    unset = sorted(set(about["missing_keys"]) - {"masked_spec_embed"})
    unset = [key for key in unset if not (model.longest and key.startswith("decoder."))]
    if unset or about.get("mismatched_keys"):
        raise SerprepError(
            f"{one_line(model.place)}: the weights lack {len(unset)} tensors, such as "
            f"{one_line((unset or ['none'])[0])}, or give them another shape; they would be random: get the whole model"
        )
    network = (network.encoder if model.longest else network).eval().to(device)
    arrange = _mels(network, transformers, model) if model.longest else _samples
    asked = {"output_hidden_states": True} if config.layers != "last" else {}

    def run(samples: FloatArray) -> list[AnyArray]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the bits of a product may depend on how it is shared out
        try:
            with torch.inference_mode(), torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
                output = network(torch.from_numpy(arrange(samples)).to(device), **asked)
                if config.layers == "last":
                    layers = [output.last_hidden_state]
                elif config.layers == "mean":
                    layers = [torch.stack(output.hidden_states).mean(0)]
                else:
                    layers = [output.hidden_states[number] for number in config.layers]
                arrays = [layer[0].cpu().numpy() for layer in layers]
        finally:
            torch.set_num_threads(threads)
        # Whisper's encoder pads to 30 s; frames of nothing are left out
        return [frames[: -(-len(samples) // model.stride)] for frames in arrays] if model.longest else arrays

    return run


def _preprocessor(model: Model) -> dict[str, Any]:
    path = model.place / PREPROCESSOR
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except (OSError, ValueError, TypeError) as error:
        raise SerprepError(f"{one_line(path)}: {one_line(error)[:200]}; expected JSON") from None


def _samples(samples: FloatArray) -> FloatArray:
    return samples[None]


def _mels(network: Any, transformers: Any, model: Model) -> Callable[[FloatArray], FloatArray]:
    """What Whisper's encoder reads: log-mels, padded to the length that it is made for."""
    known = {"feature_size": network.config.num_mel_bins} | _preprocessor(model)
    made = transformers.WhisperFeatureExtractor(
        **{key: value for key, value in known.items() if key not in ("feature_extractor_type", "processor_class")}
    )

    def mels(samples: FloatArray) -> FloatArray:
        features = made(
            samples, sampling_rate=SAMPLE_RATE, padding="max_length", max_length=model.longest, return_tensors="np"
        )
        return np.asarray(features["input_features"], np.float32)

    return mels


def _onnx_run(model: Model, device: str) -> Run:
    """An ONNX model: signal (1, n) → (n_frames, d), or (1, n_frames, d)."""
    runtime = _module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    wanted = ["CUDAExecutionProvider"] if device == "cuda" else []
    providers = [name for name in wanted if name in runtime.get_available_providers()] + ["CPUExecutionProvider"]
    place = one_line(model.place)
    try:
        session = runtime.InferenceSession(str(model.place), options, providers=providers)
        (entry,) = session.get_inputs()
    except Exception as error:  # of onnxruntime's own many sorts
        raise FeatureError(f"{place} cannot be loaded: {one_line(error)[:300]}; expected one input") from None

    def run(samples: FloatArray) -> list[AnyArray]:
        try:
            frames = np.asarray(session.run(None, {entry.name: samples[None]})[0])
        except Exception as error:
            raise FeatureError(f"{place}: {one_line(error)[:300]}; expected signal (1, n)") from None
        frames = frames[0] if frames.ndim == 3 and len(frames) == 1 else frames
        if frames.ndim != 2:
            raise FeatureError(f"{place} gives shape {frames.shape}; expected (n_frames, d)")
        return [frames.astype(np.float32)]

    return run


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
        there = place.exists() or place.suffix == ".onnx" or config.model.startswith((".", "~"))
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
            model = find(config)
            run = (
                _onnx_run(model, _device(config))
                if model.is_onnx
                else _transformers_run(model, config, _device(config))
            )
        except FeatureError as error:  # no fault of a recording
            raise SerprepError(str(error)) from None
        normalised = not (model.is_onnx or model.longest) and _preprocessor(model).get("do_normalize") is True
        window, hop = _geometry(config, model)

        def embedding(samples: FloatArray) -> FloatArray:
            if len(samples) < model.shortest:
                raise FeatureError(f"{len(samples)} samples are fewer than one frame ({model.shortest}); leave it out")
            samples = _normalised(samples) if normalised else samples
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
            size = _megabytes_per_hour(settle(config), find(config))
            say(f"embedding: frames of {self.n_columns(config)} numbers, {size:.0f} MB per hour of recordings")

    def sample_rate(self, config: Embedding) -> int:
        return SAMPLE_RATE

    def check(self, config: Embedding, signal: Signal) -> None:
        if not config.model:
            find(config)

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
