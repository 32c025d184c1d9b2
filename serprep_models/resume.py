"""Where a training is, in one safetensors file, so that it survives a kill.

Tensors: weights, Adam's moments, the best weights so far, random states.  Everything
else is JSON in the file's header.  The file appears whole, and one that does not fit,
for whatever reason, is as good as none.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from serprep.files import write_whole
from serprep_models.adam import Adam

#: What a damaged file, or one of another training, leads to.
UNFIT = (
    *(OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError, IndexError, AttributeError),
    *(OverflowError, MemoryError),
)


def write_state(
    path: Path,
    system: nn.Module,
    optimiser: Adam,
    *,
    best: dict[str, Tensor] | None,
    about: dict[str, Any],
) -> None:
    """Write weights, moments, random states, and what `about` says."""
    tensors = {f"system/{name}": value for name, value in system.state_dict().items()}
    tensors |= {f"best/{name}": value for name, value in (best or {}).items()}
    for number, values in enumerate(optimiser.state):
        tensors |= {f"optimiser/{number}/{name}": value for name, value in values.items()}
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state(_device(system))
    whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_whole(path, save(whole, {"about": json.dumps(about), "sha256": _digest(whole, json.dumps(about))}))


def _digest(tensors: Mapping[str, Tensor], about: str) -> str:
    """SHA-256 of all tensors, by name, and of what is said about them."""
    digest = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_state(
    path: Path, system: nn.Module, optimiser: Adam, *, origin: Any
) -> tuple[dict[str, Any], dict[str, Tensor] | None]:
    """Restore what `write_state` wrote; returns what it said about it and the best weights.

    Raises
    ------
    One of `UNFIT`
        System and optimiser are then in no particular state.
    """
    if not path.is_file():
        raise FileNotFoundError(path)
    with safe_open(path, "pt") as file:
        about: dict[str, Any] = json.loads(file.metadata()["about"])
        if about["origin"] != origin:
            raise ValueError("the state of another training")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        if _digest(tensors, file.metadata()["about"]) != file.metadata()["sha256"]:
            raise ValueError("not as it was written")
    parts: dict[str, dict[str, Tensor]] = {"system": {}, "best": {}, "random": {}}
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        kind, _, rest = name.partition("/")
        if kind == "optimiser":
            number, _, rest = rest.partition("/")
            moments.setdefault(int(number), {})[rest] = value
        else:
            parts[kind][rest] = value
    system.load_state_dict(parts["system"])
    expected = {name: value.shape for name, value in system.state_dict().items()}
    if parts["best"] and {name: value.shape for name, value in parts["best"].items()} != expected:
        raise ValueError("best weights of another system")
    if moments:
        optimiser.load(moments)
    torch.set_rng_state(parts["random"]["cpu"])
    if "cuda" in parts["random"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(parts["random"]["cuda"], _device(system))
    return about, parts["best"] or None


def _device(system: nn.Module) -> Any:
    device = next(system.parameters()).device
    return device if device.type == "cuda" else "cuda"
