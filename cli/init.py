"""``serprep init``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import json_option, notes, print_json

if TYPE_CHECKING:
    from serprep.corpora.guess import Guess


@click.command(short_help="A corpus folder → a commented recipe.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The recipe; default: FOLDER's name, here.")
@json_option
def init(folder: Path, output: Path | None, as_json: bool) -> None:
    """Look at a FOLDER of recordings and write a recipe for it; nothing is overwritten.

    Known corpora are recognised, then a table that names the recordings, then a pattern
    that their names follow.
    """
    from serprep.corpora.guess import guess
    from serprep.errors import RecipeError, one_line

    real = Path(os.path.realpath(folder))
    path = output or Path(f"{real.name or 'corpus'}.toml")
    if path.is_dir():
        path = path / f"{real.name or 'corpus'}.toml"
    if path.exists() or path.is_symlink():
        raise RecipeError(f"{one_line(path)} is there already and is not overwritten; name another file with --output")
    guessed = guess(folder)
    text = recipe_text(guessed, root=os.path.relpath(real, path.resolve().parent))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    about = {
        "recipe": str(path),
        "reader": guessed.reader,
        "options": dict(guessed.options),
        "n_recordings": guessed.n_recordings,
        "n_utterances": len(guessed.reading.utterances),
        "n_speakers": guessed.n_speakers,
        "emotions": guessed.emotions,
        "warnings": list(guessed.reading.warnings),
        "next": f"serprep run {path}",
    }
    notes(guessed.reading.warnings, "warning")
    if len(guessed.emotions) == 1:
        notes([f"one emotion only, {one_line(*guessed.emotions)!r}: there is nothing to tell apart; add others"])
    if as_json:
        print_json(about)
        return
    how = ", ".join(f"{name} {value}" for name, value in guessed.options.items())
    click.echo(f"recordings   {guessed.n_recordings} in {one_line(folder)}")
    click.echo(f"reader       {guessed.reader}{f' ({one_line(how)})' if how else ''}")
    click.echo(f"utterances   {len(guessed.reading.utterances)} of {guessed.n_speakers or 'unknown'} speakers")
    click.echo("emotions     " + one_line(", ".join(f"{name} {n}" for name, n in guessed.emotions.items()) or "none"))
    click.echo(f"recipe       {one_line(path)}: read it, then")
    first = "" if guessed.n_speakers > 1 else "say in it who speaks, then: "
    click.echo(f"next         {first}serprep run {one_line(path)}")


def recipe_text(guessed: "Guess", *, root: str) -> str:
    """The recipe of a guess, with comments."""
    from serprep.errors import one_line

    told = one_line(", ".join(f"{name} {n}" for name, n in guessed.emotions.items()))
    lines = [
        f"# {guessed.n_recordings} recordings, {len(guessed.reading.utterances)} utterances, "
        f"{guessed.n_speakers or 'unknown'} speakers",
        f"# emotions: {told or 'none found'}",
        "# What every key means: docs/recipe.md",
        "",
        "[corpus]",
        f"reader = {_quoted(guessed.reader)}",
        f"root = {_quoted(root)}",
    ]
    lines += [f"{name} = {_quoted(value)}" for name, value in guessed.options.items() if isinstance(value, str)]
    if {"title", "licence", "source"} <= set(guessed.reading.corpus.options):
        lines += [
            '# title = ""    # what the corpus is called on pages',
            '# licence = ""  # of the recordings; it goes into every store',
            '# source = ""   # where they come from',
        ]
    columns = guessed.options.get("columns")
    if isinstance(columns, dict):
        lines += ["", "[corpus.columns] # role = the table's column"]
        lines += [f"{role} = {_quoted(name)}" for role, name in columns.items()]
    lines += ["", "# [corpus.emotions] # keep, rename or merge; what is not named is dropped, and counted"]
    lines += [f"# {_quoted(name)} = {_quoted(name)}" for name in guessed.emotions]
    lines += ["", "[split]", *_split_lines(guessed.n_speakers), ""]
    lines += ["# [train]", '# systems = ["multi-crnn", "compare-svm"] # default: all five', "# seeds = [0, 1, 2]", ""]
    return "\n".join(lines)


def _split_lines(n_speakers: int) -> list[str]:
    if n_speakers < 2:
        return [
            f"# {n_speakers or 'no'} speaker{'s' * (n_speakers != 1)} found: nobody can be left out;",
            "# write {speaker} above where the names say who speaks, or name another column that keeps people apart:",
            '# group = "session"',
        ]
    if n_speakers <= 12:
        return ['protocol = "leave-one-group-out" # each speaker is tested once', 'group = "speaker"']
    return ['protocol = "group-k-fold"', 'group = "speaker" # nobody is in training and test', "folds = 5"]


def _quoted(text: object) -> str:
    """A TOML string."""
    import json

    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007F")
