import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from serprep.features import compare_2016, egemaps_v02
from serprep.features.compare_2016 import compiled

CODE = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1])
import serprep.features.compare_2016 as package
from serprep.features.compare_2016 import compiled
assert Path(package.__file__).is_relative_to(sys.argv[1])
from serprep.features.compare_2016.peaks import peaks
x, out = np.arange(20, dtype=np.float32), np.zeros(12, np.float32)
made = []
compiled.LISTENERS.append(made.append)
peaks(x, np.float32(9.5), np.float32(19), out)
print(out[5], "numba" in sys.modules, len(made))
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of serprep, and a function that computes with it in a fresh process."""
    source = Path(compare_2016.__file__).parents[2]
    shutil.copytree(source, tmp_path / "lib" / "serprep", ignore=shutil.ignore_patterns("__pycache__"))

    def run(**environment):
        command = [sys.executable, "-I", "-c", CODE, str(tmp_path / "lib")]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=True)
        value, has_numba, made = done.stdout.split()
        return float(value), has_numba == "True", int(made)

    return tmp_path / "lib" / "serprep" / "features" / "compare_2016", run


@pytest.mark.slow
def test_code_is_compiled_once_and_again_when_what_it_calls_changes(copy):
    folder, run = copy
    assert run() == (-9.5, True, 1)
    assert list((folder / "__pycache__").glob("peaks.peaks*.native"))
    assert run() == (-9.5, False, 0)
    path = folder / "statistics.py"  # of which peaks.peaks holds compiled code
    path.write_text(path.read_text().replace("out[0] = x[high] - x[low]", "out[0] = 0"))  # not this
    assert run() == (-9.5, False, 0)
    path.write_text(path.read_text().replace("if abs(z) <= a:", "if abs(z) <= a + 1:"))
    assert run() == (-9.5, True, 1)


MODULE = """
SHARES = (np.float32(0.5), 1)

@compiled
def share(x):
    "Text for readers."
    return x * SHARES[0]

@compiled
def total(x, y):
    return share(x) + share(y)  # a comment

@compiled
def apart(x):
    return x + 1
"""


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("0.5", "0.25", {"share", "total"}),
        ("np.float32(0.5)", "0.5", {"share", "total"}),
        ("x * ", "x / ", {"share", "total"}),
        ("share(y)", "share(x)", {"total"}),
        ("x + 1", "(\n        x + 1\n    )", set()),
        ("for readers", "for others", set()),
        ("# a comment", "", set()),
        ("(x):\n    return x", "(y):\n    return y", set()),
        ("x + 1", "x + 1.0", {"apart"}),
        ("+ 1", "- 1", {"apart"}),
    ],
)
def test_a_change_concerns_what_is_compiled_from_it_alone(before, after, changed):
    def digests(source):
        names = {"np": np, "compiled": compiled.compiled}
        exec(source, names)  # noqa: S102 - ours, above
        return {name: names[name].digest for name in ("share", "total", "apart")}

    assert before in MODULE
    old, new = digests(MODULE), digests("\n" + MODULE.replace(before, after))
    assert {name for name in old if old[name] != new[name]} == changed


@pytest.mark.parametrize("named", [np.ones(2), compiled], ids=["an array", "a module, whose constants may change"])
def test_code_that_names_what_a_digest_cannot_tell_is_refused(named):
    with pytest.raises(TypeError, match="expected numbers, tuples of them, numpy, instructions, compiled functions"):
        compiled.compiled(lambda x: x * named)(2.0)


@pytest.mark.slow
def test_compiled_code_can_lie_elsewhere(copy, tmp_path):
    folder, run = copy
    assert run(NUMBA_CACHE_DIR=str(tmp_path / "elsewhere")) == (-9.5, True, 1)
    assert list((tmp_path / "elsewhere").rglob("peaks.peaks*.native"))
    assert not list(folder.rglob("*.native"))


def test_without_a_folder_for_it_code_is_compiled_for_this_process(monkeypatch):
    monkeypatch.setattr(compiled, "folder_for", lambda source: None)
    kept = []
    monkeypatch.setattr(compiled, "LISTENERS", [kept.append])
    assert compiled.compiled(lambda x: x + 1)(2) == 3
    assert kept == [False]


def test_all_functions_of_the_sets_are_kept(monkeypatch):
    signal = np.random.default_rng(0).uniform(-0.1, 0.1, 2000).astype(np.float32)
    compare_2016.functionals(signal)
    egemaps_v02.functionals(signal)
    found = [
        call.__name__
        for name, module in list(sys.modules.items())
        if name.startswith(("serprep.features.compare_2016.", "serprep.features.egemaps_v02."))
        for function in vars(module).values()
        if isinstance(function, compiled.Compiled)
        for kinds, call in function.known.items()
        if all(not isinstance(kind, tuple) or kind[2] for kind in kinds)
    ]
    assert len(found) > 20
    assert set(found) == {"called"}


def test_preparing_says_so_where_it_takes_long(monkeypatch, capsys):
    lines = []
    started = []

    class Helper:
        def __init__(self, command, **_):
            started.append(command)

        def wait(self):
            return 0

    def compute(signal):
        for listener in list(compiled.LISTENERS):
            listener(True)

    monkeypatch.setattr(compare_2016.subprocess, "Popen", Helper)
    compare_2016.prepare(lines.append, lambda signal: None)
    assert lines == started == []
    compare_2016.prepare(lines.append, compute)
    compare_2016.prepare(compute=compute)
    assert lines == ["compiling the native features, once (about 10 s)"]
    assert capsys.readouterr().err == lines[0] + "\n"
    assert len(started) == 2
    compare_2016.prepare(lines.append, lambda signal: [listener(False) for listener in list(compiled.LISTENERS)])
    assert "no folder can be written; set NUMBA_CACHE_DIR" in lines[1]
    assert len(started) == 2
    assert compiled.LISTENERS == []


def test_arithmetic_is_not_contracted():
    @compiled.compiled
    def multiplied_and_added(x, y, z):
        return x * y + z

    x = np.float32(1 + 2**-12)
    assert multiplied_and_added(x, x, np.float32(-1 - 2**-11)) == np.float32(x * x) - np.float32(1 + 2**-11)
    assert multiplied_and_added(x, x, np.float32(-1 - 2**-11)) == 0  # fused, 2**-24 would be left
