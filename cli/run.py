"""``serprep run``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .build import build_json, print_build
from .output import (
    cluster_options,
    interval,
    json_option,
    notes,
    p_value,
    percent,
    print_json,
    print_table,
    training_options,
)


@click.command(short_help="The whole path of a recipe: store, systems, scores, page.")
@click.argument("recipe", type=click.Path(path_type=Path))
@cluster_options
@training_options
@click.option("--on-bad-audio", type=click.Choice(["quarantine", "fail"]), default="quarantine", show_default=True)
@json_option
def run(recipe: Path, as_json: bool, **options: Any) -> int:
    """Build the store of a RECIPE, train and score its systems, and write a page.

    Finished experiments are kept and not run again.
    """
    from serprep.recipe import read_recipe
    from serprep_models.run import run_recipe

    built, outcome, page = run_recipe(read_recipe(recipe), quiet=False, **options)
    if as_json:
        notes(outcome.notes)
        print_json({"build": build_json(built), **outcome_json(outcome), "report": str(page)})
    else:
        print_build(built)
        print_outcome(outcome)
        click.echo(f"page         {page}")
    return 3 if built.quarantined else 0


def _spread(row: Mapping[str, Any]) -> str:
    """Mean and spread of UA over experiments, and of how many where it is not defined in all."""
    if row["ua_fold_mean"] is None:
        return "undefined"
    some = f" ({row['n_defined']} of {row['n_runs']})" if row["n_defined"] < row["n_runs"] else ""
    return f"{percent(row['ua_fold_mean'])} ± {percent(row['ua_fold_std'])}{some}"


def _side(row: Mapping[str, Any], side: str) -> str:
    """A system of a pair, with what must be said of it; systems of several recipes have marks of their own."""
    from serprep_models.scores import shown

    return shown(row[side], {"transductive": row.get(f"{side}_transductive", row["transductive"])})


def outcome_json(outcome: Any) -> dict[str, Any]:
    """Results and summary, as `serprep train --json` and `serprep run --json` print them."""
    return {
        "results": outcome.results,
        "summary": outcome.summary,
        "comparisons": outcome.comparisons,
        "submissions": list(outcome.submissions),
        "notes": list(outcome.notes),
    }


def print_outcome(outcome: Any) -> None:
    """Scores per system, in per cent."""
    from serprep_models.scores import shown

    notes(outcome.notes)
    rows = [
        {
            "system": shown(row["system"], row),
            "UA %": percent(row["ua"]),
            "95 %": interval(row["ua_interval"]),
            "WA %": percent(row["wa"]),
            "95 % ": interval(row["wa_interval"]),
            "UA over folds and seeds": _spread(row),
            "runs": row["n_runs"],
        }
        for row in outcome.summary
    ]
    click.echo()
    print_table(rows, list(rows[0]) if rows else [])
    part = "" if outcome.scored == "test" else f"of the {outcome.scored} part, "
    click.echo(f"\nUA, WA: {part}predictions pooled over folds, mean over seeds; 95 %: bootstrap over speakers.")
    if any(row["transductive"] for row in outcome.summary):
        click.echo("transductive: features are standardised per speaker, by unlabelled recordings of test speakers.")
    if outcome.comparisons:
        click.echo()
        print_table(
            [
                {
                    "difference": " − ".join(_side(row, side) for side in ("first", "second")),
                    "UA %": percent(row["ua"]),
                    "95 %": interval(row["ua_interval"]),
                    "p": p_value(row["ua_p"]),
                    "WA %": percent(row["wa"]),
                    "95 % ": interval(row["wa_interval"]),
                    "p ": p_value(row["wa_p"]),
                }
                for row in outcome.comparisons
            ],
            ["difference", "UA %", "95 %", "p", "WA %", "95 % ", "p "],
        )
        click.echo(
            "\np: two-sided, permutation of the two systems speaker by speaker; not corrected for several tests."
        )
    if outcome.submissions:
        click.echo(f"submission   {Path(outcome.submissions[0]).parent} ({len(outcome.submissions)} files)")
