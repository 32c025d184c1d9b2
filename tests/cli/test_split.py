import json


def test_nothing_is_written_into_a_store(serprep, two_versions):
    data, first, _ = two_versions
    store = data / "versions" / f"{first}.zarr"
    manifest = data.parent / "m.csv"
    manifest.write_text("id,path,speaker\na,a.wav,s1\nb,b.wav,s2\n")
    before = sorted(store.rglob("*"))
    found = serprep("split", manifest, "-o", store / "split.json")
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == (
        f"Error: {store}/split.json: it lies in the store {store}, and a store never changes; name another place\n"
    )
    assert sorted(store.rglob("*")) == before


def test_one_of_several_test_sets_and_some_emotions(serprep, tmp_path):
    manifest = tmp_path / "m.csv"
    sets = ("Train", "Development", "Test1", "Test2")
    lines = [f"{e}{s},{e}{s}.wav,s{s},{e},{s}" for s in sets for e in "AHN"]
    manifest.write_text("id,path,speaker,emotion,partition\n" + "\n".join(lines) + "\n")
    asked = ("split", manifest, "-o", tmp_path / "split.json", "--protocol", "fixed")
    found = serprep(*asked)
    assert (found.returncode, found.stderr) == (
        1,
        "Error: column 'partition' holds 2 test sets, Test1, Test2; choose one, such as test = 'Test1'\n",
    )
    found = serprep(*asked, "--test", "test2", "--emotion", "A", "--emotion", "N")
    assert found.returncode == 0
    assert "4 utterances dropped: emotion 'H' not named" in found.stderr
    assert "2 utterances are left out: Test1 2" in found.stderr
    roles = {
        name: row["roles"] for name, row in json.loads((tmp_path / "split.json").read_text())["utterances"].items()
    }
    assert roles == {e + s: [r] for s, r in zip(sets, ("train", "dev", "", "test"), strict=True) for e in "AN"}


def test_a_class_of_one_speaker_is_one_line(serprep, tmp_path):
    manifest = tmp_path / "m.csv"
    manifest.write_text("id,path,speaker,emotion\na,a.wav,s1,x\nb,b.wav,s2,x\nc,c.wav,s2,y\n")
    found = serprep("split", manifest, "-o", tmp_path / "split.json")
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == (
        "Error: emotion 'y' occurs in one speaker only, 's2' (1 utterances), so it cannot be both trained and tested; "
        "leave it out or merge it\n"
    )
    assert not (tmp_path / "split.json").exists()


def test_folds_are_by_speaker(listed, tmp_path, serprep) -> None:
    split = json.loads(serprep("split", listed[0], "-o", tmp_path / "split.json", "--json").stdout)
    assert [fold["test_groups"] for fold in split["folds"]] == ["synth01", "synth02"]
