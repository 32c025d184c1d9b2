"""Every kind of damage is found, named, and never a traceback."""

import contextlib
import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.inline import Inline
from serprep.errors import SerprepError, StoreError
from serprep.features.functionals import library_digest
from serprep.pipeline.build import build
from serprep.recipe import Recipe, recipe_from
from serprep.store import zarr_store
from serprep.store.container import DAMAGE
from serprep.store.store import Store, open_store
from serprep.store.verify import container_problems, verify
from serprep.testing import write_synthetic_corpus


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("verify")
    write_synthetic_corpus(folder / "corpus", n_speakers=2, n_texts=2)
    return folder


def recipe(project: Path, container: str = "zarr", engine: str = "native") -> Recipe:
    values = {
        "dataset": {"path": "stores"},
        "corpus": {"reader": "pattern", "root": "corpus", "pattern": "{emotion}/{speaker}_{text}_{take}.wav"},
        "store": {"format": container},
        "features": {"functionals": {"engine": engine}},
    }
    return recipe_from(values, folder=project, name="verify")


@pytest.fixture(scope="module")
def whole(project) -> dict[str, Path]:
    return {name: Path(build(recipe(project, name), pool=Inline()).store) for name in ("zarr", "hdf5")}


@pytest.fixture(scope="module")
def by_opensmile(project) -> Path:
    return Path(build(recipe(project, engine="opensmile"), pool=Inline()).store)


@pytest.fixture(params=["zarr", "hdf5"])
def store(request, whole, tmp_path) -> Path:
    """A writable copy of a whole store."""
    return writable(whole[request.param], tmp_path)


def writable(source: Path, tmp_path: Path) -> Path:
    copy = tmp_path / source.name
    shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return copy


def files_of(store: Path) -> list[Path]:
    return [store] if store.is_file() else sorted(path for path in store.rglob("*") if path.is_file())


def flip(path: Path, place: int) -> bytes:
    """Flip one bit; returns what was there."""
    data = path.read_bytes()
    path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
    return data


def test_a_whole_store_has_no_problems(store) -> None:
    found = verify(str(store))
    assert found.ok
    assert found.problems == ()
    assert found.n_files == len(files_of(store))


def test_every_flipped_bit_is_found(store) -> None:
    rng = random.Random(store.suffix)
    for _ in range(60):
        path = rng.choice(files_of(store))
        before = flip(path, rng.randrange(path.stat().st_size))
        assert not verify(str(store)).ok, path
        path.write_bytes(before)
    assert verify(str(store)).ok


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.999])
def test_every_cut_file_is_found(store, fraction) -> None:
    for path in files_of(store):
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * fraction)])
        assert not verify(str(store)).ok, path
        path.write_bytes(data)


def test_a_pipe_in_place_of_a_file_is_damage_and_is_not_waited_for(store) -> None:
    for path in files_of(store):
        data = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        assert not verify(str(store)).ok, path
        with contextlib.suppress(SerprepError, *DAMAGE):
            damaged = Store(str(store), complete=False)
            damaged.read("functionals", slice(None))
            damaged.read("logmel", slice(None))
        path.unlink()
        path.write_bytes(data)


def test_deleted_added_and_swapped_files_are_found_by_name(store) -> None:
    if store.is_file():
        pytest.skip("an HDF5 store is one file")
    (store / "logmel" / "30" / "notes.txt").write_text("mine")
    first, second = (store / "logmel" / name / "offsets" / "c" / "0" for name in ("30", "50"))
    swapped = first.read_bytes(), second.read_bytes()
    first.write_bytes(swapped[1])
    second.write_bytes(swapped[0])
    (store / "functionals" / "keys" / "c" / "0" / "0").unlink()
    found = {(problem.kind, problem.place) for problem in container_problems(str(store)).problems}
    assert found == {
        ("extra file", "logmel/30/notes.txt"),
        ("damaged file", "logmel/30/offsets/c/0"),
        ("damaged file", "logmel/50/offsets/c/0"),
        ("missing file", "functionals/keys/c/0/0"),
    }


