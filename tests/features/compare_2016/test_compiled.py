import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from serprep.features import compare_2016
from serprep.features.compare_2016 import compiled, framing

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
peaks(x, np.float32(9.5), np.float32(19), out)
print(out[5], len(peaks.stats.cache_hits), len(peaks.stats.cache_misses))
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of serprep, and a function that computes with it in a fresh process."""
    source = Path(compare_2016.__file__).parents[2]
    shutil.copytree(source, tmp_path / "lib" / "serprep", ignore=shutil.ignore_patterns("__pycache__"))

    def run(**environment):
        command = [sys.executable, "-I", "-c", CODE, str(tmp_path / "lib")]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=True)
        value, hits, misses = done.stdout.split()
        return float(value), int(hits), int(misses)

    return tmp_path / "lib" / "serprep" / "features" / "compare_2016", run


@pytest.mark.slow
def test_code_is_compiled_once_and_again_when_any_module_changes(copy):
    folder, run = copy
    assert run() == (-9.5, 0, 1)
    assert list((folder / "__pycache__").glob("peaks.peaks*.nbc"))
    assert run() == (-9.5, 1, 0)
    path = folder / "statistics.py"  # of which peaks.peaks holds compiled code
    path.write_text(path.read_text().replace("if abs(z) <= a:", "if abs(z) <= a + 1:"))
    assert run() == (-9.5, 0, 1)


@pytest.mark.slow
def test_compiled_code_can_lie_elsewhere(copy, tmp_path):
    folder, run = copy
    assert run(NUMBA_CACHE_DIR=str(tmp_path / "elsewhere")) == (-9.5, 0, 1)
    assert list((tmp_path / "elsewhere").rglob("peaks.peaks*.nbc"))
    assert not list(folder.rglob("*.nbc"))


def test_without_a_folder_for_it_code_is_compiled_for_this_process(monkeypatch):
    def njit(*, cache=False, **options):
        if cache:  # what numba raises
            raise RuntimeError("cannot cache function 'f': no locator available for file 'f.py'")
        return numba.njit(**options)

    monkeypatch.setattr(compiled, "njit", njit)
    before = len(compiled.KEPT)
    assert compiled.compiled(lambda x: x + 1)(2) == 3
    assert len(compiled.KEPT) == before


def test_preparing_says_so_where_it_takes_long(monkeypatch, capsys):
    class First:
        signatures = ()

        class stats:
            cache_misses = ()

        def __call__(self, *_):
            return None

    first = First()
    monkeypatch.setattr(framing, "zero_crossings", first)
    monkeypatch.setattr(compare_2016, "functionals", lambda signal: None)
    lines = []
    compare_2016.prepare(lines.append)
    assert lines == []
    first.stats.cache_misses = {"signature": 1}
    compare_2016.prepare(lines.append)
    compare_2016.prepare()
    assert lines == ["compiling the native features, once (about 30 s)"]
    assert capsys.readouterr().err == lines[0] + "\n"
    monkeypatch.setattr(compiled, "KEPT", [])
    compare_2016.prepare(lines.append)
    assert "no folder can be written; set NUMBA_CACHE_DIR" in lines[1]
    first.signatures = ("used",)
    compare_2016.prepare(lines.append)
    assert len(lines) == 2


def test_arithmetic_is_not_contracted():
    @compiled.compiled
    def multiplied_and_added(x, y, z):
        return x * y + z

    x = np.float32(1 + 2**-12)
    assert multiplied_and_added(x, x, np.float32(-1 - 2**-11)) == np.float32(x * x) - np.float32(1 + 2**-11)
    assert multiplied_and_added(x, x, np.float32(-1 - 2**-11)) == 0  # fused, 2**-24 would be left
