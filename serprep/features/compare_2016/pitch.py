"""Fundamental frequency: subharmonic summation, then the best path through the candidates.

Subharmonic summation after Hermes (1988), JASA 83; the path by the Viterbi algorithm over
six candidates and "unvoiced".
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from serprep._typing import AnyArray, DoubleArray, FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.fourier import magnitudes_into, plan
from serprep.features.compare_2016.framing import HOP, LONG, blocks_of, gauss
from serprep.features.compare_2016.lanes import LANES, at, narrow, positive, put, quotient, spread, wide
from serprep.features.compare_2016.spectrum import N_FFT_LONG, N_HOPS, lay_out, load_frames, squares_into
from serprep.features.sharing import is_shared, once

N_CANDIDATES = 6
VOICED = np.float32(0.7)
GATE = np.float32(0.001)
_N = 512  # bins but one
_N_HARMONICS = 14  # 2 … 15
_MOST_SPECTRA = 4096  # frames whose spectra may be kept, 8 MB: those of an hour would be 740
_FLOOR = 25.0  # Hz, where the octave axis begins


class Tracker(NamedTuple):
    """What feature sets choose differently."""

    lowest: int = 52  # Hz
    highest: int = 620  # Hz
    memory: int = 30  # frames that may be undecided
    keeps_spectra: bool = False


COMPARE_2016 = Tracker()


class Track(NamedTuple):
    """F0 (Hz, 0 unvoiced) and voicing per 60 ms frame, and how many were decided before the signal ended."""

    f0: FloatArray
    voicing: FloatArray
    n_decided: int
    magnitude: FloatArray  # (n_frames, 513), no frame unless spectra are kept, or of a long signal


class _Axis(NamedTuple):
    """Constants of the octave axis and its spline."""

    place: AnyArray  # (513,) upper knot of each target
    shares: DoubleArray  # (4, 513) of the values and second derivatives at the knots around each target
    sweep: DoubleArray  # (3, 513) Thomas algorithm: lower diagonal, 1 over pivot, upper diagonal over pivot
    spans: DoubleArray  # (4, 513) distance to the knot below, and above, times that of these two; 1 over these
    weight: DoubleArray  # (513,) auditory weight
    shifts: AnyArray  # (14,) targets that harmonics 2 … 15 lie above the first
    damping: FloatArray  # (14,)
    first: np.float32  # octaves
    step: np.float32


@lru_cache(maxsize=1)
def _axis() -> _Axis:
    width = 1 / float(np.float32(N_FFT_LONG / 16_000))
    knots = np.array([0.0] + [_octaves(k * width) for k in range(1, _N + 1)])
    knots[0] = 2 * knots[1] - knots[2]
    low, high = _octaves(_FLOOR), _octaves(_N * width)
    targets = low + np.arange(_N + 1) * ((high - low) / _N)
    place = np.clip(np.searchsorted(knots, targets, side="left"), 1, _N)
    gaps = knots[place] - knots[place - 1]
    lower = (knots[place] - targets) / gaps
    upper, square = 1 - lower, gaps * gaps / 6
    shares = np.stack([lower, upper, *((a * a * a - a) * square for a in (lower, upper))])
    below, above, both = knots[1:-1] - knots[:-2], knots[2:] - knots[1:-1], knots[2:] - knots[:-2]
    sweep, spans = np.zeros((3, _N + 1)), np.ones((2, _N + 1))
    spans[:, 1:-1] = below * both, above * both
    for k in range(1, _N):
        share = below[k - 1] / both[k - 1]
        inverse = 1 / (share * sweep[2, k - 1] + 2)
        sweep[:, k] = share, inverse, (share - 1) * inverse
    per_octave = (_N + 1) / _octaves(_N * width / _FLOOR)
    shift = per_octave * _octaves(65 / 50) - 1
    weight = np.array([0.5 + math.atan(3 * (j + 1 - shift) / per_octave) / math.pi for j in range(_N + 1)])
    shifts = np.array([math.floor(float(np.float32(per_octave)) * math.log2(h)) for h in range(2, 2 + _N_HARMONICS)])
    damping = np.full(len(shifts), 0.85, np.float32)
    for i in range(1, len(shifts)):
        damping[i] = damping[i - 1] * np.float32(0.85)
    first = np.float32(low)
    step = np.float32(np.float32(np.float32(high) - first) / np.float32(_N))
    return _Axis(place, shares, sweep, np.concatenate([spans, 1 / spans]), weight, shifts, damping, first, step)


def _octaves(ratio: float) -> float:
    # the C library's logarithm: numpy's vectorised one may differ in the last digit
    return math.log(ratio) / math.log(2)


def track(signal: FloatArray, count: int, tracker: Tracker = COMPARE_2016) -> Track:
    """Fundamental frequency and voicing of `count` 60 ms frames."""
    keeps_spectra = (tracker.keeps_spectra or is_shared()) and count <= _MOST_SPECTRA
    peaks, spectra, silent = _peaks(signal, count, keeps_spectra)
    f0, final = np.zeros(count, np.float32), np.empty(count, np.float32)
    n_decided = _best_path(*peaks, tracker.lowest, tracker.highest, tracker.memory, f0, final)
    f0[silent] = 0
    final[silent] = 0
    return Track(f0, final, n_decided, spectra)


@once
def _peaks(signal: FloatArray, count: int, keeps_spectra: bool) -> tuple[FloatArray, FloatArray, AnyArray]:
    """What does not depend on the tracker: candidates of any frequency, spectra if they are kept, silent frames."""
    window = gauss()
    spectra = np.empty((count if keeps_spectra else 0, _N + 1), np.float32)
    peaks, squares = np.zeros((3, count, N_CANDIDATES), np.float32), np.empty(count)
    for first, last, samples in blocks_of(signal, count, LONG):
        tables = *_axis(), *plan(N_FFT_LONG)
        _candidates(samples, window, spectra[first:last], squares[first:last], *peaks[:, first:last], *tables)
    return peaks, spectra, ~(np.sqrt(squares).astype(np.float32) > GATE)


@compiled
def _candidates(  # type: ignore[no-untyped-def]
    samples, window, spectra, squares, frequency, voicing, score,
    place, shares, sweep, spans, weight, shifts, damping, first, step,
    sizes, kinds, plain, twisted, order, split, half,
):  # fmt: skip
    """Frequencies (Hz), voicing and heights of the six highest peaks into arrays (count, 6) of 0, and mean squares."""
    count, n = len(squares), (_N + 1) * LANES
    grid = np.zeros((HOP, N_HOPS), np.float32)
    re, im = np.empty((_N, LANES), np.float32), np.empty((_N, LANES), np.float32)
    magnitude = np.empty((_N + 1, LANES), np.float32)
    kept, flags = np.empty(n, np.float32), np.zeros(n + 4 * LANES, np.int32)
    smooth, curve, mean = np.empty(n), np.empty(n), np.empty(LANES)
    places = np.empty(_N, np.int64)
    octave, total = np.zeros(n + LANES * shifts[-1], np.float32), np.empty(n, np.float32)
    for begin in range(0, count, LANES):
        lay_out(samples, begin, grid)
        load_frames(re, im, grid, window)
        squares_into(squares[begin:], grid, window)
        magnitudes_into(magnitude, re, im, sizes, kinds, plain, twisted, order, split, half)
        for t in range(begin, min(begin + LANES, len(spectra))):
            for k in range(_N + 1):
                spectra[t, k] = magnitude[k, t - begin]
        _enhance(magnitude, flags, kept)
        _smooth(kept, smooth)
        _second_derivative(smooth, sweep, spans, curve)
        _on_octaves(smooth, curve, place, shares, weight, octave)
        _add_harmonics(octave, total, shifts, damping)
        summed = spread(0.0)
        for j in range(_N + 1):
            summed = summed + wide(at(total, j * LANES))
        put(mean, 0, summed)
        for t in range(min(LANES, count - begin)):
            rows = frequency[begin + t], voicing[begin + t], score[begin + t]
            _pick(total[t:], mean[t] / (_N + 1), first, step, places, *rows)


# Between the transform and the choice of peaks, arrays are rows of LANES values, one row a bin, knot or target, end to
# end: what is done to all of them is one long loop, which becomes vectors; the sums of a lane keep their order.


@compiled
def _enhance(magnitude, flags, kept):  # type: ignore[no-untyped-def]
    """Magnitudes without what lies between spectral peaks, but for each peak and two bins on either side.

    `flags` has two rows of margin on both sides, which stay 0.
    """
    n = _N * LANES
    for k in range(_N + 1):
        for t in range(LANES):
            kept[k * LANES + t] = magnitude[k, t]
    peaks, here, before, after = flags[3 * LANES :], kept[LANES:], kept, kept[2 * LANES :]
    for m in range(n - LANES):
        peaks[m] = (here[m] > before[m]) & (here[m] >= after[m])
    for t in range(LANES):
        flags[2 * LANES + t] = kept[t] > kept[LANES + t]
        flags[n + 2 * LANES + t] = kept[n + t] > kept[n - LANES + t]
    f0, f1, f2, f3, f4 = flags, flags[LANES:], flags[2 * LANES :], flags[3 * LANES :], flags[4 * LANES :]
    for m in range(n + LANES):
        near = f0[m] | f1[m] | f2[m] | f3[m] | f4[m]
        kept[m] = kept[m] if near else np.float32(0)
    for t in range(LANES):
        first, last = 0, _N
        while first <= _N and not f2[first * LANES + t]:
            first += 1
        while last > first and not f2[last * LANES + t]:
            last -= 1
        for k in range(first):
            kept[k * LANES + t] = magnitude[k, t]
        for k in range(last + 1, _N + 1):
            kept[k * LANES + t] = magnitude[k, t]
        if first == last:  # the only one, whatever its place
            for k in range(_N + 1):
                kept[k * LANES + t] = magnitude[k, t] if k < 3 else np.float32(0)


@compiled
def _smooth(values, out):  # type: ignore[no-untyped-def]
    here, after, inner, end = values[LANES:], values[2 * LANES :], out[LANES:], _N * LANES
    for m in range(end - LANES):
        inner[m] = (np.float64(values[m]) + 2 * np.float64(here[m]) + np.float64(after[m])) / 4
    for t in range(LANES):
        out[t] = (2 * np.float64(values[t]) + np.float64(here[t])) / 4
        out[end + t] = values[end + t]


@compiled
def _second_derivative(values, sweep, spans, out):  # type: ignore[no-untyped-def]
    """Of the natural cubic spline, by the Thomas algorithm with its pivots computed before."""
    last = spread(0.0)
    put(out, 0, last)
    put(out, _N * LANES, last)
    before, here = at(values, 0), at(values, LANES)
    for k in range(1, _N):
        after = at(values, (k + 1) * LANES)
        rise = quotient(after - here, spread(spans[1, k]), spread(spans[3, k]))
        bend = rise - quotient(here - before, spread(spans[0, k]), spread(spans[2, k]))
        last = spread(sweep[1, k]) * (spread(6.0) * bend - spread(sweep[0, k]) * last)
        put(out, k * LANES, last)
        before, here = here, after
    last = spread(0.0)
    for k in range(_N - 1, 0, -1):
        last = at(out, k * LANES) + spread(sweep[2, k]) * last
        put(out, k * LANES, last)


@compiled
def _on_octaves(values, curve, place, shares, weight, octave):  # type: ignore[no-untyped-def]
    """The spline at the targets, weighted, where it is positive."""
    for j in range(_N + 1):
        above = place[j] * LANES
        below = above - LANES
        line = spread(shares[0, j]) * at(values, below) + spread(shares[1, j]) * at(values, above)
        bent = line + spread(shares[2, j]) * at(curve, below) + spread(shares[3, j]) * at(curve, above)
        put(octave, j * LANES, narrow(positive(wide(narrow(bent))) * spread(weight[j])))


@compiled
def _add_harmonics(octave, total, shifts, damping):  # type: ignore[no-untyped-def]
    """Mean of the spectrum, which is 0 above its last target, and its damped harmonics; none is negative."""
    for m in range((_N + 1) * LANES):
        total[m] = octave[m]
    for i in range(0, _N_HARMONICS, 2):  # two at a time: most of it is reading and writing
        near, far, a, b = octave[shifts[i] * LANES :], octave[shifts[i + 1] * LANES :], damping[i], damping[i + 1]
        for m in range((_N + 1 - shifts[i]) * LANES):
            total[m] = (total[m] + np.float32(near[m] * a)) + np.float32(far[m] * b)
    for m in range((_N + 1) * LANES):
        total[m] = max(np.float32(total[m] / np.float32(15)), np.float32(0))


@compiled
def vertex(x1, y1, x2, y2, x3, y3):  # type: ignore[no-untyped-def]
    """Vertex (x, y) of the parabola through three points; where there is none the highest point."""
    # Cramer's rule in this order, and y at the rounded x: the last digits are part of the reference's values
    d = x1 * x1 * x2 + x2 * x2 * x3 + x3 * x3 * x1 - x3 * x3 * x2 - x2 * x2 * x1 - x1 * x1 * x3
    a = (y1 * x2 + y2 * x3 + y3 * x1 - y3 * x2 - y2 * x1 - y1 * x3) / d
    if d == 0 or a == 0:
        if y2 > y1 and y2 > y3:
            return x2, y2
        if y3 > y1 and y3 > y2:
            return x3, y3
        return x1, y1
    xx1, xx2, xx3 = x1 * x1, x2 * x2, x3 * x3
    b = (xx1 * y2 + xx2 * y3 + xx3 * y1 - xx3 * y2 - xx2 * y1 - xx1 * y3) / d
    c = (xx1 * x2 * y3 + xx2 * x3 * y1 + xx3 * x1 * y2 - xx3 * x2 * y1 - xx2 * x1 * y3 - xx1 * x3 * y2) / d
    at = -b / (2 * a)
    return at, c - a * at * at


@compiled
def _pick(totals, mean, first, step, places, frequency, voicing, score):  # type: ignore[no-untyped-def]
    """The six highest peaks of a lane, whose values stand LANES apart, interpolated."""
    n_peaks = 0
    before, here = totals[0], totals[LANES]
    for j in range(1, _N):  # without a branch: peaks cannot be predicted
        following = totals[(j + 1) * LANES]
        places[n_peaks] = j
        n_peaks += int(before < here) & int(here > following)
        before, here = here, following
    n = 0  # of the six, the highest first
    for m in range(n_peaks):
        j, i = places[m], n
        while i > 0 and totals[places[i - 1] * LANES] < totals[j * LANES]:
            i -= 1
        if i < N_CANDIDATES:
            n = min(n + 1, N_CANDIDATES)
            for k in range(n - 1, i, -1):
                places[k] = places[k - 1]
            places[i] = j
    for i in range(n):
        j = places[i]
        x1 = np.float64(np.float32(np.float32(np.float32(j - 1) * step) + first))
        x2 = np.float64(np.float32(np.float32(np.float32(j) * step) + first))
        x3 = np.float64(np.float32(np.float32(np.float32(j + 1) * step) + first))
        y1, y2, y3 = (
            np.float64(totals[(j - 1) * LANES]),
            np.float64(totals[j * LANES]),
            np.float64(totals[(j + 1) * LANES]),
        )
        at, height = vertex(x1, y1, x2, y2, x3, y3)
        frequency[i] = np.float32(np.exp(at * np.log(2.0)))
        score[i] = np.float32(height)
        voicing[i] = np.float32(1 - mean / height) if height > 0 and height > mean else np.float32(0)


@compiled
def _within(frequency, voicing, score, lowest, highest):  # type: ignore[no-untyped-def]
    """Frequencies and voicing of the candidates in range, the best one first; empty slots are 0."""
    kept_frequency, kept_voicing = np.zeros_like(frequency), np.zeros_like(voicing)
    for t in range(len(frequency)):
        n, best, highest_score = 0, 0, np.float32(0)
        for i in range(N_CANDIDATES):
            f = frequency[t, i]
            if f == 0 or f < lowest or f > highest:
                continue
            if n == 0 or score[t, i] > highest_score:
                best, highest_score = n, score[t, i]
            kept_frequency[t, n], kept_voicing[t, n] = f, voicing[t, i]
            n += 1
        for kept in (kept_frequency[t], kept_voicing[t]):
            kept[0], kept[best] = kept[best], kept[0]
    return kept_frequency, kept_voicing


@compiled
def _local_cost(f, p):  # type: ignore[no-untyped-def]
    known = min(max(np.float64(p), 0.01), 1.0)
    cost = 2 * (-np.log(known) + (4 if known < np.float64(VOICED) else 0))
    f = np.float64(f)
    if f <= 0:
        return cost + 2
    if f < 100:
        return cost + (-0.01 * f + 1)
    if f < 350:
        return cost
    if f < 600:
        return cost + (f - 350) / 250
    return cost + 1.2


@compiled
def _best_path(frequency, voicing, score, lowest, highest, memory, f0, final):  # type: ignore[no-untyped-def]
    """F0 (over zeros) and voicing of the cheapest path; returns how many frames were decided before the end."""
    frequency, voicing = _within(frequency, voicing, score, lowest, highest)
    count = len(frequency)
    unvoiced = N_CANDIDATES
    n_states = N_CANDIDATES + 1
    back = np.zeros((count, n_states), np.int8)
    chosen = np.zeros(count, np.int64)
    cost, before = np.zeros(n_states), np.zeros(n_states)
    at = np.empty(n_states, np.int64)
    slope, n_decided = 1.0, 0
    for t in range(count):
        for i in range(n_states):
            before[i] = cost[i]
        any_voiced = False
        for i in range(N_CANDIDATES):
            any_voiced = any_voiced or voicing[t, i] >= VOICED
        for i in range(n_states):
            local = 8.0 if any_voiced else 0.0
            if i < unvoiced:
                local = _local_cost(frequency[t, i], voicing[t, i])
            if t == 0:
                cost[i] = local
                continue
            best, best_j = np.inf, 0
            for j in range(n_states):
                if i < unvoiced and j < unvoiced:
                    now, then = frequency[t, i], frequency[t - 1, j]
                    if now == 0 or then == 0:
                        change = 999.0
                    else:
                        r = np.log(np.float64(np.float32(now / then)))
                        change = 10 * abs(r) + 10 * abs(r - slope)
                        slope = r
                elif i == unvoiced and j == unvoiced:
                    change = 1.0
                else:
                    change = 10.0
                    slope = 0.0
                if change + before[j] < best:
                    best, best_j = change + before[j], j
            cost[i] = best + local
            back[t, i] = best_j
        n_undecided = t + 1 - n_decided
        if n_undecided >= memory:
            state = _cheapest(cost)
            for s in range(t, n_decided, -1):
                state = back[s, state]
            chosen[n_decided] = state
            n_decided += 1
        else:
            for i in range(n_states):
                at[i] = i
            s = t
            while s > n_decided - 1:
                same = True
                for i in range(1, n_states):
                    same = same and at[i] == at[0]
                if same:
                    break
                for i in range(n_states):
                    at[i] = back[s, at[i]]
                s -= 1
            if s >= n_decided:
                state = at[0]
                for r in range(s, n_decided - 1, -1):
                    chosen[r] = state
                    state = back[r, state]
                n_decided = s + 1
    state = _cheapest(cost)
    for s in range(count - 1, n_decided - 1, -1):
        chosen[s] = state
        state = back[s, state]
    for t in range(count):
        if chosen[t] == unvoiced:
            final[t] = voicing[t, 0]
        else:
            f0[t] = frequency[t, chosen[t]]
            final[t] = voicing[t, chosen[t]]
    return n_decided


@compiled
def _cheapest(cost):  # type: ignore[no-untyped-def]
    best = 0
    for i in range(1, len(cost)):
        if cost[i] < cost[best]:
            best = i
    return best
