"""One experiment: finished or not, and the same however it was run."""

import pytest

from serprep_models.experiments import run_experiments


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("result.json", lambda text: text.replace('"wa": 0.25', '"wa": 0.99')),
        ("result.json", lambda text: "{bad"),
        ("result.json", lambda text: "[]"),
        ("predictions.csv", lambda text: "\n".join(text.splitlines()[:-1])),
        ("predictions.csv", None),
        ("checkpoint.json", lambda text: text + " "),
        ("weights.safetensors", None),
    ],
)
def test_results_that_were_changed_are_not_believed_but_run_again(outcome, small, pool, name, change) -> None:
    recipe, store = small
    system = "plain-crnn" if name in ("checkpoint.json", "weights.safetensors") else "majority"
    path = outcome.folder / system / "fold-01" / "seed-0" / name
    before = path.read_bytes()
    path.unlink() if change is None else path.write_text(change(before.decode()), encoding="utf-8")
    again = run_experiments(recipe, store, pool=pool)
    assert again.n_kept == 9
    assert again.summary == outcome.summary
    if name != "result.json":
        assert path.read_bytes() == before
