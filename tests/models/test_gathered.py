"""What finished experiments wrote is read and scored."""

import dataclasses

from serprep.split import SplitConfig, make_split, write_split
from serprep_models.experiments import run_experiments


def test_every_utterance_is_predicted_once_per_system(outcome, small) -> None:
    _, store = small
    for _, rows in outcome.predictions.groupby("system"):
        assert sorted(rows["id"]) == store.ids


def test_majority_scores_chance(outcome) -> None:
    (row,) = [row for row in outcome.summary if row.system == "majority"]
    assert row.ua == 0.25


def test_utterances_that_only_the_split_knows_are_counted(small, pool, tmp_path) -> None:
    recipe, store = small
    split = make_split(store.manifest(), SplitConfig())
    more = dataclasses.replace(split, utterances={**split.utterances, "gone": next(iter(split.utterances.values()))})
    path = write_split(more, tmp_path / "split.json")
    train = dataclasses.replace(recipe.train, systems=("majority",))
    other = dataclasses.replace(recipe, train=train, split=SplitConfig(protocol="list", file=str(path)))
    assert "1 utterances of the split are not in the store" in run_experiments(other, store, pool=pool).notes
