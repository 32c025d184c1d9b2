"""The helper process: the package's bytes, and whatever goes wrong stays with one utterance."""

import os
import select
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from serprep.audio.guard import guard
from serprep.errors import FeatureError, KilledError, LimitError
from serprep.features import functionals as module
from serprep.features import opensmile_fork
from serprep.features.functionals import _smile, by_package

functionals = partial(module.functionals, engine="opensmile")

pytestmark = pytest.mark.skipif(not opensmile_fork.available(), reason="no helper on this system")


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return guard(rng.normal(0, 0.1, int(16_000 * seconds)).astype("f4"), 16_000)


@pytest.fixture
def helper():
    running = opensmile_fork.Helper(_smile, 16_000)
    yield running
    running.close()


def by_the_package(signal_: np.ndarray) -> bytes:
    return by_package(signal_, 16_000).astype("f4").tobytes()


@pytest.mark.parametrize("seconds", [0.06, 0.3, 1.7, 12.0])
def test_values_are_the_packages_bit_for_bit(helper, seconds: float) -> None:
    assert helper.rows(noise(seconds)).tobytes() == by_the_package(noise(seconds))


def test_settings_that_are_known_are_those_the_package_would_make() -> None:
    assert opensmile_fork.known_settings() == opensmile_fork.asked_settings(_smile())


def test_a_package_of_another_version_is_asked(monkeypatch) -> None:
    monkeypatch.setattr(opensmile_fork, "KNOWN", "0.")
    assert opensmile_fork.known_settings() is None
    asked = []
    running = opensmile_fork.Helper(lambda: asked.append(1) or _smile(), 16_000)
    assert asked and running.rows(noise(0.3)).tobytes() == by_the_package(noise(0.3))
    running.close()


