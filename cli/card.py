"""``serprep card``."""

from pathlib import Path

import click

from .output import OutputFile, json_option, print_json, say


@click.command(short_help="A page about a data set: what is in it, and what to beware of.")
@click.argument("what", metavar="STORE|DATASET|MANIFEST|RECIPE")
@click.option("-o", "--output", type=OutputFile(), help="The page; default: beside the store or the manifest.")
@click.option("--split", "split_file", type=click.Path(path_type=Path), help="Show this split; a RECIPE has its own.")
@click.option("--audio", type=click.Path(path_type=Path), help="Folder of the recordings, for players.")
@click.option(
    "--with-sound",
    metavar="N",
    type=click.IntRange(0, 1000),
    default=0,
    show_default=True,
    help="Put N recordings into the page; their licence must allow that you pass it on.",
)
@json_option
def card(
    what: str, output: str | None, split_file: Path | None, audio: Path | None, with_sound: int, as_json: bool
) -> None:
    """Write the data card of a STORE, of a DATASET's or RECIPE's latest store, or of a MANIFEST.

    One HTML file without script or network: whom it holds, what the recordings are like, duplicates, outliers,
    what each class sounds like, and who is where in a split.
    """
    from serprep.card import card_of

    place = card_of(what, output=output or "", split_file=split_file, audio=audio, with_sound=with_sound)
    if as_json:
        print_json({"card": place})
    else:
        say(place)
