"""``serprep push`` and ``serprep pull``."""

from dataclasses import asdict
from pathlib import PurePosixPath

import click

from .output import json_option, notes, print_json, say, size


@click.command(short_help="A version with its experiments → a data set at a URL.")
@click.argument("store")
@click.argument("url")
@json_option
def push(store: str, url: str, as_json: bool) -> None:
    """Take a STORE (DATASET or DATASET@NAME), its experiments and tags to the data set at URL, a URL or a folder.

    What was stopped goes on; what is there already, or in another version there, is not sent again.
    """
    _carry(store, url, as_json=as_json)


@click.command(short_help="A version with its experiments from a data set at a URL.")
@click.argument("url")
@click.option("-o", "--output", metavar="DATASET", help="The data set to take it to; default: the URL's last name.")
@json_option
def pull(url: str, output: str | None, as_json: bool) -> None:
    """Take the version that URL (URL or URL@NAME) names, its experiments and tags to a data set here.

    What was stopped goes on; what is here already, or in another version here, is not fetched again.
    """
    name = PurePosixPath(url.rpartition("@")[0] or url).name
    _carry(url, output or name, as_json=as_json)


def _carry(source: str, destination: str, *, as_json: bool) -> None:
    from serprep.dataset.carry import carry

    done = carry(source, destination, quiet=False)
    if as_json:
        print_json(asdict(done))
        return
    notes(done.notes)
    say(f"version      {done.version}")
    say(f"store        {done.store}")
    say(f"sent         {done.sent} files, {size(done.sent_bytes)}")
    say(f"not sent     {done.present} were there, {done.shared} are another version's")
    say(f"experiments  {done.experiments}")
    if done.tags:
        say(f"tags         {', '.join(done.tags)}")
