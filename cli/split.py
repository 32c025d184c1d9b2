"""``serprep split``."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .output import OutputFile, json_option, notes, print_json, print_table, say
from .places import kind_of, rows_of, split_of


@click.command(short_help="A manifest, store or recipe → who trains, who develops, who tests.")
@click.argument("rows", type=click.Path(path_type=Path))
@click.option(
    "--protocol",
    type=click.Choice(["auto", "fixed", "leave-one-group-out", "leave-one-corpus-out", "group-k-fold"]),
    default="auto",
    show_default=True,
    help="auto: leave-one-group-out, or group-k-fold for more than 100 groups.",
)
@click.option(
    "--group",
    multiple=True,
    default=["speaker"],
    show_default=True,
    help="Column whose values stay together; given twice, train and test share neither.",
)
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="For group-k-fold.")
@click.option(
    "--other-folds",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    help="Parts of the second column; 0: all is tested, training loses what shares a value.",
)
@click.option(
    "--dev-groups", type=click.IntRange(0), default=0, show_default=True, help="Groups set apart in training."
)
@click.option("--dev-group", default="", help="Column of those groups; default: the same as --group.")
@click.option("--column", default="partition", show_default=True, help="For fixed: the column that holds the roles.")
@click.option("--test", default="", help="For fixed: the value that is tested, where there are several test sets.")
@click.option("--emotion", "emotions", multiple=True, metavar="NAME", help="Only these emotions; repeatable.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option("-o", "--output", type=OutputFile(path_type=Path), default=Path("split.json"), show_default=True)
@json_option
def split(rows: Path, output: Path, emotions: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Split ROWS, a manifest, a store or a recipe, and write the split file, which can be shared: it holds no audio.

    A recipe says how by itself, in [split]; options given here go first.
    """
    from serprep.audit import audit_split
    from serprep.manifest.select import select, spellings
    from serprep.split import SplitConfig, describe, make_split, write_split

    options["group"] = options["group"][0] if len(options["group"]) == 1 else options["group"]
    given = options
    if kind_of(str(rows)) == "recipe":
        context = click.get_current_context()
        typed = click.core.ParameterSource.COMMANDLINE
        given = {name: value for name, value in options.items() if context.get_parameter_source(name) == typed}
    named = {name: name for name in emotions} or None
    kept = select(rows_of(rows), emotions=named)
    looked = kept
    if kind_of(str(rows)) == "recipe":
        made, config = split_of(rows, kept.manifest, **given)
        looked = select(rows_of(rows, digests=True), emotions=named)  # so that copies on both sides are told
    else:
        config = SplitConfig(**given)
        made = make_split(kept.manifest, config)
    write_split(made, output)
    audit = audit_split(looked.manifest, made)
    notes(audit.warnings, "warning")
    notes([f"{count} utterances dropped: {reason}" for reason, count in kept.dropped.items()])
    notes((*spellings(kept.manifest), *made.notes))
    if as_json:
        about = {"split": str(output.resolve()), "digest": made.digest, "rows_digest": made.rows_digest}
        notes_of = {"notes": list(made.notes), "warnings": list(audit.warnings)}
        print_json({**about, "config": asdict(config), "folds": describe(made), **notes_of})
        return
    print_table(describe(made), ["fold", "train", "dev", "test", "test_groups"])
    say()
    say(f"split        {output}")
    say(f"digest       {made.digest}")
