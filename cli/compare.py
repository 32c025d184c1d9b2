"""``serprep compare``."""

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
    from serprep_models.catalogue import resolve
    from serprep_models.compare import compare_experiments
    from serprep_models.run import finished_of
    from serprep_models.scores import pairs_json

    if len(set(places)) < 2:
        raise click.UsageError("name two recipes or folders of experiments, or more" + _others(places[0]))
    places = tuple(place if place.suffix == ".toml" else resolve(place) for place in places)
    names = [place.stem if place.suffix == ".toml" else place.name for place in places]
    found = compare_experiments(
        {
            name if names.count(name) == 1 else str(place): finished_of(place)[2] if place.suffix == ".toml" else place
            for name, place in zip(names, places, strict=True)
        }
    )
    if as_json:
        pairs = pairs_json(found.comparisons, found.summary, sides=True)
        print_json({"summary": [row.json for row in found.summary], "comparisons": pairs, "notes": list(found.notes)})
    else:
        print_outcome(found)


def _others(place: Path) -> str:
    """The command that compares a recipe's experiment with the latest other one of its data set, if there is one."""
    from serprep.errors import SerprepError, one_line
    from serprep.recipe import read_recipe
    from serprep_models.catalogue import experiments_in
    from serprep_models.run import finished_of

    try:
        own = finished_of(place)[2].folder
        others = [kept for kept in experiments_in(Path(read_recipe(place).dataset_path)) if kept.folder != own]
    except (SerprepError, OSError):  # no recipe, or nothing is trained
        return ""
    if not others:
        return ""
    name = one_line(others[0].folder.parent / others[0].name)
    return f"; another one of the data set is there: serprep compare {one_line(place)} {name}"
