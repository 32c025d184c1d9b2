"""What ``serprep verify`` compares a store with: its recordings, openSMILE, sources that a recipe names."""

import numpy as np
import pytest
import soundfile

RECIPE = """
[corpus]
reader = "pattern"
root = "audio"
pattern = "{speaker}_{emotion}.wav"
[features.logmel]
enabled = false
[features.functionals]
enabled = false
[features.signal]
[features.imported]
path = "arrays.npz"
"""


def test_imported_arrays_are_compared_with_the_source_that_a_recipe_names(serprep, tmp_path):
    (tmp_path / "audio").mkdir()
    rng = np.random.default_rng(0)
    for name in ("anna_sad", "bob_angry"):
        soundfile.write(tmp_path / f"audio/{name}.wav", 0.1 * rng.normal(size=1000), 16_000)
    np.savez(tmp_path / "arrays.npz", anna_sad=np.ones(3), bob_angry=np.zeros(3))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    assert serprep("build", "recipe.toml", "--workers", "1", cwd=tmp_path).returncode == 0
    store = next((tmp_path / "stores/recipe/versions").glob("*.zarr"))
    asked = ("verify", store, "--against-audio", tmp_path / "audio")
    alone = serprep(*asked)
    assert alone.returncode == 4 and "serprep verify --recipe FILE" in alone.stdout and "whole:" in alone.stdout
    assert "0 utterances recomputed" not in alone.stdout  # the samples are
    both = serprep(*asked, "--recipe", tmp_path / "recipe.toml")
    assert both.returncode == 0 and "2 utterances recomputed, 0 problems" in both.stdout, both.stdout + both.stderr


def test_a_sample_is_compared_with_opensmile(serprep, tmp_path):
    pytest.importorskip("opensmile", reason="openSMILE is not installed")
    (tmp_path / "audio").mkdir()
    soundfile.write(tmp_path / "audio/anna_sad.wav", 0.1 * np.random.default_rng(0).normal(size=1000), 16_000)
    recipe = RECIPE.replace("functionals]\nenabled = false", "functionals]").partition("[features.signal]")[0]
    (tmp_path / "recipe.toml").write_text(recipe)
    assert serprep("build", "recipe.toml", "--workers", "1", cwd=tmp_path).returncode == 0
    store = next((tmp_path / "stores/recipe/versions").glob("*.zarr"))
    same = serprep("verify", store, "--against-opensmile", tmp_path / "audio")
    assert same.returncode == 0 and "1 utterances recomputed, 0 problems" in same.stdout, same.stdout + same.stderr
    both = serprep("verify", store, "--against-opensmile", tmp_path, "--against-audio", tmp_path)
    assert both.returncode == 2 and "ask one at a time" in both.stderr
