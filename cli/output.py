"""How results are printed: aligned tables, or one JSON document."""

import functools
import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
_NAME = re.compile(r"\S+(?: \S+)*  +")  # what a line is about, before its value


_KEPT = (".toml", ".wav", ".flac", ".ogg", ".mp3")  # recipes and recordings: what people made


class OutputFile(click.Path):
    """A file to write, by `path_type`; an existing recipe or recording is never meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        from serprep.errors import one_line

        path = Path(value)
        if path.name in {"", "-"}:
            self.fail(f"{value!r} is no name of a file", param, ctx)
        if path.suffix.lower() in _KEPT and path.is_file():
            self.fail(f"{one_line(value)!r} is there and would be lost; name another file, or remove it", param, ctx)
        return super().convert(value, param, ctx)


def json_option(command: Command) -> Command:
    """Add ``--json``: standard output then holds exactly one JSON document."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def cluster_options(command: Callable[..., Any]) -> Any:
    """Add ``--workers``, ``--scheduler`` and ``--wait-for-workers``; the scheduler may be that of the environment."""

    run = command

    @functools.wraps(run)
    def on_cluster(*args: Any, scheduler: str | None, workers: int | None, **options: Any) -> Any:
        named = os.environ.get("DASK_SCHEDULER_ADDRESS")
        if named and not scheduler and workers is None:
            say(f"scheduler {named}, as DASK_SCHEDULER_ADDRESS says; --workers N computes on this machine", err=True)
            scheduler = named
        return run(*args, scheduler=scheduler, workers=workers, **options)

    command = click.option(
        "--wait-for-workers",
        type=click.FloatRange(0),
        default=300.0,
        show_default=True,
        metavar="S",
        help="Seconds to wait for workers of a scheduler that has none.",
    )(on_cluster)
    command = click.option(
        "--scheduler",
        metavar="URL",
        help="A running Dask scheduler, such as tcp://host:8786; default: DASK_SCHEDULER_ADDRESS.",
    )(command)
    return click.option(
        "--workers", type=click.IntRange(1), metavar="N", help="Local processes; default: one per core."
    )(command)


def memory_option(command: Command) -> Command:
    """Add ``--memory-per-worker``."""
    return click.option(
        "--memory-per-worker",
        type=click.IntRange(16),
        metavar="MIB",
        help="What one recording may cost a worker; default: most of the machine's memory.",
    )(command)


