"""What is printed fits into the terminal, and words stay whole."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.main import cli
from cli.output import OutputFile, cluster_options, print_table, say

ROWS = [{"name": "a", "what": "one two three four five six seven", "path": "/a/long/path/that/stays/whole"}]


@pytest.mark.parametrize(
    ("columns", "names", "expected"),
    [
        (0, ["name", "what"], "name  what\na     one two three four five six seven\n"),
        (40, ["name", "what"], "name  what\na     one two three four five six seven\n"),
        (30, ["name", "what"], "name  what\na     one two three four five\n      six seven\n"),
        (25, ["name", "what"], "name\na\n  what one two three four\n  five six seven\n"),
        (
            40,
            ["name", "what", "path"],
            "name  what\na     one two three four five six seven\n  path /a/long/path/that/stays/whole\n",
        ),
    ],
)
def test_a_table_fits_into_the_terminal(columns, names, expected, monkeypatch, capsys):
    monkeypatch.setattr("cli.output.columns_of", lambda stream: columns)
    print_table(ROWS, names)
    assert capsys.readouterr().out == expected


def test_a_value_is_wrapped_below_itself_and_a_path_is_not_broken(monkeypatch, capsys):
    monkeypatch.setattr("cli.output.columns_of", lambda stream: 40)
    say("licences     one two three four five six seven")
    say("path         /a/path/of/more/than/thirty/columns")
    say("a sentence of a few more than forty columns")
    assert capsys.readouterr().out == (
        "licences     one two three four five six\n             seven\n"
        "path         /a/path/of/more/than/thirty/columns\n"
        "a sentence of a few more than forty\n  columns\n"
    )


@pytest.mark.parametrize(
    ("words", "named", "expected", "first"),
    [
        ([], "tcp://lab:8786", ("tcp://lab:8786", None), "scheduler tcp://lab:8786, as DASK_SCHEDULER_ADDRESS says"),
        (["--scheduler", "tcp://own:1"], "tcp://lab:8786", ("tcp://own:1", None), ""),
        (["--workers", "2"], "tcp://lab:8786", (None, 2), ""),
        ([], "", (None, None), ""),
    ],
)
def test_the_scheduler_of_the_environment_is_used_and_said_first(words, named, expected, first):
    @click.command()
    @cluster_options
    def command(scheduler, workers, wait_for_workers):
        click.echo(repr((scheduler, workers)))

    done = CliRunner().invoke(command, words, env={"DASK_SCHEDULER_ADDRESS": named})
    assert done.stdout == f"{expected!r}\n"
    assert done.stderr.startswith(first) and bool(done.stderr) == bool(first)


@pytest.mark.parametrize("name", ["", "-", ".", "made.toml", "made.WAV"])
def test_no_command_writes_over_a_recipe_or_a_recording_or_to_no_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made.toml").touch()
    (tmp_path / "made.WAV").touch()
    with pytest.raises(click.BadParameter, match="would be lost" if "made" in name else "no name of a file"):
        OutputFile(path_type=Path).convert(name, None, None)
    assert OutputFile(path_type=Path).convert("new.toml", None, None) == Path("new.toml")


def test_whatever_writes_one_file_goes_through_that():
    options = {
        f"{name} {option.name}": isinstance(option.type, OutputFile)
        for name, command in cli.commands.items()
        for option in command.params
        if option.name in {"output", "status_json", "destination"}
    }
    elsewhere = {"init output"}  # never overwrites
    folders = {f"{name} output" for name in ("manifest", "reproduce", "pull")} | {
        f"{name} destination" for name in ("export", "convert")
    }
    assert {name for name, checked in options.items() if not checked} - elsewhere - folders == set()
