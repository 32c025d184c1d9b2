"""A bundle and recordings → the same store, split and predictions again, or the first step at which they differ.

Where platform and libraries are the same, predictions must be the same bits; elsewhere a system's mean UA must lie
within half the width of the interval that the bundle states for it.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serprep.errors import RecipeError, TrainError, one_line
from serprep.files import write_whole
from serprep.manifest.table import Manifest, read_manifest
from serprep.parallel import Workers
from serprep.pipeline.build import build
from serprep.place.corpus import as_root
from serprep.place.place import at
from serprep.recipe import Recipe, recipe_from
from serprep.store.store import Store, open_store
from serprep_models.beforehand import split_of
from serprep_models.bundle import EXCLUDE, RECIPE, ROWS, SPLIT, Bundle, environment, read_bundle, revisions_of, runs_of
from serprep_models.experiment_folder import REVISION
from serprep_models.experiments import run_experiments

SAME, OTHER, CLOSE = "same", "other", "within the spread"
SHOWN = 5  # ids of a kind


@dataclass(frozen=True)
class Step:
    """One comparison with a bundle."""

    name: str  # "libraries", "code", "recordings", "version", "seal", "split", "predictions"
    result: str  # SAME, OTHER or CLOSE
    words: str = ""  # what differs


@dataclass(frozen=True)
class Reproduction:
    """What came of a bundle."""

    steps: tuple[Step, ...]
    folder: str

    @property
    def ok(self) -> bool:
        """Whether the scores were reproduced."""
        return self.steps[-1].name == "predictions" and self.steps[-1].result != OTHER

    @property
    def first_difference(self) -> str:
        """The first step at which something is other, in words; "" where nothing is."""
        return next((f"{step.name}: {step.words}" for step in self.steps if step.result != SAME), "")


def reproduce(
    path: Path,
    *,
    root: str,
    folder: Path,
    systems: Sequence[str] | None = None,
    folds: Sequence[str] | None = None,
    pool: Workers,
    quiet: bool = True,
) -> Reproduction:
    """Build, split and train again what a bundle tells of, and compare.

    Parameters
    ----------
    path : Path
        The bundle.
    root : str
        The recordings.
    folder : Path
        Where recipe, store and experiments are made; a new one.
    systems, folds : sequence, optional
        Some of the bundle's; default all.
    pool : Workers
    quiet : bool

    Raises
    ------
    SerprepError
        If it is no bundle, the folder is there, the recordings are not, or nothing can be built.
    """
    given = read_bundle(path)
    chosen = [
        run
        for run in given.about["runs"]
        if (not systems or run["system"] in systems) and (not folds or run["fold"] in folds)
    ]
    if not chosen:
        known = sorted({f"{run['system']} in fold {run['fold']}" for run in given.about["runs"]})
        raise TrainError(f"{one_line(path)}: it has no such experiment; it has {one_line(', '.join(known[:10]))}")
    if folder.exists():
        raise TrainError(f"{one_line(folder)}: it exists; name a new folder")
    if not as_root(root).is_dir():
        raise TrainError(f"{one_line(root)}: no such folder; expected the recordings of the bundle")
    recipe = _recipe(given, folder, root=at(root, base=Path()).root)  # not relative to the new recipe
    steps = [_libraries(given), _code(given, {run["system"] for run in chosen})]
    store = open_store(build(recipe, pool=pool, quiet=quiet).store)
    steps += [_recordings(folder, store), _version(given, store), _seal(given, store)]
    if steps[2].result == OTHER and set(store.ids) != set(read_manifest(folder / ROWS).utterances.column("id")):
        return Reproduction(tuple(steps), str(folder))  # another split, and other scores
    split = split_of(recipe, store.manifest())
    same = split.digest == given.about["split"]
    steps.append(Step("split", SAME if same else OTHER, "" if same else "other roles or folds than the bundle's"))
    if not same:
        return Reproduction(tuple(steps), str(folder))
    outcome = run_experiments(
        recipe,
        store,
        pool=pool,
        systems=sorted({run["system"] for run in chosen}),
        folds=sorted({run["fold"] for run in chosen}),
        seeds=sorted({run["seed"] for run in chosen}),
        quiet=quiet,
    )
    steps.append(_predictions(given, chosen, runs_of(outcome), steps))
    return Reproduction(tuple(steps), str(folder))


def _recipe(given: Bundle, folder: Path, *, root: str) -> Recipe:
    """The bundle's recipe for recordings at `root`; what it makes lies in `folder`, whatever it says."""
    try:
        values: dict[str, Any] = tomllib.loads(given.files[RECIPE].decode())
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"the bundle's recipe is no TOML: {one_line(error)[:200]}") from None
    for name, data in given.files.items():
        write_whole(folder / name, data)
    tables: dict[str, dict[str, Any]] = {
        name: dict(values[name]) if isinstance(values.get(name), Mapping) else {}
        for name in ("dataset", "corpus", "split", "train")
    }
    name = str(tables["dataset"].get("name") or given.about["recipe"])
    values["dataset"] = {"name": name, "path": str(folder.absolute() / "data")}
    values["corpus"] = tables["corpus"] | {"root": root}
    if "exclude" in tables["corpus"]:
        values["corpus"]["exclude"] = str((folder / EXCLUDE).absolute())
    if tables["split"].get("protocol") == "list":
        values["split"] = {"protocol": "list", "file": str((folder / SPLIT).absolute())}
    values["train"] = {
        key: value for key, value in tables["train"].items() if key not in ("submission", "tensorboard", "start_from")
    }
    return recipe_from(values, folder=folder, name=given.about["recipe"])


