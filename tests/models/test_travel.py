"""Workers that see no folder of the client's train the same systems, through the data set's URL."""

import contextlib
import dataclasses
from pathlib import Path

import fsspec
import pytest

from helpers.inline import Inline
from serprep.files import write_whole
from serprep.place.place import at
from serprep_models import experiment, train, travel
from serprep_models.experiments import run_experiments
from serprep_models.travel import Away, Travel

SOME = {"systems": ("plain-crnn", "majority"), "folds": ["1"]}


class Elsewhere(Inline):
    """Workers of somebody's scheduler, which open nothing below the client's folder but the store."""

    scheduler = "tcp://lab:8786"


@pytest.fixture
def away(small, tmp_path):
    """The small recipe with its data set at a URL; what is not there lies beside the recipe."""
    recipe, _ = small
    url = f"memory://{tmp_path.name}/set"
    dataset = dataclasses.replace(recipe.dataset, path=url)
    yield dataclasses.replace(recipe, dataset=dataset, folder=tmp_path)
    travel._own_folder.cache_clear()
    with contextlib.suppress(FileNotFoundError):
        fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


def bytes_below(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.name in ("weights.safetensors", "predictions.csv")
    }


def test_the_same_weights_as_at_home_and_nothing_is_run_twice(small, trained, away):
    _, store = small
    workers = Elsewhere()
    outcome = run_experiments(away, store, pool=workers, **SOME)
    assert outcome.folder.is_relative_to(away.folder) and set(workers.functions) == {""}, "tasks, not plain functions"
    name = "plain-crnn/fold-01/seed-0"
    assert bytes_below(outcome.folder / name) == bytes_below(trained / name) != {}
    place = at(f"{away.dataset_path}/experiments/{outcome.folder.name}")
    assert {"split.json", f"{name}/result.json", f"{name}/weights.safetensors"} <= place.files()
    assert any(file.startswith("statistics/") for file in place.files())
    assert not [file for file in place.files() if file.endswith(train.STATE)]
    elsewhere = dataclasses.replace(away, folder=away.folder / "another client")
    again = Elsewhere()
    taken = run_experiments(elsewhere, store, pool=again, **SOME)
    assert again.functions == [] and taken.n_kept == 2 and taken.summary == outcome.summary


def test_a_worker_goes_on_where_a_killed_one_was(small, trained, away, monkeypatch):
    recipe, store = small
    folder = away.folder / "experiments" / "x"
    there = Travel(str(folder), f"{away.dataset_path}/experiments/x")
    name = "plain-crnn/fold-01/seed-0"
    asked = experiment.Experiment(
        folder=str(folder / name),
        store=store.path,
        split=str(folder / "split.json"),
        system="plain-crnn",
        fold=0,
        seed=0,
        how=recipe.train,
    )
    folder.mkdir(parents=True)
    (folder / "split.json").write_bytes((trained / "split.json").read_bytes())
    there.send_split()
    seen = []

    def killed(own):
        state = Path(own.folder) / train.STATE
        write_whole(state, b"half way")  # as a training does: it is looked at meanwhile
        while train.STATE not in "".join(at(there.url).files()):
            pass
        raise KeyboardInterrupt("now")

    def goes_on(own):
        seen.append((Path(own.folder) / train.STATE).read_bytes())
        (Path(own.folder) / train.STATE).unlink()
        (Path(own.folder) / "result.json").write_text("{}")

    monkeypatch.setattr(travel, "EVERY", 0.0)
    with pytest.raises(KeyboardInterrupt, match="now"):
        Away(killed, there)(asked)
    travel._own_folder.cache_clear()  # another process
    Away(goes_on, there)(asked)
    assert seen == [b"half way"]
    assert {file for file in at(there.url).files() if name in file} == {f"{name}/result.json"}


def test_workers_of_this_machine_see_its_folders(away):
    assert Travel.of(Path("x"), away.dataset_path, pool=Inline()).url == ""
    assert Travel.of(Path("x"), str(away.folder), pool=Elsewhere()).url == ""
    assert Travel.of(Path("x"), away.dataset_path, pool=Elsewhere()).url == f"{away.dataset_path}/experiments/x"
