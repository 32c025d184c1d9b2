"""Numbers → charts in HTML and SVG, in the page's own colours, for any width.

The shapes stretch with the page (``preserveAspectRatio="none"``), lines keep their
width, dots stay round (a line of no length with round ends), and the text is the
page's, so that it is as large on a telephone as beside it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from serprep.pages import escaped

N_COLOURS = 8  # classes s0 … s7 of style.css


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What one direction of a chart means."""

    label: str
    low: float
    high: float
    ticks: tuple[float, ...] = ()

    def at(self, value: float) -> float:
        """Where a value lies, 0 to 1000 from low to high."""
        return 1000 * (value - self.low) / ((self.high - self.low) or 1)


def axis(label: str, values: Iterable[float], *, low: float | None = None, high: float | None = None) -> Axis:
    """An axis that holds all values, with about four round ticks.

    Examples
    --------
    >>> axis("UA, %", [42, 71]).ticks, axis("s", [0.5, 5.3], low=0).ticks
    ((40.0, 50.0, 60.0, 70.0), (0.0, 1.0, 2.0, 3.0, 4.0, 5.0))
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    bottom, top = min(finite) if low is None else low, max(finite) if high is None else high
    if top <= bottom:
        bottom, top = (bottom - 0.5, bottom + 0.5) if low is None else (bottom, bottom + 1)
    rough = (top - bottom) / 4
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.7)
    bottom = step * math.floor(bottom / step + 1e-9) if low is None else bottom
    first, last = math.ceil(bottom / step - 1e-9), math.floor(top / step + 1e-9)
    ticks = tuple(round(step * i, 12) for i in range(first, last + 1))
    return Axis(label=label, low=bottom, high=max(top, bottom), ticks=tuple(map(float, ticks)))


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something drawn: its shape, its colour, its name in the legend, what it says under the pointer."""

    points: Sequence[tuple[float, float]]
    form: str  # "line", "dots", "bars" (pairs of corners), "band" (a polygon), "rule" (a dashed line)
    colour: int = 0
    name: str = ""
    says: Sequence[str] = ()  # one of each dot or bar


def plot(marks: Sequence[Mark], x: Axis, y: Axis, *, says: str) -> Markup:
    """A chart.

    Parameters
    ----------
    marks : sequence of Mark
    x, y : Axis
    says : str
        What whoever cannot see it is told.
    """
    shapes = Markup("").join(_shapes(mark, x, y) for mark in marks)
    grid = Markup("").join(
        [_path("grid", f"M{x.at(tick):.0f} 0V1000") for tick in x.ticks]
        + [_path("grid", f"M0 {1000 - y.at(tick):.0f}H1000") for tick in y.ticks]
    )
    ticks = Markup("").join(
        [Markup('<i class="tx" style="left:{}%">{}</i>').format(_short(x.at(v) / 10), _number(v)) for v in x.ticks]
        + [Markup('<i class="ty" style="bottom:{}%">{}</i>').format(_short(y.at(v) / 10), _number(v)) for v in y.ticks]
    )
    return Markup(
        '<div class="plot" role="img" aria-label="{}"><p class="ly">{}</p><div class="area">'
        '<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">{}{}</svg>{}</div>'
        '<p class="lx">{}</p></div>{}'
    ).format(escaped(says), y.label, grid, shapes, ticks, x.label, legend(marks))


def legend(marks: Sequence[Mark]) -> Markup:
    """The names of what has one, each once; nothing for one alone."""
    names = {mark.name: mark.colour for mark in marks if mark.name}
    if len(names) < 2:
        return Markup("")
    entries = Markup("").join(
        Markup('<li><i class="key s{}"></i>{}</li>').format(colour % N_COLOURS, escaped(name))
        for name, colour in names.items()
    )
    return Markup('<ul class="legend">{}</ul>').format(entries)