def _libraries(given: Bundle) -> Step:
    """Platform, Python and libraries."""
    mine, theirs = environment(), given.about["environment"]
    pairs = {name: (theirs.get(name), mine[name]) for name in ("platform", "python")}
    names = sorted({*mine["libraries"], *theirs["libraries"]})
    pairs |= {name: (theirs["libraries"].get(name), mine["libraries"].get(name)) for name in names}
    differing = [
        f"{name} {old or 'none'} there, {new or 'none'} here" for name, (old, new) in pairs.items() if old != new
    ]
    return _step("libraries", differing)


def _code(given: Bundle, systems: Iterable[str]) -> Step:
    """serprep's own source, and the revisions of experiments and of the systems that are compared."""
    theirs = given.about["environment"].get("code")
    differing = [] if theirs == environment()["code"] else ["serprep's source is another"]
    stated, own = given.about.get("revisions"), revisions_of(systems)
    stated = stated if isinstance(stated, Mapping) else {}
    pairs = {"experiments": (given.about.get("revision"), REVISION)}
    pairs |= {name: (stated.get(name, 0), own.get(name, 0)) for name in sorted(systems)}
    differing += [f"revision of {what} {old} there, {new} here" for what, (old, new) in pairs.items() if old != new]
    return _step("code", differing)


def _recordings(folder: Path, store: Store) -> Step:
    """Rows: which utterances are missing, new, or have other recordings, labels or speakers."""
    theirs, mine = _rows(read_manifest(folder / ROWS)), _rows(store.manifest())
    both = sorted(theirs.keys() & mine.keys())
    kinds = {
        "missing": sorted(theirs.keys() - mine.keys()),
        "not in the bundle": sorted(mine.keys() - theirs.keys()),
        **{
            f"with another {name}": [key for key in both if theirs[key][name] != mine[key][name]]
            for name in ("recording", "excerpt", "label", "speaker")
        },
    }
    return _step("recordings", [f"{len(ids)} {kind} ({_some(ids)})" for kind, ids in kinds.items() if ids])


def _rows(manifest: Manifest) -> dict[str, dict[str, Any]]:
    return {
        row.id: {
            "recording": row.audio_digest,
            "excerpt": (row.start, row.end),
            "label": row.emotion,
            "speaker": row.speaker,
        }
        for row in manifest.utterances
    }


def _version(given: Bundle, store: Store) -> Step:
    if given.about["version"] == store.version:
        return Step("version", SAME)
    own = store.attributes
    for what, theirs, mine in (
        ("extractors", given.about["extractors"], own["provenance"]["extractors"]),
        ("configurations", given.about["configurations"], own["configurations"]),
    ):
        names = [name for name in sorted({*theirs, *mine}) if theirs.get(name) != mine.get(name)]
        if names:
            return Step("version", OTHER, f"other {what}: {one_line(', '.join(names))}")
    return Step("version", OTHER, "other rows, or other words on the corpus")


def _seal(given: Bundle, store: Store) -> Step:
    if given.about["container"] != store.format:
        return Step("seal", OTHER, f"container {given.about['container']} there, {store.format} here")
    same = given.about["seal"] == store.seal
    return Step(
        "seal",
        SAME if same else OTHER,
        "" if same else "other bytes; keys of parts name libraries, so values may be the same",
    )


def _predictions(
    given: Bundle, theirs: Sequence[Mapping[str, Any]], mine: Sequence[Mapping[str, Any]], steps: Sequence[Step]
) -> Step:
    """Digests; where they differ, the mean UA of each system against the interval that the bundle states."""
    runs = {_key(run): run for run in mine}
    differing = [_key(run) for run in theirs if run["predictions"] != runs[_key(run)]["predictions"]]
    if not differing:
        return Step("predictions", SAME, "")
    words, result = [f"other bits in {len(differing)} of {len(theirs)} experiments"], CLOSE
    if all(step.result == SAME for step in steps):
        return Step("predictions", OTHER, f"{words[0]}, with the same libraries and code ({_some(differing)})")
    stated = {row.get("system"): row.get("ua_interval") for row in given.about["summary"]}
    for system in sorted({run["system"] for run in theirs}):
        before = [run["ua"] for run in theirs if run["system"] == system and run.get("ua") is not None]
        after = [run["ua"] for run in mine if run["system"] == system and run.get("ua") is not None]
        difference = float(np.mean(after) - np.mean(before)) if before and after else 0.0
        low, high = stated.get(system) or (0.0, 0.0)
        spread = (high - low) / 2
        words.append(f"{system} UA {100 * difference:+.2f} points (spread {100 * spread:.2f})")
        if abs(difference) > spread:
            result = OTHER
    return Step("predictions", result, "; ".join(words))


def _key(run: Mapping[str, Any]) -> str:
    return f"{run['system']}, fold {run['fold']}, seed {run['seed']}"


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return one_line(", ".join(ids[:SHOWN])) + more


def _step(name: str, differing: Sequence[str]) -> Step:
    return Step(name, OTHER if differing else SAME, "; ".join(map(one_line, differing)))
