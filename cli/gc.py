"""``serprep gc``."""

from dataclasses import asdict

import click

from .output import json_option, notes, print_json, say, size

_UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class Size(click.ParamType):  # type: ignore[type-arg]
    """Bytes with a decimal prefix, such as 20GB."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes."""
        import re

        match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(|B|kB|MB|GB|TB)", str(value))
        if not match:
            self.fail(f"{str(value)[:40]!r}; expected a number and B, kB, MB, GB or TB, such as 20GB", param, ctx)
        return round(float(match[1]) * _UNITS[match[2]])


@click.command(short_help="Remove versions and cached parts that nobody needs; a dry run without --yes.")
@click.argument("dataset", required=False)
@click.option("--cache", is_flag=True, help="Collect a cache instead: this user's, or the folder that is named.")
@click.option("--max-size", type=Size(), default="20GB", show_default=True, help="With --cache: what may stay.")
@click.option("--yes", is_flag=True, help="Remove; without it nothing is touched.")
@json_option
def gc(dataset: str | None, cache: bool, max_size: int, yes: bool, as_json: bool) -> None:
    """Find what may go from a DATASET, and remove it with --yes.

    Tagged stores, the newest, damaged ones, and whatever is less than 24 hours old stay.
    With --cache, parts of the cache that data sets share go, those first that were not used for longest.
    """
    if cache:
        _collect(dataset or "", max_size=max_size, yes=yes, as_json=as_json)
        return
    if dataset is None:
        raise click.UsageError("name a data set, or collect the cache: `serprep gc --cache`")
    from serprep.dataset.garbage import gc

    garbage = gc(dataset, yes=yes)
    if as_json:
        print_json(asdict(garbage))
        return
    for name, why in garbage.kept.items():
        say(f"keep       {name}: {why}")
    word = "removed" if yes else "would go"
    for name in (*garbage.stores, *garbage.parts, *garbage.temporary):
        say(f"{word:<9}  {name}")
    notes(list(garbage.damaged.values()), "damaged, kept")
    notes(garbage.notes)
    say(
        f"{len(garbage.stores)} stores, {len(garbage.parts)} parts of the cache, {len(garbage.temporary)} temporary: "
        f"{size(garbage.bytes)}"
    )
    if not yes and (garbage.stores or garbage.parts or garbage.temporary):
        say("nothing is removed yet: add --yes")


def _collect(folder: str, *, max_size: int, yes: bool, as_json: bool) -> None:
    from serprep.cache.collect import collect

    garbage = collect(folder, max_size=max_size, yes=yes)
    if as_json:
        print_json(asdict(garbage))
        return
    notes(garbage.notes)
    say(f"cache      {garbage.cache}")
    what = f"{len(garbage.parts)} parts, {len(garbage.temporary)} temporary: {size(garbage.bytes)}"
    say(f"{'removed' if yes else 'would go':<9}  {what}")
    say(f"keep       {garbage.kept} parts: {size(garbage.kept_bytes)}")
    if not yes and (garbage.parts or garbage.temporary):
        say("nothing is removed yet: add --yes")
