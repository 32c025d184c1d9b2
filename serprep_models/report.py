"""One self-contained page per run: scores, pictures, data, split, provenance.

Fractions come in, per cent goes out, with one decimal.
A score that does not exist (None or NaN) reads "undefined", never 0.
The page needs no network and no script, follows the reader's light or dark mode, and holds no date:
equal reports are equal bytes.

Names of utterances, speakers, labels and systems are text written by others.
jinja2 escapes all of them; matplotlib sees only names of systems, and does not read them as mathematics.
Colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart.
"""

import io
import math
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import matplotlib.style
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from serprep.files import refuse_store
from serprep_models.scores import SCORES, Verdict, judge
from serprep_models.scores.groups import Groups

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
MAX_SPEAKER_ROWS = 30  # more speakers are summarised per class
GROUP_COLUMNS = ("gender", "session", "partition", "language")  # counted in one line when a store has them
INK = "#33383f"
INKED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
STYLE = dict.fromkeys(INKED, INK) | {
    "svg.hashsalt": "serprep",  # element names from content alone: equal figures are equal bytes
    "svg.fonttype": "none",  # text stays text: the reader's fonts, which may have glyphs ours lack
    "text.parse_math": False,
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so it measures the same everywhere
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "grid.color": "#e8ebef",
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything one page shows."""

    title: str  # data set name, shown as heading
    synthetic: bool  # True: a visible banner says that the recordings are synthetic
    labels: tuple[str, ...]  # declared emotions in logit order
    utterances: pd.DataFrame  # rows of the store: id, speaker, emotion, duration (s), maybe gender, session …
    dropped: dict[str, int]  # reason -> count of utterances that are not in the store
    # per system: system, n_runs; wa, ua, wa_interval, ua_interval (pooled over folds, mean over seeds);
    # ua_fold_mean, ua_fold_std (over folds and seeds), ua_seed_std
    summary: list[dict[str, Any]]
    folds: pd.DataFrame  # per experiment: system, fold, seed, n_train, n_test, wa, ua, seconds, test_groups
    confusion: dict[str, np.ndarray]  # system -> (n_labels, n_labels) counts, rows are the truth
    curves: pd.DataFrame  # system, fold, seed, epoch, train_loss, train_ua, dev_ua
    split: dict[str, Any]  # protocol, group, folds, seed, digest, notes, roles
    provenance: dict[str, str]  # what was used, in words
    # what an audit of the split found: per kind and severity kind, severity, count, of, n_folds,
    # n_utterances of n_scored touched, examples; None: there was no split to audit
    audit: list[dict[str, Any]] | None = None
    # per pair of systems: first, second; ua, wa (differences), ua_interval, wa_interval, ua_p, wa_p
    comparisons: list[dict[str, Any]] = field(default_factory=list)
    groups: Groups = field(default_factory=Groups)  # scores within groups, and their differences
    caution: str = ""  # what a reader must know before reading scores, shown first
    warnings: tuple[str, ...] = ()  # what makes scores other than they seem, shown first as well
    predict: dict[str, str] = field(default_factory=dict)  # system → command that predicts with it, or ""
    partial: str = ""  # which experiments are missing; then no system is called the best


def write_report(report: Report, path: Path) -> Path:
    """The path of the page, which appears there whole.

    Parameters
    ----------
    report : Report
    path : Path
        An existing page is replaced.

    Returns
    -------
    Path
        `path` itself.

    Examples
    --------
    >>> import tempfile
    >>> rows = pd.DataFrame({"id": ["a"], "speaker": ["s1"], "emotion": ["sad"], "duration": [1.5]})
    >>> report = Report(title="tones", synthetic=True, labels=("sad",), utterances=rows, dropped={},
    ...                 summary=[], folds=pd.DataFrame(), confusion={}, curves=pd.DataFrame(), split={},
    ...                 provenance={})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(report, Path(folder) / "report.html").name
    'report.html'
    """
    refuse_store(path)
    page = render(report).encode("utf-8", "replace")  # file names may hold bytes that are no UTF-8
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".report-{os.getpid()}.tmp")
    try:
        beside.write_bytes(page)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def render(report: Report) -> str:
    """The page as text; `write_report` puts it into a file."""
    folder = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=folder, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = environment.keep_trailing_newline = True
    environment.filters |= {"percent": _percent, "interval": _interval, "spread": _spread, "p_value": _p_value}
    environment.filters |= {"count": _count, "length_of": _length}
    leaks = any(row["severity"] == "leak" for row in report.audit or ())
    verdict = judge(report.summary, report.comparisons, partial=bool(report.partial), leaks=leaks)
    leader = next((row for row in report.summary if row["system"] == verdict.leader), None)
    with matplotlib.style.context(["default", STYLE]):
        figures = _figures(report)
    return environment.get_template("page.html.j2").render(
        report=report,
        headline=_headline(report, verdict),
        best=leader if verdict.best else None,
        verdict=verdict,
        figures=figures,
        classes=_class_table(report),
        beyond=SCORES if any(row.get("nll") is not None for row in report.summary) else {},
        groups=_groups(report.utterances),
        folds=report.folds.to_dict("records"),
        n_undefined=int(report.folds["ua"].isna().sum()) if len(report.folds) else 0,
        durations=report.utterances["duration"].dropna(),
        has_dev="dev_ua" in report.curves and bool(report.curves["dev_ua"].notna().any()),
    )


def _defined(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _percent(value: float | None, missing: str = "undefined") -> str:
    return f"{100 * value:.1f}" if value is not None and math.isfinite(value) else missing


def _interval(bounds: Sequence[float] | None) -> str:
    if bounds is None or not all(map(_defined, bounds)):
        return "–"
    return f"{100 * bounds[0]:.1f}{' to ' if min(bounds) < 0 else '–'}{100 * bounds[1]:.1f}"


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _spread(row: dict[str, Any]) -> str:
    if not _defined(row["ua_fold_mean"]):
        return "undefined"
    return f"{_percent(row['ua_fold_mean'])} ± {_percent(row['ua_fold_std'], '–')}"


def _count(value: float) -> str:
    """Thousands apart from five digits on, halves kept (a median)."""
    text = f"{value:,.1f}".removesuffix(".0")
    return text.replace(",", "\u202f" if abs(value) >= 10_000 else "")


def _length(seconds: float) -> str:
    if not _defined(seconds):
        return "–"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _plural(n: int, noun: str) -> str:
    return f"{_count(n)} {noun}{'' if n == 1 else 's'}"


def _headline(report: Report, verdict: Verdict) -> str:
    speakers = _text(report.utterances["speaker"])
    n_speakers = speakers[speakers != ""].nunique()
    parts = [_plural(len(report.utterances), "utterance"), _plural(n_speakers, "speaker")]
    lead = next((row for row in report.summary if row["system"] == verdict.leader), None)
    if lead is None or verdict.rivals or (verdict.words and not verdict.best):
        parts.append(_plural(len(report.labels), "emotion"))
    else:
        score = "ua" if _defined(lead["ua"]) else "wa"
        text = f"{'Best: ' if verdict.best else ''}{lead['system']}, {score.upper()} {_percent(lead[score])} %"
        if lead[f"{score}_interval"] is not None:
            text += f" (95 % interval {_interval(lead[f'{score}_interval'])})"
        parts.insert(0, text)
    if len(report.folds):  # of all systems: the baselines have one seed only
        n_folds, n_seeds = report.folds["fold"].nunique(), report.folds["seed"].nunique()
        parts.append(f"{_plural(n_folds, 'fold')} × {_plural(n_seeds, 'seed')}")
    return ", ".join(parts)


def _text(column: "pd.Series[Any]") -> "pd.Series[Any]":
    return column.astype(object).where(column.notna(), "").astype(str)


def _natural(name: str) -> str:
    """Sorts "2" before "10"."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(20), name)


def _class_table(report: Report) -> dict[str, Any]:
    """Utterances per speaker and class; of many speakers, the least, the median and the most."""
    speaker, emotion = _text(report.utterances["speaker"]), _text(report.utterances["emotion"])
    others = sorted(set(emotion) - set(report.labels))
    counts = pd.crosstab(speaker, emotion).reindex(columns=[*report.labels, *others], fill_value=0)
    counts = counts.loc[sorted(counts.index, key=_natural)]
    table = np.column_stack([counts.to_numpy(), counts.to_numpy().sum(axis=1)])
    names = [name or "unknown" for name in counts.index]
    collapsed = len(names) > MAX_SPEAKER_ROWS
    rows = table
    if collapsed:
        names = ["fewest", "median", "most"]
        rows = np.stack([table.min(axis=0), np.median(table, axis=0), table.max(axis=0)])
    return {
        "collapsed": collapsed,
        "n_speakers": len(counts),
        "names": [name or "no label" for name in counts.columns],
        "rows": list(zip(names, rows.tolist(), strict=True)),
        "total": table.sum(axis=0).tolist(),
    }


def _groups(utterances: pd.DataFrame) -> dict[str, str]:
    lines = {}
    for column in GROUP_COLUMNS:
        values = _text(utterances[column]) if column in utterances else pd.Series(dtype=object)
        counts = values[values != ""].value_counts()
        if 1 < len(counts) <= 12:
            names = sorted(counts.index, key=_natural)
            lines[column] = ", ".join(f"{name} {_count(counts[name])}" for name in names)
    return lines


def _figures(report: Report) -> dict[str, Markup]:
    figures = {}
    names = [row["system"] for row in report.summary]
    colours = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}
    if report.summary:
        figures["ua"] = _svg(_ua_figure(report, colours), label="UA per system")
    if any(row.get("reliability") for row in report.summary):
        figures["truth"] = _svg(_truth_figure(report, colours), label="Reliability and risk against coverage")
    if len(report.curves):
        figures["curves"] = _svg(_curve_figure(report.curves, colours), label="Training curves")
    if report.utterances["duration"].notna().any():
        figures["durations"] = _svg(_duration_figure(report.utterances), label="Histogram of durations")
    return figures


