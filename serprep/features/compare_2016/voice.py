"""Jitter, shimmer and harmonics-to-noise ratio, from a walk along the waveform period by period.

Neighbouring periods are matched by normalised cross-correlation around the period that
the pitch gives.
"""

import numpy as np

from serprep._typing import FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.framing import HOP, LONG, blocks_of
from serprep.features.compare_2016.lanes import LANES, at, larger, put, smaller, spread
from serprep.features.compare_2016.pitch import vertex

_PERIOD = 1 / 16_000  # s, of a sample
NO_HARMONICS = np.float32(-100)  # dB
_BACK = 4096  # samples before its frame that a walk may begin at: periods have 308 at most, so it is nearer
_CLOSE = 1e-9  # correlations nearer than this are summed again in the defined order


def voice_quality(signal: FloatArray, f0: FloatArray, shortest: float = 0.75, longest: float = 1.25) -> FloatArray:
    """Local jitter, jitter of differences, shimmer, log HNR (dB) per 60 ms frame, shape (n_frames, 4).

    A period is searched between `shortest` and `longest` times that of the pitch.
    """
    quality, state = np.zeros((len(f0), 4), np.float32), np.zeros(9)
    for first, last, samples in blocks_of(signal, len(f0), LONG, _BACK):
        before = max(0, HOP * first - _BACK)  # samples before those of the block
        _walk(samples, HOP * first - before, f0[first:last], shortest, longest, state, quality[first:last])
        state[0] -= HOP * (last - first)
    return quality


@compiled
def _correlation(samples, first, lag):  # type: ignore[no-untyped-def]
    """Normalised cross-correlation of two successive stretches of `lag` samples, summed in order."""
    x_sum = y_sum = 0.0
    for i in range(lag):
        x_sum += np.float64(samples[first + i])
        y_sum += np.float64(samples[first + lag + i])
    x_mean, y_mean = x_sum / lag, y_sum / lag
    xx = yy = xy = 0.0
    for i in range(lag):
        x = np.float64(samples[first + i]) - x_mean
        y = np.float64(samples[first + lag + i]) - y_mean
        xy += x * y
        xx += x * x
        yy += y * y
    return xy / (np.sqrt(xx) * np.sqrt(yy))


@compiled
def _correlations(samples, first, lag, correlations):  # type: ignore[no-untyped-def]
    """Those of a lag and of its neighbours, each summed in order, side by side: a sum alone waits for itself."""
    n, x = lag - 1, samples[first:]
    x_sum = y0 = y1 = y2 = 0.0
    for i in range(n):
        x_sum += np.float64(x[i])
        y0 += np.float64(x[n + i])
        y1 += np.float64(x[n + 1 + i])
        y2 += np.float64(x[n + 2 + i])
    y1 += np.float64(x[2 * n + 1])
    y2 += np.float64(x[2 * n + 2])
    y2 += np.float64(x[2 * n + 3])
    x1 = x_sum + np.float64(x[n])
    x_mean = (x_sum / n, x1 / (n + 1), (x1 + np.float64(x[n + 1])) / (n + 2))
    y_mean = (y0 / n, y1 / (n + 1), y2 / (n + 2))
    xx, yy, xy = np.zeros(3), np.zeros(3), np.zeros(3)
    xx0 = xx1 = xx2 = yy0 = yy1 = yy2 = xy0 = xy1 = xy2 = 0.0
    for i in range(n):
        value = np.float64(x[i])
        a, b = value - x_mean[0], np.float64(x[n + i]) - y_mean[0]
        xy0, xx0, yy0 = xy0 + a * b, xx0 + a * a, yy0 + b * b
        a, b = value - x_mean[1], np.float64(x[n + 1 + i]) - y_mean[1]
        xy1, xx1, yy1 = xy1 + a * b, xx1 + a * a, yy1 + b * b
        a, b = value - x_mean[2], np.float64(x[n + 2 + i]) - y_mean[2]
        xy2, xx2, yy2 = xy2 + a * b, xx2 + a * a, yy2 + b * b
    xx[0], xx[1], xx[2], yy[0], yy[1], yy[2] = xx0, xx1, xx2, yy0, yy1, yy2
    xy[0], xy[1], xy[2] = xy0, xy1, xy2
    for m in range(3):
        for i in range(n, n + m):
            a, b = np.float64(x[i]) - x_mean[m], np.float64(x[n + m + i]) - y_mean[m]
            xy[m], xx[m], yy[m] = xy[m] + a * b, xx[m] + a * a, yy[m] + b * b
        correlations[m] = xy[m] / (np.sqrt(xx[m]) * np.sqrt(yy[m]))


@compiled
def _sums_so_far(x, n, sums, squares):  # type: ignore[no-untyped-def]
    """Sums of the first 0 … n values and of their squares, four by four: a sum alone waits for itself."""
    sums[0] = squares[0] = total = square = 0.0
    for i in range(0, n, 4):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        ab, aabb = a + b, a * a + b * b
        sums[i + 1], squares[i + 1] = total + a, square + a * a
        sums[i + 2], squares[i + 2] = total + ab, square + aabb
        sums[i + 3], squares[i + 3] = total + (ab + c), square + (aabb + c * c)
        total, square = total + (ab + (c + d)), square + (aabb + (c * c + d * d))
        if i + 4 <= n:
            sums[i + 4], squares[i + 4] = total, square


