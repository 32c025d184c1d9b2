import json
import re
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from serprep.browse import plane
from serprep.browse.content import Content
from serprep.browse.plane import Plane, directions_of, places_of, plane_of, row_kinds


@pytest.mark.parametrize("shape", [(30, 7), (7, 30), (2, 5), (5, 1)])
def test_directions_are_those_of_the_singular_value_decomposition(shape):
    rows = np.random.default_rng(0).normal(size=shape)
    rows -= rows.mean(axis=0)
    directions, shares = directions_of(rows)
    _, sizes, expected = np.linalg.svd(rows, full_matrices=False)
    for place, share in enumerate(shares):
        known = place < len(sizes) and sizes[place] > 1e-9
        assert share == pytest.approx(sizes[place] ** 2 / (sizes**2).sum() if known else 0, abs=2e-6)
        if known:
            assert abs(directions[:, place] @ expected[place]) == pytest.approx(1)
            assert directions[np.abs(directions[:, place]).argmax(), place] > 0
        else:
            assert not directions[:, place].any()


def test_rows_that_are_all_the_same_lie_in_one_place():
    assert directions_of(np.zeros((4, 3)))[1] == (0, 0)


def test_places_are_projections_of_all_rows_on_the_components(subject, monkeypatch):
    assert row_kinds(subject.store) == ["imported"]
    rows = subject.store.read("imported", slice(None))[0].astype(float)
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    _, _, expected = np.linalg.svd(scaled, full_matrices=False)
    monkeypatch.setattr(plane, "_BLOCK", 3)
    made = plane_of(subject.store, "imported")
    assert np.allclose(np.abs(places_of(subject.store, "imported", made)), np.abs(scaled @ expected[:2].T))
    assert made.n_sample == len(subject.store)
    monkeypatch.setattr(plane, "SAMPLE", 4)
    assert plane_of(subject.store, "imported").n_sample == 4
    assert len(places_of(subject.store, "imported", plane_of(subject.store, "imported"))) == len(subject.store)


def test_what_does_not_vary_and_what_is_no_number_is_at_the_mean():
    made = Plane(np.array([1.0, 2.0]), np.array([0.0, 2.0]), np.zeros((2, 2)), (0, 0), 3)
    assert made.scaled(np.array([[9.0, 6.0], [1.0, np.nan]])).tolist() == [[0, 2], [0, 0]]


def test_umap_maps_components_where_it_is_installed_and_only_then(subject, monkeypatch):
    class Umap:
        def __init__(self, **options):
            assert options == {"n_neighbors": 5, "random_state": 0, "n_jobs": 1}, "else maps differ from day to day"

        def fit_transform(self, rows):
            rows = np.asarray(rows)
            assert rows.shape == (len(subject.store), plane.COMPONENTS)
            return -rows[:, [1, 0]]

    store, component = subject.store, places_of(subject.store, "imported", plane_of(subject.store, "imported"))
    monkeypatch.setattr(plane, "find_spec", lambda name: None)
    assert plane.maps_of(store) == [("imported", "PCA")] and json.loads(drawn(subject, 0))["way"] == "PCA"
    monkeypatch.setattr(plane, "find_spec", lambda name: name == "umap")
    assert plane.maps_of(store) == [("imported", "PCA")], "too few to have neighbours"
    monkeypatch.setattr(plane, "NEIGHBOURS", 5)
    assert plane.maps_of(store) == [("imported", "PCA"), ("imported", "UMAP")]
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Umap))
    told = json.loads(drawn(subject, 1))
    assert told["way"] == "UMAP" and np.allclose(told["x"], -component[:, 1], atol=6e-4)
    monkeypatch.setattr(Umap, "fit_transform", lambda self, rows: 1 / 0)
    assert json.loads(drawn(subject, 1)) == {
        "error": "imported: UMAP cannot draw it: ZeroDivisionError: division by zero; use PCA"
    }


def test_utterances_are_shown_while_a_map_is_drawn(subject, monkeypatch):
    content, shown = Content(subject), []

    def places_of(store, kind, plane):
        reader = threading.Thread(target=lambda: shown.append(content.utterance(0)))
        reader.start()
        reader.join(timeout=60)
        return np.zeros((len(store), 2))

    monkeypatch.setattr("serprep.browse.content.places_of", places_of)
    assert content.map(0) is not None and shown[0].startswith(b'serprep.take("utterance/0"')


def drawn(subject, number):
    """A map as the page is given it."""
    return re.fullmatch(r'serprep\.take\("map/\d",(.*)\);\n', Content(subject).map(number).decode())[1]