def test_functionals_do_not_import_the_package() -> None:
    code = (
        "import sys, numpy as np\n"
        "from serprep.features.functionals import functionals\n"
        "functionals(np.zeros(16000, 'f4'), engine='opensmile')\n"
        "print('opensmile' in sys.modules, 'pandas' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False False\n"


def test_values_do_not_depend_on_what_was_computed_before(helper) -> None:
    first = helper.rows(noise(0.5)).tobytes()
    helper.rows(noise(3.0, seed=1))
    assert helper.rows(noise(0.5)).tobytes() == first


def test_too_short_a_signal_fails_alone(helper) -> None:
    with pytest.raises(FeatureError, match="gave no values"):
        helper.rows(np.zeros(100, "f4"))
    assert helper.rows(noise(0.3)).tobytes() == by_the_package(noise(0.3))


def test_a_hang_is_ended_and_named(helper, monkeypatch) -> None:
    monkeypatch.setattr(opensmile_fork, "SECONDS", 0.05)
    monkeypatch.setattr(opensmile_fork, "SECONDS_PER_SECOND", 0.0)
    with pytest.raises(LimitError, match="computed longer than"):
        helper.rows(noise(30.0))
    monkeypatch.undo()
    assert helper.rows(noise(0.3)).tobytes() == by_the_package(noise(0.3))


def test_too_much_memory_fails_alone(helper, monkeypatch) -> None:
    monkeypatch.setattr(opensmile_fork, "MEMORY", 1 << 20)
    monkeypatch.setattr(opensmile_fork, "MEMORY_PER_SECOND", 0)
    with pytest.raises(LimitError, match=r"crashed|needs more memory"):
        helper.rows(noise(60.0))
    monkeypatch.undo()
    assert helper.rows(noise(0.3)).tobytes() == by_the_package(noise(0.3))


def once_it_works(helper, monkeypatch, kill) -> None:
    """`kill` gets the child's number when the next signal is being computed, before the answer is waited for."""
    listing = Path(f"/proc/{helper._process.pid}/task/{helper._process.pid}/children")
    answer = helper._answer

    def kill_and_wait() -> str:
        while not select.select([helper._process.stdout], [], [], 0)[0]:
            if children := listing.read_text().split():
                kill(int(children[0]))
                break
        return answer()

    monkeypatch.setattr(helper, "_answer", kill_and_wait)


def test_a_crash_fails_alone(helper, monkeypatch) -> None:
    """The child is killed from outside, as a segmentation fault would end it."""
    once_it_works(helper, monkeypatch, lambda child: os.kill(child, signal.SIGSEGV))
    with pytest.raises(LimitError, match=r"crashed \(SIGSEGV"):
        helper.rows(noise(30.0))
    monkeypatch.undo()
    assert helper.rows(noise(0.3)).tobytes() == by_the_package(noise(0.3))


def test_a_helper_killed_in_the_midst_of_a_signal_costs_nothing_but_time(monkeypatch) -> None:
    functionals(noise(0.3))
    running = opensmile_fork._helpers[(os.getpid(), 16_000, _smile)]
    once_it_works(running, monkeypatch, lambda child: running._process.kill())
    assert functionals(noise(20.0)).tobytes() == by_the_package(noise(20.0))
    assert opensmile_fork._helpers[(os.getpid(), 16_000, _smile)] is not running


def test_a_killed_helper_is_started_again() -> None:
    assert functionals(noise(0.3)).tobytes() == by_the_package(noise(0.3))
    running = opensmile_fork._helpers[(os.getpid(), 16_000, _smile)]
    running._process.kill()
    running._process.wait()
    assert functionals(noise(0.3)).tobytes() == by_the_package(noise(0.3))


NOSCALL = """
import ctypes, os, struct, sys
numbers, error = [int(word) for word in sys.argv[1].split(",")], int(sys.argv[2])
line = lambda code, yes, no, value: struct.pack("<HBBI", code, yes, no, value)
program = line(0x20, 0, 0, 0)
for number in numbers:
    program += line(0x15, 0, 1, number) + line(0x06, 0, 0, 0x00050000 | error)
program += line(0x06, 0, 0, 0x7FFF0000)
text = ctypes.create_string_buffer(program)
class Filter(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("p", ctypes.c_void_p)]
libc = ctypes.CDLL(None)
refused = Filter(len(program) // 8, ctypes.addressof(text))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(refused), 0, 0):
    sys.exit(77)
os.execv(sys.executable, [sys.executable, *sys.argv[3:]])
"""
COMPUTE = """
import hashlib, numpy as np
from serprep.features import opensmile_fork
from serprep.features.functionals import functionals, prepare
said = []
prepare(said.append)
values = functionals(np.random.default_rng(0).uniform(-0.1, 0.1, 8000).astype("f4"), engine="opensmile")
print(hashlib.sha256(values.tobytes()).hexdigest(), len(said), opensmile_fork.available())
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of system calls of another machine")
@pytest.mark.parametrize(
    ("calls", "error", "said", "helped"),
    [
        ("434,319", 38, 0, True),  # pidfd_open, memfd_create: old kernels, and seccomp profiles of containers
        ("157,38,302", 1, 0, True),  # prctl, setitimer, prlimit64
        ("293", 38, 1, False),  # pipe2
    ],
)
def test_system_calls_that_do_not_exist_cost_no_recording(calls, error, said, helped) -> None:
    """Under a filter as an old kernel or a container would have it: same values, told once where it is slower."""
    command = [sys.executable, "-c", NOSCALL, calls, str(error), "-c", COMPUTE]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip("system calls cannot be filtered here")
    import hashlib

    values = functionals(np.random.default_rng(0).uniform(-0.1, 0.1, 8000).astype("f4"))
    assert done.stdout.split() == [hashlib.sha256(values.tobytes()).hexdigest(), str(said), str(helped)], done.stderr


WAIT = """
import os, signal, sys
from serprep.features import _opensmile_helper as protocol
protocol.TICK = 0.01
ear = protocol.wake_on_end()
pid = os.fork()
if pid == 0:
    signal.pause()
    os._exit(0)
print(protocol.wait_for(pid, ear, 3), end=" ")
pid = os.fork()
if pid == 0:
    os._exit(7)
print(os.WEXITSTATUS(protocol.wait_for(pid, ear, 10**9)))
"""


def test_a_child_that_waits_for_ever_is_ended() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAIT], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    assert done.stdout == "None 7\n"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("", KilledError),
        ("signal 9", KilledError),
        ("signal 15", KilledError),
        ("signal 27", LimitError),  # SIGPROF: its own time is over
        ("signal 11", LimitError),
        ("hung", LimitError),
        ("exit 3", LimitError),
        ("exit 4", LimitError),
        ("exit 2", FeatureError),
    ],
)
def test_only_what_a_signal_is_tells_against_it(answer, kind) -> None:
    assert opensmile_fork._kind(answer) is kind
    assert opensmile_fork._reason(answer, 30.0, 1 << 29)


def test_the_helper_goes_with_its_parent(tmp_path) -> None:
    """A killed parent closes the pipe; the helper must not be left behind."""
    code = (
        "import numpy as np, os\n"
        "from serprep.features import opensmile_fork as f\n"
        "from serprep.features.functionals import _smile\n"
        "h = f.Helper(_smile, 16000)\n"
        "print(h._process.pid, flush=True)\n"
        "input()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdin is not None and parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.stdin.close()
    parent.wait()
    parent.stdout.close()
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([ended], [], [], 60)[0], "the helper outlived its parent by a minute"
    os.close(ended)


def test_without_the_helper_the_bytes_are_the_same(monkeypatch) -> None:
    with_helper = functionals(noise(0.8)).tobytes()
    monkeypatch.setenv("SERPREP_NO_FORK", "1")
    assert not opensmile_fork.available()
    assert functionals(noise(0.8)).tobytes() == with_helper


@pytest.mark.parametrize("level", ["LowLevelDescriptors", "Functionals"])
def test_any_set_and_level_is_computed_with_rows_of_any_number(level: str) -> None:
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel[level])
    running = opensmile_fork.Helper(lambda: smile, 16_000, known=False)
    for seconds in (0.2, 2.0, 0.5):  # the memory grows, and what is left in it of a longer one does not matter
        expected = smile.process_signal(noise(seconds), 16_000).to_numpy()
        found = running.rows(noise(seconds))
        assert found.shape == expected.shape and found.tobytes() == expected.tobytes()
    with pytest.raises(FeatureError, match="gave no values"):
        running.rows(noise(0.01))
    running.close()
