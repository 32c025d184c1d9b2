"""Experiments on workers that share no disk: what they read and write travels through the data set's URL.

An experiment's files lie below ``DATASET/experiments/`` as they lie in the folder here.  A worker
fetches the split, what experiments share, and the state of a training that was killed; runs in
a folder of its own; and sends what it wrote, the result last.
"""

import atexit
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from serprep.files import write_whole
from serprep.meanwhile import meanwhile
from serprep.parallel import Workers
from serprep.place.place import Place, at
from serprep.processes import scratch
from serprep_models.catalogue import FOLDER
from serprep_models.experiment import CHECKPOINT, Experiment, finished
from serprep_models.raters import NAME as RATERS
from serprep_models.start import NAME as START
from serprep_models.train import HISTORY, STATE

EVERY = 20.0  # seconds between looks at the state of a training
RESULT, SPLIT, SHARED = "result.json", "split.json", "statistics"


@dataclass(frozen=True)
class Travel:
    """Where experiments lie: here, and where workers find them.

    Parameters
    ----------
    folder : str
        The folder here.
    url : str
        Its twin; "" where workers see the folder itself.
    """

    folder: str
    url: str

    @classmethod
    def of(cls, folder: Path, dataset: str, *, pool: Workers) -> "Travel":
        """What the workers of `pool` need."""
        apart = getattr(pool, "scheduler", None) and not at(dataset).direct()
        return cls(str(folder), f"{dataset}/{FOLDER}/{folder.name}" if apart else "")

    def task(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """What a worker is to run in place of `function` of an experiment, or of an experiment and a name."""
        return Away(function, self) if self.url else function

    def send_split(self) -> None:
        """Let workers have the split, what raters said where that is learnt, and what trainings go on from."""
        if self.url:
            for name in (SPLIT, RATERS, *(f"{START}/{name}" for name in CHECKPOINT)):
                if (path := Path(self.folder) / name).is_file():
                    at(self.url).write(name, path.read_bytes())

    def fetch(self, experiments: Iterable[Experiment]) -> None:
        """Take the files of experiments that are finished there and not here."""
        missing = [self.name(experiment) for experiment in experiments if not finished(experiment)] if self.url else []
        if missing:
            there = at(self.url).files()
            for name in missing:
                if f"{name}/{RESULT}" in there:
                    _fetch(at(self.url), Path(self.folder), [file for file in there if file.startswith(f"{name}/")])

    def name(self, experiment: Experiment) -> str:
        """An experiment's folder, relative."""
        return Path(experiment.folder).relative_to(self.folder).as_posix()


@dataclass(frozen=True)
class Away:
    """A task that runs where there is none of this machine's folders."""

    function: Callable[[Any], Any]
    travel: Travel

    def __call__(self, task: Experiment | tuple[Experiment, str]) -> Any:
        """Fetch, run, send."""
        experiment, *more = task if isinstance(task, tuple) else (task,)
        name, place = self.travel.name(experiment), at(self.travel.url)
        folder = _own_folder(self.travel.url)
        wanted = (SPLIT, RATERS, f"{START}/", f"{SHARED}/", f"{name}/")
        there = {file for file in place.files() if file.startswith(wanted)}
        _fetch(place, folder, [file for file in there if not (folder / file).is_file()])
        shared = _written(folder, SHARED)
        own = replace(
            experiment,
            folder=str(folder / name),
            split=str(folder / SPLIT),
            statistics=str(folder / SHARED),
            raters=str(folder / RATERS) if experiment.raters else "",
            start=str(folder / START) if experiment.start else "",
        )
        with _sending(place, folder, [f"{name}/{HISTORY}", f"{name}/{STATE}"]):
            answer = self.function((own, *more) if more else own)
        written = _written(folder, name)
        _send(place, folder, sorted(_written(folder, SHARED) - shared, key=lambda file: file.endswith(".json")))
        _send(place, folder, sorted(written, key=lambda file: file.endswith(RESULT)))
        place.remove_all(file for file in there - written if file.startswith(f"{name}/"))
        return answer


def _fetch(place: Place, folder: Path, names: Iterable[str]) -> None:
    """Copy files here, results last: they say that the others are there."""
    for name in sorted(names, key=lambda name: (name.endswith(RESULT), name)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # another worker has finished meanwhile
            write_whole(path, place.read(name))


def _send(place: Place, folder: Path, names: Iterable[str]) -> None:
    for name in names:
        place.write(name, (folder / name).read_bytes())


def _written(folder: Path, name: str) -> set[str]:
    """Names of all files below a folder, temporary ones left out."""
    files = (path for path in (folder / name).rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix() for path in files}


@contextmanager
def _sending(place: Place, folder: Path, names: Iterable[str]) -> Iterator[None]:
    """While the block runs, send files as they change: whoever goes on with a killed training finds its state."""
    sent: dict[str, int] = {}  # name → modification time

    def send() -> None:
        for name in names:
            with suppress(OSError):
                changed = (folder / name).stat().st_mtime_ns
                if sent.get(name) != changed:
                    _send(place, folder, [name])
                    sent[name] = changed

    with meanwhile(send, every=EVERY):
        yield


_open = ExitStack()
atexit.register(_open.close)


@lru_cache(maxsize=8)
def _own_folder(url: str) -> Path:
    """A folder of this process, gone with it: what experiments share is fetched once."""
    return _open.enter_context(scratch())
