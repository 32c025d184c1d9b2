"""Divergences and entropies against SciPy, cases by hand and a slow reference."""

import numpy as np
import pandas as pd
import pytest

from serprep_models.scores.distributions import ALL, LEAST, divergence_of, divergences, entropies, score_raters


def test_divergences_and_entropies_are_scipy_s() -> None:
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import entropy

    rng = np.random.default_rng(0)
    for size in (2, 4, 9):
        p, q = rng.dirichlet([0.4] * size, 300), rng.dirichlet([0.8] * size, 300)
        p[:50] = np.eye(size)[rng.integers(size, size=50)]  # raters who all agree
        q = np.clip(q, 1e-4, None) / np.clip(q, 1e-4, None).sum(1, keepdims=True)
        found = divergences(p, q)
        np.testing.assert_allclose(found.kl, entropy(p, q, base=2, axis=1), atol=1e-9)
        np.testing.assert_allclose(found.js, jensenshannon(p, q, base=2, axis=1) ** 2, atol=1e-9)
        np.testing.assert_allclose(entropies(p), entropy(p, base=2, axis=1), atol=1e-12)


def test_a_probability_of_0_costs_no_infinity() -> None:
    found = divergences(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    assert found.kl[0] == pytest.approx(-np.log2(LEAST), rel=1e-5) and found.js[0] == pytest.approx(1.0, abs=1e-5)


def table(probabilities, truth, speakers, ids, seed=0):
    frame = pd.DataFrame(probabilities, columns=["p_a", "p_b"])
    best = np.where(frame["p_a"] >= frame["p_b"], "a", "b")
    return frame.assign(system="s", seed=seed, id=ids, speaker=speakers, truth=truth, prediction=best)


def test_thirds_go_by_what_raters_said_and_scores_by_hand() -> None:
    raters = pd.DataFrame({"a": [1.0, 0.0, 0.75, 0.5], "b": [0.0, 1.0, 0.25, 0.5]}, index=["u1", "u2", "u3", "u4"])
    given = [[0.5, 0.5], [0.25, 0.75], [0.75, 0.25], [0.5, 0.5], [0.9, 0.1]]
    own = table(given, ["a", "b", "a", "", "a"], ["x", "x", "y", "y", "y"], ["u1", "u2", "u3", "u4", "u5"])
    rows = {row.part: row for row in score_raters(own, raters)}
    assert rows[ALL].n_utterances == 4 and rows[ALL].n_without_majority == 1  # of u5 nobody said anything
    assert rows[ALL].kl == pytest.approx((1.0 - np.log2(0.75)) / 4)
    assert rows[ALL].wa == 1.0 and rows[ALL].ua == 1.0
    assert {part: row.n_utterances for part, row in rows.items()} == {
        ALL: 4,
        "raters agree most": 2,
        "in between": 1,
        "raters agree least": 1,
    }
    assert rows["raters agree least"].entropy == (1.0, 1.0) and rows["raters agree least"].wa is None
    assert rows["raters agree least"].system_entropy == pytest.approx(1.0)
    assert divergence_of(own, raters) == {"n": 4, "kl": pytest.approx(rows[ALL].kl), "js": pytest.approx(rows[ALL].js)}
    assert divergence_of(own[own["id"] == "u5"], raters) == {"n": 0, "kl": None, "js": None}


def test_an_interval_draws_speakers() -> None:
    """Two speakers, one always right and one always wrong by a bit: a draw has 0, 1/2 or 1 of a bit."""
    raters = pd.DataFrame({"a": [1.0, 0.5], "b": [0.0, 0.5]}, index=["u1", "u2"])
    own = table([[0.5, 0.5], [0.5, 0.5]], ["a", "a"], ["x", "y"], ["u1", "u2"])
    row = score_raters(own, raters)[0]
    assert row.kl == pytest.approx(0.5) and row.kl_interval == (pytest.approx(0.0), pytest.approx(1.0))
    assert score_raters(own.assign(speaker=""), raters)[0].kl_interval is None
