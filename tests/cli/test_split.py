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
