"""One self-contained page per run: scores, pictures, data, split, provenance.

Fractions come in, per cent goes out, with one decimal.
A score that does not exist (None or NaN) reads "undefined", never 0.
The page needs no network and no script and follows the reader's light or dark mode; equal
reports are equal bytes.

Names of utterances, speakers, labels and systems are text written by others: `serprep.pages`
escapes all of them.
"""

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serprep.files import write_other
from serprep.pages import count, percent
from serprep.pages import render as render_page
from serprep.pages.plot import histogram
from serprep_models.figures import by_class, by_condition, calibration, curves, numbers, tracks
from serprep_models.scores import SCORES, Pair, Summary, Verdict, judge
from serprep_models.scores.dimensions import DimensionScores
from serprep_models.scores.groups import Groups
from serprep_models.scores.intervals import beyond_rows

MOST_DOUBTFUL = 20  # labels on the page
MAX_SPEAKER_ROWS = 30  # more speakers are summarised per class
GROUP_COLUMNS = ("gender", "session", "partition", "language")  # counted in one line when a store has them


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything one page shows."""

    title: str  # data set name, shown as heading
    synthetic: bool  # True: a visible banner says that the recordings are synthetic
    labels: tuple[str, ...]  # declared emotions in logit order
    utterances: pd.DataFrame  # rows of the store: id, speaker, emotion, duration (s), maybe gender, session …
    dropped: dict[str, int]  # reason -> count of utterances that are not in the store
    summary: Sequence[Summary]
    folds: pd.DataFrame  # per experiment: system, fold, seed, n_train, n_test, wa, ua, seconds, test_groups
    confusion: dict[str, np.ndarray]  # system -> (n_labels, n_labels) counts, rows are the truth
    curves: pd.DataFrame  # system, fold, seed, epoch, train_loss, train_ua, dev_ua
    split: dict[str, Any]  # protocol, group, folds, seed, digest, notes, roles
    provenance: dict[str, str]  # what was used, in words
    # what an audit of the split found: per kind and severity kind, severity, count, of, n_folds,
    # n_utterances of n_scored touched, examples; None: there was no split to audit
    audit: list[dict[str, Any]] | None = None
    comparisons: Sequence[Pair] = ()
    groups: Groups = field(default_factory=Groups)  # scores within groups, and their differences
    raters: Sequence[Any] = ()  # a `RaterScore` per system and third of the utterances, where raters are the target
    dimensions: DimensionScores = field(default_factory=DimensionScores)  # of numbers, in place of the summary
    numbers: pd.DataFrame = field(default_factory=pd.DataFrame)  # the leading system's predictions of them
    conditions: Sequence[Any] = ()  # a `ConditionScore` per condition and system, "clean" first
    caution: str = ""  # what a reader must know before reading scores, shown first
    warnings: tuple[str, ...] = ()  # what makes scores other than they seem, shown first as well
    predict: dict[str, str] = field(default_factory=dict)  # system → command that predicts with it, or ""
    # system, speaker, n, correct, ua: over folds and seeds
    speakers: pd.DataFrame = field(default_factory=pd.DataFrame)
    wrong: list[dict[str, Any]] = field(default_factory=list)  # most surely wrong first: id, speaker, truth … as Markup
    doubt: pd.DataFrame = field(default_factory=pd.DataFrame)  # as `serprep_models.scores.doubt` has it
    doubt_note: str = ""  # which recordings were not compared with each other
    made: str = ""  # when the last experiment ended
    repeat: str = ""  # the command that repeats it
    sources: Mapping[str, str] = field(default_factory=dict)  # name → text of the recipes
    bundle: bytes = b""  # what results can be checked by
    partial: str = ""  # which experiments are missing; then no system is called the best
    unfinished: str = ""  # how many are finished, and which are missing; as `partial`


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
    return write_page(render(report), path)


def write_page(text: str, path: Path) -> Path:
    """The path of a page, which appears there whole; an existing one is replaced."""
    write_other(path, text.encode("utf-8", "replace"))  # file names may hold bytes that are no UTF-8
    return path


def render(report: Report) -> str:
    """The page as text; `write_report` puts it into a file."""
    leaks = any(row["severity"] == "leak" for row in report.audit or ())
    partial = bool(report.partial or report.unfinished)
    verdict = judge(report.summary, report.comparisons, partial=partial, leaks=leaks)
    if report.dimensions.scores:
        verdict = report.dimensions.verdict(partial=partial, leaks=leaks)
    leader = next((row for row in report.summary if row.system == verdict.leader), None)
    chance = 1 / len(report.labels) if report.labels else None
    values = {
        "report": report,
        "headline": _headline(report, verdict),
        "best": leader if verdict.best else None,
        "verdict": verdict,
        "figures": _figures(report, chance),
        "classes": _class_table(report),
        "beyond_rows": beyond_rows(report.summary),
        "beyond": SCORES if any(row.nll is not None for row in report.summary) else {},
        "groups": _groups(report.utterances),
        "folds": report.folds.to_dict("records"),
        "n_undefined": int(report.folds["ua"].isna().sum()) if len(report.folds) else 0,
        "hard": report.speakers.sort_values("ua", kind="stable").to_dict("records") if len(report.speakers) else [],
        "durations": report.utterances["duration"].dropna(),
        "doubt": _most_doubtful(report.doubt),
        "has_dev": bool(report.curves.filter(like="dev_").notna().any().any()),
    }
    return render_page(
        Path(__file__).parent / "page.html.j2",
        values,
        title=f"{report.title} · results",
        filters={**FILTERS, "spread": _spread},
    )


def _most_doubtful(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The first rows of those whose given label is not the likeliest, or that have a copy under another."""
    if not len(table):
        return []
    doubted = table[(table["margin"] < 0) | (table["same_sound"] != "")].head(MOST_DOUBTFUL)
    return [{str(name): value for name, value in row.items()} for row in doubted.to_dict("records")]


