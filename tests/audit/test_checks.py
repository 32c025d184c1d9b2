"""Shared things, against sets that are compared one by one."""

import numpy as np
import pytest

from serprep import Utterance
from serprep.audit.checks import find_all
from serprep.audit.sides import BITS, Sides


def make(rows, roles, **changes):
    """Sides of utterances, each with one letter per fold: r(train), d(ev), t(est) or -."""
    bits = {"r": BITS["train"], "d": BITS["dev"], "t": BITS["test"], "-": 0, "b": BITS["train"] | BITS["test"]}
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


def utterance(number, **columns):
    fields = {
        name: columns.pop(name) for name in ("speaker", "audio_digest", "start", "end", "emotion") if name in columns
    }
    return Utterance(id=f"u{number}", path=f"u{number}.wav", extra=columns, **fields)


def only(sides, kind, sounds=()):
    return [one for one in find_all(sides, sounds) if one.kind == kind]


@pytest.mark.parametrize("seed", range(20))
def test_speakers_and_dialogues_as_sets_tell(seed):
    rng = np.random.default_rng(seed)
    n, n_folds = 40, 3
    rows = [
        utterance(i, speaker=rng.choice(["", "a", "b", "c", "d", "e"]), dialogue=rng.choice(["", *"uvwxyz"]))
        for i in range(n)
    ]
    roles = [[str(rng.choice(list("rrrdt-"))) for _ in range(n_folds)] for _ in range(n)]
    sides = make(rows, roles)
    for kind, value in (("speaker", lambda row: row.speaker), ("dialogue", lambda row: row.extra["dialogue"])):
        expected = {}
        for fold in range(n_folds):
            of = {
                role: {value(row) for row, own in zip(rows, roles, strict=True) if own[fold] == role} - {""}
                for role in "rdt"
            }
            tested = [i for i in range(n) if roles[i][fold] == "t"]
            shared = of["t"] & (of["r"] | of["d"])
            if shared:
                touched = sum(value(rows[i]) in shared for i in tested)
                expected[str(fold + 1), "leak", "test"] = (shared, touched, len(tested))
            if (of["r"] & of["d"]) - shared:
                severity = "leak" if kind == "speaker" else "warning"
                expected[str(fold + 1), severity, "dev"] = ((of["r"] & of["d"]) - shared, 0, 0)
        found = {
            (one.fold, one.severity, one.sides.split(", ")[-1]): (set(one.things), one.n_utterances, one.n_scored)
            for one in only(sides, kind)
        }
        assert found == expected


def test_dev_is_the_scored_side_where_nothing_is_tested():
    (one,) = only(make([utterance(1, speaker="a"), utterance(2, speaker="a")], "rd"), "speaker")
    assert (one.severity, one.sides, one.n_utterances, one.n_scored) == ("leak", "train, dev", 1, 1)


def test_speakers_apart_are_no_finding():
    assert only(make([utterance(1, speaker="a"), utterance(2, speaker="b")], ["rt", "tr"]), "speaker") == []


def test_an_utterance_on_both_sides():
    (one,) = only(make([utterance(1, speaker="a"), utterance(2, speaker="b")], "bt"), "utterance")
    assert (one.severity, one.things, one.n_utterances, one.n_scored) == ("leak", ("u1",), 1, 2)


def test_a_child_is_on_the_side_of_its_parent():
    """A leak on purpose: an utterance is tested, and the same over the telephone is trained on."""
    rows = [utterance(1), utterance(2, parent="u1"), utterance(3, parent="u1"), utterance(4)]
    (one,) = only(make(rows, "trrt"), "parent")
    assert (one.severity, one.things, one.n_things, one.n_utterances, one.n_scored) == ("leak", ("u1",), 1, 1, 2)
    (one,) = only(make(rows, "-trt"), "parent")  # two children, and the parent left out
    assert (one.severity, one.things, one.n_utterances) == ("leak", ("u1",), 1)
    (one,) = only(make(rows, "rrdt"), "parent")
    assert (one.severity, one.sides) == ("warning", "train, dev")
    assert only(make(rows, "rrrt"), "parent") == []