@compiled
def _screen(samples, first, low, high, correlations):  # type: ignore[no-untyped-def]
    """Correlations of all lags to about 1e-12, lags side by side; False where they cannot be trusted."""
    end, n_lags = 2 * high, high - low + 1
    x, products = np.zeros(end + 2 * LANES), np.empty(n_lags + LANES)
    sums, squares, reaching = np.empty(end + 4), np.empty(end + 4), np.zeros(2 * LANES)
    reaching[LANES:] = 1
    for i in range(end):
        x[i] = samples[first + i]
    _sums_so_far(x, end, sums, squares)
    for m in range(0, n_lags, LANES):
        shortest = low + m  # of these lags: up to there, all of them reach
        even, odd = spread(0.0), spread(0.0)  # a sum alone waits for itself
        for i in range(0, shortest - shortest % 2, 2):
            even = even + spread(x[i]) * at(x, shortest + i)
            odd = odd + spread(x[i + 1]) * at(x, shortest + i + 1)
        if shortest % 2:
            even = even + spread(x[shortest - 1]) * at(x, 2 * shortest - 1)
        for k in range(LANES - 1):
            odd = odd + spread(x[shortest + k]) * at(x, 2 * shortest + k) * at(reaching, LANES - 1 - k)
        put(products, m, even + odd)
    least, n_doubtful = 1e-3 * squares[end] / end, 0
    for m in range(n_lags):  # without a branch, so that lags stay side by side
        lag = low + m
        x_sum, y_sum, share = sums[lag], sums[2 * lag] - sums[lag], 1 / np.float64(lag)
        xx = squares[lag] - x_sum * x_sum * share
        yy = squares[2 * lag] - squares[lag] - y_sum * y_sum * share
        n_doubtful += not ((xx > least) & (yy > least))
        correlations[m] = (products[m] - x_sum * y_sum * share) / np.sqrt(xx * yy)
    return n_doubtful == 0


@compiled
def _highest_peak(correlations, n):  # type: ignore[no-untyped-def]
    """Place of the highest peak among the inner values, or -1; the last but one is not looked at."""
    best = -1
    for i in range(1, n - 2):
        if (
            correlations[i] > correlations[i - 1]
            and correlations[i] > correlations[i + 1]
            and (best < 0 or correlations[i] > correlations[best])
        ):
            best = i
    return best


@compiled
def _match(samples, first, low, high, correlations):  # type: ignore[no-untyped-def]
    """Place of the best lag in ``correlations`` (whose neighbourhood is exact), or -1 if no lag is a peak."""
    n = high - low + 1
    best = -1
    trusted = _screen(samples, first, low, high, correlations)
    if trusted:
        best = _highest_peak(correlations, n)
        trusted = best >= 0
        for i in range(1, n - 2):
            rises, falls = correlations[i] - correlations[i - 1], correlations[i] - correlations[i + 1]
            if rises > -_CLOSE and falls > -_CLOSE:  # a peak, or nearly one
                if i == best:
                    trusted = trusted and rises > _CLOSE and falls > _CLOSE
                else:
                    trusted = trusted and correlations[i] < correlations[best] - _CLOSE
    if trusted:
        _correlations(samples, first, low + best, correlations[best - 1 :])
        return best
    for i in range(n):
        correlations[i] = _correlation(samples, first, low + i)
    return _highest_peak(correlations, n)


@compiled
def _amplitude(samples, first, lag):  # type: ignore[no-untyped-def]
    begin, end, lowest, highest = first + 1, first + lag - 1, np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    n_lanes = 0
    if end - begin >= LANES:
        lows = highs = at(samples, begin)
        for i in range(begin + LANES, end - LANES + 1, LANES):
            lows, highs = smaller(lows, at(samples, i)), larger(highs, at(samples, i))
        rest = at(samples, end - LANES)
        put(lowest, 0, smaller(lows, rest))
        put(highest, 0, larger(highs, rest))
        n_lanes = LANES
    low = high = samples[begin]
    for i in range(n_lanes):
        low, high = min(low, lowest[i]), max(high, highest[i])
    if n_lanes == 0:
        for i in range(begin + 1, end):
            low, high = min(low, samples[i]), max(high, samples[i])
    return np.float32(high - low)


