"""Binary logarithms of many values side by side, to about 1e-13.

The C library's take one value at a time, and half the time of what sums them.  A sum of logarithms is rounded to
single precision in the end: where it does not lie within the error of these from a border between two single-precision
values, theirs is the same, and where it does, the sum is taken again, with the library's.
"""

import numpy as np

from serprep.features.compare_2016.compiled import compiled

_MANTISSA, _ONE = 2**52 - 1, 1023 << 52  # bits of double precision
_ROOT = 2**0.5
_LN2 = np.log(2.0)
_SCALE = 2 / _LN2
_FACTORS = 512  # of less than 2 each: a product is finite


@compiled
def binary_logarithms(x):  # type: ignore[no-untyped-def]
    """Of positive values, float64: the exponent, and the series of the inverse hyperbolic tangent."""
    bits, inner = x.view(np.int64), np.empty(len(x), np.int64)
    for i in range(len(x)):
        inner[i] = (bits[i] & _MANTISSA) | _ONE
    mantissas, logarithms = inner.view(np.float64), np.empty(len(x))
    for i in range(len(x)):
        large = mantissas[i] > _ROOT
        m = mantissas[i] * 0.5 if large else mantissas[i]
        exponent = np.float64(np.int32(bits[i] >> 52)) - (1022.0 if large else 1023.0)
        s = (m - 1) / (m + 1)
        z = s * s
        high = 1 / 9 + z * (1 / 11 + z * (1 / 13 + z * (1 / 15)))
        logarithms[i] = exponent + _SCALE * s * (1 + z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * high))))
    return logarithms


@compiled
def sum_of_logarithms(x):  # type: ignore[no-untyped-def]
    """Natural, of positive values, float64: exponents are added, and mantissas multiplied as long as it may go on.

    What is left in `x` are the mantissas.
    """
    n, bits, mantissas = len(x), x.view(np.int64), x
    exponents, total = 0, 0.0
    for i in range(n):
        exponents += bits[i] >> 52
        bits[i] = (bits[i] & _MANTISSA) | _ONE
    for first in range(0, n, _FACTORS):
        last = min(first + _FACTORS, n)
        a = b = c = d = 1.0  # a product alone waits for itself
        whole = last - (last - first) % 4
        for i in range(first, whole, 4):
            a *= mantissas[i]
            b *= mantissas[i + 1]
            c *= mantissas[i + 2]
            d *= mantissas[i + 3]
        for i in range(whole, last):
            a *= mantissas[i]
        total += np.log((a * b) * (c * d))
    return (exponents - 1023 * n) * _LN2 + total


@compiled
def product_sum(x, y):  # type: ignore[no-untyped-def]
    """Sum of products, four by four."""
    a = b = c = d = 0.0
    n = len(x) - len(x) % 4
    for i in range(0, n, 4):
        a += x[i] * y[i]
        b += x[i + 1] * y[i + 1]
        c += x[i + 2] * y[i + 2]
        d += x[i + 3] * y[i + 3]
    for i in range(n, len(x)):
        a += x[i] * y[i]
    return (a + b) + (c + d)


@compiled
def is_settled(value, error):  # type: ignore[no-untyped-def]
    """Whether all values that near have the same rounding to single precision."""
    return np.float32(value - error) == np.float32(value + error)
