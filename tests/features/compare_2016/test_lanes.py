import numpy as np

from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.lanes import (
    LANES,
    at,
    larger,
    narrow,
    positive,
    put,
    quotient,
    root,
    smaller,
    spread,
    wide,
)


@compiled
def _each(x, y, factor, out):
    a, b = at(x, 0), at(y, 0)
    for i, lanes in ((0, a + b), (1, a - b), (2, a * b), (3, -a), (4, root(a * a)), (5, positive(a))):
        put(out, i * LANES, lanes)
    put(out, 6 * LANES, spread(factor) * a)
    put(out, 7 * LANES, narrow(wide(a) * wide(b)))
    put(out, 8 * LANES, smaller(a, b))
    put(out, 9 * LANES, larger(a, b))


@compiled
def _quotients(a, b, inverse, out):
    for i in range(0, len(a), LANES):
        put(out, i, quotient(at(a, i), at(b, i), at(inverse, i)))


def test_what_happens_to_lanes_is_what_numpy_does_to_single_values():
    x, y = np.random.default_rng(0).normal(size=(2, LANES)).astype(np.float32)
    out = np.empty((10, LANES), np.float32)
    _each(x, y, np.float32(3), out)
    product = (x.astype(np.float64) * y).astype(np.float32)
    expected = [x + y, x - y, x * y, -x, np.sqrt(x * x), np.maximum(x, 0), 3 * x, product]
    expected += [np.minimum(x, y), np.maximum(x, y)]
    np.testing.assert_array_equal(out, expected)


def test_a_quotient_has_the_bits_of_a_division():
    rng = np.random.default_rng(0)
    a = np.concatenate([rng.normal(size=2**14), np.float32(2.0) ** -149 * rng.integers(0, 99, 2**14) / 4])
    b, out = np.exp(rng.uniform(-20, 2, 2**15)), np.empty(2**15)
    _quotients(a, b, 1 / b, out)
    np.testing.assert_array_equal(out, a / b)
    assert (a * (1 / b) != a / b).mean() > 0.1  # as it would be without its corrections
