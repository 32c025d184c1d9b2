"""Whatever a disk does to a file, HDF5 does not crash."""

import os
import subprocess
import sys


def test_a_full_disk_is_an_oserror(tmp_path):
    """Whatever h5py raises; and the process lives on."""
    code = """
import pathlib, resource, sys, signal
sys.path[:0] = [sys.argv[2]]
import numpy as np
from serprep.store import hdf5_store
from serprep.store.container import as_text
from serprep.store.layout import Array
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
spec = Array(name="a/b", shape=(4096, 30, 40), dtype="float32", dimensions=("x", "y", "z"))
blocks = ((spec, first, np.ones((512, 30, 40), "f4")) for first in range(0, 4096, 512))
try:
    hdf5_store.write_file(pathlib.Path(sys.argv[1]), [spec], {"format": 1}, small={}, large=blocks)
except OSError as error:
    print("OSError", str(error).count(chr(10)))
print("alive")
"""
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))  # noqa: PTH120
    for limit in (100, 3000, 5_000_000):
        found = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / f"{limit}.h5"), root, str(limit)],
            capture_output=True,
            text=True,
        )
        assert (found.stdout.split(), found.returncode) == (["OSError", "0", "alive"], 0), found.stderr
        assert "Traceback" not in found.stderr
