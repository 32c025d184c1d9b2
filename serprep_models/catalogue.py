"""The experiments of a data set: which there are, what they scored, and what to call them in short.

Experiments lie in ``experiments/<digest>``.  Wherever such a folder (or one in it) is asked
for, the digest may be cut to four digits or more, or be ``latest``, and ``experiments/``
may be left out: ``stores/latest/compare-svm``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serprep.errors import TrainError, one_line
from serprep.version import datasets_in

ABOUT = "experiment.json"  # what the folder's name is a digest of, in words
FOLDER = "experiments"
_LARGEST = 64 << 20  # bytes of a file of results
_FEWEST = 4  # digits of a short name


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The experiments of one store, split and configuration."""

    name: str  # the shortest that is understood
    folder: Path
    latest: bool
    recipe: str  # the name of its file; "" where an older serprep wrote the folder
    version: str  # of the store, "" where nothing tells
    split: Mapping[str, Any]  # protocol, group, folds (their number)
    systems: tuple[Mapping[str, Any], ...]  # system, n_runs, ua and wa (means over runs; None: undefined)
    finished: datetime | None  # when the last one was; None: none is
    transductive: bool

    def to_json(self) -> dict[str, Any]:
        """What ``serprep experiments --json`` prints of it."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "latest": self.latest,
            "recipe": self.recipe,
            "version": self.version,
            "split": dict(self.split),
            "systems": [dict(system) for system in self.systems],
            "finished": None if self.finished is None else self.finished.isoformat(timespec="seconds"),
            "transductive": self.transductive,
        }


def place_of(folder: Path, system: str, fold: int, seed: int) -> Path:
    """Where an experiment lies.

    Examples
    --------
    >>> place_of(Path("experiments"), "mlp", 0, 2).as_posix()
    'experiments/mlp/fold-01/seed-2'
    """
    return folder / system / f"fold-{fold + 1:02d}" / f"seed-{seed}"


def files_of(folder: Path, name: str) -> list[Path]:
    """The files of a name of all experiments, sorted."""
    return sorted(folder.glob(f"*/fold-*/seed-*/{name}"))


def experiments_in(root: Path) -> list[Kept]:
    """The experiments below a data set's folder, the latest first.

    Parameters
    ----------
    root : Path
        The folder of a data set, or the ``experiments`` in it.

    Raises
    ------
    TrainError
        If there are none.
    """
    place = root if root.name == FOLDER else root / FOLDER
    folders = _by_age(place)
    if not folders:
        if inside := [name for name in datasets_in(str(root)) if _by_age(root / name / FOLDER)]:
            raise TrainError(
                f"{one_line(root)}: a folder of data sets; name one that has experiments, such as "
                f"`serprep experiments {one_line(root / inside[0])}`"
            )
        raise TrainError(
            f"{one_line(root)}: no experiments; expected the folder of a data set that `serprep run` has trained on, "
            "or its recipe"
        )
    names = [folder.name for folder in folders]
    return [_read(folder, names, latest=number == 0) for number, folder in enumerate(folders)]


def resolve(place: Path) -> Path:
    """A folder of experiments, or one in it, from its short name; what exists is left as it is.

    Raises
    ------
    TrainError
        If a short name fits several.
    """
    for number in range(1, len(place.parts) + 1):
        reached = Path(*place.parts[:number])
        if reached.exists() or reached.is_symlink():
            continue
        root = reached.parent if reached.parent.name == FOLDER else reached.parent / FOLDER
        fitting = _by_age(root)
        if reached.name != "latest":
            fitting = [path for path in fitting if len(reached.name) >= _FEWEST and path.name.startswith(reached.name)]
            if len(fitting) > 1:
                raise TrainError(
                    f"{one_line(place)}: {len(fitting)} experiments begin so: "
                    f"{', '.join(sorted(path.name for path in fitting)[:5])}; give more digits"
                )
        return fitting[0].joinpath(*place.parts[number:]) if fitting else place
    return place


def _by_age(root: Path) -> list[Path]:
    """Folders of experiments, that with the latest result first; those without one, and those on all rows, last."""
    try:
        folders = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError:
        return []
    return sorted(folders, key=lambda path: (json_object(path / ABOUT).get("on_all") is True, -_last(path), path.name))


def _last(folder: Path) -> float:
    """When the last result came, in seconds; 0 where there is none."""
    return max((path.stat().st_mtime for path in files_of(folder, "result.json")), default=0.0)


def _read(folder: Path, names: list[str], *, latest: bool) -> Kept:
    about = json_object(folder / ABOUT)
    whole, split = json_object(folder / "results.json"), json_object(folder / "split.json")
    runs: dict[str, list[dict[str, Any]]] = {}
    for path in files_of(folder, "result.json"):
        runs.setdefault(path.parents[2].name, []).append(json_object(path))
    folds = split.get("folds")
    last = _last(folder)
    return Kept(
        name=_short(folder.name, names),
        folder=folder,
        latest=latest,
        recipe=_text(about.get("recipe")),
        version=_text(about.get("version")) or _text(whole.get("version")) or _version_told(folder),
        split={
            "protocol": _text(split.get("protocol")),
            "group": _text(split.get("group")),
            "folds": len(folds) if isinstance(folds, list) else 0,
        },
        systems=tuple(
            {"system": name, "n_runs": len(own), "ua": _mean(own, "ua"), "wa": _mean(own, "wa")}
            for name, own in runs.items()
        ),
        finished=datetime.fromtimestamp(last, UTC) if last else None,
        transductive=folder.name.endswith("-transductive"),
    )


def _version_told(folder: Path) -> str:
    """The version that a checkpoint names."""
    path = next(iter(files_of(folder, "checkpoint.json")), None)
    return _text(json_object(path).get("version")) if path else ""


def _short(name: str, names: list[str]) -> str:
    """The first digits that only this name has, eight or more."""
    for length in range(8, len(name)):
        if sum(other.startswith(name[:length]) for other in names) == 1:
            return name[:length]
    return name


def _mean(runs: list[dict[str, Any]], score: str) -> float | None:
    numbers = [float(run[score]) for run in runs if type(run.get(score)) in (int, float) and 0 <= run[score] <= 1]
    return sum(numbers) / len(numbers) if numbers else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def json_object(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one where there is none that can be read."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return {}
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