@compiled
def _walk(samples, origin, f0, shortest, longest, state, out):  # type: ignore[no-untyped-def]
    """Frames one after the other, the first from sample `origin` on; `state` is what the next one needs to know."""
    n_samples, count = len(samples), len(f0)
    zero, limit = np.float32(0), np.float32(1)
    start, deficit = origin + int(state[0]), int(state[1])
    held_jitter, held_ddp, held_shimmer = np.float32(state[2]), np.float32(state[3]), np.float32(state[4])
    last_period, last_difference = np.float32(state[5]), np.float32(state[6])
    has_period, has_difference = state[7] != 0, state[8] != 0
    correlations = np.empty(1024)
    average = np.empty(1024, np.float32)
    bounds = np.empty(4096, np.int64)
    for t in range(count):
        nominal = HOP + deficit
        span = nominal
        voiced = f0[t] > 0
        tau = low = high = 0
        if voiced:
            period = (1 / np.float64(f0[t])) / _PERIOD
            tau = int(np.floor(period + 0.5))
            low, high = int(np.floor(shortest * period)), int(np.ceil(longest * period))
            span = max(nominal, 2 * high + 2)
        span = min(span, LONG + deficit)
        if origin + HOP * t - deficit != start:
            start = origin + HOP * t
            span = min(span, LONG)
        n = min(span, n_samples - start)
        if not voiced:
            out[t, 3] = NO_HARMONICS
            start += nominal
            deficit = 0
            held_jitter = held_ddp = held_shimmer = zero
            has_period = has_difference = False
            continue
        n_periods = n_first = n_second = n_bounds = 0
        periods = firsts = seconds = amplitudes = changes = zero
        average[:tau] = 0
        q = carry = step = 0
        while q <= n - 2 * high - 2:
            best = _match(samples, start + q, low, high, correlations)
            if best < 0:
                step = tau
            else:
                lag = low + best
                step = lag
                bounds[n_bounds] = q
                n_bounds += 1
                for i in range(tau):
                    average[i] += samples[start + q + i]
                at, height = vertex(
                    np.float64(best - 1), correlations[best - 1], np.float64(best), correlations[best],
                    np.float64(best + 1), correlations[best + 1],
                )  # fmt: skip
                if height > 0.5:
                    length = np.float32(abs(low + at) * _PERIOD)
                    first = _amplitude(samples, start + q, lag)
                    second = _amplitude(samples, start + q + lag, lag)
                    amplitudes += np.float32(np.float32(first + second) / np.float32(2))
                    changes += abs(np.float32(first - second))
                    periods += length
                    n_periods += 1
                    if has_period:
                        difference = abs(np.float32(last_period - length))
                        firsts += difference
                        n_first += 1
                        if has_difference and last_difference != 0:
                            seconds += abs(np.float32(last_difference - difference))
                            n_second += 1
                        last_difference, has_difference = difference, True
                    last_period, has_period = length, True
            q += step
            if q < nominal - 1:
                carry = q
        mean_period = periods / np.float32(n_periods) if n_periods > 0 else zero
        if n_periods == 0:
            out[t, 0], out[t, 1], out[t, 2] = held_jitter, held_ddp, min(held_shimmer, limit)
        else:
            if n_first > 0:
                held_jitter = min(np.float32(np.float32(firsts / np.float32(n_first)) / mean_period), limit)
                out[t, 0] = held_jitter
            if n_second > 0:
                held_ddp = min(np.float32(np.float32(seconds / np.float32(n_second)) / mean_period), limit)
                out[t, 1] = held_ddp
            held_shimmer = np.float32(changes / amplitudes) if amplitudes != 0 else zero
            out[t, 2] = min(held_shimmer, limit)
        out[t, 3] = _log_hnr(samples, start, n, q, step, tau, bounds, n_bounds, average)
        start += carry
        deficit = nominal - carry
    state[0], state[1] = start - origin, deficit
    state[2], state[3], state[4] = held_jitter, held_ddp, held_shimmer
    state[5], state[6] = last_period, last_difference
    state[7], state[8] = 1.0 if has_period else 0.0, 1.0 if has_difference else 0.0


@compiled
def _log_hnr(samples, start, n, end, step, tau, bounds, n_bounds, average):  # type: ignore[no-untyped-def]
    """Energy of the mean period over that of the rest, dB; 0 where there is no rest."""
    bounds[n_bounds] = end
    m = n_bounds + 1
    for i in range(tau):
        if end + i < n:
            average[i] += samples[start + end + i]
        average[i] /= np.float32(m)
    harmonic = np.float32(0)
    for i in range(3, tau - 2):
        harmonic += np.float32(average[i] * average[i])
    harmonic = np.sqrt(np.float32(harmonic / np.float32(tau - 4)))
    noise, n_terms = np.float32(0), 0
    for b in range(m):
        g = bounds[b]
        following = bounds[b + 1] if b + 1 < m else (end + step if step > 0 else 0)
        for j in range(g + 2, min(following, g + tau) - 2):
            if j < n:
                rest = np.float32(samples[start + j] - average[j - g])
                noise += np.float32(rest * rest)
                n_terms += 1
    if n_terms == 0:
        return np.float32(0)
    noise = np.sqrt(np.float32(noise / np.float32(n_terms)))
    if not noise > 0:
        return np.float32(0)
    ratio = np.float32(harmonic / noise)
    if not ratio > 0:
        return NO_HARMONICS
    return max(np.float32(20 * np.log(np.float64(ratio)) / np.log(10.0)), NO_HARMONICS)