def _svg(figure: Figure, *, label: str) -> Markup:
    """The figure as an element for HTML, which needs neither prologue, namespaces nor metadata."""
    file = io.StringIO()
    with warnings.catch_warnings():  # the reader's fonts draw the text; ours only measure it
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})  # type: ignore[no-untyped-call] # `savefig` draws it twice
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"| version="1.1"', "", text, count=3)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # a page has several figures, and each an "axes_1"
    return Markup(text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1))


def _short(name: str) -> str:
    """A name that fits beside an axis, in characters that fonts can measure."""
    shown = "".join(c if c.isprintable() else "�" for c in name)
    return shown if len(shown) <= 26 else f"{shown[:25]}…"


def _ua_figure(report: Report, colours: dict[str, str]) -> Figure:
    """Dots, 95 % intervals, and every experiment as a faint point below."""
    figure = Figure(figsize=(9.6, 0.75 + 0.5 * len(report.summary)), layout="constrained")
    axes = figure.add_subplot()
    for y, row in enumerate(report.summary):
        _ua_row(axes, y, row=row, runs=report.folds, colour=colours[row["system"]])
    if report.labels:
        _mark(axes, 100 / len(report.labels), name="chance")
    axes.set_yticks(range(len(report.summary)), [_short(row["system"]) for row in report.summary])
    axes.set_ylim(len(report.summary) - 0.4, -0.75)
    low, high = axes.get_xlim()
    axes.set_xlim(max(-1.0, low), min(101.0, high))
    axes.set_xlabel("UA, %")
    axes.tick_params(left=False)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    return figure


