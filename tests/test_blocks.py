"""Every code block of the pages, and every command that a sentence names: recipes parse, commands and imports exist."""

import ast
import re
import shlex
import symtable
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import click
import pytest
import yaml
from serprep_cli.main import cli

from serprep.recipe import recipe_from

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])
RECIPE = {"dataset", "corpus", "features", "store", "split", "train", "test"}
SHELL = {"console", "sh", "text"}
#: Languages that a block may have; JSON, CSV and JSON lines are compared with what is written in `test_docs.py`.
LANGUAGES = {*SHELL, "python", "toml", "yaml", "json", "jsonl", "csv", "{toctree}"}


class Block(NamedTuple):
    """A fenced block of a page."""

    place: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """All blocks of these languages, in order of pages and lines."""
    found = []
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\S*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
            if not languages or match[1] in languages:
                line = page.count("\n", 0, match.start()) + 1
                found.append(Block(f"{path.relative_to(ROOT)}:{line}", match[1], match[2]))
    return found


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each command in a block: lines after a prompt, or all where there is none."""
    lines = re.sub(r"\\\n", " ", block.text).splitlines()
    typed = [found[1] for line in lines if (found := re.match(r"\w*\$ (.*)", line))]
    for line in typed or (lines if block.language == "sh" else ()):
        for command in line.split(" && "):
            yield shlex.split(command, comments=True)


def wrong(words: list[str], *, whole: bool) -> str:
    """Why there is no such command, or none with these options; if it is whole, also what it needs and lacks."""
    try:
        if words[0].startswith("-"):
            cli.make_context("serprep", words, resilient_parsing=True)
        else:
            name, command, rest = cli.resolve_command(click.Context(cli), words)
            assert command
            command.make_context(name, rest, resilient_parsing=not whole)
    except click.ClickException as error:
        return f"serprep {shlex.join(words)}: {error.format_message()}"
    return ""


def test_every_block_says_its_language_and_there_are_many() -> None:
    everything = blocks()
    assert [block.place for block in everything if block.language not in LANGUAGES] == []
    fences = sum(path.read_text(encoding="utf-8").count("\n```") for path in PAGES)
    assert len(everything) == fences / 2 > 60


def test_every_command_in_a_block_exists() -> None:
    seen = set()
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for block in blocks(*SHELL):
        for program, *words in commands(block):
            seen.add(program := PurePosixPath(program).name)
            if program == "serprep":
                assert not wrong(words, whole=True), block.place
            elif program == "make":
                assert set(words) <= set(targets), block.place
            elif program.startswith("python") and words[0] == "-m":
                assert find_spec(words[1]), f"{block.place}: no module {words[1]}"
                named = [word.partition("::")[0] for word in words if word.startswith("tests/")]
                assert all((ROOT / name).exists() for name in named), block.place
    assert {"serprep", "make", "python", "pip"} <= seen


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_in_a_sentence_exists(path: Path) -> None:
    page = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    named = [shlex.split(text.replace("|", " ")) for text in re.findall(r"`serprep ([^`]+)`", page)]
    told = [wrong(words, whole=False) for words in named if words[0] not in ("COMMAND", "hdf5")]
    assert list(filter(None, told)) == []


def test_blocks_of_toml_are_recipes_or_declare_packages(tmp_path: Path) -> None:
    corpus = {"corpus": {"reader": "pattern", "root": "recordings", "pattern": "{emotion}/{speaker}_{text}.wav"}}
    groups = {"serprep.corpora", "serprep.features", "serprep.systems", "serprep.exports"}
    for block in blocks("toml", "text"):
        if block.language == "text" and not block.text.startswith("["):
            continue
        values = tomllib.loads(block.text)
        if "project" in values:
            assert set(values["project"]["entry-points"]) <= groups, block.place
        elif block.language == "text":  # what only a package brings that the page writes
            assert set(values) <= RECIPE, block.place
        else:
            recipe_from(corpus | values, folder=tmp_path, name="example")


def test_python_blocks_compile_and_what_they_import_exists() -> None:
    for block in blocks("python"):
        tree = ast.parse(block.text, block.place)
        compile(tree, block.place, "exec")
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("serprep"):
                spec = find_spec(node.module or "")
                assert spec and spec.origin, f"{block.place}: no module {node.module}"
                source = Path(spec.origin).read_text(encoding="utf-8")
                known = symtable.symtable(source, spec.origin, "exec").get_identifiers()
                for name in (alias.name for alias in node.names):
                    assert name in known or find_spec(f"{node.module}.{name}"), f"{block.place}: no {name}"


def test_yaml_blocks_are_yaml() -> None:
    assert all(yaml.safe_load(block.text) for block in blocks("yaml"))
