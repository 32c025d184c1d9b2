"""Two recipes, data sets or folders of experiments on one page: scores side by side, differences, what is other."""

import difflib
import json
from collections.abc import Sequence
from pathlib import Path

from serprep.dataset.diff import diff
from serprep.errors import StoreError
from serprep.files import read_regular
from serprep.pages import render
from serprep_models.catalogue import FOLDER, experiments_in, files_of, resolve
from serprep_models.compare import compare_experiments, store_of, train_of
from serprep_models.finished import finished_of
from serprep_models.outcome import Outcome
from serprep_models.page import FILTERS, write_page
from serprep_models.report import in_words, store_provenance

LONGEST = 200  # lines of the difference of two recipes


def sides_of(places: Sequence[Path]) -> dict[str, Path | Outcome]:
    """A name for each place → what a recipe's experiments gave, or a folder of experiments: a data set's latest."""
    places = [place if place.suffix == ".toml" else _folder(resolve(place)) for place in places]
    names = [place.stem if place.suffix == ".toml" else place.name for place in places]
    return {
        name if names.count(name) == 1 else str(place): finished_of(place)[2] if place.suffix == ".toml" else place
        for name, place in zip(names, places, strict=True)
    }


def _folder(place: Path) -> Path:
    """A folder of experiments; of a data set, the latest."""
    whole = not files_of(place, "result.json") and (place.name == FOLDER or (place / FOLDER).is_dir())
    return experiments_in(place)[0].folder if whole else place


def report_versus(first: Path, second: Path, *, path: Path) -> Path:
    """Write a page that compares what is finished of two recipes, data sets or folders of experiments.

    Raises
    ------
    StoreError, TrainError
        As `compare_experiments` raises them.
    """
    sides = sides_of((first, second))
    names = list(sides)

    def plain(system: str) -> str:
        return next(system[len(name) + 2 :] for name in names if system.startswith(f"{name}: "))

    compared = compare_experiments(sides)
    facts = [_facts(side) for side in sides.values()]
    keys = dict.fromkeys(key for own in facts for key in own)
    other = {key: [own.get(key, "–") for own in facts] for key in keys if len({own.get(key) for own in facts}) > 1}
    values = {
        "names": names,
        "compared": compared,
        "report": compared,  # where numbers are scored, it has their tables, and no charts
        "figures": {"numbers": ()},
        "other": other,
        "same": {key: facts[0][key] for key in keys if key not in other},
        "versions": _versions(list(sides.values())),
        "recipes": _recipes(first, second),
    }
    page = render(
        Path(__file__).parent / "versus.html.j2", values, title=" · ".join(names), filters={**FILTERS, "plain": plain}
    )
    return write_page(page, path)


def _facts(side: Path | Outcome) -> dict[str, str]:
    """What made the scores of a side: data, split, training."""
    folder, store = side if isinstance(side, Path) else side.folder, store_of(side)
    facts = {} if store is None else store_provenance(store)
    try:
        split = json.loads(read_regular(folder / "split.json"))
        facts |= {f"split: {name}": in_words(split[name]) for name in ("protocol", "group", "seed") if name in split}
        facts["split: folds"] = str(len(split["folds"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return facts | {f"[train] {name}": in_words(value) or "none" for name, value in train_of(folder).items()}


def _versions(sides: Sequence[Path | Outcome]) -> str:
    """What is other in the second version of the data; "" where it is the same, or a store is gone."""
    before, after = map(store_of, sides)
    if before is None or after is None or before.version == after.version:
        return ""
    try:
        return diff(before.path, after.path).words
    except StoreError:
        return ""


def _recipes(first: Path, second: Path) -> list[str]:
    """Lines of the two recipes that differ, as `diff -u` writes them; none unless both are recipes."""
    if {first.suffix, second.suffix} != {".toml"}:
        return []
    before, after = (read_regular(place).decode("utf-8", "replace").splitlines() for place in (first, second))
    return list(difflib.unified_diff(before, after, str(first), str(second), lineterm="", n=1))[:LONGEST]
