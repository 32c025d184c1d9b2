"""``serprep manifest``."""

from collections import Counter
from pathlib import Path

import click

from .output import json_option, notes, print_json, print_table, recognise_option, recognised


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
    from serprep.corpora import read_corpus
    from serprep.manifest.locate import locate
    from serprep.manifest.look import look
    from serprep.manifest.select import spellings
    from serprep.manifest.table import make_manifest, write_manifest
    from serprep.pipeline.gather import describe_corpus
    from serprep.place.corpus import as_root
    from serprep.progress import Progress
    from serprep.ratings import write_ratings

    pairs = pairs_of(columns, "--column", "ROLE=NAME, such as emotion=label")
    given = {"file": file, "pattern": pattern, "columns": pairs, **said, **pairs_of(others, "--option", "NAME=VALUE")}
    folder = as_root(root)
    reading = read_corpus(reader, folder, {name: value for name, value in given.items() if value})
    located = locate(reading.utterances, folder)
    located.refuse_nothing(folder)
    listed = make_manifest(located.utterances, describe_corpus(reading.corpus))
    with Progress("reading recordings", len({row.path for row in listed.utterances}), unit="files") as progress:
        looked = look(listed, folder, progress=progress.to)
    release = recognised(
        looked.manifest.info,
        {row.path: row.audio_digest for row in looked.manifest.utterances},
        folder,
        no_samples=no_samples,
    )
    path = write_manifest(looked.manifest, output)
    raters = write_ratings(reading.ratings, output)
    counts = Counter(row.emotion for row in looked.manifest.utterances)
    speakers = {row.speaker for row in looked.manifest.utterances}
    warnings = (*reading.warnings, *located.warnings, *spellings(looked.manifest), *looked.remarks)
    notes(warnings, "warning")
    unreadable = [f"{place}: {reason}" for place, reason in looked.reasons.items()]
    notes(unreadable[:20], "unreadable")
    if len(unreadable) > 20:
        notes([f"… and {len(unreadable) - 20} more; --json lists all"], "unreadable")
    result = {
        "manifest": str(path.resolve()),
        "digest": looked.manifest.digest,
        "n_utterances": len(looked.manifest),
        "n_speakers": len(speakers - {""}),
        "emotions": dict(sorted(counts.items())),
        "n_ratings": len(reading.ratings),
        "unreadable": dict(looked.reasons),
        "warnings": list(warnings),
        "release": release and release.as_dict(),
    }
    if as_json:
        print_json(result)
        return
    print_table(
        [{"emotion": name or "(none)", "utterances": n} for name, n in sorted(counts.items())],
        ["emotion", "utterances"],
    )
    click.echo(
        f"\n{len(looked.manifest)} utterances, {len(speakers - {''})} speakers, {len(looked.reasons)} unreadable files"
    )
    click.echo(f"manifest     {path}")
    if raters:
        click.echo(f"ratings      {raters} ({len(reading.ratings)} of single raters)")
    click.echo(f"digest       {looked.manifest.digest}")
    if release:
        click.echo(f"release      {release.sentence}")


def pairs_of(values: tuple[str, ...], option: str, expected: str) -> dict[str, str]:
    """What stands before and behind the first ``=`` of each value."""
    for value in values:
        if not all(value.partition("=")[::2]):
            raise click.UsageError(f"{option} {value!r}: expected {expected}")
    return dict(value.partition("=")[::2] for value in values)
