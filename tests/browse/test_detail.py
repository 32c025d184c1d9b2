import base64

import numpy as np
import pytest

import serprep.browse.detail as detail_module
from serprep.browse.detail import detail, furthest, picture
from serprep.browse.plane import plane_of
from serprep.corpora.corpus import Rating


@pytest.fixture(scope="module")
def planes(subject):
    return {"imported": plane_of(subject.store, "imported")}


def test_the_picture_is_the_segments_put_together(subject):
    store, number = subject.store, 0
    shown = picture(store, number)
    frames = np.frombuffer(base64.b64decode(shown["bytes"]), np.uint8).reshape(-1, 40)
    assert shown["segments"] == [{"length": 30, "hop": 20, "n": 2}, {"length": 50, "hop": 25, "n": 1}]
    assert (shown["n_frames"], shown["n_known"], shown["n_bands"], shown["hop"]) == (58, 50, 40, 0.01)
    expected = np.concatenate([store.segments(number, 30)[0], store.segments(number, 30)[1][10:]])
    scaled = (expected - expected.min()) / np.ptp(expected) * 255
    assert np.abs(frames - scaled).max() <= 0.51


def test_frames_that_only_the_longer_segments_hold_are_shown(subject, monkeypatch):
    rows = detail_module._rows
    monkeypatch.setattr(detail_module, "_rows", lambda *about: rows(*about)[:1])
    assert picture(subject.store, 0)["n_known"] == 50, "of one segment of 30 frames, and one of 50"


def test_the_values_furthest_from_the_corpus_come_first(subject, planes):
    store = subject.store
    rows = store.read("imported", slice(None))[0].astype(float)
    away = (rows[3] - rows.mean(axis=0)) / rows.std(axis=0)
    told = furthest(store, 3, "imported", planes["imported"])
    assert [entry[1] for entry in told] == [f"imported_{place}" for place in np.argsort(-np.abs(away))]
    assert [entry[3] for entry in told] == pytest.approx(sorted(away, key=abs, reverse=True), abs=0.006)


def test_all_that_is_known_of_an_utterance_is_told(subject, planes):
    from dataclasses import replace

    id_ = subject.store.ids[1]
    rated = replace(subject, ratings=(Rating(id=id_, rater="r1", emotions=("joy", "fear"), valence=1.5),))
    told = detail(rated, 1, planes)
    assert told["id"] == id_ and ["split", subject.sides[1]] in told["facts"]
    assert told["probabilities"] == {"svm": [0.2, 0.8]}
    assert told["ratings"] == [["r1", "joy, fear", 1.5, None, None]]
    assert told["sound"]["seconds"] == 0.6 and told["contours"] == []
    assert detail(rated, 5, planes)["probabilities"] == {} == dict(detail(rated, 0, planes)["ratings"])


def test_of_a_quarantined_one_the_reason_is_told(subject, planes):
    told = detail(subject, len(subject.store), planes)
    assert told["id"] == "bad" and told["facts"] == [["quarantined", subject.quarantined[0].reason]]
    assert "reason" in told["sound"]
