"""Results that can be checked: a small zip that says how a table of scores was made, without audio and features.

It holds ``recipe.toml``, ``exclude.txt`` where the recipe has one, ``split.json``, ``utterances.csv`` (ids, labels,
digests of recordings) and ``bundle.json``: version, seal, split, platform, libraries, code, and per experiment its
scores and the SHA-256 of its predictions.  Anybody may have written one: it is read into memory, member by member
by known names, and nothing is unpacked.
"""

import hashlib
import io
import json
import stat
import sys
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from serprep._json import load_object
from serprep.errors import TrainError, one_line
from serprep.files import read_regular, write_whole
from serprep.fitness import own
from serprep.manifest.table import to_csv
from serprep.recipe import Recipe
from serprep.systems import SYSTEMS
from serprep.version import read_build
from serprep_models.catalogue import place_of
from serprep_models.experiment import PREDICTIONS
from serprep_models.experiment_folder import REVISION
from serprep_models.finished import finished_of
from serprep_models.outcome import Outcome

FORMAT = 1
ABOUT, RECIPE, SPLIT, ROWS, EXCLUDE = "bundle.json", "recipe.toml", "split.json", "utterances.csv", "exclude.txt"
LARGEST = {ABOUT: 16 << 20, RECIPE: 1 << 20, SPLIT: 256 << 20, ROWS: 256 << 20, EXCLUDE: 64 << 20}  # bytes
MODELS = ("torch", "scikit-learn", "safetensors")


@dataclass(frozen=True)
class Bundle:
    """What a bundle says."""

    about: Mapping[str, Any]
    files: Mapping[str, bytes]  # all but bundle.json


def environment() -> dict[str, Any]:
    """What decides numbers besides data and recipe: platform, libraries, and serprep's code."""
    from serprep.features.libraries import library_versions

    libraries = dict(library_versions())
    for name in MODELS:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            continue
    python = ".".join(map(str, sys.version_info[:3]))
    return {"python": python, "platform": _platform(), "libraries": libraries, "code": [own()["code"], own()["models"]]}


def _platform() -> str:
    import platform

    return f"{platform.system()} {platform.machine()}"


def runs_of(outcome: Outcome) -> list[dict[str, Any]]:
    """Experiments with their scores and the digests of their predictions, sorted."""
    runs = []
    for result in outcome.results:
        number = outcome.split.folds.index(result.fold)
        folder = place_of(outcome.folder, result.system, number, result.seed)
        digest = hashlib.sha256((folder / PREDICTIONS).read_bytes()).hexdigest()
        own = {name: getattr(result, name) for name in ("system", "fold", "seed", "n_test", "wa", "ua")}
        runs.append(own | {"predictions": digest})
    return sorted(runs, key=lambda run: (run["system"], run["fold"], run["seed"]))


def revisions_of(systems: Iterable[str]) -> dict[str, int]:
    """By system, those that are not 0."""
    return {name: SYSTEMS[name].revision for name in sorted(systems) if SYSTEMS[name].revision}


def bundle(recipe_path: Path, destination: Path) -> dict[str, Any]:
    """Write the bundle of what is finished of a recipe; ``bundle.json`` as it stands there.

    Raises
    ------
    StoreError, TrainError
        If there is no store of it, no experiment is finished, or `destination` is somebody's own file.
    """
    if destination.exists():
        try:
            read_bundle(destination)
        except TrainError:
            raise TrainError(f"{one_line(destination)} is there and no bundle; name another file") from None
    recipe, _, outcome = finished_of(recipe_path)
    about, data = packed(recipe, outcome, path=recipe_path)
    write_whole(destination, data)
    return about


