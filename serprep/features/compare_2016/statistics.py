"""Functionals of one contour: extremes, means, percentiles, moments, times, segments, LPC, regression.

Each takes a contour ``x``, shape (n,), float32, and writes float32 values from ``out[0]``
on, in the order of `names`.  Sums run in frame order, in the precision the comment
names: the last bits of ill-conditioned values depend on it.
"""

import numpy as np

from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.logarithm import is_settled, sum_of_logarithms

PERIOD = np.float32(0.01)  # s, between frames
_LEVELS = (np.float32(0.25), np.float32(0.5), np.float32(0.75), np.float32(0.9))


@compiled
def mean_of(x):  # type: ignore[no-untyped-def]
    """Mean, summed in float64 and rounded to float32: every other value uses the rounded one."""
    total = 0.0
    for value in x:
        total += np.float64(value)
    return np.float32(total / len(x))


@compiled
def summary(x, n, m):  # type: ignore[no-untyped-def]
    """Mean, and places of the first maximum and minimum, of the first `n` values; and of the first `m`."""
    near = _sum_on(x, 0, min(n, m), 0.0, 0, 0)
    far = _sum_on(x, min(n, m), max(n, m), *near)
    a, b = (near, far) if n <= m else (far, near)
    return (np.float32(a[0] / n), a[1], a[2]), (np.float32(b[0] / m), b[1], b[2])


@compiled
def _sum_on(x, first, last, total, high, low):  # type: ignore[no-untyped-def]
    top, bottom = x[high], x[low]
    for i in range(first, last):
        value = x[i]
        total += np.float64(value)
        if value > top:
            high, top = i, value
        if value < bottom:
            low, bottom = i, value
    return total, high, low


@compiled
def extremes(x, out):  # type: ignore[no-untyped-def]
    """Range, place of the maximum and of the minimum; returns lowest value and range."""
    _, high, low = _sum_on(x, 0, len(x), 0.0, 0, 0)
    return places_of(x, high, low, out)


@compiled
def places_of(x, high, low, out):  # type: ignore[no-untyped-def]
    """What `extremes` gives, of places that are known."""
    out[0] = x[high] - x[low]
    out[1] = np.float32(high) / np.float32(len(x))
    out[2] = np.float32(low) / np.float32(len(x))
    return x[low], out[0]


@compiled
def means(x):  # type: ignore[no-untyped-def]
    """Flatness, mean of the positive values, root of the mean square."""
    magnitude = positive = square = 0.0
    n, n_known, n_positive = len(x), 0, 0
    known = np.empty(n)
    for i in range(n):
        v = np.float64(x[i])
        magnitude += abs(v)
        square += v * v
        positive += v if v > 0 else 0.0
        known[i] = abs(v) if v != 0 else 1.0
        n_known += 1 if v != 0 else 0
        n_positive += 1 if v > 0 else 0
    flatness = 1.0
    if magnitude > 0:
        arithmetic = magnitude / n
        flatness = np.exp(sum_of_logarithms(known) / n_known) / arithmetic
        if not is_settled(flatness, flatness * (1e-12 + n * 2.5e-14)):  # each addition rounds a sum of n to 104
            total = 0.0
            for i in range(n):
                if x[i] != 0:
                    total += np.log(abs(np.float64(x[i])))
            flatness = np.exp(total / n_known) / arithmetic
    return (
        np.float32(flatness),
        np.float32(positive / n_positive) if n_positive > 0 else np.float32(0),
        np.float32(np.sqrt(square / n)),
    )


@compiled
def percentile(ordered, share):  # type: ignore[no-untyped-def]
    """Of values in ascending order: linear between the two nearest."""
    h = share * (len(ordered) - 1)
    below, above = int(np.floor(h)), int(np.ceil(h))
    if below == above:
        return ordered[below]
    return np.float32(ordered[below] * np.float32(above - h)) + np.float32(ordered[above] * np.float32(h - below))


