"""``serprep train``."""

from pathlib import Path
from typing import Any

import click

from .build import build_json, print_build
from .output import cluster_options, json_option, print_json, training_options
from .run import outcome_json, print_conditions, print_groups, print_outcome, print_verdict, remarks, warn


@click.command(short_help="Train and score some of a recipe's systems.")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--system", "systems", multiple=True, help="Only this system; may be given several times.")
@click.option("--fold", "folds", multiple=True, help="Only this fold, by name.")
@click.option("--seed", "seeds", multiple=True, type=click.IntRange(0, 2**31 - 1), help="Only this seed.")
@cluster_options
@training_options
@json_option
def train(recipe: Path, as_json: bool, **options: Any) -> int:
    """Train and score systems of a RECIPE on its store, which is built first if need be."""
    from serprep.errors import one_line
    from serprep.recipe import read_recipe
    from serprep_models.run import run_recipe

    built, outcome, _ = run_recipe(read_recipe(recipe), quiet=False, page=False, warn=warn, **options)
    if as_json:
        remarks(outcome)
        print_json({"build": build_json(built), **outcome_json(outcome)})
    else:
        print_build(built)
        print_outcome(outcome)
        print_groups(outcome.groups)
        print_conditions(outcome.conditions)
        print_verdict(outcome)
        click.echo(f"files        {one_line(outcome.folder)}")
    return 3 if built.quarantined else 0
