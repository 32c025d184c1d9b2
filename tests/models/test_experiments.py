"""A recipe's experiments: complete, kept, bound to what they depend on, free of leaks."""

import dataclasses
import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from safetensors.numpy import load_file

import serprep_models
from serprep._json import canonical_json
from serprep.errors import SplitError
from serprep.split import SplitConfig, make_split, write_split
from serprep.version import build_digest
from serprep_models import experiment, tasks, train
from serprep_models.experiments import run_experiments
from serprep_models.predict_store import predict_store
from serprep_models.report import report_outcome, report_store
from serprep_models.run import run_recipe
from serprep_models.standardise import training_statistics
from serprep_models.systems import svm
from serprep_models.systems.svm import compare_svm


def test_every_system_fold_and_seed_is_there(outcome) -> None:
    assert {entry.system for entry in outcome.results} == {
        "plain-crnn",
        "multi-crnn",
        "hsf-crnn",
        "compare-svm",
        "majority",
    }
    assert len(outcome.results) == 5 * 2
    assert all(entry.n_test == 16 for entry in outcome.results)


def test_finished_experiments_are_kept_and_not_run_again(outcome, small, pool) -> None:
    recipe, store = small
    before = {path: path.stat().st_mtime_ns for path in outcome.folder.rglob("result.json")}
    again = run_experiments(recipe, store, pool=pool)
    assert again.n_kept == 10
    assert {path: path.stat().st_mtime_ns for path in again.folder.rglob("result.json")} == before
    assert again.summary == outcome.summary


def test_another_configuration_goes_elsewhere(outcome, small, pool) -> None:
    recipe, store = small
    other = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, epochs=1, systems=("majority",)))
    assert run_experiments(other, store, pool=pool).folder != outcome.folder


def test_statistics_in_the_checkpoint_are_the_training_parts(outcome, small) -> None:
    _, store = small
    about = json.loads((outcome.folder / "hsf-crnn" / "fold-01" / "seed-0" / "checkpoint.json").read_bytes())
    ids = outcome.split.ids(0, "train")
    rows = [store.ids.index(name) for name in ids]
    expected = training_statistics(store, rows, ("short", "functionals"))
    for kind, moments in expected.items():
        np.testing.assert_array_equal(about["statistics"][kind]["mean"], moments.mean)
        np.testing.assert_array_equal(about["statistics"][kind]["std"], moments.std)


def test_a_checkpoint_is_safetensors_and_json(outcome) -> None:
    weights = load_file(outcome.folder / "plain-crnn" / "fold-01" / "seed-0" / "weights.safetensors")
    assert sum(value.size for value in weights.values()) == 190_300


def test_a_split_with_a_speaker_on_both_sides_is_refused(small, pool, tmp_path) -> None:
    recipe, store = small
    leaking = write_split(make_split(store.manifest(), SplitConfig(group="text")), tmp_path / "split.json")
    other = dataclasses.replace(recipe, split=SplitConfig(protocol="list", file=str(leaking)))
    with pytest.raises(SplitError, match="4 speakers are on both sides"):
        run_experiments(other, store, pool=pool)


