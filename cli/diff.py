"""``serprep diff``."""

from dataclasses import asdict
from typing import Any

import click

from .output import json_option, print_json, say

SHOWN = 10  # ids of a kind


@click.command(short_help="What is other in one version than in another.")
@click.argument("a")
@click.argument("b")
@json_option
def diff(a: str, b: str, as_json: bool) -> None:
    """Tell which utterances came, went, changed name, audio, label or speaker from store A to store B, and settings."""
    from serprep.dataset.diff import diff, in_short

    difference = diff(a, b)
    if as_json:
        print_json(_as_json(difference))
        return
    lists: dict[str, list[str]] = {
        "added": list(difference.added),
        "removed": list(difference.removed),
        "renamed": [f"{old} → {new}" for old, new in difference.renamed],
        "other audio": list(difference.audio_changed),
        "other label": _changes(difference.label_changes),
        "other speaker": _changes(difference.speaker_changes),
        **{f"other {column}": list(ids) for column, ids in difference.other_changed.items()},
    }
    for title, lines in lists.items():
        if lines:
            rest = f" … and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
            say(f"{title:<13}  {len(lines)}: {', '.join(lines[:SHOWN])}{rest}")
    for name, (before, after) in difference.configuration_changed.items():
        say(f"{'setting':<13}  {name}: {in_short(before)} → {in_short(after)}")
    if not any(lists.values()) and not difference.configuration_changed:
        say("no difference")


def _changes(changes: Any) -> list[str]:
    """Each id with what it was and is."""
    return [f"{name} ({before or 'none'} → {after or 'none'})" for name, (before, after) in changes.items()]


def _as_json(difference: Any) -> dict[str, Any]:
    """The part of the interface that `serprep diff --json` prints."""
    values = asdict(difference)
    values["renamed"] = [{"from": old, "to": new} for old, new in difference.renamed]
    for name in ("label_changes", "speaker_changes"):
        values[name] = [{"id": key, "from": old, "to": new} for key, (old, new) in values[name].items()]
    return values
