"""Statistics of folds and speakers: against the store read by hand; kept once, believed only when whole."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import scipy

from serprep.errors import TrainError
from serprep.recipe import TrainConfig
from serprep_models import statistics
from serprep_models.examples import Stored
from serprep_models.standardise import Moments, OwnMoments, training_statistics
from serprep_models.statistics import Speakers, check_speakers, few_utterances, fold_statistics

KINDS = ("short", "functionals")


def rows_of(store, speaker: str) -> list[int]:
    return [row for row, name in enumerate(store.speakers) if name == speaker]


def standardised(store, how: TrainConfig, *, folder: Path | None = None):
    """Every utterance of the store, standardised."""
    found = fold_statistics(store, [0, 1, 2], KINDS, how=how, folder=folder)
    return Stored(store, np.arange(len(store)), KINDS, found).load()


def segments_of(examples, row: int) -> np.ndarray:
    first, last = examples.offsets["short"][row : row + 2].tolist()
    return examples.inputs["short"][first:last].numpy()


@pytest.mark.parametrize("enrol", [0, 3])
def test_z_scores_of_each_speaker(small, enrol: int) -> None:
    _, store = small
    found = standardised(store, TrainConfig(standardisation="speaker", enrol=enrol))
    for speaker in set(store.speakers):
        own = rows_of(store, speaker)
        known = own[: enrol or None]  # rows are in the order of ids
        assert [store.ids[row] for row in known] == sorted(store.ids[row] for row in own)[: enrol or None]
        frames = np.concatenate([store.segments(row, 30) for row in known]).reshape(-1, 40).astype("f8")
        values = np.stack([store.functionals(row) for row in known]).astype("f8")
        std = np.where(np.ptp(values, axis=0) > 0, values.std(0), np.inf)
        for row in own:
            expected = (store.segments(row, 30) - frames.mean(0)) / frames.std(0)
            np.testing.assert_allclose(segments_of(found, row), expected, atol=1e-5)
            expected = np.clip((store.functionals(row) - values.mean(0)) / std, -10, 10)
            np.testing.assert_allclose(found.inputs["functionals"][row], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("enrol", [0, 3])
def test_ranks_within_each_speaker(small, enrol: int) -> None:
    _, store = small
    found = standardised(store, TrainConfig(standardisation="speaker-rank", enrol=enrol))
    plain = standardised(store, TrainConfig(standardisation="speaker", enrol=enrol))
    np.testing.assert_array_equal(found.inputs["short"], plain.inputs["short"])
    for speaker in set(store.speakers):
        own = rows_of(store, speaker)
        known = own[: enrol or None]
        values = np.stack([store.functionals(row) for row in known])
        expected = scipy.stats.norm.ppf((scipy.stats.rankdata(values, axis=0) - 0.5) / len(known))
        np.testing.assert_allclose(found.inputs["functionals"][known], expected, atol=1e-6)
        outside = np.stack([store.functionals(row) for row in own]) > values.max(0)
        bound = np.broadcast_to(expected.max(0), outside.shape)
        np.testing.assert_allclose(found.inputs["functionals"][own].numpy()[outside], bound[outside], atol=1e-6)


def test_only_log_mels_go_by_the_utterance(small) -> None:
    _, store = small
    how = TrainConfig(standardisation="utterance")
    found = fold_statistics(store, [0, 1, 2], KINDS, how=how)
    assert isinstance(found["short"], OwnMoments)
    expected = training_statistics(store, [0, 1, 2], ["functionals"])["functionals"]
    np.testing.assert_array_equal(found["functionals"].mean, expected.mean)
    loaded = standardised(store, how)
    frames = store.segments(9, 30).reshape(-1, 40).astype("f8")
    expected = (store.segments(9, 30) - frames.mean(0)) / frames.std(0)
    np.testing.assert_allclose(segments_of(loaded, 9), expected, atol=1e-5)


@pytest.mark.parametrize("how", ["utterance", "speaker", "speaker-rank"])
def test_a_window_of_a_stream_is_standardised_like_the_whole(small, how: str) -> None:
    _, store = small
    found = fold_statistics(store, [0, 1, 2], KINDS, how=TrainConfig(standardisation=how))
    stored = Stored(store, np.arange(len(store))[::-1].copy(), KINDS, found)
    whole = stored.load()
    for places in (np.array([20, 3, 4]), np.array([7])):
        part = stored.load(places)
        for place, i in enumerate(places.tolist()):
            np.testing.assert_array_equal(segments_of(part, place), segments_of(whole, i))
            np.testing.assert_array_equal(part.inputs["functionals"][place], whole.inputs["functionals"][i])


@pytest.mark.parametrize("how", ["train", "speaker", "speaker-rank"])
def test_computed_once_and_the_same_from_the_file(small, tmp_path: Path, monkeypatch, how: str) -> None:
    _, store = small
    config = TrainConfig(standardisation=how)
    first = standardised(store, config, folder=tmp_path)
    fresh = standardised(store, config)
    for name in ("training_statistics", "moments_of_groups", "rank_rows"):
        monkeypatch.setattr(statistics, name, None)  # calling it would fail
    again = standardised(store, config, folder=tmp_path)
    for other in (fresh, again):
        np.testing.assert_array_equal(first.inputs["short"], other.inputs["short"])
        np.testing.assert_array_equal(first.inputs["functionals"], other.inputs["functionals"])
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json", ".npy", ".npy"]
    with pytest.raises(TypeError, match="not callable"):  # other training utterances, other ways: other statistics
        fold_statistics(store, [0, 1], ["short"], how=TrainConfig(), folder=tmp_path)
    with pytest.raises(TypeError, match="not callable"):
        fold_statistics(store, [], ["short"], how=TrainConfig(standardisation="speaker", enrol=2), folder=tmp_path)


def test_a_damaged_file_is_computed_again(small, tmp_path: Path) -> None:
    _, store = small
    how = TrainConfig()
    before = fold_statistics(store, [0, 1], ["short"], how=how, folder=tmp_path)["short"]
    (array,) = tmp_path.glob("*.npy")
    (about,) = tmp_path.glob("*.json")
    whole = array.read_bytes()
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    for name, data in (
        (array, whole[:200]),
        (array, flipped),
        (array, b""),
        (array, b"\x80\x04N."),  # a pickle
        (about, b"[]"),
        (about, b"{"),
        (about, json.dumps(json.loads(about.read_text()) | {"origin": "another"}).encode()),
    ):
        name.write_bytes(data)
        after = fold_statistics(store, [0, 1], ["short"], how=how, folder=tmp_path)["short"]
        assert isinstance(after, Moments)
        np.testing.assert_array_equal(before.mean, after.mean)
        np.testing.assert_array_equal(before.std, after.std)
        assert array.read_bytes() == whole
    assert len(list(tmp_path.iterdir())) == 2


def test_first_utterances_by_id() -> None:
    found = Speakers.of(["c", "a", "d", "b"], ["x", "y", "x", "x"], enrol=2)
    assert found.numbers.tolist() == [0, 1, 0, 0]
    assert [rows.tolist() for rows in found.enrolled] == [[3, 0], [1]]
    assert [rows.tolist() for rows in Speakers.of(["b", "a"], ["x", "x"]).enrolled] == [[1, 0]]


def test_an_utterance_without_a_speaker_is_named() -> None:
    with pytest.raises(TrainError, match=r"2 utterances have no speaker, such as 'b'; .* standardisation = \"train\""):
        check_speakers(["a", "b", "c"], ["x", "", ""])
    check_speakers(["a"], ["x"])


def test_speakers_of_few_utterances_are_counted() -> None:
    speakers = ["a"] * 12 + ["b"] * 9 + ["c"] * 3
    assert few_utterances(["a"] * 10) == []
    assert few_utterances(speakers)[0].startswith("statistics of 2 of 3 speakers come from fewer than 10 utterances")
    assert "(the fewest: 3)" in few_utterances(speakers)[0]
    assert "statistics of 3 of 3" in few_utterances(speakers, enrol=5)[0]
    assert "(the fewest: 2)" in few_utterances(speakers, enrol=2)[0]
    assert few_utterances(["a"] * 12, enrol=11) == []


def test_impossible_settings_are_refused() -> None:
    from serprep.errors import RecipeError

    with pytest.raises(RecipeError, match="standardisation is 'session'; expected one of train, utterance, speaker"):
        TrainConfig(standardisation="session")
    for values in (
        {"enrol": 3},
        {"enrol": 3, "standardisation": "utterance"},
    ):
        with pytest.raises(RecipeError, match="expected 1 or more with speaker or speaker-rank"):
            TrainConfig(**values)
    with pytest.raises(RecipeError, match="enrol is -1; expected 0 to"):
        TrainConfig(enrol=-1, standardisation="speaker")
    assert dataclasses.asdict(TrainConfig())["standardisation"] == "train"
