"""``serprep tag``."""

from dataclasses import asdict

import click

from .output import json_option, print_json, say


@click.command(short_help="Give a version of a data set a name.")
@click.argument("dataset")
@click.argument("version")
@click.argument("name")
@click.option("--force", is_flag=True, help="Move a tag that names another version.")
@json_option
def tag(dataset: str, version: str, name: str, force: bool, as_json: bool) -> None:
    """Let NAME stand for a VERSION (8 digits or more, a tag, or latest) of a DATASET.

    DATASET@NAME then works wherever a store is named, and gc keeps that store.
    """
    from serprep.dataset.tag import tag

    done = tag(dataset, version, name, force=force)
    if as_json:
        print_json(asdict(done))
        return
    say(f"{done.tag} is version {done.version[:12]}")
    if done.before not in ("", done.version):
        say(f"it was version {done.before[:12]}")
