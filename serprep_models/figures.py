"""A report's numbers → charts, by `serprep.pages`: in the page's colours, for any width."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from serprep.pages import escaped
from serprep.pages.plot import Axis, Mark, axis, legend, plot, scale_row, track
from serprep_models.scores import Summary
from serprep_models.scores.dimensions import DimensionCondition, predicted_of, truth_of


def tracks(rows: Sequence[Summary], dots: pd.DataFrame, *, chance: float | None, says: str) -> Markup:
    """A row per system: its UA, the interval about it, and what `dots` holds of it as faint points.

    Parameters
    ----------
    rows : sequence of Summary
    dots : DataFrame
        system, ua, name: whose score it is.
    chance : float, optional
        Where the dashed line stands.
    says : str
        What a screen reader says of the chart.
    """
    points = dict(iter(dots.groupby("system", sort=False))) if len(dots) else {}
    around = [bound for row in rows for bound in row.ua_interval or ()]
    values = [row.ua for row in rows]
    spread = dots["ua"].dropna().tolist() if len(dots) else []
    scale = axis("UA, %", [100 * value for value in (*around, *values, *spread, chance) if value is not None])
    scale = Axis(label=scale.label, low=max(0.0, scale.low), high=min(100.0, scale.high), ticks=scale.ticks)
    parts = []
    for number, row in enumerate(rows):
        own = points.get(row.system, pd.DataFrame({"ua": [], "name": []})).dropna(subset="ua")
        ua = row.ua
        drawn = track(
            None if ua is None else 100 * ua,
            between=None if row.ua_interval is None else [100 * bound for bound in row.ua_interval],
            dots=[
                (100 * value, f"{name}: {100 * value:.1f} %")
                for value, name in zip(own["ua"], own["name"], strict=True)
            ],
            scale=scale,
            colour=number,
            rule=None if chance is None else 100 * chance,
        )
        told = "undefined" if ua is None or ua != ua else f"{100 * ua:.1f}"
        parts.append(Markup("<span>{}</span>{}<b>{}</b>").format(escaped(row.system), drawn, told))
    return Markup('<div class="tracks" role="img" aria-label="{}">{}{}</div>').format(
        escaped(says), Markup("").join(parts), scale_row(scale)
    )


MOST_DOTS = 1000  # on a chart


def curves(rows: pd.DataFrame, systems: Sequence[str]) -> list[tuple[str, Markup]]:
    """Training loss and score by epoch, mean over folds and seeds, with a band of one standard deviation."""
    charts = []
    measures = {"ua": ("UA, %", 100.0), "ccc": ("CCC", 1.0), "agreement": ("agreement with raters", 1.0)}
    for title, columns, scale in (
        ("training loss", ["train_loss"], 1.0),
        *(
            (title, [f"train_{name}", f"dev_{name}"], scale)
            for name, (title, scale) in measures.items()
            if f"train_{name}" in rows
        ),
    ):
        marks: list[Mark] = []
        for system, group in rows.groupby("system", sort=False):
            colour = systems.index(str(system)) if system in systems else 0
            for column in columns:
                if column not in group:
                    continue
                by_epoch = (scale * group[column].astype(float)).groupby(group["epoch"])
                mean, std = by_epoch.mean().dropna(), by_epoch.std().fillna(0.0)
                if not len(mean):
                    continue
                upper, lower = mean + std[mean.index], mean - std[mean.index]
                band = [*_points(upper), *_points(lower)[::-1]]
                of_dev = column.startswith("dev_")
                if not of_dev:
                    marks.append(Mark(points=band, form="band", colour=colour))
                form = "line dashed" if of_dev else "line"
                marks.append(Mark(points=_points(mean), form=form, colour=colour, name=str(system)))
        if marks:
            x = axis("epoch", [float(epoch) for epoch in rows["epoch"]])
            y = axis(title, [0.0, *(b for mark in marks for _, b in mark.points)], low=0.0)
            charts.append((title, plot(marks, x, y, says=f"{title} by epoch")))
    return charts


def _points(values: "pd.Series[float]") -> list[tuple[float, float]]:
    return list(zip(values.index.astype(float).tolist(), values.tolist(), strict=True))


def numbers(predictions: pd.DataFrame, dimensions: Sequence[str]) -> list[tuple[str, Markup]]:
    """What is predicted against what is true, a dot per utterance (at most `MOST_DOTS`), and the line of equality."""
    charts = []
    for dimension in dimensions:
        told = predictions[[truth_of(dimension), predicted_of(dimension)]].dropna().astype(float)
        told = told.iloc[:: max(1, -(-len(told) // MOST_DOTS))]
        points = [(float(a), float(b)) for a, b in told.itertuples(index=False)]
        x = axis("truth", [0.0, 1.0])
        y = axis("prediction", [0.0, 1.0, *(b for _, b in points)])
        marks = [Mark(points=[(0, 0), (1, 1)], form="rule"), Mark(points=points, form="dots")]
        charts.append((dimension, plot(marks, x, y, says=f"prediction of {dimension} against the truth")))
    return charts


def calibration(summary: Sequence[Summary]) -> list[tuple[str, Markup]]:
    """How often systems are right where they are how confident, and the errors left where they may abstain."""
    charts = []
    for name, x_label, y_label, high in (
        ("reliability", "confidence, %", "correct, %", 100.0),
        ("risk_coverage", "coverage, %", "errors, %", None),
    ):
        marks = [Mark(points=[(0, 0), (100, 100)], form="rule")] if name == "reliability" else []
        for number, row in enumerate(summary):
            points = [(100 * a, 100 * b) for a, b in getattr(row, name)]
            says = [f"{row.system}: {a:.0f} %, {b:.0f} %" for a, b in points]
            marks.append(Mark(points=points, form="line", colour=number, name=row.system))
            if name == "reliability":
                marks.append(Mark(points=points, form="dots", colour=number, says=says))
        if any(len(mark.points) for mark in marks if mark.form == "line"):
            x = Axis(label=x_label, low=0, high=100, ticks=(0, 25, 50, 75, 100))
            y = axis(y_label, [b for mark in marks for _, b in mark.points], low=0.0, high=high)
            charts.append(
                (
                    f"{y_label.removesuffix(', %')} by {x_label.removesuffix(', %')}",
                    plot(marks, x, y, says=f"{y_label} by {x_label}"),
                )
            )
    return charts


def by_class(summary: Sequence[Summary], labels: Sequence[str]) -> Markup:
    """The recall of each class by each system: a row per class, a dot per system."""
    recalls = {label: [(row.recall.get(label), row.system, n) for n, row in enumerate(summary)] for label in labels}
    scale = Axis(label="recall, %", low=0, high=100, ticks=(0, 25, 50, 75, 100))
    parts = []
    for label, values in recalls.items():
        dots = [(100 * value, f"{system}: {100 * value:.1f} %", n) for value, system, n in values if value is not None]
        drawn = _dots(dots, scale)
        parts.append(Markup("<span>{}</span>{}<b></b>").format(escaped(label), drawn))
    names = [Mark(points=[], form="dots", colour=n, name=row.system) for n, row in enumerate(summary)]
    return legend(names) + Markup(
        '<div class="tracks" role="img" aria-label="recall per class, per cent">{}{}</div>'
    ).format(Markup("").join(parts), scale_row(scale))


def by_condition(rows: Sequence[Any], systems: Sequence[str]) -> Markup:
    """UA, or CCC, where the test part alone is transformed: a row per condition, a dot per system."""
    scale = Axis(label="UA, %", low=0, high=100, ticks=(0, 25, 50, 75, 100))
    score, factor, told = "ua", 100, "{}: {:.1f} %"
    if isinstance(rows[0], DimensionCondition):
        scale = axis("CCC", [0.0, 1.0, *(row.ccc for row in rows if row.ccc is not None)])
        score, factor, told = "ccc", 1, "{}: {:.3f}"
    parts = []
    for name in dict.fromkeys(row.condition for row in rows):
        values = [
            (factor * value, told.format(row.system, factor * value), systems.index(row.system))
            for row in rows
            if row.condition == name and (value := getattr(row, score)) is not None and row.system in systems
        ]
        parts.append(Markup("<span>{}</span>{}<b></b>").format(escaped(name), _dots(values, scale)))
    names = [Mark(points=[], form="dots", colour=n, name=system) for n, system in enumerate(systems)]
    return legend(names) + Markup('<div class="tracks" role="img" aria-label="{} per condition">{}{}</div>').format(
        score.upper(), Markup("").join(parts), scale_row(scale)
    )


def _dots(values: Sequence[tuple[float, str, int]], scale: Axis) -> Markup:
    """A track with a dot per value, each in its own colour."""
    grid = Markup("").join(
        Markup('<path class="grid" d="M{:.0f} 0V1000"></path>').format(scale.at(t)) for t in scale.ticks
    )
    dots = Markup("").join(
        Markup('<path class="dots large s{}" d="M{:.1f} 500h0"><title>{}</title></path>').format(
            n % 8, scale.at(value), escaped(says)
        )
        for value, says, n in values
    )
    return Markup(
        '<svg class="track" viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">{}{}</svg>'
    ).format(grid, dots)
