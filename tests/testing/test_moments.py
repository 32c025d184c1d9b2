import math
from importlib.metadata import distributions

import numpy as np

from serprep.audio.signal import Signal
from serprep.testing.moments import MOMENTS, Moments, write_plugin


def test_four_moments_of_a_wave():
    config, signal = Moments(), Signal()
    wave = np.sin(2 * np.pi * np.arange(1600) / 16, dtype=np.float32)
    values = MOMENTS.extractor(config, signal)(wave)
    assert dict(zip(MOMENTS.names(config), values.round(4).tolist(), strict=True)) == {
        "mean": 0,
        "std": round(math.sqrt(0.5), 4),
        "least": -1,
        "most": 1,
    }


def test_the_package_that_is_written_registers_it(tmp_path):
    write_plugin(tmp_path)
    (package,) = distributions(path=[str(tmp_path)])
    (point,) = package.entry_points
    assert (point.group, point.name, point.load()) == ("serprep.features", "moments", MOMENTS)
