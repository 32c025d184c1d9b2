"""``serprep``: the group of commands, and how errors become one line.

Exit status: 0 all good, 1 failed, 2 wrong usage, 3 built with quarantined utterances,
4 whole, but not all could be checked, 130 interrupted, 129 and 143 by a hang-up and a termination.
"""

import contextlib
import io
import os
import signal
import sys

import click

from . import (
    audit,
    browse,
    build,
    bundle,
    card,
    check,
    compare,
    completion,
    convert,
    corpora,
    cross,
    demo,
    diff,
    doctor,
    experiments,
    export,
    features,
    gc,
    info,
    init,
    log,
    manifest,
    onnx,
    predict,
    push,
    report,
    reproduce,
    run,
    score,
    split,
    tag,
    train,
    verify,
)


class Commands(click.Group):
    """The commands; a word that is none is answered with the nearest, or with all of them."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names."""
        from serprep.errors import one_line
        from serprep.text import did_you_mean

        if args[0] not in self.commands and not args[0].startswith("-"):
            meant = did_you_mean(args[0], self.commands) or f"; expected one of {', '.join(self.commands)}"
            ctx.fail(f"no command {one_line(args[0])!r}{meant}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="serprep")
def cli() -> None:
    """Speech-emotion corpora → versioned feature stores, honest splits and scores.

    \b
    Try:   serprep demo
    Then:  serprep init FOLDER          looks at your recordings and writes RECIPE.toml
           serprep run RECIPE.toml      corpus → store → systems → report
    """
    from serprep.limits import check_memory

    check_memory()


for command in (
    demo.demo,
    run.run,
    init.init,
    corpora.corpora,
    manifest.manifest,
    check.check,
    build.build,
    info.info,
    card.card,
    verify.verify,
    convert.convert,
    export.export,
    log.log,
    tag.tag,
    push.push,
    push.pull,
    diff.diff,
    gc.gc,
    split.split,
    audit.audit,
    train.train,
    features.features,
    predict.predict,
    score.score,
    onnx.onnx,
    compare.compare,
    cross.cross,
    experiments.experiments,
    report.report,
    browse.browse,
    bundle.bundle,
    reproduce.reproduce,
    doctor.doctor,
    completion.completion,
):
    cli.add_command(command)


def main() -> None:
    """Entry point of the console command."""
    _open_streams()
    asked = _end_in_order()
    try:
        status = cli.main(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as done:
        status = done.exit_code
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        keeps = set(sys.argv[1:2]) & {"build", "run", "train", "demo"}
        rest = "finished work is kept; the same command goes on from there." if keeps else "give the command again."
        _say(f"Interrupted: {rest}")
        status = 128 + next(iter(asked), signal.SIGINT)
    except BrokenPipeError:  # the reader of a pipe has gone, as with `| head`
        _forget_stdout()
        status = 1
    except Exception as error:
        for number, line in enumerate(_explained(error)):
            _say(("Error: " if number == 0 else "       ") + line)
        status = 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done: Ctrl-C while Python ends would only make noise
    sys.exit(status if isinstance(status, int) else 0)


def _end_in_order() -> list[int]:
    """Let what ends a service or a batch job do what Ctrl-C does, so that nothing half-written stays; what came."""
    came: list[int] = []
    here = os.getpid()

    def interrupt(number: int, frame: object) -> None:
        if os.getpid() != here:  # a fork, to which it means what it always does
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        came.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # not where it is ignored, as by nohup
            signal.signal(number, interrupt)
    return came


def _explained(error: Exception) -> list[str]:
    """What the user can do about an error, in lines; what nobody can is a bug and raised again."""
    from serprep.errors import SerprepError, one_line
    from serprep.limits import refusal

    if isinstance(error, SerprepError):
        from .places import instead

        gone = [] if _here() else ["the working directory was deleted; change to one that exists (`cd`)"]
        return [*(instead(sys.argv[1:]) or str(error)).splitlines(), *gone]
    place = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
    reason = refusal(error)
    if isinstance(error, OSError):  # a disk, a permission, a closed output: nothing of ours
        _forget_stdout()
        if isinstance(error, FileNotFoundError) and not _here():
            return ["the working directory was deleted; change to one that exists (`cd`)"]
        if isinstance(error, PermissionError):  # to read as well as to write
            return [f"{place}{error.strerror or one_line(error)}; ask who owns it, or name another place"]
        if not isinstance(error, ConnectionError | TimeoutError) or reason:
            return [place + (reason or f"{error.strerror or one_line(error)}; name a place that can be written")]
        return [f"{place}{one_line(error)}: the connection was lost; the same command goes on from what is finished"]
    if isinstance(error, ModuleNotFoundError) and error.name in ("torch", "safetensors"):
        return [f"training needs {error.name}, which is not installed; add it with `pip install serprep[train]`"]
    if isinstance(error, ModuleNotFoundError) and error.name in ("starlette", "uvicorn"):
        return [f"browsing needs {error.name}, which is not installed; add it with `pip install serprep[browse]`"]
    if reason:
        return [reason]
    raise error


def _here() -> bool:
    """Whether the working directory is there."""
    try:
        return bool(os.getcwd())  # noqa: PTH109 - a path is not asked for
    except OSError:
        return False


def _open_streams() -> None:
    """Standard input, output and error, where a service has closed them: else the next files get their numbers."""
    with contextlib.suppress(OSError):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if number == 0 else "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":  # Latin-1 has no arrows
            stream.reconfigure(errors="replace")


def _say(line: str) -> None:
    """One line on standard error, whatever a file is called, if anybody reads it."""
    from serprep.errors import one_line

    with contextlib.suppress(OSError):
        click.echo(one_line(line), err=True)


def _forget_stdout() -> None:
    """Nobody reads it any more: what is still buffered must not fail at exit."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
