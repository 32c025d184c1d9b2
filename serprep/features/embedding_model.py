"""Models of somebody else's that turn signals into frames: where they lie, what they are, how they are run.

By ``transformers`` from safetensors, or ONNX by onnxruntime; a pickle is never read, and
nothing is downloaded.  Each is imported when a model is run first.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from serprep._typing import AnyArray, FloatArray
from serprep.errors import FeatureError, SerprepError, one_line

SAMPLE_RATE = 16_000  # Hz, of all these models
VARIABLE = "SERPREP_MODELS"
PREPROCESSOR = "preprocessor_config.json"
WHISPER_HOP = 160  # samples of a mel frame; an encoder's frame is two of them

#: Layers → arrays of shape (n_frames, width), one each.
Run = Callable[[FloatArray], list[AnyArray]]


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

    @property
    def normalises(self) -> bool:
        """Whether it was trained on samples of mean 0 and variance 1."""
        return not (self.is_onnx or self.longest) and _preprocessor(self).get("do_normalize") is True

    def run(self, layers: str | tuple[int, ...], device: str) -> Run:
        """Load it: signal → the layers asked for, "last", "mean" of all, or these."""
        return _onnx_run(self, device) if self.is_onnx else _transformers_run(self, layers, device)

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


def hub_cache() -> Path:
    """The folder in which the Hugging Face hub keeps what a user downloaded."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()


def _places(name: str, revision: str, weights: str) -> Iterator[Path]:
    """Where a model of that name may lie, in order."""
    yield Path(name).expanduser()
    hub = hub_cache() / f"models--{name.replace('/', '--')}"
    try:
        commit = (hub / "refs" / revision).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        commit = revision
    yield hub / "snapshots" / commit
    for folder in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        yield Path(folder).expanduser() / Path(name).name
    if weights in SEEN:
        yield SEEN[weights]


SEEN: dict[str, Path] = {}  # digest of weights → where this process found them


def find_model(name: str, revision: str, weights: str) -> Model:
    """The model of that name, at that revision of the hub's; or the one of these weights that was seen before.

    Raises
    ------
    FeatureError
        If there is none, or it is of no kind that can be read.
    """
    if not name:
        raise FeatureError("[features.embedding] names no model; expected a folder, an .onnx file or a hub name")
    for place in _places(name, revision, weights):
        try:
            if place.suffix == ".onnx" and place.is_file():
                return _onnx_model(place.resolve(), place.stat().st_mtime_ns)
            if place.is_dir():
                return _transformers_model(place)
        except OSError as error:
            raise FeatureError(f"{one_line(place)}: {one_line(error)}; expected a model") from None
    raise FeatureError(
        f"model {one_line(name)!r} is neither a folder nor an .onnx file, and not in the hub cache "
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


def _module(name: str) -> Any:
    """A package of the extra ``embedding``."""
    try:
        return import_module(name)
    except ImportError as error:
        raise SerprepError(f"embeddings need {name} ({one_line(error)}): pip install serprep[embedding]") from None


def _transformers_run(model: Model, wanted: str | tuple[int, ...], device: str) -> Run:
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
    asked = {"output_hidden_states": True} if wanted != "last" else {}

    def run(samples: FloatArray) -> list[AnyArray]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the bits of a product may depend on how it is shared out
        try:
            with torch.inference_mode(), torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
                output = network(torch.from_numpy(arrange(samples)).to(device), **asked)
                if wanted == "last":
                    layers = [output.last_hidden_state]
                elif wanted == "mean":
                    layers = [torch.stack(output.hidden_states).mean(0)]
                else:
                    layers = [output.hidden_states[number] for number in wanted]
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
