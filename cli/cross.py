"""``serprep cross``."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .output import interval, json_option, notes, paragraph, percent, print_json, print_table, print_wide_table
from .run import coefficient, warn


@click.command(short_help="Train on each of several corpora, test on each.")
@click.argument("recipes", metavar="A B…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--system", "systems", multiple=True, help="Only this system; may be given several times.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Local processes; default: one per core.")
@json_option
def cross(recipes: tuple[Path, ...], systems: tuple[str, ...], workers: int | None, as_json: bool) -> None:
    """Scores of systems trained on each recipe's corpus and tested on each, over labels or numbers that all have.

    Within a corpus speakers are apart, as its recipe's [split] says; between two, systems trained on all of
    one are scored on all of the other.  What is finished is kept.
    """
    from serprep.recipe import read_recipe
    from serprep_models.cross import cross as crossed

    if len(recipes) < 2:
        raise click.UsageError("name two recipes or more")
    result = crossed([read_recipe(path) for path in recipes], systems=systems, workers=workers, quiet=False)
    warn(result.warnings)
    notes(result.notes)
    if as_json:
        print_json(cross_json(result))
    else:
        print_cross(result)


def cross_json(result: Any) -> dict[str, Any]:
    """The matrix, as `serprep cross --json` prints it."""
    return {
        "corpora": list(result.corpora),
        "systems": list(result.systems),
        "labels": list(result.labels),
        **({"dimensions": list(result.dimensions)} if result.dimensions else {}),
        "mapping": {name: [asdict(row) for row in rows] for name, rows in result.mapping.items()},
        "cells": [_cell_json(cell) for cell in result.cells],
        "warnings": list(result.warnings),
        "notes": list(result.notes),
    }


def _cell_json(cell: Any) -> dict[str, Any]:
    told = {"summary": cell.summary.json} if cell.summary else {"numbers": [vars(row) for row in cell.numbers]}
    return (
        {name: value for name, value in vars(cell).items() if name not in ("summary", "numbers")}
        | told
        | {"within": cell.within}
    )


def print_cross(result: Any) -> None:
    """What became of labels, then UA or CCC of each system, trained in rows and tested in columns."""
    if result.dimensions:
        _print_numbers(result)
    else:
        _print_labels(result)
    click.echo()
    paragraph(
        f"{'CCC' if result.dimensions else 'UA'}: mean over seeds; in brackets 95 %, bootstrap over speakers of the "
        "tested corpus, seeds within. Within a corpus by the recipe's split; between two, trained on all of one and "
        "scored on all of the other."
    )


def _print_numbers(result: Any) -> None:
    from serprep.errors import one_line

    cells = {
        (cell.system, cell.train, cell.test, row.dimension): coefficient(row.ccc, row.ccc_interval)
        for cell in result.cells
        for row in cell.numbers
    }
    for system, dimension in dict.fromkeys((key[0], key[3]) for key in cells):
        head = f"{system}, {one_line(dimension)}: trained on"
        rows = [
            {head: train, **{f"CCC on {test}": cells[system, train, test, dimension] for test in result.corpora}}
            for train in result.corpora
        ]
        click.echo()
        print_wide_table(rows, list(rows[0]))


def _print_labels(result: Any) -> None:
    from serprep_models.scores import shown

    names = list(dict.fromkeys(row.label for rows in result.mapping.values() for row in rows))
    counts = {corpus: {row.label: row for row in rows} for corpus, rows in result.mapping.items()}
    print_table(
        [
            {
                "label": name or "(none)",
                "scored": "yes" if name in result.labels else "dropped",
                **{corpus: own[name].n_utterances if name in own else 0 for corpus, own in counts.items()},
            }
            for name in names
        ],
        ["label", "scored", *result.corpora],
    )
    cells = {(cell.system, cell.train, cell.test): cell for cell in result.cells}
    for system in result.systems:
        click.echo()
        head = f"{shown(cells[system, result.corpora[0], result.corpora[0]].summary)}: trained on"
        rows = [
            {head: train, **{f"UA % on {test}": _told(cells[system, train, test].summary) for test in result.corpora}}
            for train in result.corpora
        ]
        print_wide_table(rows, list(rows[0]))


def _told(summary: Any) -> str:
    around = interval(summary.ua_interval)
    return percent(summary.ua) + (f" ({around})" if around else "")
