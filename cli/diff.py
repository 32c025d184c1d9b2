"""``serprep diff``."""

from dataclasses import asdict

import click

from .output import json_option, print_json

SHOWN = 10  # ids of a kind


@click.command(short_help="What is other in one version than in another.")
@click.argument("a")
@click.argument("b")
@json_option
def diff(a: str, b: str, as_json: bool) -> None:
    """Tell which utterances came, went, changed audio, label or speaker from store A to store B, and which settings."""
    from serprep.dataset import diff, in_short
    from serprep.errors import one_line

    found = diff(a, b)
    if as_json:
        print_json(asdict(found))
        return
    lists = {
        "added": found.added,
        "removed": found.removed,
        "other audio": found.audio_changed,
        "other label": found.label_changed,
        "other speaker": found.speaker_changed,
        **{f"other {column}": ids for column, ids in found.other_changed.items()},
    }
    for title, ids in lists.items():
        if ids:
            rest = f" … and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
            click.echo(f"{title:<13}  {len(ids)}: {', '.join(map(one_line, ids[:SHOWN]))}{rest}")
    for name, (before, after) in found.configuration_changed.items():
        click.echo(f"{'setting':<13}  {name}: {one_line(in_short(before))} → {one_line(in_short(after))}")
    if not any(lists.values()) and not found.configuration_changed:
        click.echo("no difference")
