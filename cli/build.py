"""``serprep build``."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .output import cluster_options, json_option, memory_option, notes, print_json, say, status_option


@click.command(short_help="A recipe's corpus → a feature store.")
@click.argument("recipe", type=click.Path(path_type=Path))
@cluster_options
@memory_option
@status_option
@click.option("--batch-size", type=click.IntRange(1), help="Utterances per task; changes no byte of the store.")
@click.option(
    "--on-bad-audio",
    type=click.Choice(["quarantine", "fail"]),
    default="quarantine",
    show_default=True,
    help="What to do about a recording that cannot be used.",
)
@click.option("--rehash", is_flag=True, help="Read every file again, whatever is remembered of it.")
@click.option("--retry", is_flag=True, help="Try utterances again that failed in an earlier build.")
@click.option("--repair", is_flag=True, help="If the store is there and damaged, write it again.")
@click.option("--recompute", is_flag=True, help="Compute all features again, and replace the store if it differs.")
@json_option
def build(recipe: Path, as_json: bool, status_json: Path | None, **options: Any) -> int:
    """Build the store a RECIPE asks for; only what is not in the cache is computed.

    Exit status 3 says that the store is built, with some utterances quarantined.
    """
    from serprep.pipeline.build import build
    from serprep.recipe import read_recipe
    from serprep.status import writing_status

    with writing_status(status_json):
        result = build(read_recipe(recipe), quiet=False, **options)
    if as_json:
        print_json(build_json(result))
    else:
        print_build(result)
        say(f"next         look at the card, then: serprep run {shlex.quote(str(recipe))}")
    return 3 if result.quarantined else 0


def build_json(result: Any) -> dict[str, Any]:
    """The part of the interface that `serprep build --json` prints."""
    values = asdict(result)
    return {
        **values,
        "reasons": [dict(entry) for entry in values["reasons"]],
        "warnings": list(result.warnings),
        "levels": dict(result.levels),
        "stages": dict(result.stages),
        "retries": dict(result.retries),
        "repaired": list(result.repaired),
    }


def print_build(result: Any) -> None:
    """What a build did, in words; bad utterances on standard error."""
    from serprep.forms import stem_of

    notes(result.warnings, "warning")
    for entry in result.reasons[:20]:
        notes([f"{entry.id} ({entry.path}): {entry.reason}"], "quarantined")
    if len(result.reasons) > 20:
        notes([f"… and {len(result.reasons) - 20} more, listed in build.json"], "quarantined")
    notes(result.repaired, "repaired")
    for reason, count in result.dropped.items():
        say(f"left out     {count}: {reason}")
    before = ""
    if result.n_before is not None and result.n_before != result.n_utterances:
        before = f"; the version before had {result.n_before}"
    say(f"utterances   {result.n_utterances}: {result.computed} computed, {result.reused} reused{before}")
    n_bad = result.quarantined
    say(f"quarantined  {n_bad}" + (f"; the reasons: {stem_of(result.store)}.build.json" if n_bad else ""))
    speed = result.audio_seconds / result.seconds if result.seconds else 0
    rate = f", {speed:.0f} audio-seconds/s" if result.computed and speed >= 1 else ""
    say(f"took         {result.seconds:.1f} s{rate}")
    if result.retries:
        counts = ", ".join(f"{reason} {n}" for reason, n in sorted(result.retries.items()))
        say(f"retries      {sum(result.retries.values())}: {counts}")
    say(f"version      {result.version}")
    say(f"store        {result.store}")
    if result.card:
        say(f"card         {result.card}")
