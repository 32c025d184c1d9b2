"""``serprep verify``."""

from dataclasses import asdict

import click

from .output import json_option, print_json, say


@click.command(short_help="Is a store what was sealed, and what its recordings give?")
@click.argument("store")
@click.option("--against-audio", metavar="ROOT", help="Recompute from the recordings in this folder or URL.")
@click.option("--recipe", metavar="FILE", help="The recipe that names what values come from besides, such as arrays.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Recompute only N utterances; default: all.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Chooses the sample.")
@json_option
def verify(
    store: str, against_audio: str | None, recipe: str | None, sample: int | None, seed: int, as_json: bool
) -> int:
    """Inspect a STORE: its files, digests, seal and content; exit status 1 if anything is wrong."""
    from serprep.place.corpus import as_root
    from serprep.progress import Progress
    from serprep.recipe import read_recipe
    from serprep.store.verify import verify as inspect

    with Progress("verifying", 0, unit="files and utterances") as progress:
        found = inspect(
            store,
            against_audio=as_root(against_audio) if against_audio else None,
            sources=read_recipe(recipe).features if recipe else None,
            sample=sample,
            seed=seed,
            progress=progress.to,
        )
    if as_json:
        problems = [asdict(problem) for problem in found.problems]
        print_json(
            {
                "store": found.store,
                "version": found.version,
                "ok": found.ok,
                "n_files": found.n_files,
                "n_recomputed": found.n_recomputed,
                "problems": problems,
            }
        )
    else:
        for problem in found.problems:
            touched = ""
            if problem.utterances and problem.utterances != (problem.place,):
                touched = f"; utterances touched: {len(problem.utterances)}, such as {problem.utterances[0]}"
            say(f"{problem.kind}: {problem.place}: {problem.message}{touched}")
            for other in problem.shared_with:
                say(f"  shared with {other}")
        n_other = sum(len(problem.utterances) for problem in found.problems if problem.recording)
        recomputed = f", {found.n_recomputed - n_other} utterances recomputed" if against_audio else ""
        say(
            f"{'whole' if found.whole else 'DAMAGED'}: {found.n_files} files{recomputed}, "
            f"{len(found.problems)} problems"
        )
        if not found.whole:
            say("mend it with `serprep build RECIPE --repair`")
        elif n_other:
            say(f"not compared: {n_other}, whose recordings or sources are not there, or not those of the store")
    return 0 if found.ok else 1
