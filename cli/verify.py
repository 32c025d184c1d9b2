"""``serprep verify``."""

from dataclasses import asdict
from typing import Any

import click

from .output import json_option, print_json, say

SAMPLE = 100  # openSMILE is slow


@click.command(short_help="Is a store what was sealed, and what its recordings give?")
@click.argument("store")
@click.option("--against-audio", metavar="ROOT", help="Recompute from the recordings in this folder or URL.")
@click.option(
    "--against-opensmile",
    metavar="ROOT",
    help=f"Recompute functionals by the package opensmile from the recordings there; default: {SAMPLE} utterances.",
)
@click.option("--recipe", metavar="FILE", help="The recipe that names what values come from besides, such as arrays.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Recompute only N utterances; default: all.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Chooses the sample.")
@json_option
def verify(
    store: str,
    against_audio: str | None,
    against_opensmile: str | None,
    recipe: str | None,
    sample: int | None,
    seed: int,
    as_json: bool,
) -> int:
    """Inspect a STORE: its files, digests, seal and content.

    Exit status 1 says that it is damaged, 4 that nothing is wrong with it, but that not all could be
    checked here: a package, a model, a source or a recording is missing.
    """
    from serprep.place.corpus import as_root
    from serprep.progress import Progress
    from serprep.recipe import read_recipe
    from serprep.store.verify import verify as inspect

    if against_audio and against_opensmile:
        raise click.UsageError("--against-audio and --against-opensmile are two questions: ask one at a time")
    root = against_audio or against_opensmile
    with Progress("verifying", 0, unit="files and utterances") as progress:
        result = inspect(
            store,
            against_audio=as_root(root) if root else None,
            by_opensmile=bool(against_opensmile),
            sources=read_recipe(recipe).features if recipe else None,
            sample=sample or (SAMPLE if against_opensmile else None),
            seed=seed,
            progress=progress.to,
        )
    if as_json:
        told = ("store", "version", "ok", "whole", "n_files", "n_recomputed")
        problems = [asdict(problem) for problem in result.problems]
        print_json({**{name: getattr(result, name) for name in told}, "problems": problems})
    else:
        _print(result, against_recordings=bool(root))
    return 0 if result.ok else 4 if result.whole else 1


def _print(result: Any, *, against_recordings: bool) -> None:
    """What was found, in words."""
    for problem in result.problems:
        touched = ""
        if problem.utterances and problem.utterances != (problem.place,):
            touched = f"; utterances touched: {len(problem.utterances)}, such as {problem.utterances[0]}"
        say(f"{problem.kind}: {problem.place}: {problem.message}{touched}")
        for other in problem.shared_with:
            say(f"  shared with {other}")
    n_other = sum(problem.kind == "audio" and problem.recording for problem in result.problems)
    recomputed = f", {max(0, result.n_recomputed - n_other)} utterances recomputed" if against_recordings else ""
    say(
        f"{'whole' if result.whole else 'DAMAGED'}: {result.n_files} files{recomputed}, {len(result.problems)} problems"
    )
    if not result.whole:
        say("mend it with `serprep build RECIPE --repair`")
    unchecked = list(dict.fromkeys(p.place for p in result.problems if p.kind == "not checked"))
    if unchecked:
        more = f" and {len(unchecked) - 10} more" if len(unchecked) > 10 else ""
        say(f"could not be checked here: {', '.join(unchecked[:10])}{more}")
    if n_other:
        say(f"not compared: {n_other}, whose recordings are not there, or not those of the store")