def test_the_utterances_that_damage_touches_are_named(whole, tmp_path) -> None:
    """One chunk of functionals holds 32 rows; all 16 utterances lie in it, and in no other."""
    store = tmp_path / whole["zarr"].name
    shutil.copytree(whole["zarr"], store)
    shard = store / "functionals" / "compare_2016" / "c" / "0" / "0"
    shard.chmod(0o644)
    flip(shard, 1000)
    (problem,) = [p for p in verify(str(store)).problems if p.kind == "damaged file"]
    assert problem.place == "functionals/compare_2016/c/0/0"
    assert list(problem.utterances) == open_store(whole["zarr"]).ids


def reseal(store: Path) -> None:
    """Make the digests right again, as somebody who edits a store would."""
    attributes = json.loads((store / "zarr.json").read_bytes())["attributes"]
    zarr_store.seal(store, {name: value for name, value in attributes.items() if name not in ("files", "seal")})


@pytest.mark.parametrize(
    ("array", "change", "place"),
    [
        ("utterances/emotion", lambda values: values[::-1], "utterances"),
        ("utterances/id", lambda values: np.where(values == values[1], values[0], values), "utterances/id"),
        ("logmel/30/offsets", lambda values: values + (np.arange(len(values)) == 3), "logmel/30/offsets"),
        ("logmel/50/keys", lambda values: values[::-1], "logmel"),
        ("functionals/compare_2016", lambda values: values * np.nan, "functionals/compare_2016"),
    ],
)
def test_content_that_does_not_agree_is_found_under_a_right_seal(whole, tmp_path, array, change, place) -> None:
    store = writable(whole["zarr"], tmp_path)
    values = zarr_store.open_array(str(store), array)[:]
    zarr_store.write_rows(str(store), array, 0, change(values))
    reseal(store)
    assert container_problems(str(store)).problems == ()
    assert place in {problem.place for problem in verify(str(store)).problems}


def test_a_version_that_the_content_does_not_have_is_found(whole, tmp_path) -> None:
    store = tmp_path / whole["zarr"].name
    shutil.copytree(whole["zarr"], store)
    for path in (store, store / "zarr.json"):
        path.chmod(0o755)
    attributes = json.loads((store / "zarr.json").read_bytes())["attributes"]
    del attributes["files"], attributes["seal"]
    zarr_store.seal(store, {**attributes, "version": "0" * 64})
    assert any("the content has version" in problem.message for problem in verify(str(store)).problems)


def test_recordings_that_changed_are_found_and_named(store, project, tmp_path) -> None:
    assert verify(str(store), against_audio=project / "corpus").ok
    copy = tmp_path / "corpus"
    shutil.copytree(project / "corpus", copy)
    (copy / "sad" / "synth01_t01_1.wav").unlink()
    samples, rate = soundfile.read(copy / "sad" / "synth01_t02_1.wav")
    soundfile.write(copy / "sad" / "synth01_t02_1.wav", samples * 0.5, rate)
    found = verify(str(store), against_audio=copy)
    assert [(p.kind, p.place) for p in found.problems] == [
        ("audio", "sad/synth01_t01_1"),
        ("audio", "sad/synth01_t02_1"),
    ]
    assert found.n_recomputed == 16
    assert verify(str(store), against_audio=copy, sample=1, seed=0).n_recomputed == 1


