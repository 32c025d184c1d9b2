import numpy as np
import pandas as pd

from serprep_models.listen import surely_wrong


class Empty:
    """A store without the utterances that were predicted."""

    ids: tuple[str, ...] = ()


def test_the_surest_error_comes_first_with_the_votes_of_all_systems() -> None:
    rows = []
    for system, sure in (("svm", (0.9, 0.6, 0.8)), ("mlp", (0.2, 0.7, 0.9))):
        for name, truth, p in zip("abc", ("sad", "sad", "angry"), sure, strict=True):
            rows.append({"system": system, "id": name, "speaker": "s", "truth": truth, "p_angry": p, "p_sad": 1 - p})
    table = pd.DataFrame(rows)
    found = surely_wrong(table, "svm", store=Empty())  # type: ignore[arg-type]
    assert [(row["id"], row["agree"], row["systems"]) for row in found] == [("a", 1, 2), ("b", 2, 2)]
    np.testing.assert_allclose([row["sure"] for row in found], [0.9, 0.6])