def _ua_row(axes: Axes, y: int, *, row: dict[str, Any], runs: pd.DataFrame, colour: str) -> None:
    if len(runs):
        points = 100 * runs.loc[runs["system"] == row["system"], "ua"].dropna().astype(float).to_numpy()
        lanes = y + 0.2 + 0.05 * (np.arange(len(points)) % 4)  # apart, but never at random
        axes.scatter(points, lanes, s=13, color=colour, alpha=0.4, linewidths=0)
    if not _defined(row["ua"]):
        axes.text(0.5, y, "undefined", transform=axes.get_yaxis_transform(), ha="center", style="italic")
        return
    if _interval(row["ua_interval"]) != "–":
        axes.plot([100 * bound for bound in row["ua_interval"]], [y, y], color=colour, linewidth=2.6)
    ua, white = 100 * row["ua"], {"facecolor": "white", "linewidth": 0, "pad": 1}
    axes.plot([ua], [y], "o", color=colour, markersize=8, markeredgecolor="white")
    axes.text(ua, y - 0.17, f"{ua:.1f}", color=colour, weight="bold", ha="center", va="bottom", bbox=white)


def _mark(axes: Axes, x: float, *, name: str) -> None:
    """A dashed line from bottom to top, with its name."""
    axes.axvline(x, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)
    axes.text(x, 1, f"\u00a0{name}", transform=axes.get_xaxis_transform(), va="top", fontsize=8)


