"""Real Fourier transform in single precision, with the roundings of Ooura's split-radix package.

The values of the set are differences of large numbers, so that the last bits of the
transform show in them.  This is the algorithm of T. Ooura's "General Purpose FFT
Package" (split radix; 1996-2001, free for any use), written anew in compact form: a
pass over a block of B points leaves four blocks of B/4; a block is plain (1) or
twisted (2); a plain one becomes 1, 2, 1, 1, a twisted one 1, 2, 1, 2.  Every sum and
product is the package's, so every bit is; only its unrolling is not.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from serprep._typing import AnyArray, FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.lanes import LANES, at, put, root, spread


class Plan(NamedTuple):
    """Tables of one transform length."""

    sizes: AnyArray  # block size (points) of each pass
    kinds: AnyArray  # (n_passes, n_blocks) 1 plain, 2 twisted
    plain: FloatArray  # (n_passes, 4, n_points / 4): cos, sin of the first, of the third twiddle
    twisted: FloatArray  # (n_passes, 8, n_points / 4)
    order: AnyArray  # where each point ends up
    split: FloatArray  # (2, n / 4) real and imaginary weight that part the two halves of a real signal
    half: np.float32  # cos(pi / 4)


@lru_cache(maxsize=2)
def plan(n_fft: int) -> Plan:
    """Tables for `n_fft` real samples, a power of 2 from 256 to 1024."""
    n_points = n_fft // 2
    table = _cosines(n_fft // 4)
    sizes = [n_points]
    while sizes[-1] >= 16:
        sizes.append(sizes[-1] // 4)
    kinds = np.zeros((len(sizes), n_points // 2), np.int64)
    row = [1]
    for number in range(len(sizes)):
        kinds[number, : len(row)] = row
        row = [kind for block in row for kind in ((1, 2, 1, 1) if block == 1 else (1, 2, 1, 2))]
    plain = np.zeros((len(sizes), 4, n_points // 4), np.float32)
    twisted = np.zeros((len(sizes), 8, n_points // 4), np.float32)
    for number, size in enumerate(sizes):
        quarter = size // 4
        if number == 0:
            plain[0, :, :quarter] = _first(table, quarter)
        else:
            plain[number, :, :quarter], twisted[number, :, :quarter] = _later(table, n_fft // 4, size)
    bits = n_points.bit_length() - 1
    order = np.array([int(format(i, f"0{bits}b")[::-1], 2) for i in range(n_points)])
    return Plan(np.array(sizes), kinds, plain, twisted, order, _split_weights(n_fft // 4), table[1])


def _step(n: int) -> np.float32:
    return np.float32(math.atan(1.0) / n)


def _cosines(n: int) -> FloatArray:
    """Cosine table of n entries: stacked levels, each half as long and every second entry of the one above."""
    half = n >> 1
    step = _step(half)
    table = np.zeros(n, np.float32)

    def angle(j: int) -> float:
        return float(np.float32(step * np.float32(j)))

    wn4r = np.float32(math.cos(angle(half)))
    table[0], table[1] = 1, wn4r
    table[2], table[3] = 0.5 / math.cos(angle(2)), 0.5 / math.cos(angle(6))
    triple = np.float32(np.float32(3) * step)
    for j in range(4, half, 4):
        third = float(np.float32(triple * np.float32(j)))
        table[j : j + 4] = math.cos(angle(j)), math.sin(angle(j)), math.cos(third), -math.sin(third)
    above = 0
    while half > 2:
        here = above + half
        half >>= 1
        table[here], table[here + 1] = 1, wn4r
        if half == 4:
            table[here + 2 : here + 4] = table[above + 4 : above + 6]
        elif half > 4:
            table[here + 2] = 0.5 / float(table[above + 4])
            table[here + 3] = 0.5 / float(table[above + 6])
            for j in range(4, half, 4):
                table[here + j : here + j + 4] = table[above + 2 * j : above + 2 * j + 4]
        above = here
    return table


def _mirrored(first: FloatArray, quarter: int) -> FloatArray:
    """(4, quarter) twiddles from those below the middle, which is treated on its own."""
    twiddles = np.zeros((4, quarter), np.float32)
    twiddles[0, 0] = twiddles[2, 0] = 1
    for j in range(1, (quarter + 1) // 2):
        twiddles[:, j] = first[j]
        twiddles[:, quarter - j] = first[j][[1, 0, 3, 2]]
    return twiddles


def _first(table: FloatArray, quarter: int) -> FloatArray:
    """Twiddles of the first pass: the table has every second one, the others are means times a secant."""
    wn4r, secant, third_secant = table[1], table[2], table[3]
    twiddles = np.zeros((quarter // 2, 4), np.float32)
    last = np.array([1, 0, 1, 0], np.float32)
    scale = np.array([secant, secant, third_secant, third_secant], np.float32)
    for j in range(2, quarter // 2, 2):
        twiddles[j] = table[2 * j : 2 * j + 4]
        twiddles[j - 1] = scale * (last + twiddles[j])
        last = twiddles[j]
    twiddles[quarter // 2 - 1] = scale * (last + np.array([wn4r, wn4r, -wn4r, -wn4r], np.float32))
    return _mirrored(twiddles, quarter)


def _later(table: FloatArray, n_table: int, size: int) -> tuple[FloatArray, FloatArray]:
    """Twiddles of a plain and a twisted block of `size` points."""
    quarter = size // 4
    twisted = np.zeros((8, quarter), np.float32)
    if size == 16:  # the leaves
        cos, sin = table[n_table - 8 + 2], table[n_table - 8 + 3]
        plain = _mirrored(np.array([[1, 0, 1, 0], [cos, sin, sin, -cos]], np.float32), quarter)
        w = table[n_table - 32 :]
        first, third = w[4:6], np.array([w[6], -w[7]], np.float32)
        twisted[:, 1] = [*first, third[1], third[0], third[0], -third[1], -first[0], -first[1]]
        twisted[:, 3] = [*third, first[1], first[0], -first[1], -first[0], -third[1], third[0]]
        twisted[:2, 2] = w[8:10]
    elif size == 8:
        plain = _mirrored(np.array([[1, 0, 1, 0]], np.float32), quarter)
        twisted[:2, 1] = table[n_table - 8 + 2 : n_table - 8 + 4]
    elif size <= 4:
        plain = _mirrored(np.array([[1, 0, 1, 0]], np.float32), quarter)
    else:
        w = table[n_table - size :]
        plain = _mirrored(w[: 2 * quarter].reshape(-1, 4), quarter)
        v = table[n_table - 2 * size :]
        for j in range(1, quarter // 2):
            near, far = v[4 * j : 4 * j + 4], v[4 * (quarter - j) : 4 * (quarter - j) + 4]
            twisted[:, j] = [near[0], near[1], far[1], far[0], near[2], near[3], far[3], far[2]]
            twisted[:, quarter - j] = [far[0], far[1], near[1], near[0], far[2], far[3], near[3], near[2]]
        twisted[:2, quarter // 2] = v[2 * quarter : 2 * quarter + 2]
    return plain, twisted


def _split_weights(n: int) -> FloatArray:
    half = n >> 1
    step = _step(half)
    c = np.zeros(n + 1, np.float32)
    angle = (step * np.arange(half + 1, dtype=np.float32)).astype(np.float64)
    c[0] = math.cos(angle[half])
    c[half] = 0.5 * float(c[0])
    for j in range(1, half):
        c[j] = 0.5 * math.cos(angle[j])
        c[n - j] = 0.5 * math.sin(angle[j])
    weights = np.zeros((2, n), np.float32)
    for k in range(1, n):
        weights[:, k] = np.float32(0.5) - c[n - k], c[k]
    return weights


# Frames are transformed LANES at a time: arrays are (point, lane), and every operation is that of all lanes.


@compiled
def _plain(re, im, base, quarter, w, number, half):  # type: ignore[no-untyped-def]
    for j in range(quarter):
        p0, p1, p2, p3 = _places(base + j, quarter)
        a, b, c, d = at(re, p0), at(re, p1), at(re, p2), at(re, p3)
        e, f, g, h = at(im, p0), at(im, p1), at(im, p2), at(im, p3)
        x0r, x0i, x1r, x1i = a + c, e + g, a - c, e - g
        x2r, x2i, x3r, x3i = b + d, f + h, b - d, f - h
        _put(re, im, p0, x0r + x2r, x0i + x2i)
        _put(re, im, p1, x0r - x2r, x0i - x2i)
        ur, ui, vr, vi = x1r - x3i, x1i + x3r, x1r + x3i, x1i - x3r
        if 2 * j == quarter:
            k = spread(half)
            _put(re, im, p2, k * (ur - ui), k * (ui + ur))
            _put(re, im, p3, -k * (vr + vi), -k * (vi - vr))
        else:  # the first of a block has the twiddle 1
            c1, s1 = spread(w[number, 0, j]), spread(w[number, 1, j])
            c3, s3 = spread(w[number, 2, j]), spread(w[number, 3, j])
            _put(re, im, p2, c1 * ur - s1 * ui, c1 * ui + s1 * ur)
            _put(re, im, p3, c3 * vr + s3 * vi, c3 * vi - s3 * vr)


@compiled
def _places(first, quarter):  # type: ignore[no-untyped-def]
    """Where the lanes of four points begin."""
    return (
        first * LANES,
        (first + quarter) * LANES,
        (first + 2 * quarter) * LANES,
        (first + 3 * quarter) * LANES,
    )


@compiled
def _put(re, im, place, real, imaginary):  # type: ignore[no-untyped-def]
    put(re, place, real)
    put(im, place, imaginary)


@compiled
def _twisted(re, im, base, quarter, w, number, half):  # type: ignore[no-untyped-def]
    k = spread(half)
    for j in range(quarter):
        p0, p1, p2, p3 = _places(base + j, quarter)
        ar, br, cr, dr = at(re, p0), at(re, p1), at(re, p2), at(re, p3)
        ai, bi, ci, di = at(im, p0), at(im, p1), at(im, p2), at(im, p3)
        x0r, x0i, x1r, x1i = ar - ci, ai + cr, ar + ci, ai - cr
        x2r, x2i, x3r, x3i = br - di, bi + dr, br + di, bi - dr
        c, s = spread(w[number, 0, j]), spread(w[number, 1, j])
        if j == 0:
            yr, yi, zr, zi = x0r, x0i, k * (x2r - x2i), k * (x2i + x2r)
            ur, ui = x1r, x1i
            vr, vi = -k * (x3i + x3r), k * (x3r - x3i)
        elif 2 * j == quarter:
            yr, yi, zr, zi = c * x0r - s * x0i, c * x0i + s * x0r, s * x2r - c * x2i, s * x2i + c * x2r
            ur, ui = s * x1r - c * x1i, s * x1i + c * x1r
            vr, vi = -(c * x3r - s * x3i), -(c * x3i + s * x3r)
        else:
            d, e, f = spread(w[number, 2, j]), spread(w[number, 3, j]), spread(w[number, 4, j])
            g, h, i = spread(w[number, 5, j]), spread(w[number, 6, j]), spread(w[number, 7, j])
            yr, yi, zr, zi = c * x0r - s * x0i, c * x0i + s * x0r, d * x2r - e * x2i, d * x2i + e * x2r
            ur, ui = f * x1r + g * x1i, f * x1i - g * x1r
            vr, vi = h * x3r + i * x3i, h * x3i - i * x3r
        _put(re, im, p0, yr + zr, yi + zi)
        _put(re, im, p1, yr - zr, yi - zi)
        _put(re, im, p2, ur + vr, ui + vi)
        _put(re, im, p3, ur - vr, ui - vi)


@compiled
def _pairs(re, im, kinds, number):  # type: ignore[no-untyped-def]
    for pair in range(len(re) // 2):
        p, q = 2 * pair * LANES, (2 * pair + 1) * LANES
        ar, ai, br, bi = at(re, p), at(im, p), at(re, q), at(im, q)
        if not (pair % 2 == 0 or (pair % 4 == 3 and kinds[number, pair // 4] == 1)):
            br, bi = -bi, br
        _put(re, im, p, ar + br, ai + bi)
        _put(re, im, q, ar - br, ai - bi)


@compiled
def magnitudes_into(magnitudes, re, im, sizes, kinds, plain, twisted, order, split, half):  # type: ignore[no-untyped-def]
    """Magnitudes of bins 0 … n/2 into `magnitudes`, shape (n/2 + 1, LANES).

    `re` and `im`, shape (n/2, LANES), hold even and odd samples, and are overwritten.
    """
    transform(re, im, sizes, kinds, plain, twisted, half)
    n = len(re)
    for t in range(LANES):
        magnitudes[0, t] = abs(re[0, t] + im[0, t])
        magnitudes[n, t] = abs(re[0, t] - im[0, t])
    p = order[n // 2] * LANES
    x, y = at(re, p), at(im, p)
    put(magnitudes, n // 2 * LANES, root(x * x + y * y))
    for k in range(1, n // 2):
        x, y, z, w = _parted(re, im, order, split, k)
        put(magnitudes, k * LANES, root(x * x + y * y))
        put(magnitudes, (n - k) * LANES, root(z * z + w * w))


@compiled
def _parted(re, im, order, split, k):  # type: ignore[no-untyped-def]
    """Bins k and n - k of a real signal, real and imaginary part of each."""
    p, q = order[k] * LANES, order[len(re) - k] * LANES
    c, s = spread(split[0, k]), spread(split[1, k])
    ar, ai, br, bi = at(re, p), at(im, p), at(re, q), at(im, q)
    xr, xi = ar - br, ai + bi
    yr, yi = c * xr - s * xi, c * xi + s * xr
    return ar - yr, ai - yi, br + yr, bi - yi


@compiled
def spectra_into(real, imaginary, re, im, sizes, kinds, plain, twisted, order, split, half):  # type: ignore[no-untyped-def]
    """Complex bins 0 … n/2, otherwise as `magnitudes_into`; the imaginary part is that of ``exp(+2j pi k m / n)``."""
    transform(re, im, sizes, kinds, plain, twisted, half)
    n = len(re)
    imaginary[0], imaginary[n] = 0, 0
    x, y = at(re, 0), at(im, 0)
    put(real, 0, x + y)
    put(real, n * LANES, x - y)
    p = order[n // 2] * LANES
    _put(real, imaginary, n // 2 * LANES, at(re, p), at(im, p))
    for k in range(1, n // 2):
        x, y, z, w = _parted(re, im, order, split, k)
        _put(real, imaginary, k * LANES, x, y)
        _put(real, imaginary, (n - k) * LANES, z, w)


@compiled
def transform(re, im, sizes, kinds, plain, twisted, half):  # type: ignore[no-untyped-def]
    """Complex transform of each lane in place; point k ends up at ``order[k]``."""
    n = len(re)
    _plain(re, im, 0, n // 4, plain, 0, half)
    for quarter in range(4):  # one after the other: each fits into the nearest cache
        for number in range(1, len(sizes)):
            size = sizes[number]
            n_blocks = n // 4 // size
            for block in range(quarter * n_blocks, (quarter + 1) * n_blocks):
                if kinds[number, block] == 1:
                    _plain(re, im, block * size, size // 4, plain, number, half)
                else:
                    _twisted(re, im, block * size, size // 4, twisted, number, half)
    if sizes[-1] == 8:  # pairs are left
        _pairs(re, im, kinds, len(sizes) - 1)
