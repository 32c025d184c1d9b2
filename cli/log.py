"""``serprep log``."""

from dataclasses import asdict

import click

from .output import json_option, notes, print_json, print_table, size


@click.command(short_help="The versions of a data set, the newest first.")
@click.argument("dataset")
@json_option
def log(dataset: str, as_json: bool) -> None:
    """List the stores of a DATASET with their tags and what changed from one to the next."""
    from serprep.dataset.log import log

    entries = log(dataset)
    if as_json:
        print_json({"versions": [asdict(entry) for entry in entries]})
        return
    rows = [
        {
            "number": entry.number or "",
            "version": entry.version[:12],
            "built": entry.built[:16].replace("T", " "),
            "utterances": "" if entry.n_utterances is None else entry.n_utterances,
            "labels": len(entry.labels) or "",
            "format": entry.format,
            "size": size(entry.bytes),
            "shared": size(entry.shared_bytes) if entry.shared_bytes else "",
            "tags": ", ".join([*entry.tags, *(["latest"] if entry.latest else [])]),
            "changes": "DAMAGED" if entry.damaged else entry.changes,
        }
        for entry in entries
    ]
    print_table(rows, list(rows[0]))
    notes([entry.damaged for entry in entries if entry.damaged], "damaged")
    notes([entry.note for entry in entries if entry.note])