def packed(recipe: Recipe, outcome: Outcome, *, path: Path) -> tuple[dict[str, Any], bytes]:
    """``bundle.json`` of what experiments gave, and the bundle.

    Raises
    ------
    TrainError
        If a bundle cannot hold what the recipe at `path` asks for.
    """
    if recipe.corpus.manifest:
        raise TrainError(f"{one_line(path)}: it reads a manifest; a bundle is made of a recipe with a reader")
    if recipe.corpora:
        raise TrainError(f"{one_line(path)}: it has several corpora; a bundle is made of a recipe with one")
    if recipe.train.start_from:
        raise TrainError(
            f"{one_line(path)}: it goes on from a checkpoint; a bundle is made of a recipe that begins afresh"
        )
    store = outcome.store
    built = read_build(recipe.dataset_path, f"versions/{store.version}")
    runs = runs_of(outcome)
    about = {
        "format": FORMAT,
        "recipe": path.stem,
        "version": store.version,
        "seal": store.seal,
        "container": store.format,
        "corpus": store.attributes["provenance"]["corpus"],
        "extractors": store.attributes["provenance"]["extractors"],
        "configurations": store.attributes["configurations"],
        "split": outcome.split.digest,
        "revision": REVISION,
        **({"revisions": revisions} if (revisions := revisions_of({run["system"] for run in runs})) else {}),
        "environment": environment(),
        "built_with": {name: built.get(name) for name in ("python", "platform", "libraries")},
        "runs": runs,
        "summary": [
            {name: getattr(row, name) for name in ("system", "ua", "wa", "ua_interval", "wa_interval", "n_runs")}
            for row in outcome.summary
        ],
    }
    files = {
        ABOUT: json.dumps(about, indent=1, sort_keys=True, allow_nan=False).encode(),
        RECIPE: recipe.sources.get(path.name) or read_regular(path),
        SPLIT: read_regular(outcome.folder / SPLIT),
        ROWS: to_csv(store.manifest()).encode(),
    }
    if recipe.corpus.exclude:
        files[EXCLUDE] = read_regular(recipe.path(recipe.corpus.exclude))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in sorted(files.items()):
            file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # of 1980: same results, same bytes
    return about, zipped.getvalue()


def read_bundle(path: Path) -> Bundle:
    """Read a bundle; nothing is written.

    Raises
    ------
    TrainError
        If it is none, or holds what no bundle does: other names, links, names that stand twice, too many bytes.
    """
    place = one_line(path)
    try:
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
            if len(members) > len(LARGEST):
                raise TrainError(f"{place}: {len(members)} members; a bundle has at most {len(LARGEST)}")
            files = {}
            for member in members:
                name = one_line(member.filename)[:80]
                if member.filename not in LARGEST or member.filename in files:
                    raise TrainError(f"{place}: it holds {name!r}, as no bundle does; nothing of it was unpacked")
                if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG) or member.flag_bits & 1:
                    raise TrainError(f"{place}: {name!r} is no plain file; nothing of it was unpacked")
                with file.open(member) as data:  # what the directory says of its size is a claim
                    files[member.filename] = data.read(LARGEST[member.filename] + 1)
                if len(files[member.filename]) > LARGEST[member.filename]:
                    raise TrainError(f"{place}: {name!r} is larger than {LARGEST[member.filename]} bytes")
        about = load_object(files.pop(ABOUT))
    except KeyError:
        raise TrainError(f"{place}: no {ABOUT} in it; expected what `serprep bundle` writes") from None
    except (OSError, ValueError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, TrainError):
            raise
        reason = getattr(error, "strerror", None) or one_line(error)
        raise TrainError(f"{place}: {reason}; expected what `serprep bundle` writes") from None
    if about.get("format") != FORMAT:
        raise TrainError(f"{place} has format {one_line(about.get('format'))[:20]}, this serprep reads {FORMAT}")
    if missing := [name for name in (RECIPE, SPLIT, ROWS) if name not in files]:
        raise TrainError(f"{place}: no {missing[0]} in it; expected what `serprep bundle` writes")
    _check(about, place)
    return Bundle(about, files)


def _check(about: Mapping[str, Any], place: str) -> None:
    """Raise a TrainError unless bundle.json has the types that are used."""
    texts = ("recipe", "version", "seal", "container", "split")
    wrong = [name for name in texts if not isinstance(about.get(name), str)]
    wrong += [name for name in ("extractors", "configurations", "environment") if not isinstance(about.get(name), dict)]
    runs = about.get("runs")
    fits = isinstance(runs, list) and runs and all(isinstance(run, dict) and _is_run(run) for run in runs)
    wrong += [] if fits else ["runs"]
    summary = about.get("summary")
    wrong += [] if isinstance(summary, list) and all(isinstance(row, dict) for row in summary) else ["summary"]
    if not wrong and not isinstance(about["environment"].get("libraries"), dict):
        wrong = ["environment"]
    if wrong:
        raise TrainError(f"{place}: {wrong[0]} in {ABOUT} is not what `serprep bundle` writes")


def _is_run(run: Mapping[str, Any]) -> bool:
    texts = all(isinstance(run.get(name), str) for name in ("system", "fold", "predictions"))
    return texts and type(run.get("seed")) is int and isinstance(run.get("ua"), float | int | None)
