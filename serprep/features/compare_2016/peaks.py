"""Peaks and valleys of a contour: their distances, heights and the slopes between them.

Candidates are strict local extremes; three passes remove the small ones.  The rules are
those of the set, with its peculiarities: they decide which features a paper reported.
"""

import numpy as np

from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.statistics import PERIOD, limited


@compiled
def peaks(x, mean, span, out):  # type: ignore[no-untyped-def]
    """The twelve values of the peak family, in the order of `names.PEAKS`."""
    out[:12] = 0
    places, is_peak, count = turns(x, np.float32(np.float32(0.1) * span))
    _heights(x, mean, span, places, is_peak, count, out)
    _distances(places, is_peak, count, out)
    slopes(x, places, is_peak, count, out[8:])


@compiled
def turns(x, threshold):  # type: ignore[no-untyped-def]
    """Places of alternating maxima and minima, whether each is a maximum, and their number."""
    n = len(x)
    places, is_peak = np.empty(n, np.int64), np.empty(n, np.bool_)
    alive = np.ones(n, np.bool_)
    count = 0
    for i in range(2, n - 2):
        above = (x[i] > x[i - 1]) & (x[i] > x[i + 1])
        below = (x[i] < x[i - 1]) & (x[i] < x[i + 1])
        places[count], is_peak[count] = i, above  # and again the next, where it was none: nobody can foretell which
        count += above | below
    before = valley = peak = x[0]
    latest, after_valley = -1, False
    for i in range(count):
        y = x[places[i]]
        large = abs(np.float32(y - before)) >= threshold
        if not is_peak[i]:
            if large:
                valley, after_valley = y, True
        elif not large and np.float32(y - valley) < threshold:
            alive[i] = False  # low
        else:
            exceeding = np.float64(y) > 1.05 * np.float64(peak)
            if large or exceeding or after_valley:
                if exceeding and not large and latest >= 0:
                    alive[latest] = False
                peak, latest = y, i
            else:
                alive[i] = False
            after_valley = False
        before = y
    count = _keep(places, is_peak, alive, count)
    peak = x[0]
    for i in range(count):
        y = x[places[i]]
        alive[i] = True
        if is_peak[i]:
            peak = y
        elif np.float32(peak - y) < threshold:
            alive[i] = False
    count = _keep(places, is_peak, alive, count)
    alive[:count] = True
    best = 0
    for i in range(1, count):
        if is_peak[i] != is_peak[best]:
            best = i
        elif (x[places[i]] > x[places[best]]) if is_peak[i] else (x[places[i]] < x[places[best]]):
            alive[best] = False
            best = i
        else:
            alive[i] = False
    return places, is_peak, _keep(places, is_peak, alive, count)


@compiled
def _keep(places, is_peak, alive, count):  # type: ignore[no-untyped-def]
    kept = 0
    for i in range(count):
        places[kept], is_peak[kept] = places[i], is_peak[i]
        kept += alive[i]
    return kept


@compiled
def _heights(x, mean, span, places, is_peak, count, out):  # type: ignore[no-untyped-def]
    total, n_peaks, n_valleys = np.float32(0), 0, 0
    high = low = top = bottom = np.float32(0)
    for i in range(count):
        y = x[places[i]]
        if is_peak[i]:
            high, low = (y, y) if n_peaks == 0 else (max(high, y), min(low, y))
            total += y
            n_peaks += 1
        else:
            top, bottom = (y, y) if n_valleys == 0 else (max(top, y), min(bottom, y))
            n_valleys += 1
    limit = np.float32(1)
    if n_peaks > 0:
        out[2] = high - low
        out[4] = total / np.float32(n_peaks)
    out[3] = min(limit, np.float32(out[2] / span)) if span != 0 else out[2]
    out[5] = out[4] - mean
    out[6] = limited(np.float32(out[4] / mean), 10, 10) if mean != 0 else np.float32(20)
    out[7] = min(limit, np.float32(np.float32(top - bottom) / span)) if span != 0 else np.float32(top - bottom)


@compiled
def _distances(places, is_peak, count, out):  # type: ignore[no-untyped-def]
    """Mean distance of peaks; and the deviation from it of each peak's distance to the valley before it."""
    last, n, total = -1, 0, np.float32(0)
    for i in range(count):
        if is_peak[i]:
            if last >= 0:
                total += np.float32(places[i] - last)
                n += 1
            last = places[i]
    if n == 0:
        return
    mean = total / np.float32(n)
    spread, seen = np.float32(0), False
    for i in range(count):
        if is_peak[i]:
            if seen:
                d = np.float32(np.float32(places[i] - places[i - 1]) - mean)
                spread += np.float32(d * d)
            seen = True
    out[0] = mean * PERIOD
    out[1] = np.sqrt(np.float32(spread / np.float32(n))) * PERIOD


@compiled
def slopes(x, places, is_peak, count, out):  # type: ignore[no-untyped-def]
    """Mean and deviation of rising and falling slopes per second; the last stretch enters with its own sign."""
    n = len(x)
    if count == 0:
        slope = np.float32(x[n - 1] - x[0]) / np.float32(n)
        if slope > 0:
            out[0] = slope
        elif slope < 0:
            out[2] = slope
        return
    each = np.empty(count, np.float32)
    rising = falling = np.float32(0)
    n_rising = n_falling = peak_at = valley_at = 0
    for i in range(count):
        at = places[i]
        if is_peak[i]:
            each[i] = np.float32(x[at] - x[valley_at]) / np.float32(np.float32(at - valley_at) * PERIOD)
            peak_at = at
            rising += each[i]
            n_rising += 1
        else:
            each[i] = np.float32(x[peak_at] - x[at]) / np.float32(np.float32(at - peak_at) * PERIOD)
            valley_at = at
            falling += each[i]
            n_falling += 1
    last = places[count - 1]
    if n - 1 > last:
        rest = np.float32(x[n - 1] - x[last]) / np.float32(np.float32(n - 1 - last) * PERIOD)
        if is_peak[count - 1]:
            falling += rest
            n_falling += 1
        else:
            rising += rest
            n_rising += 1
    if n_rising > 0:
        out[0], out[1] = _mean_and_deviation(rising, n_rising, each, is_peak, True, count)
    if n_falling > 0:
        out[2], out[3] = _mean_and_deviation(falling, n_falling, each, is_peak, False, count)


@compiled
def _mean_and_deviation(total, n, each, is_peak, wanted, count):  # type: ignore[no-untyped-def]
    mean = total / np.float32(n)
    spread = np.float32(0)
    for i in range(count):
        if is_peak[i] == wanted:
            d = np.float32(each[i] - mean)
            spread += np.float32(d * d)
    return mean, np.sqrt(np.float32(spread / np.float32(n)))
