"""``serprep manifest``."""

from collections import Counter
from pathlib import Path

import click

from .output import json_option, notes, print_json, print_table, recognise_option, say


@click.command(short_help="A corpus folder → a manifest.")
@click.argument("reader")
@click.argument("root")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the manifest.")
@click.option("--file", help="For reader table: the table, relative to ROOT; for audformat: its name.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="ROLE=NAME",
    help="For readers table and audformat, such as emotion=label.",
)
@click.option("--prefix", help="For reader table: a folder that the paths in it lack, such as samples.")
@click.option("--title", help="For readers table and pattern: what the corpus is called.")
@click.option("--licence", help="For readers table and pattern: of the recordings.")
@click.option("--source", help="For readers table and pattern: where the corpus comes from.")
@click.option("--option", "others", multiple=True, metavar="NAME=VALUE", help="For readers of other packages.")
@click.option("--pattern", help="For reader pattern, such as '{emotion}/{speaker}_{text}.wav'.")
@recognise_option
@json_option
def manifest(
    reader: str,
    root: str,
    output: Path,
    file: str | None,
    columns: tuple[str, ...],
    pattern: str | None,
    others: tuple[str, ...],
    no_samples: bool,
    as_json: bool,
    **said: str | None,
) -> None:
    """Read a corpus folder or URL ROOT with READER and write utterances.csv and manifest.json.

    Where the corpus tells what single raters said, raters.jsonl is written as well.

    Every recording is hashed; one that cannot be read stays a row without digest.
    Recordings are compared with the published release, where its digests are known.
    """
    from serprep.pipeline.listing import list_corpus

    pairs = pairs_of(columns, "--column", "ROLE=NAME, such as emotion=label")
    given = {"file": file, "pattern": pattern, "columns": pairs, **said, **pairs_of(others, "--option", "NAME=VALUE")}
    options = {name: value for name, value in given.items() if value}
    listed = list_corpus(reader, root, output, options=options, samples=not no_samples, quiet=False)
    made, release = listed.manifest, listed.release
    counts = Counter(row.emotion for row in made.utterances)
    speakers = {row.speaker for row in made.utterances}
    notes(listed.warnings, "warning")
    unreadable = [f"{place}: {reason}" for place, reason in listed.unreadable.items()]
    notes(unreadable[:20], "unreadable")
    if len(unreadable) > 20:
        notes([f"… and {len(unreadable) - 20} more; --json lists all"], "unreadable")
    result = {
        "manifest": str(listed.path.resolve()),
        "digest": made.digest,
        "n_utterances": len(made),
        "n_speakers": len(speakers - {""}),
        "emotions": dict(sorted(counts.items())),
        "n_ratings": listed.n_ratings,
        "unreadable": dict(listed.unreadable),
        "warnings": list(listed.warnings),
        "release": release and release.as_dict(),
    }
    if as_json:
        print_json(result)
        return
    print_table(
        [{"emotion": name or "(none)", "utterances": n} for name, n in sorted(counts.items())],
        ["emotion", "utterances"],
    )
    say()
    say(f"{len(made)} utterances, {len(speakers - {''})} speakers, {len(listed.unreadable)} unreadable files")
    say(f"manifest     {listed.path}")
    if listed.ratings:
        say(f"ratings      {listed.ratings} ({listed.n_ratings} of single raters)")
    say(f"digest       {made.digest}")
    if release:
        say(f"release      {release.sentence}")


def pairs_of(values: tuple[str, ...], option: str, expected: str) -> dict[str, str]:
    """What stands before and behind the first ``=`` of each value."""
    for value in values:
        if not all(value.partition("=")[::2]):
            raise click.UsageError(f"{option} {value!r}: expected {expected}")
    return dict(value.partition("=")[::2] for value in values)
