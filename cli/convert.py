"""``serprep convert``."""

import click

from .output import json_option, print_json, say


@click.command(short_help="A store → the same store in the other container.")
@click.argument("store")
@click.argument("destination")
@json_option
def convert(store: str, destination: str, as_json: bool) -> None:
    """Write a STORE (PATH.zarr, PATH.h5 or DATASET@NAME) again as DESTINATION.

    DESTINATION, a path or URL, ends in .zarr or .h5 and may not exist.  Every bit of every array, the
    attributes and the version stay the same.
    """
    from serprep.place.place import at
    from serprep.store.convert import convert

    written = convert(store, destination, quiet=False)
    about = {
        "version": written.version,
        "store": at(written.path).path(),
        "format": written.format,
        "n_utterances": len(written),
        "seal": written.seal,
    }
    if as_json:
        print_json(about)
        return
    for name in ("version", "format", "store", "seal"):
        say(f"{name:<12} {about[name]}")
