"""``serprep split``."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .output import json_option, notes, print_json, print_table


@click.command(short_help="A manifest → who trains, who develops, who tests.")
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option(
    "--protocol",
    type=click.Choice(["fixed", "leave-one-group-out", "group-k-fold"]),
    default="leave-one-group-out",
    show_default=True,
)
@click.option("--group", default="speaker", show_default=True, help="Column whose values stay together.")
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="For group-k-fold.")
@click.option(
    "--dev-groups", type=click.IntRange(0), default=0, show_default=True, help="Groups set apart in training."
)
@click.option("--dev-group", default="", help="Column of those groups; default: the same as --group.")
@click.option("--column", default="partition", show_default=True, help="For fixed: the column that holds the roles.")
@click.option("--test", default="", help="For fixed: the value that is tested, where there are several test sets.")
@click.option("--emotion", "emotions", multiple=True, metavar="NAME", help="Only these emotions; repeatable.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("split.json"), show_default=True)
@json_option
def split(manifest: Path, output: Path, emotions: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Split a MANIFEST and write the split file; it holds no audio and can be shared."""
    from serprep.audit import audit_split
    from serprep.manifest import read_manifest, select, spellings
    from serprep.split import SplitConfig, describe, make_split, write_split

    kept = select(read_manifest(manifest), emotions={name: name for name in emotions} or None)
    made = make_split(kept.manifest, SplitConfig(**options))
    write_split(made, output)
    found = audit_split(kept.manifest, made)
    notes(found.warnings, "warning")
    notes([f"{count} utterances dropped: {reason}" for reason, count in kept.dropped.items()])
    notes((*spellings(kept.manifest), *made.notes))
    if as_json:
        about: dict[str, Any] = {"split": str(output.resolve()), "digest": made.digest, "rows_digest": made.rows_digest}
        about |= {"config": asdict(SplitConfig(**options)), "folds": describe(made), "notes": list(made.notes)}
        print_json({**about, "warnings": list(found.warnings)})
        return
    print_table(describe(made), ["fold", "train", "dev", "test", "test_groups"])
    click.echo(f"\nsplit        {output}")
    click.echo(f"digest       {made.digest}")