def _shapes(mark: Mark, x: Axis, y: Axis) -> Markup:
    places = [(x.at(a), 1000 - y.at(b)) for a, b in mark.points if math.isfinite(a) and math.isfinite(b)]
    names = list(mark.says) or [""] * len(places)
    kind = f"{mark.form} s{mark.colour % N_COLOURS}"
    if mark.form == "dots":
        return Markup("").join(
            _path(kind, f"M{_short(a)} {_short(b)}h0", name) for (a, b), name in zip(places, names, strict=False)
        )
    if mark.form == "bars":
        corners = zip(places[::2], places[1::2], strict=True)
        return Markup("").join(
            _path(kind, f"M{_short(a)} {_short(b)}H{_short(c)}V{_short(d)}H{_short(a)}z", name)
            for ((a, b), (c, d)), name in zip(corners, names, strict=False)
        )
    if not places:
        return Markup("")
    text = "M" + "L".join(f"{_short(a)} {_short(b)}" for a, b in places)
    return _path(kind, text + ("z" if mark.form == "band" else ""))


def _path(kind: str, where: str, name: str = "") -> Markup:
    title = Markup("<title>{}</title>").format(escaped(name)) if name else Markup("")
    return Markup('<path class="{}" d="{}">{}</path>').format(kind, where, title)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def histogram(values: Sequence[float], *, label: str, unit: str) -> Markup:
    """How many of `values` lie where, with their median."""
    import numpy as np

    known = np.asarray([value for value in values if math.isfinite(value)], np.float64)
    if not len(known):
        return Markup("")
    if known.min() == known.max():
        return Markup("<p>{}</p>").format(f"{label}: {known[0]:.3g} {unit} in all {len(known)} utterances.")
    counts, edges = np.histogram(known, bins=min(40, 8 + math.isqrt(len(known))))
    middle = float(np.median(known))
    x = axis(f"{label}, {unit}", edges.tolist(), low=float(edges[0]), high=float(edges[-1]))
    y = axis("utterances", [0.0, *counts.tolist()], low=0.0)
    corners = [
        corner
        for n, a, b in zip(counts.tolist(), edges[:-1], edges[1:], strict=True)
        for corner in ((float(a), 0.0), (float(b), n))
    ]
    says = [f"{a:.3g} to {b:.3g} {unit}: {n}" for n, a, b in zip(counts, edges[:-1], edges[1:], strict=True)]
    bars = Mark(points=corners, form="bars", says=says)
    rule = Mark(points=[(middle, 0.0), (middle, y.high)], form="rule")
    told = (
        f"{label}: {len(known)} utterances, {known.min():.3g} to {known.max():.3g} {unit}, median {middle:.3g} {unit}"
    )
    return plot([bars, rule], x, y, says=told) + Markup('<p class="small">{}</p>').format(told + " (dashed).")


def track(
    value: float | None,
    *,
    between: Sequence[float] | None,
    dots: Sequence[tuple[float, str]],
    scale: Axis,
    colour: int = 0,
    rule: float | None = None,
) -> Markup:
    """One row of a chart of rows: a value, the interval about it, and single dots."""
    parts = [_path("grid", f"M{scale.at(tick):.0f} 0V1000") for tick in scale.ticks]
    if rule is not None:
        parts.append(_path("rule", f"M{_short(scale.at(rule))} 0V1000"))
    parts += [_path(f"dots faint s{colour % N_COLOURS}", f"M{_short(scale.at(a))} 700h0", name) for a, name in dots]
    if between is not None:
        low, high = (min(1000.0, max(0.0, scale.at(bound))) for bound in between)
        parts.append(_path(f"between s{colour % N_COLOURS}", f"M{_short(low)} 330H{_short(high)}"))
    if value is not None and math.isfinite(value):
        parts.append(_path(f"dots large s{colour % N_COLOURS}", f"M{_short(scale.at(value))} 330h0"))
    return Markup(
        '<svg class="track" viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(Markup("").join(parts))


def scale_row(scale: Axis) -> Markup:
    """The ticks below rows of `track`."""
    return Markup('<div class="scale" aria-hidden="true">{}</div>').format(
        Markup("").join(
            Markup('<i class="tx" style="left:{}%">{}</i>').format(_short(scale.at(v) / 10), _number(v))
            for v in scale.ticks
        )
    )


def bar(share: float) -> Markup:
    """A bar in a cell of a table, whose number stands beside it."""
    return Markup('<i class="bar s0" style="width:{}%"></i>').format(_short(100 * max(0.0, min(1.0, share))))
