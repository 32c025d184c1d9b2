"""``serprep run``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .build import build_json, print_build
from .output import (
    cluster_options,
    interval,
    json_option,
    memory_option,
    notes,
    p_value,
    paragraph,
    percent,
    print_json,
    print_wide_table,
    status_option,
    training_options,
)


@click.command(short_help="The whole path of a recipe: store, systems, scores, page.")
@click.argument("recipe", type=click.Path(path_type=Path))
@cluster_options
@memory_option
@status_option
@training_options
@click.option("--on-bad-audio", type=click.Choice(["quarantine", "fail"]), default="quarantine", show_default=True)
@json_option
def run(recipe: Path, as_json: bool, status_json: Path | None, **options: Any) -> int:
    """Build the store of a RECIPE, train and score its systems, and write a page.

    Finished experiments are kept and not run again.
    """
    from serprep.errors import one_line
    from serprep.recipe import read_recipe
    from serprep.status import writing_status
    from serprep_models.run import run_recipe

    with writing_status(status_json):
        built, outcome, page = run_recipe(read_recipe(recipe), quiet=False, warn=warn, **options)
    if as_json:
        remarks(outcome)
        print_json({"build": build_json(built), **outcome_json(outcome), "report": str(page)})
    else:
        print_build(built)
        print_outcome(outcome)
        print_groups(outcome.groups)
        print_conditions(outcome.conditions)
        print_verdict(outcome)
        click.echo(f"page         {one_line(page)}")
    return 3 if built.quarantined else 0


def warn(lines: Sequence[str]) -> None:
    """What makes scores other than they seem, on standard error."""
    notes(lines, "warning")


def remarks(outcome: Any) -> None:
    """Warnings and notes of an outcome, on standard error."""
    warn(outcome.warnings)
    notes(outcome.notes)


def _spread(row: Any) -> str:
    """Mean and spread of UA over experiments, and of how many where it is not defined in all."""
    if row.ua_fold_mean is None:
        return "undefined"
    some = f" ({row.n_defined} of {row.n_runs})" if row.n_defined < row.n_runs else ""
    return f"{percent(row.ua_fold_mean)} ± {percent(row.ua_fold_std)}{some}"


def outcome_json(outcome: Any) -> dict[str, Any]:
    """Results and summary, as `serprep train --json` and `serprep run --json` print them."""
    from serprep_models.outcome import scores_json

    verdict = outcome.verdict
    return {
        **scores_json(outcome),
        "groups": asdict(outcome.groups),
        "conditions": [asdict(row) for row in outcome.conditions],
        **({"raters": [asdict(row) for row in outcome.raters]} if outcome.raters else {}),
        **({"dimensions": asdict(outcome.dimensions)} if outcome.dimensions.scores else {}),
        "submissions": list(outcome.submissions),
        "best": {
            "system": verdict.leader if verdict.best else None,
            "leader": verdict.leader or None,
            "rivals": list(verdict.rivals),
            "words": verdict.words,
            "predict": outcome.predict_command(verdict.leader) or None,
        },
        "warnings": list(outcome.warnings),
        "audit": list(outcome.audit),
        "notes": list(outcome.notes),
    }


def print_outcome(outcome: Any) -> None:
    """Scores per system, in per cent."""
    from serprep.errors import one_line
    from serprep_models.scores import shown

    remarks(outcome)
    if outcome.dimensions.scores:
        print_dimensions(outcome)
        if not outcome.summary:
            return
        click.echo()
        paragraph("The emotion, learnt beside:")
    names = {row.system: shown(row) for row in outcome.summary}
    rows = [
        {
            "system": names[row.system],
            "UA %": percent(row.ua),
            "95 %": interval(row.ua_interval),
            "WA %": percent(row.wa),
            "95 % ": interval(row.wa_interval),
            "UA over folds and seeds": _spread(row),
            "runs": row.n_runs,
        }
        for row in outcome.summary
    ]
    click.echo()
    print_wide_table(rows, list(rows[0]) if rows else [])
    print_beyond(outcome.summary)
    print_raters(outcome.raters)
    part = "" if outcome.scored == "test" else f"of the {outcome.scored} part, "
    click.echo()
    paragraph(
        f"UA, WA: {part}predictions pooled over folds, mean over seeds; 95 %: bootstrap over speakers, seeds within."
    )
    if any(row.transductive for row in outcome.summary):
        click.echo("transductive: features are standardised per speaker,")
        click.echo("  by unlabelled recordings of test speakers.")
    _print_comparisons(outcome.comparisons, names)
    if outcome.submissions:
        place = one_line(Path(outcome.submissions[0]).parent)
        click.echo(f"submission   {place} ({len(outcome.submissions)} files)")


def _print_comparisons(pairs: Sequence[Any], names: Mapping[str, str]) -> None:
    """How much higher each system scores than each other one, and whether chance does not explain it."""
    if not pairs:
        return
    rows = [
        {
            "difference": f"{names[pair.first]} − {names[pair.second]}" if score == "ua" else "",
            "score": score.upper(),
            "points": percent(getattr(pair, score)),
            "95 %": interval(getattr(pair, f"{score}_interval")),
            "p": p_value(getattr(pair, f"{score}_p")),
            "p (Holm)": p_value(getattr(pair, f"{score}_p_holm")),
        }
        for pair in pairs
        for score in ("ua", "wa")
    ]
    click.echo()
    print_wide_table(rows, list(rows[0]))
    click.echo()
    paragraph("p: two-sided, permutation of the two systems speaker by speaker; Holm: corrected for all pairs.")


def print_raters(scores: Sequence[Any]) -> None:
    """How far systems are from what raters said, where these agree and where they do not."""
    if not scores:
        return

    def told(value: float, around: Sequence[float] | None) -> str:
        return f"{value:.3f}" + ("" if around is None else f" ({around[0]:.3f}–{around[1]:.3f})")

    click.echo()
    rows = [
        {
            "system": row.system,
            "utterances": row.part,
            "n": row.n_utterances,
            "no majority": row.n_without_majority,
            "KL, bits": told(row.kl, row.kl_interval),
            "JS, bits": told(row.js, row.js_interval),
            "UA %": percent(row.ua),
            "WA %": percent(row.wa),
            "entropy of raters": "{:.2f}–{:.2f}".format(*row.entropy),
            "of the system": f"{row.system_entropy:.2f}",
        }
        for row in scores
    ]
    print_wide_table(rows, list(rows[0]))
    click.echo()
    paragraph(
        "KL, JS: mean Kullback–Leibler and Jensen–Shannon divergence from what raters said; thirds of the utterances "
        "by the entropy of that; in brackets, 95 %."
    )


def coefficient(value: float | None, around: Sequence[float] | None) -> str:
    """A concordance, correlation or error, with its interval."""
    if value is None:
        return "undefined"
    return f"{value:.3f}" + ("" if around is None else f" ({around[0]:.3f} to {around[1]:.3f})")


def print_dimensions(outcome: Any) -> None:
    """Concordance, correlation and error per system and dimension, and which systems differ."""
    from serprep.errors import one_line
    from serprep_models.scores.dimensions import SCORES

    dimensions = outcome.dimensions
    click.echo()
    print_wide_table(
        [
            {
                "system": row.system,
                "dimension": one_line(row.dimension),
                "utterances": row.n_utterances,
                "missing": row.n_missing,
                **_scores_of_numbers(row),
            }
            for row in dimensions.scores
        ],
        ["system", "dimension", "utterances", "missing", *SCORES.values()],
    )
    part = "" if outcome.scored == "test" else f"of the {outcome.scored} part, "
    click.echo()
    paragraph(
        f"{part}predictions pooled over folds, mean over seeds; in brackets, 95 % of a bootstrap over speakers, seeds "
        "within; missing: no value is known."
    )
    paragraph(f"Scales: {dimensions.words}.")
    if dimensions.differences:
        click.echo()
        print_wide_table(
            [
                {
                    "difference": f"{row.first} − {row.second}",
                    "dimension": one_line(row.dimension),
                    "CCC": coefficient(row.ccc, row.ccc_interval),
                    "p": p_value(row.p),
                    "p (Holm)": p_value(row.p_holm),
                }
                for row in dimensions.differences
            ],
            ["difference", "dimension", "CCC", "p", "p (Holm)"],
        )
        click.echo()
        paragraph("p: two-sided, permutation of the systems speaker by speaker; Holm: for all pairs and dimensions.")
    _print_number_groups(dimensions)
    _print_number_conditions(dimensions)


def _scores_of_numbers(row: Any) -> dict[str, str]:
    from serprep_models.scores.dimensions import SCORES

    return {head: coefficient(getattr(row, name), getattr(row, f"{name}_interval")) for name, head in SCORES.items()}


def _print_number_groups(dimensions: Any) -> None:
    from serprep.errors import one_line

    if not dimensions.groups:
        return
    rows = [
        {
            "system": row.system,
            "dimension": one_line(row.dimension),
            "group": one_line(f"{row.column} {row.group}") + (" (worst)" if row.worst else ""),
            "speakers": f"{row.n_speakers or '–'}{' (too few)' if row.too_few else ''}",
            "utterances": row.n_utterances,
            **_scores_of_numbers(row),
        }
        for row in dimensions.groups
    ]
    click.echo()
    print_wide_table(rows, list(rows[0]))
    print_differences(
        dimensions.group_differences,
        lambda row: f"CCC of {one_line(row.dimension)} {coefficient(row.ccc, row.ccc_interval)}",
    )


def _print_number_conditions(dimensions: Any) -> None:
    from serprep.errors import one_line

    table: dict[tuple[str, str], dict[str, str]] = {}
    for row in dimensions.conditions:
        head = {"CCC in": row.condition, "dimension": one_line(row.dimension)}
        table.setdefault((row.condition, row.dimension), head)[row.system] = coefficient(row.ccc, row.ccc_interval)
    if table:
        click.echo()
        systems = dict.fromkeys(row.system for row in dimensions.conditions)
        print_wide_table(list(table.values()), ["CCC in", "dimension", *systems])
        click.echo()
        paragraph(CONDITIONS)


GROUPS = "Groups: differences by permutation of speakers, all in --json; too few: fewer than 5 speakers."
CONDITIONS = "Conditions: the test part alone is transformed; systems are those trained on clean recordings."


def print_beyond(summary: Sequence[Any]) -> None:
    """F1 and what probabilities are worth, per system, each with its interval."""
    from serprep_models.scores import SCORES, shown
    from serprep_models.scores.intervals import beyond_rows

    def told(row: Any, name: str, scale: int) -> str:
        if getattr(row, name) is None:
            return "undefined"
        around, digits = getattr(row, f"{name}_interval"), 1 if scale == 100 else 2
        bounds = "" if around is None else " ({:.{n}f}–{:.{n}f})".format(*(scale * x for x in around), n=digits)
        return f"{scale * getattr(row, name):.{digits}f}{bounds}"

    if all(row.nll is None for row in summary):
        return
    rows = [
        {"system": shown(row)} | {head: told(row, name, scale) for name, (head, scale) in SCORES.items()}
        for row in beyond_rows(summary)
    ]
    click.echo()
    print_wide_table(rows, list(rows[0]))
    bins = max(row.ece_bins for row in summary)
    click.echo()
    paragraph(f"ECE: {bins} bins of equal mass; AURC: area under the risk–coverage curve; in brackets, 95 %.")


def print_groups(groups: Any) -> None:
    """Scores within groups of utterances, and which groups differ."""
    from serprep.errors import one_line

    if not groups.scores:
        return
    click.echo()
    print_wide_table(
        [
            {
                "system": row.system,
                "group": one_line(f"{row.column} {row.group}"),
                "speakers": f"{row.n_speakers or '–'}{' (too few)' if row.too_few else ''}",
                "utterances": row.n_utterances,
                "UA %": percent(row.ua) + (" worst" if row.worst else ""),
                "95 %": interval(row.ua_interval),
                "macro-F1 %": percent(row.macro_f1),
                "95 % ": interval(row.macro_f1_interval),
            }
            for row in groups.scores
        ],
        ["system", "group", "speakers", "utterances", "UA %", "95 %", "macro-F1 %", "95 % "],
    )
    print_differences(groups.differences, lambda row: f"UA {percent(row.ua)} points ({interval(row.ua_interval)})")


def print_differences(rows: Sequence[Any], score: Callable[[Any], str]) -> None:
    """Differences of groups that chance does not explain, and what the table of groups says."""
    from serprep.errors import one_line

    for row in rows:
        if row.p_holm is not None and row.p_holm < 0.05:
            paragraph(
                f"{row.system}: {one_line(row.column)} {one_line(row.first)} − {one_line(row.second)}: {score(row)}, "
                f"p {p_value(row.p_holm)} (Holm)."
            )
    click.echo()
    paragraph(GROUPS)


def print_conditions(scores: Sequence[Any]) -> None:
    """UA of every system in every condition."""
    if not scores:
        return
    table: dict[str, dict[str, str]] = {}
    for row in scores:
        cell = f"{percent(row.ua)}" + ("" if row.ua_interval is None else f" ({interval(row.ua_interval)})")
        table.setdefault(row.condition, {"UA % in": row.condition})[row.system] = cell
    click.echo()
    print_wide_table(list(table.values()), ["UA % in", *dict.fromkeys(row.system for row in scores)])
    click.echo()
    paragraph(CONDITIONS)


def print_verdict(outcome: Any) -> None:
    """Which system is the best, if one is, and how to predict with it."""
    from serprep.errors import one_line

    verdict = outcome.verdict
    click.echo()
    if verdict.words:
        paragraph(f"{one_line(verdict.words)}.")
    command = outcome.predict_command(verdict.leader)
    if command:
        click.echo(f"predict      {one_line(command)}")
