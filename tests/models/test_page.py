"""The page says what the report says, survives hostile text, and needs nothing but itself."""

import dataclasses
import errno
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import serprep_models.page as page_module
from serprep.errors import StoreError
from serprep_models.page import MAX_SPEAKER_ROWS, Report, render, write_page, write_report
from serprep_models.scores import Pair, Summary
from serprep_models.scores.groups import GroupDifference, Groups, GroupScore

LABELS = ("angry", "happy", "neutral", "sad")
SYSTEMS = {"hsf-crnn": 0.643, "multi-crnn": 0.594, "plain-crnn": 0.568, "compare-svm": 0.62, "majority": 0.25}


def make_report(*, labels: tuple[str, ...] = LABELS, n_speakers: int = 24, **changes: Any) -> Report:
    """A run of five systems over six folds and three seeds, with made-up numbers."""
    rng = np.random.default_rng(0)
    report = Report(
        title="ravdess",
        synthetic=False,
        labels=labels,
        utterances=make_utterances(labels, n_speakers=n_speakers, rng=rng),
        dropped={"emotion 'calm' not in [corpus.emotions]": 192, "quarantined: empty file": 1},
        summary=[summary_row(system, ua) for system, ua in SYSTEMS.items()],
        folds=make_folds(rng),
        confusion={system: make_confusion(ua, len(labels), rng=rng) for system, ua in SYSTEMS.items()},
        curves=make_curves(rng),
        split={
            "protocol": "group-k-fold",
            "group": "speaker",
            "folds": 6,
            "seed": 0,
            "digest": "9f2c4e" * 10,
            "notes": ["1 utterance of the split is not in the store and was left out"],
            "roles": [make_roles(fold) for fold in range(6)],
        },
        provenance={
            "version": "3fa9c1d27be04455a1c09e2f7788d013",
            "store": "stores/ravdess/versions/3fa9c1d27be04455.zarr",
            "features": "log-mel 40 bands, 25 ms every 10 ms; segments 30/20 and 50/25; ComParE_2016",
            "libraries": "serprep 0.1.0, numpy 2.3.1, torch 2.9.0, opensmile 2.6.0",
            "licence": "RAVDESS: CC BY-NC-SA 4.0. openSMILE functionals: research only.",
            "command": "serprep run ravdess.toml",
        },
    )
    return dataclasses.replace(report, **changes)


def make_utterances(labels: tuple[str, ...], *, n_speakers: int, rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        {
            "id": f"{speaker}-{label}-{k}",
            "speaker": f"{speaker}",
            "emotion": label,
            "gender": "mf"[speaker % 2],
        }
        for speaker in range(1, n_speakers + 1)
        for label in labels
        for k in range(4 if label == "neutral" else 8)
    ]
    return pd.DataFrame(rows).assign(duration=rng.normal(3.7, 0.35, len(rows)))


def make_roles(fold: int) -> dict[str, Any]:
    return {"fold": str(fold), "train": 560, "dev": 0, "test": 112, "test_groups": groups(fold)}


def groups(fold: int) -> str:
    return ", ".join(str(speaker) for speaker in range(4 * fold + 1, 4 * fold + 5))


def summary_row(system: str, ua: float | None, **changes: Any) -> Summary:
    around = None if ua is None else (ua - 0.062, ua + 0.059)
    row = Summary(
        system=system, n_runs=18, wa=0.6512, ua=ua, ua_fold_mean=ua, ua_fold_std=0.06, ua_seed_std=0.008,
        wa_interval=(0.589, 0.71), ua_interval=around,
    )  # fmt: skip
    return dataclasses.replace(row, **changes)


BETTER = {"": 0.05, "_interval": [0.01, 0.09], "_p": 0.01, "_p_holm": 0.03}


def pair(second: str, **changes: Any) -> Pair:
    """hsf-crnn against another system."""
    better: dict[str, Any] = {f"{score}{key}": value for score in ("ua", "wa") for key, value in BETTER.items()}
    return Pair(first="hsf-crnn", second=second, **better | changes)


def make_folds(rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "system": system, "fold": str(fold), "seed": seed, "n_train": 560, "n_test": 112,
            "wa": ua + 0.01, "ua": ua + (0 if system == "majority" else rng.normal(0, 0.06)),
            "seconds": 48.3, "test_groups": groups(fold),
        }
        for system, ua in SYSTEMS.items() for fold in range(6) for seed in range(3)
    )  # fmt: skip