def status_option(command: Command) -> Command:
    """Add ``--status-json``."""
    return click.option(
        "--status-json",
        type=OutputFile(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write there, every few seconds, how far it is.",
    )(command)


def recognise_option(command: Command) -> Command:
    """Add ``--no-samples``."""
    return click.option(
        "--no-samples",
        is_flag=True,
        help="Don't decode recordings that are not the published files to compare their samples.",
    )(command)


def training_options(command: Command) -> Command:
    """Add ``--device``, ``--memory-budget`` and ``--train-from``."""
    command = click.option(
        "--memory-budget", type=click.IntRange(1, 1 << 30), metavar="MIB", help="Stream features that need more."
    )(train_from_option(command))
    return click.option("--device", help="auto, cpu, cuda or cuda:N; default: the recipe's.")(command)


def train_from_option(command: Command) -> Command:
    """Add ``--train-from``."""
    return click.option(
        "--train-from",
        type=click.Path(path_type=Path),
        metavar="RECIPE",
        help="Take [train] from there, such as examples/tuned.toml.",
    )(command)


def say(line: object = "", *, err: bool = False) -> None:
    """One line, whatever is in it: titles, labels and file names may hold escapes that a terminal would obey.

    On a terminal what follows a name and two spaces is wrapped at words, below itself.
    """
    from serprep.errors import one_line

    text, width = one_line(line), columns_of(sys.stderr if err else sys.stdout)
    if width and len(text) > width:
        name = _NAME.match(text)
        start = name.end() if name else 0
        lines = wrapped(text[start:], width - start, indent=0 if name else 2)
        text = text[:start] + lines.replace("\n", "\n" + " " * start)
    click.echo(text, err=err)


def print_json(value: object) -> None:
    """One JSON document on standard output, in ASCII."""
    click.echo(json.dumps(value, indent=1, allow_nan=False).replace("\x7f", "\\u007f"))


def print_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Rows under their column names; numbers to the right.

    Where a terminal is too narrow, the last column is wrapped in its place; if there is too little of it,
    those that find none are told below, each after its name.
    """
    from serprep.errors import one_line

    cells = [[one_line(row.get(name, "")) for name in columns] for row in rows]  # before widths are counted
    numeric = [all(isinstance(row.get(name), (int, float)) for row in rows) for name in columns]
    widths = [
        max(len(name), *(len(line[i]) for line in cells)) if cells else len(name) for i, name in enumerate(columns)
    ]
    width, ends = columns_of(sys.stdout), list(accumulate(widths, lambda end, more: end + 2 + more))
    n_shown = len(columns)
    if width and ends[-1] > width:
        n_shown = sum(end <= width for end in ends) or 1
        start = ends[-2] + 2 if len(ends) > 1 else 0
        in_place = n_shown == len(columns) - 1 and width - start >= 20
    for number, line in enumerate([list(columns), *cells]):
        aligned = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        head = "  ".join(aligned[:n_shown])
        if n_shown == len(columns):
            click.echo(head.rstrip())
        elif in_place:
            last = wrapped(line[-1], width - start, indent=0).replace("\n", "\n" + " " * start)
            click.echo(f"{head}  {last}".rstrip())
        else:
            told = zip(columns[n_shown:], line[n_shown:], strict=True)
            below = "; ".join(f"{name} {cell}" for name, cell in told if cell and number)
            click.echo(head.rstrip())
            if below:
                click.echo(wrapped(f"  {below}", width))


def percent(value: float | None) -> str:
    """A fraction as per cent with one decimal; "undefined" for None.

    Examples
    --------
    >>> percent(0.6432), percent(None)
    ('64.3', 'undefined')
    """
    return "undefined" if value is None else f"{100 * value:.1f}"


def interval(value: Sequence[float] | None) -> str:
    """An interval of fractions as per cent.

    Examples
    --------
    >>> interval((0.5, 0.612)), interval((-0.021, 0.04))
    ('50.0–61.2', '-2.1 to 4.0')
    """
    if value is None:
        return ""
    return f"{100 * value[0]:.1f}{' to ' if min(value) < 0 else '–'}{100 * value[1]:.1f}"


def p_value(value: float) -> str:
    """A probability with three decimals, or what it is below.

    Examples
    --------
    >>> p_value(0.03125), p_value(0.0001)
    ('0.031', '<0.001')
    """
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def size(n_bytes: int) -> str:
    """Bytes with a decimal prefix.

    Examples
    --------
    >>> size(950), size(310_400_000)
    ('950 B', '310.4 MB')
    """
    value, units = float(n_bytes), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.95 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"


def notes(lines: Sequence[str], label: str = "note") -> None:
    """Remarks on standard error, one a line; on a terminal wrapped at words, and never inside one."""
    from serprep.errors import one_line

    for line in lines:
        click.echo(wrapped(f"{label}: {one_line(line)}", columns_of(sys.stderr)), err=True)


def columns_of(stream: Any) -> int:
    """Columns of the terminal that a stream goes to; 0 where there is none, as in a pipe, whose reader wants lines."""
    return shutil.get_terminal_size().columns if stream is not None and stream.isatty() else 0


def wrapped(text: str, width: int, *, indent: int = 2) -> str:
    """`text` in lines of at most `width` columns, or as it is for 0; words, and so paths, stay whole.

    Lines after the first are indented by `indent`.

    Examples
    --------
    >>> print(wrapped("note: see /a/long/path for more", 20))
    note: see
      /a/long/path for
      more
    """
    if not width:
        return text
    fill = textwrap.TextWrapper(
        max(20, width), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    return fill.fill(text)


def paragraph(text: str) -> None:
    """A sentence on standard output, wrapped at words to 80 columns or the terminal's."""
    from serprep.errors import one_line

    click.echo(wrapped(one_line(text), columns_of(sys.stdout) or 80))


def print_wide_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> None:
    """As `print_table`; where that would be too wide, each row's name has a line of its own."""
    from serprep.errors import one_line

    widths = [max(len(name), *(len(one_line(row.get(name, ""))) for row in rows), 0) for name in columns]
    if sum(widths) + 2 * (len(widths) - 1) <= (columns_of(sys.stdout) or 80):
        print_table(rows, columns)
        return
    name, *others = columns
    cells = [others, *([one_line(row.get(other, "")) for other in others] for row in rows)]
    click.echo(name)
    for number, line in enumerate(cells):
        if number and rows[number - 1].get(name):
            click.echo(one_line(rows[number - 1].get(name, "")))
        padded = "  ".join(cell.ljust(width) for cell, width in zip(line, widths[1:], strict=True))
        click.echo(f"  {padded}".rstrip())
