"""``serprep convert``."""

import json

import numpy as np

from serprep.store.store import open_store


def test_the_command_converts_and_says_so(small, serprep, tmp_path):
    _, store = small
    done = serprep("convert", store.path, tmp_path / "x.h5", "--json")
    assert done.returncode == 0, done.stderr
    about = json.loads(done.stdout)
    assert done.returncode == 0 and done.stderr == ""
    assert about == {
        "version": store.version,
        "store": str(tmp_path / "x.h5"),
        "format": "hdf5",
        "n_utterances": 32,
        "seal": open_store(tmp_path / "x.h5").seal,
    }
    shown = json.loads(serprep("info", tmp_path / "x.h5", "--json").stdout)
    other = json.loads(serprep("info", store.path, "--json").stdout)
    assert (shown["format"], other["format"]) == ("hdf5", "zarr")
    assert {k: v for k, v in shown.items() if k not in ("format", "path", "seal")} == {
        k: v for k, v in other.items() if k not in ("format", "path", "seal")
    }
    again = serprep("convert", store.path, tmp_path / "x.h5")
    assert again.returncode == 1 and again.stderr.startswith("Error: ") and again.stderr.count("\n") == 1
    plain = serprep("convert", tmp_path / "x.h5", tmp_path / "y.zarr")
    assert plain.returncode == 0 and f"version      {about['version']}" in plain.stdout
    np.testing.assert_array_equal(open_store(tmp_path / "y.zarr").read_functionals([3]), store.read_functionals([3]))
