"""``serprep features``."""

import dataclasses
from pathlib import Path

import click

from .output import OutputFile, json_option, notes, print_json


@click.command(short_help="A table of features of recordings.")
@click.argument("recordings", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--set", "feature_set", default="egemaps", show_default=True, metavar="NAME", help="egemaps, compare_2016, …"
)
@click.option(
    "--level", default="", metavar="NAME", help="functionals, a row per recording (default), or lld, one per 10 ms."
)
@click.option("-o", "--output", type=OutputFile(path_type=Path), help="File to write; default: CSV to standard output.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Local processes; default: one per core.")
@json_option
def features(
    recordings: tuple[str, ...],
    feature_set: str,
    level: str,
    output: Path | None,
    workers: int | None,
    as_json: bool,
) -> int:
    """Write the features of FILE…, recordings and folders of them, as one table.

    No recipe and no labels are needed.  The suffix of --output says what is written: .csv, .arff or .parquet.
    Rows stand in the order of the recordings; one that cannot be used is left out, named and counted.
    """
    from serprep.errors import SerprepError
    from serprep.pipeline.table import recordings_of, write_table
    from serprep_models.recordings import other_recordings

    if as_json and not output:
        raise SerprepError("--json and the table cannot both go to standard output; name the table with --output")
    notes(other_recordings(recordings))
    table = write_table(
        recordings_of(recordings), output, feature_set=feature_set, level=level, workers=workers, quiet=False
    )
    if as_json:
        print_json({**dataclasses.asdict(table), "output": str(output)})
    else:
        notes([f"{name}: {reason}" for name, reason in table.reasons.items()], "left out")
        if output:
            notes([f"{table.n_used} of {table.n_recordings} recordings, {table.n_rows} rows, in {output}"], "written")
    return 3 if table.reasons else 0
