"""``serprep reproduce``."""

from dataclasses import asdict
from pathlib import Path

import click

from .output import json_option, print_json, print_table, say


@click.command(short_help="A bundle and recordings → are these the same results?")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--root", required=True, metavar="RECORDINGS", help="The corpus's folder.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new folder; default: beside the bundle.")
@click.option("--system", "systems", multiple=True, help="Only this system; may be given several times.")
@click.option("--fold", "folds", multiple=True, help="Only this fold, by name.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Local processes; default: one per core.")
@json_option
def reproduce(
    bundle: Path,
    root: str,
    output: Path | None,
    systems: tuple[str, ...],
    folds: tuple[str, ...],
    workers: int | None,
    as_json: bool,
) -> int:
    """Build, split and train again what a BUNDLE tells of, and say at which step the first difference is.

    Predictions must be the same bits where platform, libraries and code are; elsewhere the scores must lie
    within the stated spread.  Exit status 1 where they are others.
    """
    from serprep.parallel import Workers
    from serprep_models.reproduce import reproduce

    folder = output or bundle.with_name(f"{bundle.stem}-reproduced")
    with Workers(workers) as pool:
        done = reproduce(bundle, root=root, folder=folder, systems=systems, folds=folds, pool=pool, quiet=False)
    if as_json:
        steps = [asdict(step) for step in done.steps]
        print_json({"ok": done.ok, "first_difference": done.first_difference, "steps": steps, "folder": done.folder})
        return 0 if done.ok else 1
    print_table(
        [{"step": step.name, "result": step.result, "what": step.words} for step in done.steps],
        ["step", "result", "what"],
    )
    say()
    say(f"first difference: {done.first_difference or 'none, to the last bit'}")
    return 0 if done.ok else 1