def make_confusion(ua: float, n_labels: int, *, rng: np.random.Generator) -> np.ndarray:
    shares = rng.dirichlet(np.full(n_labels, 2.0), size=n_labels) * (1 - ua) + ua * np.eye(n_labels)
    return np.round(shares * 576).astype(int)


def make_curves(rng: np.random.Generator) -> pd.DataFrame:
    pace = rng.uniform(0.7, 1.3, (6, 3))
    return pd.DataFrame(
        {
            "system": system, "fold": str(fold), "seed": seed, "epoch": epoch,
            "train_loss": 1.4 * np.exp(-speed * pace[fold, seed] * epoch) + 0.02 * rng.random(),
            "train_ua": 1 - 0.75 * np.exp(-speed * pace[fold, seed] * epoch), "dev_ua": np.nan,
        }
        for system, speed in {"hsf-crnn": 0.1, "multi-crnn": 0.06, "plain-crnn": 0.04}.items()
        for fold in range(6) for seed in range(3) for epoch in range(1, 61)
    )  # fmt: skip


HOSTILE = "<script>alert(1)</script> \"'&amp; $x_{1}$ {{ 7*7 }} 悲しみ שלום 🎭 ../x \u202e\x1b[31m\x00 " + "long" * 60
NO_ROWS = pd.DataFrame()
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@pytest.fixture(scope="module")
def plain() -> str:
    """The page of the report as it is made; each takes a second to draw."""
    return render(make_report())