def test_features_that_are_not_the_recordings_are_found(whole, project, tmp_path) -> None:
    """One bit of one value, under a right seal: only the recordings can tell."""
    store = tmp_path / whole["zarr"].name
    shutil.copytree(whole["zarr"], store)
    for path in [store, *store.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    name = "logmel/50/segments"
    values = zarr_store.open_array(str(store), name)[:]
    values.view("u4")[0, 7, 3] ^= 1
    zarr_store.write_rows(str(store), name, 0, values)
    reseal(store)
    assert verify(str(store)).ok
    (problem,) = verify(str(store), against_audio=project / "corpus").problems
    n = open_store(store).segments(0, 50).size
    assert problem.message == f"recomputed values differ in logmel/50/segments (1 of {n} numbers)"
    assert problem.utterances == (open_store(store).ids[0],)


def test_native_functionals_are_compared_with_those_of_opensmile(whole, project, tmp_path) -> None:
    pytest.importorskip("opensmile", reason="openSMILE is not installed")
    found = verify(str(whole["zarr"]), against_audio=project / "corpus", by_opensmile=True, sample=3)
    assert (found.problems, found.n_recomputed) == ((), 3)
    store = tmp_path / whole["zarr"].name
    shutil.copytree(whole["zarr"], store)
    for path in [store, *store.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    name = "functionals/compare_2016"
    values = zarr_store.open_array(str(store), name)[:]
    values[1, 5:7] += 1
    zarr_store.write_rows(str(store), name, 0, values)
    reseal(store)
    (problem,) = verify(str(store), against_audio=project / "corpus", by_opensmile=True).problems
    assert problem.message == "recomputed values differ in functionals/compare_2016 (2 of 6373 numbers)"
    assert problem.utterances == (open_store(store).ids[1],)


def test_a_store_of_nothing_that_opensmile_computes_is_not_compared_with_it(tmp_path) -> None:
    sample = Path(__file__).parents[1] / "data" / "format1" / "store.zarr"
    with pytest.raises(StoreError, match=r"store.zarr: it holds nothing that openSMILE computes too, such as"):
        verify(str(sample), against_audio=tmp_path, by_opensmile=True)


def test_nothing_there_is_an_error(tmp_path) -> None:
    with pytest.raises(StoreError, match="no store there"):
        verify(str(tmp_path / "absent.zarr"))


def test_the_command_says_what_is_wrong_and_ends_with_1(serprep, store) -> None:
    fine = serprep("verify", store, "--json")
    assert (fine.returncode, json.loads(fine.stdout)["ok"]) == (0, True)
    flip(files_of(store)[-1], 600 if store.is_file() else 0)
    damaged = serprep("verify", store, "--json")
    assert (damaged.returncode, json.loads(damaged.stdout)["ok"]) == (1, False)
    assert "Traceback" not in damaged.stderr


def test_recordings_that_are_not_there_are_no_damage(store, project, tmp_path) -> None:
    copy = tmp_path / "corpus"
    shutil.copytree(project / "corpus", copy)
    (copy / "sad" / "synth01_t01_1.wav").unlink()
    found = verify(str(store), against_audio=copy)
    assert found.whole and not found.ok and [problem.recording for problem in found.problems] == [True]
    with pytest.raises(StoreError, match="nowhere: no such folder"):
        verify(str(store), against_audio=tmp_path / "nowhere")


def without_opensmile(monkeypatch) -> None:
    monkeypatch.setattr("serprep.features.functionals.find_spec", lambda name: None)
    library_digest.cache_clear()


def test_a_package_that_is_not_here_is_no_damage_and_the_rest_is_compared(
    by_opensmile, project, serprep, monkeypatch
) -> None:
    without_opensmile(monkeypatch)
    asked = ("verify", by_opensmile, "--against-audio", project / "corpus")
    found = serprep(*asked)
    assert found.returncode == 4, found.stdout + found.stderr
    assert "not checked: functionals: the package opensmile is not installed" in found.stdout
    assert "16 utterances recomputed, 1 problems" in found.stdout and "DAMAGED" not in found.stdout
    assert found.stdout.endswith("could not be checked here: functionals\n")
    about = json.loads(serprep(*asked, "--json").stdout)
    assert (about["ok"], about["whole"]) == (False, True)


def test_damage_beside_a_package_that_is_not_here_is_found(
    by_opensmile, project, tmp_path, monkeypatch, serprep
) -> None:
    """One bit of the log-mels, under a right seal: they can be computed without openSMILE."""
    without_opensmile(monkeypatch)
    store = writable(by_opensmile, tmp_path)
    values = zarr_store.open_array(str(store), "logmel/50/segments")[:]
    values.view("u4")[0, 7, 3] ^= 1
    zarr_store.write_rows(str(store), "logmel/50/segments", 0, values)
    reseal(store)
    found = serprep("verify", store, "--against-audio", project / "corpus")
    assert found.returncode == 1 and "recomputed values differ in logmel/50/segments" in found.stdout
    assert "DAMAGED" in found.stdout and "could not be checked here: functionals" in found.stdout


def test_a_machine_that_fails_while_it_computes_is_no_damage(store, project, monkeypatch) -> None:
    def fails(samples, **options):
        raise SerprepError("the GPU has no memory left")

    monkeypatch.setattr("serprep.features.functionals.functionals", fails)
    found = verify(str(store), against_audio=project / "corpus", sample=2)
    assert found.whole and not found.ok
    assert {(one.kind, one.message) for one in found.problems} == {("not checked", "the GPU has no memory left")}
