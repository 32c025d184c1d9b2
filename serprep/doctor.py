"""Whether this installation can do its work: what is missing, old, full or broken, and how to mend it."""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from serprep.errors import one_line
from serprep.plugins import Registry

ROOM = 2_000_000_000  # bytes that a data set of ten hours and its cache need
AXES = (
    "serprep.features.kinds:REGISTRY",
    "serprep.systems:SYSTEMS",
    "serprep.corpora:READERS",
    "serprep.exports:FORMS",
)


@dataclass(frozen=True)
class Finding:
    """What was looked at, and what is to be done.

    Attributes
    ----------
    part : str
        Such as "numpy" or "free space".
    state : str
        "ok"; "optional" for what is missing and only some need; "wrong".
    text : str
        What is there.
    remedy : str
        "" where nothing is to be done.
    """

    part: str
    state: Literal["ok", "optional", "wrong"]
    text: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Look at everything, one part after the other; no part stops the others.

    Yields
    ------
    Finding
    """
    parts: tuple[Callable[[], Iterator[Finding]], ...] = (_python, _packages, _sound, _compiled, _plugins, _machine)
    for look in (*parts, _places, _gpu):
        try:
            yield from look()
        except Exception as error:  # whatever is broken here is what is looked for
            what = look.__name__.strip("_")
            yield Finding(what, "wrong", one_line(f"{type(error).__name__}: {error}"), "install serprep again")


def _python() -> Iterator[Finding]:
    yield Finding("serprep", "ok", f"{version('serprep')} in {Path(__file__).parent}")
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}")


def _packages() -> Iterator[Finding]:
    """What `pyproject.toml` asks for; of the extras those that a user may want."""
    extras: dict[str, list[str]] = {}
    seen: set[str] = set()  # several extras ask for torch
    for requirement in map(Requirement, requires("serprep") or ()):
        extra = next((name for name in _EXTRAS if _asked(requirement, name)), "")
        if not extra and not _asked(requirement, ""):
            continue
        try:
            there = version(requirement.name)
        except PackageNotFoundError:
            there = ""
        if there and requirement.name in seen:
            continue
        seen.add(requirement.name)
        fits = bool(there) and requirement.specifier.contains(there, prereleases=True)
        if extra and not there:
            extras.setdefault(extra, []).append(requirement.name)
        elif fits:
            yield Finding(requirement.name, "ok", there)
        else:
            text = f"{there or 'not installed'}; expected {requirement.specifier}"
            yield Finding(requirement.name, "wrong", text, f'pip install "{requirement.name}{requirement.specifier}"')
    for extra, missing in extras.items():
        yield Finding(
            f"extra {extra}",
            "optional",
            f"{', '.join(missing)} not installed; needed {_EXTRAS[extra]}",
            f'pip install "serprep[{extra}]"',
        )


_NETWORKS = "torch"  # asked for by name: serprep runs without it
_EXTRAS = {
    "train": "to train, run and predict",
    "embedding": "for self-supervised models",
    "browse": "for `serprep browse`",
    "onnx": "for `serprep onnx`",
    "s3": "for data sets at s3:// addresses",
    "audformat": "for databases of audformat",
    "tensorboard": "to watch trainings",
}


def _asked(requirement: Requirement, extra: str) -> bool:
    """Whether an extra, or "" for none, asks for it."""
    return (
        requirement.marker is None
        if not extra
        else bool(
            requirement.marker and requirement.marker.evaluate({"extra": extra}) and requirement.name != "serprep"
        )
    )


def _sound() -> Iterator[Finding]:
    import soundfile

    formats = soundfile.available_formats()
    missing = [form for form in ("WAV", "FLAC", "OGG", "MP3") if form not in formats]
    yield Finding(
        "libsndfile",
        "wrong" if missing else "ok",
        soundfile.__libsndfile_version__ + (f", cannot read {', '.join(missing)}" if missing else ", reads wav to mp3"),
        "pip install --force-reinstall soundfile" if missing else "",
    )


def _compiled() -> Iterator[Finding]:
    """Whether machine code of the native features is kept, and where."""
    from serprep.features.compare_2016 import compiled, framing

    folder = compiled.folder_for(Path(framing.__file__))
    if folder is None:
        yield Finding("compiled code", "wrong", "no folder for it can be written: each process compiles anew", _NUMBA)
        return
    there = any(folder.glob(f"*{compiled.SUFFIX}"))
    yield Finding("compiled code", "ok", f"{'kept' if there else 'will be kept, after the first use,'} in {folder}")


_NUMBA = "set NUMBA_CACHE_DIR to a folder that can be written"


def _plugins() -> Iterator[Finding]:
    for place in AXES:
        module, _, name = place.partition(":")
        registry: Registry[object] = getattr(import_module(module), name)
        for brought in registry.names:
            if package := registry.brought_by(brought):
                try:
                    registry[brought]
                except Exception as error:
                    yield Finding(f"{registry.group} {brought}", "wrong", one_line(error), f"update {package}")
                else:
                    yield Finding(f"{registry.group} {brought}", "ok", package)


def _machine() -> Iterator[Finding]:
    from serprep.parallel import n_cores

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    size = f", {memory / 1e9:.0f} GB of memory" if memory else ""
    yield Finding("workers", "ok", f"{n_cores()} by default, one per core that this process may use{size}")


def _places() -> Iterator[Finding]:
    from serprep.cache.place import shared_place
    from serprep.place.place import at

    for what, folder, remedy in (
        ("cache", shared_place(os.environ), "set SERPREP_CACHE to a folder that can be written"),
        ("temporary folder", tempfile.gettempdir(), "set TMPDIR to a folder that can be written"),
        ("working directory", os.getcwd(), "change to a folder that can be written"),  # noqa: PTH109 - its own name
    ):
        if not folder or not at(folder).direct():
            yield Finding(what, "ok", one_line(folder) or "beside each data set")
            continue
        there = next(path for path in (Path(folder), *Path(folder).parents) if path.is_dir())
        free = shutil.disk_usage(there).free
        text = f"{one_line(folder)}, {free / 1e9:.1f} GB free"
        if not os.access(there, os.W_OK):
            # a cache that cannot be written lies beside the stores instead
            state: Literal["optional", "wrong"] = "optional" if what == "cache" else "wrong"
            yield Finding(what, state, f"{one_line(folder)} cannot be written", remedy)
        elif free < ROOM:
            yield Finding(what, "wrong", text, f"make room: {ROOM / 1e9:.0f} GB are enough for ten hours of speech")
        else:
            yield Finding(what, "ok", text)


def _gpu() -> Iterator[Finding]:
    if find_spec(_NETWORKS) is None:
        return
    torch = import_module(_NETWORKS)
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    text = ", ".join(names) or f"none that torch {torch.__version__} can use; systems are trained on the CPU"
    yield Finding("gpu", "ok", text)
    if not names and shutil.which("nvidia-smi"):
        remedy = "install a build of torch for CUDA: https://pytorch.org/get-started"
        yield Finding("gpu", "wrong", "there is a driver of NVIDIA, and torch cannot use it", remedy)


def summary(findings: list[Finding]) -> str:
    """The last line: whether all is well.

    Examples
    --------
    >>> summary([Finding("numpy", "ok", "2.3")])
    'nothing is wrong'
    """
    wrong = [finding.part for finding in findings if finding.state == "wrong"]
    return f"{len(wrong)} wrong: {', '.join(wrong)}" if wrong else "nothing is wrong"
