"""``serprep export``."""

from dataclasses import asdict
from pathlib import Path

import click

from .output import json_option, notes, print_json, say, size


@click.command(short_help="A store → a folder in another program's form.")
@click.argument("store")
@click.argument("destination", type=click.Path(path_type=Path))
@click.option("--to", "form", required=True, metavar="FORM", help="arff, audformat, croissant, csv, huggingface …")
@click.option("--split", type=click.Path(path_type=Path), help="A split file, whose roles are exported, too.")
@click.option("--audio", metavar="ROOT", help="The corpus's folder: its recordings are exported, or named, too.")
@json_option
def export(store: str, destination: Path, form: str, split: Path | None, audio: str | None, as_json: bool) -> None:
    """Write a STORE (PATH.zarr, PATH.h5 or DATASET@NAME) as the new folder DESTINATION in another form.

    Its version, licences, labels, extractors and split stand in it, and all values stay the same bits.
    The folder appears whole or not at all.
    """
    from serprep.exports.export import export

    written = export(store, destination, form=form, split=split, audio=audio, quiet=False)
    if as_json:
        print_json(asdict(written))
        return
    if written.n_dropped:
        notes([f"{written.n_dropped} rows of the split are not in the store"])
    say(f"written: {written.n_utterances} utterances, {written.n_files} files, {size(written.bytes)}, {written.folder}")
