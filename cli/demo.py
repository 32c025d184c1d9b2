"""``serprep demo``."""

import shlex
from pathlib import Path
from typing import Any

import click

from .build import build_json, print_build
from .output import cluster_options, json_option, print_json
from .run import outcome_json, print_outcome, print_verdict, remarks, warn

RECIPE = """\
# Written by `serprep demo`.  The recordings are SYNTHETIC: no human voice, no claim about emotion.

[dataset]
name = "demo (synthetic)"
path = "stores"

[corpus]
reader = "pattern"
root = "corpus"
pattern = "{emotion}/{speaker}_{text}_{take}.wav"

[split]
protocol = "group-k-fold"
group = "speaker"
folds = 4

[train]
systems = ["plain-crnn", "multi-crnn", "hsf-crnn", "compare-svm", "majority"]
seeds = [0, 1]
epochs = 40
batch_size = 16
"""


@click.command(short_help="Synthetic corpus → store → systems → page; no data needed.")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("serprep-demo"))
@cluster_options
@json_option
def demo(folder: Path, as_json: bool, **options: Any) -> int:
    """Walk the whole path on a small synthetic corpus, written into DIR (default: serprep-demo)."""
    from serprep.errors import SerprepError, one_line
    from serprep.files import refuse_store, write_whole
    from serprep.recipe import read_recipe
    from serprep.testing import write_synthetic_corpus
    from serprep_models.run import run_recipe

    recipe = folder / "recipe.toml"
    refuse_store(folder)
    if folder.is_dir() and any(folder.iterdir()):
        written = recipe.read_text(encoding="utf-8", errors="replace") if recipe.is_file() else ""
        if written != RECIPE:
            fact = "its recipe was edited" if written.startswith(RECIPE[:20]) else "not empty, and not a demo's"
            raise SerprepError(f"{one_line(folder)}: {fact}; name another folder, or run its recipe with `serprep run`")
    try:
        recordings = write_synthetic_corpus(folder / "corpus", n_takes=1)
        write_whole(recipe, RECIPE.encode())
    except OSError as error:
        raise SerprepError(f"{one_line(folder)}: {error.strerror}; name a folder that can be written") from None
    click.echo(
        f"{len(recordings)} synthetic recordings of 8 made-up speakers in {one_line(folder / 'corpus')}", err=True
    )
    built, outcome, page = run_recipe(read_recipe(recipe), quiet=False, warn=warn, **options)
    if as_json:
        remarks(outcome)
        print_json({"build": build_json(built), **outcome_json(outcome), "report": str(page)})
        return 0
    print_build(built)
    print_outcome(outcome)
    print_verdict(outcome)
    click.echo("\nThese recordings are synthetic: the scores show that the path works, and nothing about emotion.\n")
    click.echo(f"recipe       {one_line(recipe)}")
    click.echo(f"             change it, then: serprep run {one_line(shlex.quote(str(recipe)))}")
    click.echo(f"page         {one_line(page)}")
    return 0
