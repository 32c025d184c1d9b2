import math

import numpy as np
import pytest

from serprep.features.compare_2016.logarithm import binary_logarithms, is_settled, product_sum, sum_of_logarithms


def test_logarithms_are_near_those_of_the_c_library():
    rng = np.random.default_rng(0)
    near_one = 1 + rng.normal(0, 1e-9, 200)
    powers, roots = 2.0 ** np.arange(-140, 140), np.sqrt(2) * (1 + np.arange(-5, 6) * 2.0**-52)
    for x in (np.exp(rng.uniform(-90, 90, 2000)), near_one, powers, roots):
        np.testing.assert_allclose(binary_logarithms(x), [math.log2(value) for value in x], rtol=1e-13, atol=0)
    assert binary_logarithms(np.ones(1)) == 0


def test_sums_of_logarithms_are_near_those_of_the_c_library_whatever_their_number():
    values = np.exp(np.random.default_rng(0).uniform(-700, 700, 2051))
    for n in (0, 1, 2, 3, 5, 511, 512, 513, 517, 2051):
        assert sum_of_logarithms(values[:n].copy()) == pytest.approx(
            math.fsum(map(math.log, values[:n])), rel=1e-13, abs=1e-10
        )
    assert sum_of_logarithms(np.full(2000, 2 - 2.0**-52)) == pytest.approx(2000 * math.log(2))


def test_products_are_summed_whatever_their_number():
    for n in range(10):
        x = np.arange(1.0, n + 1)
        assert product_sum(x, x + 1) == sum(i * (i + 1) for i in range(1, n + 1))


def test_what_lies_near_a_border_of_single_precision_is_not_settled():
    border = 1 + 2.0**-24  # between 1 and the value after it
    assert is_settled(1.0, 1e-9)
    assert is_settled(border - 2e-10, 1e-10)
    assert not is_settled(border + 5e-11, 1e-10)
    assert not is_settled(border - 5e-11, 1e-10)
    assert not is_settled(math.nan, 1e-10)
