"""``serprep convert``."""

from pathlib import Path

import click

from .output import json_option, print_json


@click.command(short_help="A store → the same store in the other container.")
@click.argument("store")
@click.argument("destination", type=click.Path(path_type=Path))
@json_option
def convert(store: str, destination: Path, as_json: bool) -> None:
    """Write a STORE (PATH.zarr, PATH.h5 or DATASET@NAME) again as DESTINATION.

    DESTINATION ends in .zarr or .h5 and may not exist.  Every bit of every array, the
    attributes and the version stay the same.
    """
    from serprep.store.convert import convert

    written = convert(store, destination, quiet=False)
    about = {
        "version": written.version,
        "store": str(destination.resolve()),
        "format": written.format,
        "n_utterances": len(written),
        "seal": written.seal,
    }
    if as_json:
        print_json(about)
        return
    for name in ("version", "format", "store", "seal"):
        click.echo(f"{name:<12} {about[name]}")