class Page(HTMLParser):
    """Elements, references and shown text of a page; complains about elements that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [str(v) for k, v in attrs if k in ("src", "href", "xlink:href", "srcset", "action")]
        assert not [k for k, _ in attrs if k.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(filter(None, self.texts))


def headings(text: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", text)


def hostile_report() -> Report:
    """Somebody else's text in every place that takes text."""
    report = make_report(labels=(HOSTILE, "b", "c"), title=HOSTILE, dropped={HOSTILE: 1}, provenance={HOSTILE: HOSTILE})
    utterances = report.utterances.assign(id=HOSTILE, gender=[HOSTILE, "x"] * (len(report.utterances) // 2))
    utterances["speaker"] = HOSTILE + utterances["speaker"]
    roles = [{**make_roles(0), "fold": HOSTILE, "test_groups": HOSTILE}]
    return dataclasses.replace(
        report,
        utterances=utterances,
        summary=[summary_row(HOSTILE, 0.5)],
        folds=report.folds.assign(system=HOSTILE, fold=HOSTILE, test_groups=HOSTILE),
        confusion={HOSTILE: np.ones((3, 3), int)},
        curves=report.curves.assign(system=HOSTILE),
        split={"protocol": HOSTILE, "group": HOSTILE, "digest": HOSTILE, "notes": [HOSTILE], "roles": roles},
        doubt=make_doubt(id=HOSTILE, given=HOSTILE, likeliest=HOSTILE, same_sound=HOSTILE),
        doubt_note=HOSTILE,
    )


def make_doubt(**changes: Any) -> pd.DataFrame:
    """Three utterances, the first with raters, the last not doubted."""
    table = pd.DataFrame(
        {
            "id": ["u1", "u2", "u3"], "path": "a.wav", "given": "sad", "likeliest": ["angry", "happy", "sad"],
            "probability": [0.02, 0.31, 0.9], "margin": [-0.95, -0.2, 0.85], "same_sound": ["u9", "", ""],
            "systems_agreeing": [3, 2, 3], "systems": 3,
            "raters_agreeing": pd.array([1, None, 3], "Int64"), "raters": pd.array([3, None, 3], "Int64"),
        }
    )  # fmt: skip
    return table.assign(**changes)


def test_a_device_or_pipe_that_a_page_is_written_to_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    write_page("<p>", pipe)
    assert (os.read(reader, 9), pipe.is_fifo()) == (b"<p>", True)
    os.close(reader)


def test_doubtful_labels_are_shown_and_others_are_not() -> None:
    page = Page(render(make_report(doubt=make_doubt(), doubt_note="only bytes were compared")))
    assert "u1 sad angry 2.0 -95.0 3 of 3 1 of 3 u9 u2 sad happy 31.0 -20.0 2 of 3 – –" in page.text
    assert "u3" not in page.text and "Here only bytes were compared." in page.text
    assert "Doubtful labels" not in headings(render(make_report(doubt=make_doubt(margin=0.1, same_sound=""))))


def test_groups_have_their_scores_and_differences(capsys: pytest.CaptureFixture[str]) -> None:
    from serprep_cli.run import print_groups

    recall = dict.fromkeys(LABELS, 0.5)
    about: dict[str, Any] = {"system": "hsf-crnn", "column": "gender"}
    scores = {"ua": 0.643, "macro_f1": 0.61, "recall": recall, "recall_interval": dict.fromkeys(LABELS)}
    intervals: dict[str, Any] = {"ua_interval": (0.581, 0.702), "macro_f1_interval": None}
    few = GroupScore(**about, **scores, **intervals, group="m<b>", n_speakers=4, n_utterances=40, too_few=True)
    worst = GroupScore(
        **about, **scores, **intervals, group="f", n_speakers=20, n_utterances=632, too_few=False, worst=True
    )
    difference = GroupDifference(
        **about,
        first="f",
        second="m<b>",
        ua=-0.05,
        ua_interval=(-0.1, -0.01),
        p=0.01,
        p_holm=0.02,
        within_speakers=False,
    )
    groups = Groups(scores=(few, worst), differences=(difference,))
    page = Page(render(make_report(groups=groups)))
    assert "Groups" in headings(render(make_report(groups=groups)))
    assert "gender m<b> 4 too few 40 64.3 58.1–70.2 61.0 – 50.0 –" in page.text
    assert "gender f 20 632 64.3 worst" in page.text
    assert "gender f m<b> -5.0 -10.0 to -1.0 0.010 0.020" in page.text
    print_groups(groups)
    told = capsys.readouterr().out
    assert "4 (too few)" in told and "64.3 worst" in told
    assert "gender f − m<b>: UA -5.0 points" in told


def test_headline_sections_and_scores() -> None:
    text = render(make_report(comparisons=[pair(other) for other in list(SYSTEMS)[1:4]]))
    page = Page(text)
    assert headings(text) == [
        "Scores",
        "Differences between systems",
        "Which emotions?",
        "Confusions",
        "Training",
        "Data",
        "Split",
        "Experiments",
        "Provenance",
    ]
    headline = "Best: hsf-crnn, UA 64.3 % (95 % interval 58.1–70.2), 672 utterances, 24 speakers, 6 folds × 3 seeds"
    assert headline in page.text
    for shown in (
        "hsf-crnn 64.3 58.1–70.2 65.1 58.9–71.0 64.3 ± 6.0 0.8 18",
        "Guessing gives a UA of 25.0 %",
    ):
        assert shown in page.text
    for shown in (
        "emotion 'calm' not in [corpus.emotions] 192",
        "all 192 192 96 192 672",
        "serprep run ravdess.toml",
    ):
        assert shown in page.text
    assert "Synthetic" not in page.text


def test_what_cannot_be_told_apart_has_no_best_and_the_leader_predicts() -> None:
    alike = pair("compare-svm", ua=0.023, ua_interval=[-0.02, 0.06], ua_p=0.31)
    pairs = [pair("multi-crnn"), pair("plain-crnn"), alike]
    command = "serprep predict '/a b/hsf-crnn' RECORDINGS"
    page = Page(render(make_report(comparisons=pairs, predict={"hsf-crnn": command})))
    words = "hsf-crnn and compare-svm cannot be told apart: UA differs by 2.3 points (95 % -2.0 to 6.0, p = 0.310)."
    assert words in page.text and "Best" not in page.text
    assert command in page.text
    few = make_folds(np.random.default_rng(0))
    few = few[(few["system"] != "hsf-crnn") | (few["seed"] == 0)]  # the leader has one seed, the run three
    assert "6 folds × 3 seeds" in Page(render(make_report(folds=few))).text


def test_warnings_stand_above_the_title() -> None:
    text = render(make_report(warnings=("label conflict: <b>",)))
    assert 0 < text.index("label conflict: &lt;b&gt;") < text.index("<h1>")


def test_synthetic_banner() -> None:
    assert "Synthetic recordings." in Page(render(make_report(synthetic=True))).text


def test_confusion_gives_share_of_row_and_count() -> None:
    counts = np.array([[3, 1, 0, 0], [0, 5, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    page = Page(render(make_report(confusion={"hsf-crnn": counts})))
    assert "angry 75 3 25 1 0 0 0 0 happy 0 0 100 5 0 0 0 0 neutral – – – – sad 25 1 25 1 25 1 25 1" in page.text


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_undefined_is_said_and_never_zero(nothing: float | None) -> None:
    gone = dict.fromkeys(["ua_fold_mean", "ua_fold_std", "ua_seed_std"], nothing)
    row = dataclasses.replace(summary_row("plain-crnn", 0.5), ua=nothing, ua_interval=None, **gone)
    folds = make_folds(np.random.default_rng(0)).assign(system="plain-crnn", ua=nothing)
    page = Page(render(make_report(summary=[row], folds=folds)))
    assert "plain-crnn, WA 65.1 % (95 % interval 58.9–71.0), 672 utterances" in page.text
    assert "plain-crnn undefined – 65.1 58.9–71.0 undefined – 18" in page.text
    assert "UA is undefined in 90 of 90 experiments" in page.text
    assert "0 0 560 112 undefined 65.3" in page.text
    assert not re.search(r"\bnan\b|None", page.text)


def test_store_without_training() -> None:
    report = make_report(summary=[], folds=NO_ROWS, confusion={}, curves=NO_ROWS, split={}, dropped={}, provenance={})
    text = render(report)
    assert headings(text) == ["Data"]
    assert "672 utterances, 24 speakers, 4 emotions" in Page(text).text


def test_systems_without_curves_or_chance() -> None:
    curves = make_curves(np.random.default_rng(0)).assign(train_loss=None, train_ua=None, dev_ua=None)
    assert "Training" in headings(render(make_report(curves=curves)))
    assert "Guessing" not in render(dataclasses.replace(make_report(), labels=(), confusion={}))


def test_development_curves_are_explained(plain: str) -> None:
    curves = make_curves(np.random.default_rng(0))
    assert "development" not in Page(plain).text
    assert "Dashed: development" in Page(render(make_report(curves=curves.assign(dev_ua=0.5)))).text


def test_empty_store() -> None:
    utterances = make_report().utterances.iloc[:0]
    page = Page(render(make_report(utterances=utterances, summary=[], folds=NO_ROWS, curves=NO_ROWS)))
    assert "0 utterances, 0 speakers" in page.text


def test_missing_values_in_the_manifest() -> None:
    utterances = make_report().utterances.astype({"speaker": "category", "emotion": "category"})
    utterances.loc[:2, ["speaker", "emotion"]] = None
    utterances.loc[:2, "duration"] = np.nan
    page = Page(render(make_report(utterances=utterances)))
    assert "speaker angry happy neutral sad no label all unknown 0 0 0 0 3 3" in page.text


def test_speakers_in_natural_order_or_summarised() -> None:
    few, many = (Page(render(make_report(n_speakers=n))).text for n in (MAX_SPEAKER_ROWS, MAX_SPEAKER_ROWS + 1))
    assert "1 8 8 4 8 28 2 8 8 4 8 28" in few
    assert "fewest 8 8 4 8 28 median 8 8 4 8 28 most 8 8 4 8 28 all 248 248 124 248 868" in many


def test_hostile_text_is_text() -> None:
    text = render(hostile_report())
    page = Page(text)
    assert not {"script", "iframe", "img", "link", "object"} & set(page.tags)
    assert "<script>alert(1)</script> \"'&amp; $x_{1}$ {{ 7*7 }} 悲しみ שלום 🎭 ../x \\u202e\\x1b[31m\\x00" in page.text
    assert not set("\x1b\x00\u202e") & set(text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


@pytest.mark.parametrize("name", ["悲しみ", "حزن", "हिन्दी", "😀", "$x_{1}$", "\\frac", "_hidden", "a\x00\nb", ""])
def test_any_name_of_a_system_is_shown(name: str) -> None:
    curves = make_curves(np.random.default_rng(0)).assign(system=name)
    text = render(make_report(summary=[summary_row(name, 0.5)], curves=curves, confusion={}))
    shown = name.replace("\x00", "\\x00")
    assert f"<span>{shown}</span>" in text and "\x00" not in text


def test_nothing_comes_from_elsewhere(plain: str) -> None:
    page = Page(plain)
    assert all(reference.startswith("#") for reference in page.references)
    assert not re.search(r"https?:|@import|url\((?!#)", plain)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in plain


def test_references_within_the_page_are_found(plain: str) -> None:
    identities = re.findall(r' id="([^"]+)"', plain)
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', plain)) <= {(i, "") for i in identities} | {
        ("", i) for i in identities
    }


def test_equal_reports_are_equal_bytes(plain: str, tmp_path: Path) -> None:
    assert write_report(make_report(), tmp_path / "a.html").read_bytes() == plain.encode()


def test_page_replaces_an_older_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    assert write_report(make_report(title="first"), path) == path
    write_report(make_report(title="second \udcff"), path)  # a file name that was no UTF-8
    assert "<h1>second \\udcff</h1>" in path.read_text(encoding="utf-8")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_page_is_not_written_into_a_store(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "zarr.json").touch()
    for name in ("a.zarr/report.html", "a.zarr/new/report.html", "a.zarr"):
        with pytest.raises(StoreError, match=r"a store never changes; name another place"):
            write_report(make_report(), tmp_path / name)
    assert [p.name for p in (tmp_path / "a.zarr").iterdir()] == ["zarr.json"]


def test_failed_write_leaves_the_older_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_report(make_report(title="first"), tmp_path / "report.html")

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        write_report(make_report(title="second"), path)
    assert "<h1>first</h1>" in path.read_text(encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_needs_no_torch() -> None:
    unwanted = "{'torch', 'matplotlib'}"
    code = f"import sys, serprep_models.page; sys.exit(bool({unwanted} & set(sys.modules)))"
    root = Path(page_module.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_the_audit_is_shown_and_its_text_is_escaped(plain: str) -> None:
    row = {
        "kind": "speaker",
        "severity": "leak",
        "count": 3,
        "of": 9,
        "n_folds": 2,
        "n_utterances": 40,
        "n_scored": 672,
    }
    page = render(make_report(audit=[row | {"examples": ["<script>s1</script>", "s2"]}]))
    assert "The split leaks: speaker." in page
    assert "3 of 9" in page and "40 of 672" in page
    assert "&lt;script&gt;s1&lt;/script&gt;, s2" in page and "<script>" not in page
    page = render(make_report(audit=[row | {"severity": "info", "kind": "text", "n_scored": 0, "examples": []}]))
    assert "No leak found." in page and "leaks" not in page
    assert "Audit of the split" not in plain


def test_commands_are_broken_at_their_spaces_and_digests_anywhere(plain: str) -> None:
    report = make_report(repeat="serprep run 'a b.toml' --train-from <b>.toml")
    page = render(
        dataclasses.replace(
            report, predict=dict.fromkeys((row.system for row in report.summary), "serprep predict x-y")
        )
    )
    words = ["serprep", "run", "&#39;a", "b.toml&#39;", "--train-from", "&lt;b&gt;.toml"]
    assert " ".join(f'<span class="w">{word}</span>' for word in words) in page
    assert (
        '<code><span class="w">serprep</span> <span class="w">predict</span> <span class="w">x-y</span></code>' in page
    )
    assert re.search(r"^\.w \{ display: inline-block; max-width: 100%; \}", plain, re.M), "a word moves as a whole"
    assert re.search(r"^\.mono, \.w \{ word-break: break-all; \}", plain, re.M)


def test_speakers_and_what_is_surely_wrong_are_shown() -> None:
    speakers = pd.DataFrame(
        {"system": "hsf-crnn", "speaker": ["easy", "hard"], "n": [8, 8], "wa": [0.9, 0.2], "ua": [0.875, 0.125]}
    )
    wrong = {"id": "utt<7>", "speaker": "hard", "truth": "sad", "prediction": "angry", "sure": 0.987, "agree": 4}
    wrong |= {"systems": 4, "picture": "", "sound": ""}
    page = Page(
        render(make_report(speakers=speakers, wrong=[wrong], made="2026-01-02 03:04 UTC", repeat="serprep run a"))
    )
    assert "As of 2026-01-02 03:04 UTC" in page.text
    assert page.text.index("hard 8 12.5 20.0") < page.text.index("easy 8 87.5 90.0"), "the hardest first"
    for shown in ("utt<7>", "sad, said angry (98.7 %)", "speaker hard; 4 of 4 systems say angry", "doubtful label"):
        assert shown in page.text
    assert "to repeat it serprep run a" in page.text


def test_charts_take_the_colours_of_the_page(plain: str) -> None:
    assert not re.search(r"(fill|stroke)[=:] ?.?(#|white|rgb)", re.sub(r"<style>.*?</style>", "", plain, flags=re.S))
    assert "prefers-color-scheme: dark" in plain
