"""``serprep info``."""

import click

from .output import json_option, print_json, print_table, say


@click.command(short_help="What a store holds.")
@click.argument("store")
@json_option
def info(store: str, as_json: bool) -> None:
    """Show version, arrays, corpus and features of a STORE (PATH.zarr, PATH.h5 or DATASET@NAME)."""
    from collections import Counter

    from serprep.store.store import open_store

    opened = open_store(store)
    about = {
        "version": opened.version,
        "format": opened.format,
        "n_utterances": len(opened),
        "arrays": {
            name: {"shape": list(opened.array(name).shape), "dtype": dtype_name(opened.array(name).dtype)}
            for name in opened.array_names
        },
        "corpus": opened.attributes["provenance"]["corpus"],
        "features": opened.attributes["configurations"]["features"],
        "labels": list(opened.labels),
        "licences": opened.attributes["licences"],
        "seal": opened.seal,
        "path": opened.path,
    }
    if as_json:
        print_json(about)
        return
    counts = Counter(opened.emotions)
    say(f"version      {opened.version}")
    say(f"path         {opened.path}")
    say(f"format       {opened.format}")
    say(f"corpus       {about['corpus'].get('corpus', '')} {about['corpus'].get('release', '')}".rstrip())
    say(f"utterances   {len(opened)} of {len(set(opened.speakers))} speakers")
    say("labels       " + ", ".join(f"{label} {counts[label]}" for label in opened.labels))
    say("licences     " + "; ".join(opened.attributes["licences"]))
    say()
    rows = [
        {"array": name, "shape": " × ".join(map(str, entry["shape"])), "type": entry["dtype"]}
        for name, entry in about["arrays"].items()
    ]
    print_table(rows, ["array", "shape", "type"])


def dtype_name(dtype: object) -> str:
    """A type as the store's specification names it."""
    return "string" if getattr(dtype, "kind", "") in "TO" else str(dtype)
