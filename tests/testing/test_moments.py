import math
from importlib.metadata import distributions

import numpy as np
import pytest

from serprep.audio.signal import Signal
from serprep.testing.moments import MOMENTS, Moments, write_plugin


def test_four_moments_of_a_wave():
    config, signal = Moments(), Signal()
    wave = np.sin(2 * np.pi * np.arange(1600) / 16, dtype=np.float32)
    values = dict(zip(MOMENTS.names(config), MOMENTS.extractor(config, signal)(wave).tolist(), strict=True))
    assert values == pytest.approx({"mean": 0, "std": math.sqrt(0.5), "least": -1, "most": 1}, abs=1e-6)


def test_the_package_that_is_written_registers_it(tmp_path):
    write_plugin(tmp_path)
    (package,) = distributions(path=[str(tmp_path)])
    (point,) = package.entry_points
    assert (point.group, point.name, point.load()) == ("serprep.features", "moments", MOMENTS)
