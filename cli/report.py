"""``serprep report``."""

from pathlib import Path

import click

from .output import OutputFile, json_option, print_json, train_from_option


@click.command(short_help="A self-contained HTML page of results, of two side by side, or of a store.")
@click.argument("what", metavar="RECIPE|STORE")
@click.argument("other", metavar="[RECIPE]", required=False)
@click.option(
    "-o",
    "--output",
    type=OutputFile(path_type=Path),
    help="The page; default: beside a recipe's results, else report.html.",
)
@train_from_option
@click.option(
    "--audio",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="ROOT",
    help="Folder of the recordings, for players; default: the RECIPE's root.",
)
@click.option(
    "--with-sound",
    metavar="N",
    type=click.IntRange(0, 1000),
    default=0,
    show_default=True,
    help="Put N recordings that a system is most surely wrong about into the page; their licence must allow that "
    "you pass it on.",
)
@json_option
def report(
    what: str,
    other: str | None,
    output: Path | None,
    train_from: Path | None,
    audio: Path | None,
    with_sound: int,
    as_json: bool,
) -> None:
    """Write a page about the finished experiments of a RECIPE, or about what is in a STORE.

    With two, RECIPES, DATASETS or folders of experiments, the page compares them: scores side by side,
    differences with their tests, and what is other in recipes and versions.  Nothing is trained.
    """
    from serprep_models.report import report_store
    from serprep_models.run import report_recipe

    if other is not None:
        from serprep_models.versus import report_versus

        if train_from or with_sound:
            raise click.UsageError("--train-from and --with-sound are for one RECIPE")
        page = report_versus(Path(what), Path(other), path=output or Path("report.html"))
    elif what.endswith(".toml"):
        page = report_recipe(Path(what), path=output, train_from=train_from, audio=audio, with_sound=with_sound)
    elif train_from:
        raise click.UsageError("--train-from is for a RECIPE; a STORE has no experiments")
    elif with_sound:
        raise click.UsageError("--with-sound is for a RECIPE; recordings of a STORE are on its card: serprep card")
    else:
        page = report_store(what, path=output or Path("report.html"))
    if as_json:
        print_json({"report": str(page.resolve())})
    else:
        click.echo(page.resolve())
