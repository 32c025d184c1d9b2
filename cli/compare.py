"""``serprep compare``."""

from dataclasses import asdict
from pathlib import Path

import click

from .output import json_option, print_json
from .run import print_outcome


@click.command(short_help="Are the systems of one recipe better than those of another?")
@click.argument("places", metavar="A B…", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
def compare(places: tuple[Path, ...], as_json: bool) -> None:
    """Compare finished experiments of several recipes, utterance by utterance.

    A and B are recipes, or folders of experiments as `serprep train` names them.  Nothing is trained;
    of runs with --train-from, name the folder.
    """
    from serprep_models.compare import compare_experiments
    from serprep_models.scores import pairs_json
    from serprep_models.versus import sides_of

    if len(set(places)) < 2:
        raise click.UsageError("name two recipes or folders of experiments, or more" + _others(places[0]))
    outcome = compare_experiments(sides_of(places))
    if as_json:
        pairs = pairs_json(outcome.comparisons, outcome.summary, sides=True)
        told = {"summary": [row.json for row in outcome.summary], "comparisons": pairs, "notes": list(outcome.notes)}
        told |= {"raters": [asdict(row) for row in outcome.raters]} if outcome.raters else {}
        print_json(told | ({"dimensions": asdict(outcome.dimensions)} if outcome.dimensions.scores else {}))
    else:
        print_outcome(outcome)


def _others(place: Path) -> str:
    """The command that compares a recipe's experiment with the latest other one of its data set, if there is one."""
    from serprep.errors import SerprepError, one_line
    from serprep.recipe import read_recipe
    from serprep_models.catalogue import experiments_in
    from serprep_models.finished import finished_of

    try:
        own = finished_of(place)[2].folder
        others = [kept for kept in experiments_in(Path(read_recipe(place).dataset_path)) if kept.folder != own]
    except (SerprepError, OSError):  # no recipe, or nothing is trained
        return ""
    if not others:
        return ""
    name = one_line(others[0].folder.parent / others[0].name)
    return f"; another one of the data set is there: serprep compare {one_line(place)} {name}"
