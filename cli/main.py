"""``serprep``: the group of commands, and how errors become one line.

Exit status: 0 all good, 1 failed, 2 wrong usage, 3 built with quarantined utterances,
130 interrupted.
"""

import errno
import os
import signal
import sys

import click

from . import (
    audit,
    build,
    check,
    compare,
    convert,
    corpora,
    demo,
    diff,
    experiments,
    export_onnx,
    gc,
    info,
    log,
    manifest,
    predict,
    report,
    run,
    split,
    tag,
    train,
    verify,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="serprep")
def cli() -> None:
    """Speech-emotion corpora → versioned feature stores, honest splits and scores.

    \b
    Try:   serprep demo
    Then:  serprep run RECIPE.toml      corpus → store → systems → report
    """


for command in (
    demo.demo,
    run.run,
    corpora.corpora,
    manifest.manifest,
    check.check,
    build.build,
    info.info,
    verify.verify,
    convert.convert,
    log.log,
    tag.tag,
    diff.diff,
    gc.gc,
    split.split,
    audit.audit,
    train.train,
    predict.predict,
    export_onnx.onnx,
    compare.compare,
    experiments.experiments,
    report.report,
):
    cli.add_command(command)


def main() -> None:
    """Entry point of the console command."""
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
        _say("Interrupted: finished work is kept; the same command goes on from there.")
        status = 130
    except BrokenPipeError:  # the reader of a pipe has gone, as with `| head`
        _forget_stdout()
        status = 1
    except OSError as error:  # a disk, a permission, a closed output: nothing of ours
        _forget_stdout()
        place = f"{error.filename}: " if error.filename else ""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room; the same command goes on from there" if full else "name a place that can be written"
        _say(f"Error: {place}{error.strerror or error}; {remedy}")
        status = 1
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        _say(f"Error: training needs {error.name}, which is not installed; add it with `pip install serprep[train]`")
        status = 1
    except ValueError as error:
        from serprep.errors import SerprepError

        if not isinstance(error, SerprepError):
            raise
        for number, line in enumerate(str(error).splitlines()):
            _say(("Error: " if number == 0 else "       ") + line)
        status = 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done: Ctrl-C while Python ends would only make noise
    sys.exit(status if isinstance(status, int) else 0)


def _say(line: str) -> None:
    """One line on standard error, whatever a file is called."""
    from serprep.errors import one_line

    click.echo(one_line(line), err=True)


def _forget_stdout() -> None:
    """Nobody reads it any more: what is still buffered must not fail at exit."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
