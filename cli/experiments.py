"""``serprep experiments``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from .output import json_option, paragraph, percent, print_json


@click.command(short_help="Which experiments there are of a data set, and what they scored.")
@click.argument("place", metavar="DATASET|RECIPE", type=click.Path(path_type=Path))
@json_option
def experiments(place: Path, as_json: bool) -> None:
    """List the experiments of a DATASET (a folder), or of the one that a RECIPE names; the latest first.

    Their short names, and `latest`, stand for their folders in `predict`, `compare` and `onnx`.
    """
    from serprep_models.catalogue import experiments_in

    listed = experiments_in(_root(place))
    if as_json:
        print_json({"experiments": [experiment.to_json() for experiment in listed]})
        return
    for number, experiment in enumerate(listed):
        if number:
            click.echo()
        _print(experiment)


def _root(place: Path) -> Path:
    """The folder in which experiments lie."""
    if place.suffix != ".toml":
        return place
    from serprep.recipe import read_recipe

    return read_recipe(place).experiments_root


def _print(experiment: Any) -> None:
    from serprep.errors import one_line

    split = experiment.split
    by = f" by {split['group']}" if split["group"] else ""
    facts = {
        "recipe": experiment.recipe or "not told (an older serprep)",
        "version": experiment.version or "not told",
        "split": f"{split['protocol']}{by}, {split['folds']} folds" if split["protocol"] else "not told",
        "UA %": ", ".join(f"{row['system']} {percent(row['ua'])}" for row in experiment.systems) or "none is finished",
    }
    age = "" if experiment.finished is None else f", {_age(experiment.finished)}"
    click.echo(f"{one_line(experiment.name)}{' (latest)' if experiment.latest else ''}{age}")
    for name, fact in facts.items():
        paragraph(f"  {name:<9}{one_line(fact)}")


def _age(finished: datetime) -> str:
    """How long ago, in the largest unit."""
    seconds = max(0, int((datetime.now(UTC) - finished).total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        n = seconds // length
        if n:
            return f"{n} {unit}{'' if n == 1 else 's'} ago"
    return "just now"
