"""``serprep info``."""

import click

from .output import json_option, notes, print_json, print_table, say


@click.command(short_help="What a store holds.")
@click.argument("store")
@json_option
def info(store: str, as_json: bool) -> None:
    """Show version, arrays, corpus and features of a STORE (PATH.zarr, PATH.h5 or DATASET@NAME).

    Of a data set it shows the latest store and names all versions; of a folder of data sets it lists these.
    """
    from collections import Counter

    from serprep.store.store import open_store
    from serprep.version import datasets_in, versions

    inside = [] if versions(store) else datasets_in(store)
    if inside:
        _datasets(store.rstrip("/"), inside, as_json=as_json)
        return
    opened = open_store(store)
    about = {
        "version": opened.version,
        "format": opened.format,
        "n_utterances": len(opened),
        "hours": round(opened.hours, 6),
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
    n_speakers = len(set(opened.speakers) - {""})
    say(f"utterances   {len(opened)} of {n_speakers or 'unknown'} speakers, {duration(opened.hours)}")
    say("labels       " + ", ".join(f"{label} {counts[label]}" for label in opened.labels))
    say("licences     " + "; ".join(opened.attributes["licences"]))
    if stores := versions(store):
        digests = sorted({name.removeprefix("versions/")[:12] for name in stores})
        say(f"versions     {len(digests)}: {', '.join(digests)}; `serprep log {store}` tells more")
    say()
    rows = [
        {"array": name, "shape": " × ".join(map(str, entry["shape"])), "type": entry["dtype"]}
        for name, entry in about["arrays"].items()
    ]
    print_table(rows, ["array", "shape", "type"])


def _datasets(folder: str, names: list[str], *, as_json: bool) -> None:
    """The data sets in a folder; a damaged one is listed, too."""
    from serprep.errors import StoreError
    from serprep.store.store import open_store
    from serprep.version import versions

    rows: list[dict[str, object]] = []
    damaged = []
    for name in names:
        place = f"{folder}/{name}"
        row: dict[str, object] = {"dataset": name, "versions": len(versions(place))}
        try:
            opened = open_store(place)
            row |= {"latest": opened.version, "utterances": len(opened), "hours": round(opened.hours, 6)}
            row |= {"speakers": len(set(opened.speakers) - {""}), "labels": list(opened.labels)}
        except StoreError as error:
            row |= {
                "latest": "",
                "utterances": None,
                "hours": None,
                "speakers": None,
                "labels": [],
                "damaged": str(error),
            }
            damaged.append(str(error))
        rows.append(row)
    if as_json:
        print_json({"datasets": rows})
        return
    shown = [
        {
            **row,
            "latest": str(row["latest"])[:12] or "DAMAGED",
            "length": "" if row["hours"] is None else duration(float(str(row["hours"]))),
            "labels": len(row["labels"]) if isinstance(row["labels"], list) else "",
        }
        for row in rows
    ]
    print_table(shown, ["dataset", "versions", "latest", "utterances", "speakers", "labels", "length"])
    notes(damaged, "damaged")


def duration(hours: float) -> str:
    """Hours, minutes or seconds.

    Examples
    --------
    >>> duration(1.25), duration(0.2), duration(0.001)
    ('1.2 h', '12.0 min', '3.6 s')
    """
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{60 * hours:.1f} min" if hours >= 1 / 60 else f"{3600 * hours:.1f} s"


def dtype_name(dtype: object) -> str:
    """A type as the store's specification names it."""
    return "string" if getattr(dtype, "kind", "") in "TO" else str(dtype)
