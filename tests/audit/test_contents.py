"""Gaps, doubles, classes and confounding, against closed forms."""

import math

import numpy as np
import pytest

from serprep import Utterance
from serprep.audit.contents import check_classes, check_confounding, check_listing, check_names
from serprep.audit.sides import BITS, Sides


def make(rows, roles, **changes):
    bits = {"r": BITS["train"], "d": BITS["dev"], "t": BITS["test"], "-": 0}
    known = {
        "utterances": tuple(rows),
        "folds": tuple(str(k) for k in range(1, len(roles[0]) + 1)),
        "roles": np.array([[bits[letter] for letter in row] for row in roles], np.uint8),
        "doubled": (),
        "unmatched": (),
        "named": {},
        "absent": (),
        "notes": (),
    }
    return Sides(**known | changes)


def said(*pairs):
    return [Utterance(id=f"u{i}", path="x", speaker=s, emotion=e) for i, (s, e) in enumerate(pairs)]


def test_what_is_unmatched_missing_and_doubled():
    rows = said(("a", "x"), ("b", "x"))
    absent = tuple(said(("c", "x"), ("d", "y"), ("e", "y")))
    sides = make(rows, ["tt", "rr"], absent=absent, doubled=((1, 1),), unmatched=(("2", "n"), ("2", "m"), ("2", "n")))
    found = [(one.kind, one.severity, one.fold, one.things, one.n_things) for one in check_listing(sides)]
    assert found == [
        ("unmatched", "warning", "2", ("n", "m"), 2),
        ("missing", "warning", "", ("u0",), 5),
        ("missing", "info", "", ("u1", "u2"), 5),
        ("doubled", "warning", "2", ("u1",), 2),
        ("doubled", "warning", "", ("u0",), 2),
    ]


def test_class_counts_and_gaps_per_side():
    rows = said(("a", "x"), ("a", "y"), ("b", "x"), ("b", ""))
    counts, gap = check_classes(make(rows, "rrtd"))
    assert counts.values == {"train": {"x": 1, "y": 1}, "test": {"x": 1, "y": 0}}  # dev has no labels to lack
    assert counts.things == ("train: x 1, y 1", "test: x 1, y 0")
    assert (gap.kind, gap.severity, gap.things) == ("absent-class", "warning", ("y (test)",))
    assert list(check_classes(make(said(("a", "")), "r"))) == []


@pytest.mark.parametrize(
    ("pairs", "nmi"),
    [
        ([("a", "x"), ("b", "y")] * 100, 1.0),
        ([("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")] * 50, 0.0),
        # a says x and y alike, b says only x: H(E) of (3/4, 1/4) less half a bit
        (
            [("a", "x"), ("a", "y"), ("b", "x"), ("b", "x")] * 50,
            1 - 0.5 / -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)),
        ),
    ],
)
def test_confounding_of_speakers_and_classes(pairs, nmi):
    (one,) = check_confounding(make(said(*pairs), ["r"] * len(pairs)))
    assert one.values["nmi"] == pytest.approx(nmi, abs=1e-6)
    assert one.severity == ("warning" if nmi > 0.1 else "info")


def test_confounding_is_that_of_scikit_learn_and_its_chance_that_of_shuffling():
    from sklearn.metrics import mutual_info_score

    rng = np.random.default_rng(0)
    speakers, emotions = rng.integers(0, 8, 400), rng.integers(0, 4, 400)
    entropy = mutual_info_score(emotions, emotions)
    (one,) = check_confounding(make(said(*zip(map(str, speakers), map(str, emotions), strict=True)), ["r"] * 400))
    assert one.values["nmi"] == pytest.approx(mutual_info_score(speakers, emotions) / entropy, abs=1e-6)
    shuffled = [mutual_info_score(rng.permutation(speakers), emotions) / entropy for _ in range(200)]
    assert one.values["chance"] == pytest.approx(np.mean(shuffled), rel=0.1)


def test_the_speaker_who_tells_most_is_named_first():
    pairs = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("odd", "x"), ("odd", "x")] * 20
    (one,) = check_confounding(make(said(*pairs), ["r"] * len(pairs)))
    assert one.things[0].startswith("odd (")
    assert list(check_confounding(make(said(("a", "x"), ("a", "y")), "rt"))) == []


def test_a_speaker_name_that_is_somebody_elses():
    rows = said(("F", ""), ("M", ""), ("M", ""), ("F", ""))
    (one,) = check_names(make(rows, "rrtt", named={0: "F", 1: "F", 2: "M", 3: "F"}))
    assert (one.severity, one.things, one.n_things) == ("warning", ("u1 is M, not F",), 4)
    assert list(check_names(make(rows, "rrtt", named={0: "f1", 1: "m1", 2: "m1", 3: "f2"}))) == []