def _defined(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _interval(bounds: Sequence[float] | None) -> str:
    if bounds is None or not all(map(_defined, bounds)):
        return "–"
    return f"{100 * bounds[0]:.1f}{' to ' if min(bounds) < 0 else '–'}{100 * bounds[1]:.1f}"


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _spread(row: Summary) -> str:
    if not _defined(row.ua_fold_mean):
        return "undefined"
    return f"{percent(row.ua_fold_mean)} ± {percent(row.ua_fold_std, '–')}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


FILTERS: dict[str, Callable[..., str]] = {"base64": _base64, "interval": _interval, "p_value": _p_value}


def _plural(n: int, noun: str) -> str:
    return f"{count(n)} {noun}{'' if n == 1 else 's'}"


def _headline(report: Report, verdict: Verdict) -> str:
    speakers = _text(report.utterances["speaker"])
    n_speakers = speakers[speakers != ""].nunique()
    parts = [_plural(len(report.utterances), "utterance"), _plural(n_speakers, "speaker")]
    lead = next((row for row in report.summary if row.system == verdict.leader), None)
    if report.dimensions.scores:
        parts = [verdict.words] * verdict.best + parts + [_plural(len(report.dimensions.scales), "dimension")]
    elif lead is None or verdict.rivals or (verdict.words and not verdict.best):
        parts.append(_plural(len(report.labels), "emotion"))
    else:
        score = "ua" if _defined(lead.ua) else "wa"
        text = f"{'Best: ' if verdict.best else ''}{lead.system}, {score.upper()} {percent(getattr(lead, score))} %"
        if (around := getattr(lead, f"{score}_interval")) is not None:
            text += f" (95 % interval {_interval(around)})"
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
            lines[column] = ", ".join(f"{name} {count(counts[name])}" for name in names)
    return lines


def _figures(report: Report, chance: float | None) -> dict[str, Any]:
    systems = [row.system for row in report.summary]
    figures: dict[str, Any] = {}
    if report.summary:
        dots = report.folds.assign(
            name="fold " + report.folds["fold"].astype(str) + ", seed " + report.folds["seed"].astype(str)
        )
        figures["ua"] = tracks(report.summary, dots, chance=chance, says="UA per system")
        figures["classes"] = by_class(report.summary, report.labels)
        figures["truth"] = calibration(beyond_rows(report.summary))
    if report.dimensions.scores:
        systems = list(dict.fromkeys(row.system for row in report.dimensions.scores))
        figures["numbers"] = numbers(report.numbers, list(report.dimensions.scales))
    for name, rows in {
        "conditions": report.conditions,
        "number_conditions": report.dimensions.of_all(report.dimensions.conditions),
    }.items():
        if rows:
            figures[name] = by_condition(rows, systems)
    if len(report.speakers):
        dots = report.speakers.rename(columns={"speaker": "name"})
        figures["speakers"] = tracks(report.summary, dots, chance=chance, says="UA per speaker")
    if len(report.curves):
        figures["curves"] = curves(report.curves, systems)
    figures["durations"] = histogram(report.utterances["duration"].astype(float).tolist(), label="duration", unit="s")
    return figures