@compiled
def percentiles(ordered, out):  # type: ignore[no-untyped-def]
    """Quartiles, their distances, percentiles 1 and 99, their distance, of values in ascending order."""
    for i in range(3):
        out[i] = percentile(ordered, (0.25, 0.5, 0.75)[i])
    out[3], out[4], out[5] = out[1] - out[0], out[2] - out[1], out[2] - out[0]
    out[6], out[7] = percentile(ordered, 0.01), percentile(ordered, 0.99)
    out[8] = abs(np.float32(out[7] - out[6]))


@compiled
def powers(x, mean, r, running):  # type: ignore[no-untyped-def]
    """Sums of the second, third and fourth powers of deviations, in float64.

    In the same pass, each in float32: six autocorrelations, into `r`, and the sums of three values, into `running`.
    """
    second = third = fourth = 0.0
    r0 = r1 = r2 = r3 = r4 = r5 = three = np.float32(0)
    centre = np.float64(mean)
    for i in range(len(x)):
        v = x[i]
        d = np.float64(v) - centre
        square = d * d
        second += square
        third += square * d
        fourth += square * square
        three += v
        r0 += np.float32(v * v)
        if i >= 5:
            three -= x[i - 3]
            r1 += np.float32(v * x[i - 1])
            r2 += np.float32(v * x[i - 2])
            r3 += np.float32(v * x[i - 3])
            r4 += np.float32(v * x[i - 4])
            r5 += np.float32(v * x[i - 5])
        else:
            if i >= 1:
                r1 += np.float32(v * x[i - 1])
            if i >= 2:
                r2 += np.float32(v * x[i - 2])
            if i >= 3:
                three -= x[i - 3]
                r3 += np.float32(v * x[i - 3])
            if i >= 4:
                r4 += np.float32(v * x[i - 4])
        running[i] = three
    r[0], r[1], r[2], r[3], r[4], r[5] = r0, r1, r2, r3, r4, r5
    return second, third, fourth


@compiled
def moments(n, second, third, fourth, out):  # type: ignore[no-untyped-def]
    """Standard deviation, skewness, kurtosis, of sums of powers."""
    variance = second / n
    out[0] = np.sqrt(variance)
    out[1] = third / (n * variance * np.sqrt(variance)) if variance > 0 else 0.0
    out[2] = fourth / (n * variance * variance) if variance > 0 else 0.0


@compiled
def _n_above(x, level):  # type: ignore[no-untyped-def]
    count = np.int32(0)  # as wide as the values, which are then compared side by side
    for i in range(len(x)):
        count = np.int32(count + np.int32(1 if x[i] > level else 0))
    return count


@compiled
def times(x, low, span, out):  # type: ignore[no-untyped-def]
    """Shares of frames above four levels, rising, and curving to the left."""
    n = len(x)
    for i in range(4):
        level = np.float32(low + np.float32(_LEVELS[i] * span))
        out[i] = np.float32(_n_above(x, level)) / np.float32(n)
    rising = curving = 0
    for i in range(1, n - 1):
        rising += 1 if x[i] > x[i - 1] else 0
        curving += 1 if np.float32(x[i] - x[i - 1]) < np.float32(x[i + 1] - x[i]) else 0
    if n > 1 and x[n - 1] > x[n - 2]:
        rising += 1
    out[4] = np.float32(rising) / np.float32(n - 1) if n > 1 else np.float32(0)
    out[5] = np.float32(curving) / np.float32(n - 2) if n != 2 else np.float32(0)  # -0.0 of a single frame


