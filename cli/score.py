"""``serprep score``."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .output import json_option, notes, print_json, print_table, print_wide_table
from .run import print_groups, print_outcome


@click.command(short_help="Scores of a trained system on another store.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("store")
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="LABEL=LABEL",
    help="A label of the store or of the system, and what it is scored as; may be given several times.",
)
@click.option(
    "--scale",
    "scales",
    multiple=True,
    metavar="NAME=LOW,HIGH",
    help="The scale of a column of numbers of the store, where it was another in training; several times.",
)
@click.option("--group", "groups", multiple=True, metavar="COLUMN", help="Score the values of this column apart.")
@click.option("--trained-on", metavar="STORE", help="What CHECKPOINT was trained on, where it was moved.")
@json_option
def score(
    checkpoint: Path,
    store: str,
    pairs: tuple[str, ...],
    scales: tuple[str, ...],
    groups: tuple[str, ...],
    trained_on: str | None,
    as_json: bool,
) -> None:
    """Score a CHECKPOINT on every utterance of a STORE that has a label, or numbers.

    Of several checkpoints below CHECKPOINT, such as folds and seeds, the mean is scored.  Only labels that
    both have are scored; what is dropped is counted.  Numbers are compared from 0 to 1.  Speakers and
    recordings of training that are in STORE are named.
    """
    from serprep.store.store import open_store
    from serprep_models.checkpoint import checkpoints_below
    from serprep_models.score_store import score_store

    known = None if trained_on is None else open_store(trained_on)
    scores = score_store(
        checkpoints_below(checkpoint),
        open_store(store),
        mapping=mapping_of(pairs),
        scales=scales_of(scales),
        groups=groups,
        trained_on=known,
        quiet=False,
    )
    if as_json:
        notes(scores.warnings, "warning")
        notes(scores.notes)
        print_json(score_json(scores))
        return
    if scores.dimensions.scores:
        print_outcome(scores)
        return
    print_labels(scores.labels.rows)
    print_outcome(scores)
    print_confusion(scores.results[0].confusion, scores.labels.labels)
    print_groups(scores.groups)


def mapping_of(pairs: Sequence[str]) -> dict[str, str]:
    """``--map`` as a mapping."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        name, sign, becomes = pair.partition("=")
        if not (sign and name and becomes) or mapping.get(name, becomes) != becomes:
            raise click.UsageError(f"--map {pair!r}: expected LABEL=LABEL, each label once, such as joy=happy")
        mapping[name] = becomes
    return mapping


def scales_of(pairs: Sequence[str]) -> dict[str, tuple[float, float]]:
    """``--scale`` as a mapping."""
    from serprep.recipe import is_scale
    from serprep.text import as_float

    given: dict[str, tuple[float, float]] = {}
    for pair in pairs:
        name, _, ends = pair.partition("=")
        scale = tuple(map(as_float, ends.split(",")))
        if not name or name in given or not is_scale(scale):
            raise click.UsageError(f"--scale {pair!r}: expected NAME=LOW,HIGH, each name once, such as arousal=1,5")
        given[name] = scale  # type: ignore[assignment]
    return given


def score_json(scores: Any) -> dict[str, Any]:
    """Scores on a store, as `serprep score --json` prints them."""
    return {
        "checkpoints": list(scores.checkpoints),
        "store": scores.store.path,
        "version": scores.store.version,
        "labels": list(scores.labels.labels),
        "mapping": [asdict(row) for row in scores.labels.rows],
        "n_dropped": scores.labels.n_dropped,
        "results": [result.json for result in scores.results],
        "summary": [row.json for row in scores.summary],
        "groups": asdict(scores.groups),
        **({"dimensions": asdict(scores.dimensions)} if scores.dimensions.scores else {}),
        "seen": {name: list(getattr(scores.seen, name)) for name in ("speakers", "recordings", "sounds")},
        "warnings": list(scores.warnings),
        "notes": list(scores.notes),
    }


def print_labels(rows: Sequence[Any]) -> None:
    """What each label of the system and of the store is scored as."""
    print_table(
        [
            {
                "label": row.label or "(none)",
                "scored as": row.scored_as or "dropped",
                "utterances": row.n_utterances,
                "system": "knows it" if row.in_system else "",
            }
            for row in rows
        ],
        ["label", "scored as", "utterances", "system"],
    )


def print_confusion(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> None:
    """A confusion matrix: the truth in rows."""
    rows = [{"truth": label, **dict(zip(labels, row, strict=True))} for label, row in zip(labels, counts, strict=True)]
    click.echo()
    print_wide_table(rows, ["truth", *labels])
