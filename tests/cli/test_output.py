"""What is printed fits into the terminal, and words stay whole."""

import click
import pytest
from click.testing import CliRunner

from cli.output import cluster_options, print_table, say

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