def test_a_partner_in_training():
    rows = [
        utterance(1, speaker="f", partner="m"),
        utterance(2, speaker="m", partner="f"),
        utterance(3, speaker="x", partner=""),
    ]
    (one,) = only(make(rows, "trr"), "partner")
    assert (one.severity, one.things, one.n_things, one.n_utterances, one.n_scored) == ("leak", ("m",), 2, 1, 1)
    assert only(make(rows, "ttr"), "partner") == []


def test_given_sentences_are_worth_knowing_and_own_words_are_a_warning():
    acted = [utterance(i, speaker=f"s{i % 4}", text=f"t{i // 4}") for i in range(8)]
    (one,) = only(make(acted, "rrrtrrrt"), "text")
    assert (one.severity, one.things, one.n_utterances) == ("info", ("t0", "t1"), 2)
    words = ["I told you so, didn't I?", "i told you so didn't I", "yes", "Yes!", "what is it now then", "go", "", "no"]
    talk = [utterance(i, speaker=f"s{i}", transcript=text) for i, text in enumerate(words)]
    (one,) = only(make(talk, "rtrtrtrt"), "text")
    assert (one.severity, one.things) == ("warning", ("i told you so didn t i",))


def test_equal_bytes_across_within_and_in_excerpts():
    same = [utterance(1, audio_digest="x"), utterance(2, audio_digest="x"), utterance(3, audio_digest="y")]
    (one,) = only(make(same, ["rr", "tr", "tr"]), "bytes")
    assert (one.severity, one.fold, one.things, one.n_utterances, one.n_scored) == ("leak", "1", ("u1 = u2",), 1, 2)
    (one,) = only(make(same, "rrt"), "bytes")
    assert (one.severity, one.fold) == ("info", "")
    (one,) = only(make(same, "rdt"), "bytes")
    assert one.severity == "warning"
    parts = [
        utterance(1, audio_digest="x", start=0.0, end=2.0),
        utterance(2, audio_digest="x", start=1.5, end=4.0),
        utterance(3, audio_digest="x", start=2.0, end=4.0),
    ]
    (one,) = only(make(parts, "rtr"), "bytes")
    assert one.things == ("u2 = u3",)


def test_equal_sounds_name_how_alike_they_are():
    rows = [utterance(1), utterance(2), utterance(3)]
    (one,) = only(make(rows, "rtt"), "sound", [(0, 1, 0.98765), (1, 2, 1.0)])[:1]
    assert (one.severity, one.things, one.n_utterances, one.n_scored) == ("leak", ("u1 = u2 (0.988)",), 1, 2)
    within = only(make(rows, "rtt"), "sound", [(0, 1, 0.98765), (1, 2, 1.0)])[1]
    assert (within.severity, within.things) == ("info", ("u2 = u3 (1.000)",))


def test_the_worst_comes_first():
    rows = [utterance(1, speaker="a", emotion="x"), utterance(2, speaker="a", emotion="y"), utterance(3, emotion="x")]
    severities = [one.severity for one in find_all(make(rows, "rtt"))]
    assert severities == sorted(severities, key=["leak", "warning", "info"].index)
    assert set(severities) == {"leak", "warning", "info"}


def test_one_recording_under_two_labels_is_a_conflict_on_any_side():
    rows = [
        utterance(n, speaker=f"s{n}", audio_digest="d", emotion=e) for n, e in enumerate(("sad", "angry", "sad", ""))
    ]
    (one,) = only(make(rows, "rrtr"), "label-conflict")
    assert (one.severity, one.fold, one.things) == ("warning", "", ("u0 (sad) = u1 (angry)", "u1 (angry) = u2 (sad)"))
    assert only(make(rows, "r-tr"), "label-conflict") == []  # the other one takes no part
    apart = [utterance(n, audio_digest=f"d{n}", emotion=e) for n, e in enumerate(("sad", "angry"))]
    (heard,) = only(make(apart, "rt"), "label-conflict", [(0, 1, 0.99)])
    assert heard.things == ("u0 (sad) = u1 (angry)",)
