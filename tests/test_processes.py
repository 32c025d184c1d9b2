"""Scratch folders are gone afterwards, and those of killed processes at the next start."""

import os
import subprocess
import sys

import pytest

from serprep import processes
from serprep.processes import Processes, last_words, scratch, sweep


def test_a_scratch_folder_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(processes.tempfile, "tempdir", str(tmp_path))
    with scratch() as folder:
        (folder / "file").touch()
        sweep(tmp_path)  # somebody else starts
        assert (folder / "file").is_file()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_at_the_next_start(tmp_path):
    code = "import os; from serprep.processes import scratch; s = scratch(); s.__enter__(); os.kill(os.getpid(), 9)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment)
    (left,) = tmp_path.iterdir()
    kept = [tmp_path / "serprep-of-somebody", tmp_path / "serprep-file", tmp_path / "other"]
    kept[0].mkdir()
    kept[1].touch()
    kept[2].mkdir()
    os.utime(kept[0], (1e9, 1e9))
    sweep(tmp_path)
    assert not left.exists()
    assert all(path.exists() for path in kept)


def test_processes_that_end_are_started_again_and_say_why(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "PROGRAM", "import sys; sys.exit('no room')")
    own = Processes(1, tmp_path)
    assert own.revive() == []
    (process,) = own._running.values()
    process.wait()
    assert own.revive() == ["no room"]
    (again,) = own._running.values()
    again.kill()
    again.wait()
    monkeypatch.setattr(processes, "PROGRAM", "import sys; sys.stdin.read()")
    assert own.revive()[0] in ("killed by SIGKILL", "no room")
    (name,) = own.names
    assert own.ticks(name) is None or own.ticks(name) >= 0
    own.close()
    assert own.names == frozenset()


def test_they_start_before_there_is_a_scheduler_and_those_after_know_it_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "PROGRAM", "import sys; sys.exit(input())")
    own = Processes(1, tmp_path)
    for _ in range(2):
        own.revive()
        (process,) = own._running.values()
        own.serve("tcp://127.0.0.1:1")
        process.wait()
        assert own.revive() == ["tcp://127.0.0.1:1"]
    own.close()


def test_dask_s_environment_does_not_reach_them(tmp_path, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__LIFETIME__DURATION", "1s")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    names = "[name for name in os.environ if name.startswith('DASK')]"
    monkeypatch.setattr(
        processes, "PROGRAM", f"import os, sys; sys.exit(repr({names} + [os.environ['OMP_NUM_THREADS']]))"
    )
    own = Processes(1, tmp_path)
    own.revive()
    (process,) = own._running.values()
    process.wait()
    assert own.revive() == ["['3']"]
    own.close()


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("", ""),
        ("\n  ^^^^\n", ""),
        ("starting\n  ready\n", "ready"),
        ("starting\n    ~~~^~~~\n", "starting"),
        (
            'Traceback\n  File "x", line 1\n    a b\n      ^\nSyntaxError: invalid\n',
            "SyntaxError: invalid",
        ),
        ("zmq.error.ZMQError: in use\n  File 'y', line 2\n    c(\n     ^\n", "zmq.error.ZMQError: in use"),
        ("ValueError: first\n\nDuring this:\nOSError: second\nleaked semaphore objects\n", "OSError: second"),
    ],
)
def test_the_last_line_that_says_something_is_quoted(output, told):
    assert last_words(output) == told
