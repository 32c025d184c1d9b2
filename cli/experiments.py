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

    found = experiments_in(_root(place))
    if as_json:
        print_json({"experiments": [one.to_json() for one in found]})
        return
    for number, one in enumerate(found):
        if number:
            click.echo()
        _print(one)


def _root(place: Path) -> Path:
    """The folder in which experiments lie."""
    if place.suffix != ".toml":
        return place
    from serprep.recipe import read_recipe

    return read_recipe(place).experiments_root


def _print(one: Any) -> None:
    from serprep.errors import one_line

    split = one.split
    by = f" by {split['group']}" if split["group"] else ""
    facts = {
        "recipe": one.recipe or "not told (an older serprep)",
        "version": one.version or "not told",
        "split": f"{split['protocol']}{by}, {split['folds']} folds" if split["protocol"] else "not told",
        "UA %": ", ".join(f"{row['system']} {percent(row['ua'])}" for row in one.systems) or "none is finished",
    }
    age = "" if one.finished is None else f", {_age(one.finished)}"
    click.echo(f"{one_line(one.name)}{' (latest)' if one.latest else ''}{age}")
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
