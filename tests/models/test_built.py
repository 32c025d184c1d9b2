"""The store of a recipe is found, and never built on the way."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from serprep.errors import StoreError
from serprep_models.built import find_built

RECIPE = """
[dataset]
path = "{path}"
[corpus]
reader = "pattern"
root = "{root}"
pattern = "{{emotion}}/{{speaker}}_{{text}}_{{take}}.wav"
[train]
systems = ["majority"]
"""


def test_the_store_of_a_recipe_is_found(small) -> None:
    recipe, store = small
    built, found = find_built(recipe, name="r.toml")
    assert found.path == store.path and built.version == store.version
    assert (built.n_utterances, built.computed, built.quarantined) == (len(store), 0, 0)


def test_what_is_asked_for_now_must_be_what_it_holds(small, tmp_path) -> None:
    recipe, _ = small
    other = dataclasses.replace(recipe.corpus, emotions={"sad": "sad", "angry": "angry"})
    with pytest.raises(StoreError, match=r"r\.toml: no store in .* holds what the recipe asks for now .*`serprep run"):
        find_built(dataclasses.replace(recipe, corpus=other), name="r.toml")
    shutil.copytree(recipe.root, tmp_path / "corpus")
    new = next((tmp_path / "corpus" / "sad").glob("*.wav"))
    new.rename(new.with_name("synth01_t77_1.wav"))
    moved = dataclasses.replace(recipe.corpus, root=str(tmp_path / "corpus"))
    with pytest.raises(StoreError, match="holds what the recipe asks for now"):
        find_built(dataclasses.replace(recipe, corpus=moved), name="r.toml")


def test_what_its_build_quarantined_may_be_absent(small) -> None:
    recipe, store = small
    path = Path(store.path.removesuffix(".zarr") + ".build.json")
    whole = path.read_text(encoding="utf-8")
    extra = recipe.root / "sad" / "synth01_t99_1.wav"
    extra.write_bytes(b"no sound")
    try:
        with pytest.raises(StoreError, match="holds what the recipe asks for now"):
            find_built(recipe, name="r.toml")
        entry = {"id": "sad/synth01_t99_1", "path": "sad/synth01_t99_1.wav", "reason": "not a recording"}
        path.write_text(json.dumps(json.loads(whole) | {"quarantined": [entry]}), encoding="utf-8")
        built, _ = find_built(recipe, name="r.toml")
        assert [one.reason for one in built.reasons] == ["not a recording"]
    finally:
        extra.unlink()
        path.write_text(whole, encoding="utf-8")


@pytest.mark.parametrize("words", [("report",), ("compare", "other.toml")])
def test_report_and_compare_build_nothing(small, tmp_path, serprep, words) -> None:
    recipe, _ = small
    for name in ("recipe.toml", "other.toml"):
        (tmp_path / name).write_text(RECIPE.format(path=tmp_path / "data", root=recipe.root), encoding="utf-8")
    done = serprep(words[0], *words[1:], "recipe.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "yet; run `serprep run" in done.stderr
    assert not (tmp_path / "data").exists()
