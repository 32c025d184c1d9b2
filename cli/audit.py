"""``serprep audit``."""

from pathlib import Path
from typing import Any

import click

from .output import json_option, notes, print_json, print_table, say
from .places import kind_of, rows_of, split_of

_N_LINES = 24  # class counts of more sides are left to --json


@click.command(short_help="What is wrong with a split: leaks, copies, gaps.")
@click.argument("places", metavar="[ROWS] SPLIT", nargs=-1, type=click.Path(path_type=Path))
@click.option("--corpus", metavar="READER", help="Speakers by this reader's name rules, in place of a MANIFEST.")
@click.option("--audio", type=click.Path(path_type=Path), metavar="ROOT", help="Compare recordings by sound too.")
@click.option("--allow", multiple=True, metavar="KIND", help="A kind of leak that is meant; may be repeated.")
@json_option
def audit(
    places: tuple[Path, ...], corpus: str | None, audio: Path | None, allow: tuple[str, ...], as_json: bool
) -> int:
    """Inspect a SPLIT, ours or one brought from elsewhere; exit status 1 if it leaks.

    ROWS is a manifest, a store or a recipe.  SPLIT is a file or a folder of files: a split
    file, JSON lines, CSV or lists of names; a recipe alone is inspected with the split that it makes.
    """
    alone = corpus is None and len(places) == 1 and kind_of(str(places[0])) == "recipe"
    expected = 1 if corpus or alone else 2
    if len(places) != expected:
        raise click.UsageError(
            "expected "
            + ("SPLIT alone, since --corpus is given" if corpus else "ROWS (a manifest, store or recipe) and SPLIT")
            + (f"; `serprep split {places[0]}` makes one" if len(places) == 1 and not corpus else "")
        )
    from serprep.audit import audit_split
    from serprep.progress import Progress

    known = corpus or rows_of(places[0], digests=True)
    split = places[-1] if isinstance(known, str) or not alone else split_of(places[0], known)[0]
    with Progress("listening", 0, unit="recordings") as progress:

        def listened(done: int, total: int) -> None:
            progress.total = total
            progress.to(done)

        report = audit_split(known, split, audio=audio, allow=allow, progress=listened)
    notes(report.notes)
    if as_json:
        print_json(report.to_json())
        return 1 if report.leaks else 0
    _print(report.to_json())
    return 1 if report.leaks else 0


def _print(report: dict[str, Any]) -> None:
    n_folds = len(report["folds"])
    allowed = {entry["kind"] for entry in report["findings"] if entry["allowed"]}
    rows = [
        {
            "finding": row["kind"],
            "severity": "allowed" if row["severity"] == "leak" and row["kind"] in allowed else row["severity"],
            "count": f"{row['count']} of {row['of']}",
            "scored utterances": f"{row['n_utterances']} of {row['n_scored']}" if row["n_scored"] else "",
            "folds": f"{row['n_folds']} of {n_folds}" if row["n_folds"] else "",
            "such as": ", ".join(row["examples"][:3]),
        }
        for row in report["summary"]
        if row["kind"] != "classes"
    ]
    print_table(rows, ["finding", "severity", "count", "scored utterances", "folds", "such as"])
    _print_classes([entry for entry in report["findings"] if entry["kind"] == "classes"])
    for entry in report["findings"]:
        if entry["kind"] == "confounding":
            click.echo()
            say(
                f"the speaker alone tells {100 * entry['nmi']:.1f} % of the class entropy "
                f"({100 * entry['chance']:.1f} % by chance)"
            )
    if report["skipped"]:
        click.echo()
        say(f"not compared, since no column tells them: {', '.join(report['skipped'])}")
    n_leaks = sum(entry["severity"] == "leak" and not entry["allowed"] for entry in report["findings"])
    kinds = sorted(
        {entry["kind"] for entry in report["findings"] if entry["severity"] == "leak" and not entry["allowed"]}
    )
    click.echo()
    say(
        f"{report['n_utterances']} utterances, {n_folds} fold{'' if n_folds == 1 else 's'}: "
        + (f"LEAKS ({', '.join(kinds)}; --allow KIND if it is meant)" if n_leaks else "no leak found")
        + ("" if report["n_compared"] else "; recordings were not compared by sound (--audio ROOT)")
    )


def _print_classes(entries: list[dict[str, Any]]) -> None:
    rows = [
        {"fold": entry["fold"], "side": role, **entry[role]}
        for entry in entries
        for role in ("train", "dev", "test")
        if role in entry
    ]
    if rows:
        click.echo()
        print_table(rows[:_N_LINES], ["fold", "side", *(name for name in rows[0] if name not in ("fold", "side"))])
        if len(rows) > _N_LINES:
            click.echo(f"… and {len(rows) - _N_LINES} sides more: --json")
