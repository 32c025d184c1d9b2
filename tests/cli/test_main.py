"""The command: output, exit status, one-line errors; as installed where a process of its own matters."""

import os
import shutil
import subprocess
import sys

import pytest

from helpers.command import SERPREP, installed, one_error


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("build", "absent.toml"), "No such file"),
        (("info", "absent"), "no store there"),
        (("manifest", "nonsense", ".", "-o", "out"), "unknown reader 'nonsense'"),
        (("manifest", "ravdess", "absent", "-o", "out"), "no such folder"),
        (("check", "absent.csv", "."), "expected a manifest"),
        (("split", "absent.csv"), "expected a manifest"),
        (("report", "absent"), "no store there"),
        (("run", "."), "Is a directory"),
    ],
)
def test_what_cannot_be_done_is_one_line(words, expected: str, tmp_path, serprep) -> None:
    result = serprep(*words, cwd=tmp_path)
    message = one_error(result)
    assert expected in message
    assert len(message.splitlines()) == 1


def test_wrong_usage_is_status_2() -> None:
    assert installed("build").returncode == 2
    assert installed("frobnicate").returncode == 2
    assert installed("--help").returncode == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("trian", "x"), "no command 'trian'; did you mean 'train'?"),
        (("exprmnts",), "no command 'exprmnts'; did you mean 'experiments'?"),
        (("x\x1b[1m",), r"no command 'x\\x1b[1m'; expected one of demo, run, init, "),
        (("build", "--retryy", "x"), "No such option '--retryy'. (Did you mean one of: '--repair', '--retry'?)"),
        (("--verison",), "'--verison'. Did you mean '--version'?"),
    ],
)
def test_a_misspelt_command_or_option_is_answered_with_the_nearest(words, expected: str, serprep) -> None:
    result = serprep(*words)
    assert (result.returncode, result.stdout) == (2, "")
    assert expected in result.stderr, result.stderr


def test_every_command_has_help_with_its_options(serprep) -> None:
    from serprep_cli.main import cli

    for name in cli.commands:
        result = serprep(name, "--help")
        assert result.returncode == 0
        assert f"serprep {name} [" in result.stdout


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii"])
def test_help_is_printed_where_the_terminal_has_no_arrows(encoding, tmp_path) -> None:
    for words in (["--help"], ["features", "--help"], ["build", "a→b.toml"]):
        done = subprocess.run(
            [SERPREP, *words], cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True
        )
        assert done.returncode == (words[-1] != "--help") and b"Traceback" not in done.stderr, done.stderr
        assert b"Usage: serprep" in done.stdout or b"b.toml: No such file" in done.stderr


def test_help_imports_nothing_heavy() -> None:
    """Not a timing: the modules that would make it slow are not loaded."""
    code = (
        "import sys\nfrom serprep_cli.main import cli\ncli.main(['--help'], standalone_mode=False)\n"
        "heavy = {'numpy', 'torch', 'zarr', 'dask', 'pandas', 'rich', 'opensmile'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_an_output_that_cannot_be_written_is_one_line(project, tmp_path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    words = ("manifest", "pattern", project / "corpus", "-o", tmp_path / "file")
    assert "name a place" in one_error(installed(*words, "--pattern", "{emotion}/{speaker}_{text}_{take}.wav"))


def test_a_pipe_that_closes_is_no_traceback(project) -> None:
    done = subprocess.run(f"{SERPREP} corpora | true", shell=True, capture_output=True, text=True)
    assert "Traceback" not in done.stderr


def test_ctrl_c_and_a_termination_end_with_their_status_and_a_sentence(project, tmp_path) -> None:
    import os
    import signal
    import time

    shutil.copytree(project / "corpus", tmp_path / "corpus")
    shutil.copy(project / "recipe.toml", tmp_path)
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        before = len(list(tmp_path.glob("stores/cache/*/*.part")))
        process = subprocess.Popen(
            [SERPREP, "build", "recipe.toml", "--batch-size", "1"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        while process.poll() is None and len(list(tmp_path.glob("stores/cache/*/*.part"))) == before:
            time.sleep(0.01)  # until something is finished that can be kept
        if process.poll() is None:
            os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=300)
        if process.returncode == 3:  # it was faster
            break
        assert process.returncode == status, errors
        assert "Interrupted: finished work is kept" in errors
        assert "Traceback" not in errors
    assert installed("build", "recipe.toml", cwd=tmp_path).returncode == 3


@pytest.mark.parametrize("closed", ["2>&-", "1>&-", "0<&-", "0<&- 1>&- 2>&-"])
def test_streams_that_a_service_closed_change_no_status(closed, project, built) -> None:
    command = f'exec "{SERPREP}" build recipe.toml --workers 1 {closed}'
    done = subprocess.run(["sh", "-c", command], cwd=project, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "1>&-" in closed or "0 computed" in done.stdout


def test_a_deleted_working_directory_is_named(tmp_path) -> None:
    command = f'mkdir gone && cd gone && rmdir ../gone && exec "{SERPREP}" build recipe.toml'
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert "the working directory was deleted; change to one that exists (`cd`)\n" in one_error(done)


def test_what_the_machine_refuses_is_one_line(serprep, monkeypatch, tmp_path) -> None:
    def refuse(path):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("serprep.recipe.read_recipe", refuse)
    assert "no further process or thread may be started" in one_error(serprep("build", tmp_path / "r.toml"))


def test_what_may_not_be_read_or_written_is_one_line(serprep, monkeypatch, tmp_path) -> None:
    def refuse(*words: object) -> None:
        raise PermissionError(13, "Permission denied", "/a/b")

    monkeypatch.setattr("serprep.dataset.log.log", refuse)
    message = one_error(serprep("log", tmp_path))
    assert message == "Error: /a/b: Permission denied; ask who owns it, or name another place\n"


def test_too_little_memory_to_load_anything_is_one_line(project, built) -> None:
    command = f'ulimit -v 250000 && exec "{SERPREP}" info "{built["store"]}"'
    done = subprocess.run(["sh", "-c", command], cwd=project, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and done.stdout == ""
    assert "out of memory: the limit is 250000 kB (ulimit -v); allow more" in one_error(done)
