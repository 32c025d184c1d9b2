"""``serprep gc``."""

from dataclasses import asdict

import click

from .output import json_option, notes, print_json, size


@click.command(short_help="Remove versions and cached parts that nobody needs; a dry run without --yes.")
@click.argument("dataset")
@click.option("--yes", is_flag=True, help="Remove; without it nothing is touched.")
@json_option
def gc(dataset: str, yes: bool, as_json: bool) -> None:
    """Find what may go from a DATASET, and remove it with --yes.

    Tagged stores, the newest, damaged ones, and whatever is less than 24 hours old stay.
    """
    from serprep.garbage import gc

    found = gc(dataset, yes=yes)
    if as_json:
        print_json(asdict(found))
        return
    for name, why in found.kept.items():
        click.echo(f"keep       {name}: {why}")
    word = "removed" if yes else "would go"
    for name in (*found.stores, *found.parts, *found.temporary):
        click.echo(f"{word:<9}  {name}")
    notes(list(found.damaged.values()), "damaged, kept")
    notes(found.notes)
    click.echo(
        f"{len(found.stores)} stores, {len(found.parts)} parts of the cache, {len(found.temporary)} temporary: "
        f"{size(found.bytes)}"
    )
    if not yes and (found.stores or found.parts or found.temporary):
        click.echo("nothing is removed yet: add --yes")