def test_a_store_alone_has_a_page(small, tmp_path) -> None:
    _, store = small
    text = report_store(store.path, path=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "synth01" in text
    assert "http" not in text.replace("http-equiv", "")


def test_real_recordings_from_folder_to_score(corpora, pool, tmp_path) -> None:
    """manifest → build → split → one short training on real RAVDESS files of four actors."""
    from serprep.recipe import recipe_from

    folder = tmp_path / "ravdess"
    for actor in ("Actor_01", "Actor_02", "Actor_03", "Actor_04"):
        (folder / actor).mkdir(parents=True)
        for path in (corpora / "ravdess" / actor).glob("03-01-0[45]-*"):  # sad and angry
            (folder / actor / path.name).symlink_to(path)
    values = {
        "dataset": {"path": "stores"},
        "corpus": {"reader": "ravdess", "root": "ravdess"},
        "train": {"systems": ["plain-crnn", "compare-svm"], "seeds": [0], "epochs": 2},
    }
    built, outcome, page = run_recipe(recipe_from(values, folder=tmp_path, name="real"), pool=pool)
    assert built.n_utterances == 4 * 16
    assert outcome.split.folds == ("01", "02", "03", "04")
    svm = next(row for row in outcome.summary if row.system == "compare-svm")
    assert svm.ua > 0.6  # two very different emotions: far above chance, or something is broken
    assert page.is_file()


def test_a_part_of_the_experiments_does_not_pass_for_the_whole(outcome, small, pool) -> None:
    recipe, store = small
    part = run_experiments(recipe, store, pool=pool, systems=["plain-crnn", "majority"], folds=["1"])
    expected = "a part of the experiments, not to be compared with others: plain-crnn has 1 of 2, majority has 1 of 2"
    assert part.partial == expected and expected in part.notes
    text = report_outcome(recipe, part, built=None, path=part.folder / "part.html").read_text(encoding="utf-8")
    assert expected in text and "Best:" not in text
    assert outcome.partial == "" and not any("a part of the experiments" in note for note in outcome.notes)


LAYERS = {"layers": [32], "batch_norm": True, "activation": "relu", "dropout": 0.2, "auxiliary_heads": True}


def test_a_system_with_an_svm_is_the_mean_of_both_and_predicts_as_it_was_scored(small, pool) -> None:
    recipe, store = small
    alone = dataclasses.replace(recipe.train, mixup=0.2, drop_segments=0.1, options={"hsf-crnn": LAYERS})
    how = dataclasses.replace(alone, options={"hsf-crnn": {**LAYERS, "svm_share": 0.3}})
    found = {}
    for name, train_config, system in (
        ("both", how, "hsf-crnn"),
        ("alone", alone, "hsf-crnn"),
        ("svm", alone, "compare-svm"),
    ):
        one = dataclasses.replace(recipe, train=train_config)
        outcome = run_experiments(one, store, pool=pool, systems=[system], folds=["1"])
        place = outcome.folder / system / "fold-01" / "seed-0"
        found[name] = experiment.read_predictions(place / "predictions.csv").filter(like="p_").to_numpy()
        if name == "both":
            folder, ids = place, experiment.read_predictions(place / "predictions.csv")["id"]
    np.testing.assert_allclose(found["both"], 0.7 * found["alone"] + 0.3 * found["svm"], atol=1e-6)
    assert np.ptp(found["svm"], axis=1).min() > 0.05  # probabilities that say something
    assert json.loads((folder / "result.json").read_bytes())["svm"]["c"] in (1e-5, 1e-4, 1e-3)
    predicted = predict_store([folder], store)
    rows = [predicted.ids.index(name) for name in ids]
    np.testing.assert_allclose(predicted.probabilities[rows], found["both"], atol=1e-6)


def test_the_svms_choice_of_c_never_sees_the_test_part(small, pool, monkeypatch) -> None:
    """C is chosen among utterances of the training side, and with a development part on that."""
    recipe, store = small
    seen = []
    monkeypatch.setattr(
        svm, "compare_svm", lambda train, **given: seen.append((train, given)) or compare_svm(train, **given)
    )
    for dev_groups, keep in ((0, "best"), (1, "best"), (1, "last")):
        split_config = dataclasses.replace(recipe.split, protocol="leave-one-group-out", dev_groups=dev_groups)
        split = make_split(store.manifest(), split_config)
        path = write_split(split, Path(store.path).parent.parent / f"c-{dev_groups}-{keep}.json")
        own = experiment.Experiment(
            folder=str(path.with_suffix("")),
            store=store.path,
            split=str(path),
            system="compare-svm",
            fold=0,
            seed=0,
            how=dataclasses.replace(recipe.train, keep=keep),
        )
        tasks.run_experiment(own)
        train_part, given = seen[-1]
        test_speakers = {store.speakers[store.ids.index(name)] for name in split.ids(0, "test")}
        assert len(train_part.labels) == len(split.ids(0, "train"))
        assert not test_speakers & set(train_part.speakers)
        assert (given["dev"] is not None) == (dev_groups == 1 and keep == "best")
        if given["dev"] is not None:
            assert len(given["dev"].labels) == len(split.ids(0, "dev"))
            assert not test_speakers & set(given["dev"].speakers)


def test_a_folds_svm_is_fitted_once_for_all_seeds_and_systems(small, inline, monkeypatch) -> None:
    recipe, store = small
    fitted = []

    def counted(train, **given):
        fitted.append(sorted(set(train.speakers)))
        return compare_svm(train, **given)

    monkeypatch.setattr(svm, "compare_svm", counted)
    how = dataclasses.replace(recipe.train, epochs=1, seeds=(0, 1), options={"hsf-crnn": {"svm_share": 0.25}})
    one = dataclasses.replace(recipe, train=how)
    outcome = run_experiments(one, store, pool=inline, systems=["hsf-crnn", "compare-svm"])
    assert len(outcome.results) == 2 * 2 + 2
    assert len(fitted) == 2 and fitted[0] != fitted[1]
    choices = {(entry.fold, json.dumps(entry.json["svm"])) for entry in outcome.results}
    assert len(choices) == 2  # the same for all that took it
    probabilities = outcome.predictions.query("system == 'compare-svm' and fold == '1'").filter(like="p_").to_numpy()
    kept = sorted((outcome.folder / "statistics").glob("svm-*.npy"))
    assert len(kept) == 2
    for path in kept:  # what was damaged is not believed
        path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    own = experiment.Experiment(
        folder=str(outcome.folder / "again"),
        store=store.path,
        split=str(outcome.folder / "split.json"),
        system="compare-svm",
        fold=0,
        seed=0,
        how=how,
        statistics=str(outcome.folder / "statistics"),
    )
    tasks.run_experiment(own)
    assert len(fitted) == 3
    again = experiment.read_predictions(outcome.folder / "again/predictions.csv").filter(like="p_").to_numpy()
    np.testing.assert_array_equal(again, probabilities)


def test_training_can_be_taken_from_another_recipe(small, pool, tmp_path) -> None:
    recipe, _ = small
    path = tmp_path / "other.toml"
    path.write_text('[train]\nsystems = ["majority"]\nseeds = [7]\n', encoding="utf-8")
    _, outcome, _ = run_recipe(recipe, pool=pool, page=False, train_from=path)
    assert {(entry.system, entry.seed) for entry in outcome.results} == {("majority", 7)}


def test_doubtful_labels_lie_beside_the_page(outcome, small, tmp_path) -> None:
    recipe, store = small
    page = report_outcome(recipe, outcome, built=None, path=tmp_path / "page.html").read_text(encoding="utf-8")
    table = pd.read_csv(outcome.folder / "doubtful.csv", keep_default_na=False)
    assert sorted(table["id"]) == sorted(store.ids) and table["margin"].is_monotonic_increasing
    given = dict(zip(store.ids, store.emotions, strict=True))
    paths = dict(zip(store.ids, store.column("path"), strict=True))
    assert [given[name] for name in table["id"]] == list(table["given"])
    assert [paths[name] for name in table["id"]] == list(table["path"])
    assert set(table["systems"]) == {4}  # the majority class has no say
    assert ("Doubtful labels" in page) == bool((table["margin"] < 0).any())


def test_the_page_names_the_libraries_of_the_build_and_the_training(outcome, small, tmp_path) -> None:
    """Not those that write the page."""
    recipe, store = small
    about = Path(store.path.removesuffix(".zarr") + ".build.json")
    libraries = json.loads(about.read_bytes())["libraries"]
    assert libraries["numpy"] == np.__version__ and "torch" not in libraries
    text = report_outcome(recipe, outcome, built=None, path=tmp_path / "page.html").read_text(encoding="utf-8")
    whole = about.read_text(encoding="utf-8")
    other = json.loads(whole.replace(libraries["numpy"], "0.9.7-of-another-machine"))
    del other["sha256"]
    about.write_text(json.dumps({**other, "sha256": build_digest(other)}), encoding="utf-8")
    try:
        again = report_outcome(recipe, outcome, built=None, path=tmp_path / "page.html").read_text(encoding="utf-8")
    finally:
        about.write_text(whole, encoding="utf-8")
    assert "numpy 0.9.7-of-another-machine" not in text and "numpy 0.9.7-of-another-machine" in again
    assert f"torch {version('torch')}" in again


def svm_job(small, folder: Path, **how: object) -> experiment.Experiment:
    recipe, store = small
    split = write_split(make_split(store.manifest(), recipe.split), folder / "split.json")
    own = dataclasses.replace(recipe.train, **how)
    place = folder / "compare-svm" / "fold-01" / "seed-0"
    return experiment.Experiment(
        folder=str(place), store=store.path, split=str(split), system="compare-svm", fold=0, seed=0, how=own
    )


@pytest.mark.parametrize("how", [{}, {"standardisation": "speaker"}])
def test_compare_svm_predicts_what_it_was_scored_by(small, tmp_path, how) -> None:
    _, store = small
    own = svm_job(small, tmp_path, **how)
    tasks.run_experiment(own)
    assert experiment.finished(own) and not experiment.lacks_checkpoint(own)
    scored = experiment.read_predictions(Path(own.folder) / "predictions.csv")
    predicted = predict_store([tmp_path / "compare-svm" / "fold-01" / "seed-0"], store)
    rows = [predicted.ids.index(name) for name in scored["id"]]
    found = np.float32(scored.filter(like="p_").to_numpy())
    np.testing.assert_allclose(predicted.probabilities[rows], found, rtol=0, atol=1e-7)
    assert [predicted.predicted()[row] for row in rows] == list(scored["prediction"])
    if not how:  # the same from the recording
        row = store.ids.index(scored["id"][0])
        signal, rate = soundfile.read(small[0].root / store.column("path")[row])
        chances = serprep_models.load(own.folder).predict(signal, rate)
        np.testing.assert_allclose(list(chances.values()), found[0], rtol=0, atol=1e-6)


def test_compare_svm_of_an_older_serprep_says_what_to_do_and_is_completed(small, pool, serprep) -> None:
    recipe, store = small
    how = dataclasses.replace(recipe.train, systems=("compare-svm", "majority"), epochs=7)
    one = dataclasses.replace(recipe, train=how)
    before = run_experiments(one, store, pool=pool, folds=["1"])
    place = before.folder / "compare-svm" / "fold-01" / "seed-0"
    result = json.loads((place / "result.json").read_bytes())
    for name in ("weights.safetensors", "checkpoint.json"):
        (place / name).unlink()
        del result["files"][name]
    for name in ("device", "feature_bytes", "memory_budget"):
        del result[name]
    write_result(place, result)
    done = serprep("predict", place, store.path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "by an older serprep, which kept no checkpoint; run `serprep train` with the recipe again" in done.stderr
    assert run_experiments(one, store, pool=pool, folds=["1"], only_finished=True).summary == before.summary
    again = run_experiments(one, store, pool=pool, folds=["1"])
    assert again.n_kept == 1 and again.summary == before.summary
    assert predict_store([place], store).labels == store.labels
    majority = serprep("predict", before.folder / "majority", store.path)
    assert "majority keeps no checkpoint, since it says the same" in majority.stderr


def write_result(place: Path, result: dict) -> None:
    """A result as another machine or an older serprep would have written it."""
    own = {name: value for name, value in result.items() if name != "sha256"}
    own["sha256"] = hashlib.sha256(canonical_json(own)).hexdigest()
    (place / "result.json").write_text(json.dumps(own))


def test_what_ran_elsewhere_is_not_taken_in_silence(small, pool) -> None:
    recipe, store = small
    how = dataclasses.replace(recipe.train, epochs=1, systems=("plain-crnn",), learning_rate=2e-3)

    def run(**changes):
        one = dataclasses.replace(recipe, train=dataclasses.replace(how, **changes))
        return run_experiments(one, store, pool=pool, folds=["1"])

    first = run()
    place = first.folder / "plain-crnn" / "fold-01" / "seed-0"
    here = train.device_named("auto").type
    assert (first.results[0].device, first.results[0].memory_budget) == (here, None)
    about = json.loads((place / "checkpoint.json").read_bytes())
    assert (about["device"], about["memory_budget"]) == (here, None)
    assert run(memory_budget=1000).n_kept == 1  # still in memory: the same numbers
    result = json.loads((place / "result.json").read_bytes())
    write_result(place, result | {"device": "tpu"})
    kept = run()
    assert kept.n_kept == 1 and any("results are of a tpu device" in note for note in kept.notes)
    anew = run(device="cpu")
    assert anew.n_kept == 0 and anew.results[0].device == "cpu"
    write_result(place, json.loads((place / "result.json").read_bytes()) | {"feature_bytes": 5 << 20})
    assert run(device="cpu", memory_budget=4).n_kept == 0  # it was in memory, and would be streamed