@compiled
def lengths_of(lengths, n, out):  # type: ignore[no-untyped-def]
    """Mean, longest, shortest and deviation of segment lengths, in seconds."""
    out[:4] = 0
    if n == 0:
        return
    total, high, low = np.float32(0), lengths[0], lengths[0]
    for i in range(n):
        total += np.float32(lengths[i])
        high, low = max(high, lengths[i]), min(low, lengths[i])
    mean = total / np.float32(n)
    spread = np.float32(0)
    for i in range(n):
        d = np.float32(np.float32(lengths[i]) - mean)
        spread += np.float32(d * d)
    out[0] = mean * PERIOD
    out[1], out[2] = np.float32(high) * PERIOD, np.float32(low) * PERIOD
    out[3] = np.sqrt(np.float32(spread / np.float32(n))) * PERIOD if n > 1 else np.float32(0)


@compiled
def segments(running, low, span, out):  # type: ignore[no-untyped-def]
    """Lengths of segments between crossings of a quarter and three quarters of the range, of sums of three values."""
    n = len(running)
    first = np.float32(low + np.float32(_LEVELS[0] * span))
    second = np.float32(low + np.float32(_LEVELS[2] * span))
    for i in range(n):
        running[i] /= np.float32(min(i + 1, 3))
    crosses = np.empty(n, np.bool_)
    before = np.float32(0)
    for i in range(n):
        here = running[i]
        over = ((here > first) & (before <= first)) | ((here > second) & (before <= second))
        under = ((here < first) & (before >= first)) | ((here < second) & (before >= second))
        crosses[i] = over | under
        before = here
    shortest = max(2, n // 100 - 1)
    border = -(shortest // 2)
    lengths = np.empty(100, np.int64)
    count = 0
    for i in range(n):
        if crosses[i] and i - border > shortest and count < 100:
            lengths[count] = i - border
            count += 1
            border = i
    lengths_of(lengths, count, out)


@compiled
def runs(x, out):  # type: ignore[no-untyped-def]
    """Share of frames that are not zero, and lengths of their runs."""
    lengths = np.empty(100, np.int64)
    known, count = run_lengths(x, lengths)
    out[0] = np.float32(known) / np.float32(len(x))
    lengths_of(lengths, count, out[1:])


@compiled
def run_lengths(x, lengths):  # type: ignore[no-untyped-def]
    """Fill `lengths` with those of runs of frames that are not zero; a single zero does not end one.

    Returns the number of such frames, and of runs.
    """
    n = len(x)
    count = known = in_run = 0
    first = last = -1
    for i in range(n + 2):
        if i < n and x[i] != 0:
            known += 1
            if first < 0:
                first, in_run = i, 0
            in_run += 1
            last = i
        elif first >= 0 and (i - last >= 2 or i >= n):
            if in_run >= 3 and count < len(lengths):
                lengths[count] = last - first
                count += 1
            first = -1
    return known, count


@compiled
def lpc(r, n, out):  # type: ignore[no-untyped-def]
    """Residual energy per frame and five prediction-error coefficients, all in float32, of autocorrelations."""
    a = np.zeros(6, np.float32)
    out[0] = prediction(r, a) / np.float32(n)
    for i in range(1, 6):
        out[i] = a[i]


@compiled
def prediction(r, a):  # type: ignore[no-untyped-def]
    """Prediction-error coefficients ``a[1:]`` of autocorrelations, and the residual energy; all float32."""
    error = r[0]
    a[:] = 0
    if error == 0:
        return error
    new = np.empty(len(r), np.float32)
    for m in range(1, len(r)):
        s = r[m]
        for i in range(1, m):
            s += np.float32(a[i] * r[m - i])
        g = np.float32(np.float32(-1) / error) * s
        new[m] = g
        for i in range(1, m):
            new[i] = a[i] + np.float32(g * a[m - i])
        for i in range(1, m + 1):
            a[i] = new[i]
        error = error * np.float32(np.float32(1) - np.float32(g * g))
        if error == 0:
            break
    return error


@compiled
def limited(z, a, b):  # type: ignore[no-untyped-def]
    """Soft limiter: `z` up to `a`, then bending towards ``a + b``."""
    z, a, b = np.float32(z), np.float32(a), np.float32(b)
    if abs(z) <= a:
        return z
    sign = np.float32(1) if z > 0 else np.float32(-1)
    d = np.float64(np.float32(abs(z) - a))
    u = np.float32(np.float64(sign) * (np.sqrt(d + 1) - 1) / (np.float64(b) / 2))
    h = np.float32(1 / (1 + np.exp(-2 * np.float64(u))))
    t = np.float32(np.float32(2) * h - np.float32(1))
    return np.float32(np.float32(sign * a) + np.float32(b * t))


@compiled
def regression(x, mean, low, span, per_second, out):  # type: ignore[no-untyped-def]
    """Line, parabola, their errors, and the centroid in time; closed-form sums of powers, float64."""
    n = float(len(x))
    y1 = y2 = b0 = b1 = 0.0
    for i in range(len(x)):
        v = np.float64(x[i])
        w = i * v
        y1 += w
        y2 += i * w
        b0 += abs(v)
        b1 += i * abs(v)
    y0 = np.float64(mean) * n
    s1, s2 = n * (n - 1) / 2, n * (n - 1) * (2 * n - 1) / 6
    s3, s4 = s1 * s1, s2 * (3 * ((n - 1) * (n - 1) + (n - 1)) - 1) / 5
    m, t = 0.0, float(x[0])
    a, b, c = 0.0, 0.0, float(x[0])
    if len(x) > 1:
        ratio = s1 / s2
        divisor = n - s1 * ratio
        t = (y0 - y1 * ratio) / divisor if divisor != 0 else 0.0
        m = (y1 - t * s1) / s2
        a, b, c = _parabola(n, s1, s2, s3, s4, y0, y1, y2)
    wide = np.float64(span)
    scale = 1 / wide if span != 0 else 0.0
    line_error = parabola_error = 0.0
    for i in range(len(x)):
        v = np.float64(x[i])
        e = (v - (m * i + t)) * scale
        line_error += e * e
        e = (v - (a * i * i + b * i + c)) * scale
        parabola_error += e * e
    bound = (wide if span != 0 else 1.0) / 10
    m32, b32 = limited(m, bound, bound + 0.01), limited(b, bound, bound + 0.01)
    a32 = limited(a, np.sqrt(bound), np.sqrt(bound) + 0.01)
    rate = 100.0 if per_second else 1.0
    out[0] = np.float64(m32) * rate * scale
    out[1] = (t - np.float64(low)) * scale
    out[2] = line_error / n
    out[3] = np.float64(a32) * (rate * rate) * scale
    out[4] = np.float64(b32) * rate * scale
    out[5] = (c - np.float64(low)) * scale
    out[6] = parabola_error / n
    out[7] = np.float32(b1 / b0) / np.float32(n) if b0 != 0 else np.float32(0)
    for i in range(8):
        if not np.isfinite(out[i]):
            out[i] = 0


@compiled
def _parabola(n, s1, s2, s3, s4, y0, y1, y2):  # type: ignore[no-untyped-def]
    """Coefficients of the least-squares parabola, by cofactors in this order; zeros if the system is singular."""
    s12, s22, s33 = s1 * s2, s2 * s2, s3 * s3
    a11, a12, a13 = s2 * n - s3, s12 - s3 * n, s3 * s1 - s22
    a22, a23, a33 = s4 * n - s22, s3 * s2 - s4 * s1, s4 * s2 - s33
    determinant = s4 * s2 * n + 2 * s3 * s12 - s22 * s2 - s33 * n - s3 * s4
    if determinant == 0:
        return 0.0, 0.0, 0.0
    return (
        (a11 * y2 + a12 * y1 + a13 * y0) / determinant,
        (a12 * y2 + a22 * y1 + a23 * y0) / determinant,
        (a13 * y2 + a23 * y1 + a33 * y0) / determinant,
    )
