"""Levels in the cache."""

import numpy as np

from serprep.cache.levels import KIND, keep_levels, level_key
from serprep.cache.parts import Cache


def test_levels_that_are_kept_are_found(tmp_path):
    cache = Cache(str(tmp_path / "cache"))
    keys = [level_key("ab", None, None), level_key("ab", 0.0, 1.0)]
    keep_levels(cache, [(key, np.full(5, number, np.float32)) for number, key in enumerate(keys)])
    keep_levels(cache, [])
    assert [rows.tolist() for rows in cache.read(cache.find(KIND, keys))] == [[[0.0] * 5], [[1.0] * 5]]
