"""``serprep bundle``."""

from pathlib import Path

import click

from .output import OutputFile, json_option, print_json, say


@click.command(short_help="What a recipe's results can be checked by, in one small file.")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=OutputFile(path_type=Path), help="The file to write, a zip.")
@json_option
def bundle(recipe: Path, output: Path, as_json: bool) -> None:
    """Write recipe, version, seal, split, libraries, scores and digests of predictions of a finished RECIPE.

    No audio and no features are in it.  `serprep reproduce` computes all of it again.
    """
    from serprep_models.bundle import bundle

    about = bundle(recipe, output)
    if as_json:
        print_json(
            {"bundle": str(output.resolve()), **{name: about[name] for name in ("version", "seal", "split", "runs")}}
        )
        return
    say(f"written: {len(about['runs'])} experiments of version {about['version'][:12]}, in {output}")