def _curve_figure(curves: pd.DataFrame, colours: dict[str, str]) -> Figure:
    """Mean over folds and seeds with a band of one standard deviation; development UA dashed."""
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    loss, ua = figure.subplots(1, 2)
    for i, (system, rows) in enumerate(curves.groupby("system", sort=False)):
        colour = colours.get(str(system), PALETTE[i % len(PALETTE)])
        _band(loss, rows, "train_loss", color=colour, label=_short(str(system)))
        _band(ua, rows, "train_ua", scale=100, color=colour)
        if "dev_ua" in rows:
            _band(ua, rows, "dev_ua", scale=100, color=colour, linestyle="--")
    for axes, title in ((loss, "Training loss"), (ua, "Training UA, %")):
        axes.set_title(title, loc="left")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
        axes.grid()
    loss.set_ylim(bottom=0)
    if loss.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper left", ncols=4)
    return figure


def _band(axes: Axes, rows: pd.DataFrame, column: str, *, scale: float = 1, **line: Any) -> None:
    grouped = (scale * rows[column].astype(float)).groupby(rows["epoch"])
    mean, std = grouped.mean().dropna(), grouped.std().fillna(0.0)
    if len(mean):
        low, high = mean - std[mean.index], mean + std[mean.index]
        axes.fill_between(mean.index, low, high, color=line["color"], alpha=0.15, linewidth=0)
        axes.plot(mean.index, mean, linewidth=1.6, **line)


def _truth_figure(report: Report, colours: dict[str, str]) -> Figure:
    """How often systems are right where they are how confident, and the errors left where they may abstain."""
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    reliability, risk = figure.subplots(1, 2)
    reliability.plot([0, 100], [0, 100], color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    for row in report.summary:
        for axes, name, mark in ((reliability, "reliability", "o"), (risk, "risk_coverage", "")):
            points = 100 * np.array(row.get(name) or np.empty((0, 2)))
            style = {"color": colours[row["system"]], "linewidth": 1.6, "marker": mark, "markersize": 3.5}
            axes.plot(points[:, 0], points[:, 1], label=_short(row["system"]), **style)
    for axes, x, y in ((reliability, "confidence, %", "correct, %"), (risk, "coverage, %", "errors, %")):
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.set_xlim(0, 101)
        axes.set_ylim(0, None if axes is risk else 101)
        axes.grid()
    figure.legend(*risk.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    return figure


def _duration_figure(utterances: pd.DataFrame) -> Figure:
    known = utterances["duration"].dropna().astype(float)
    figure = Figure(figsize=(4.7, 2.5), layout="constrained")
    axes = figure.add_subplot()
    bins = min(40, 8 + math.isqrt(len(known)))
    axes.hist(known, bins=bins, color=PALETTE[0], alpha=0.75, edgecolor="white", linewidth=0.5)
    _mark(axes, float(known.median()), name="median")
    axes.set_xlabel("duration, s")
    axes.set_ylabel("utterances")
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    axes.grid(axis="y")
    return figure
