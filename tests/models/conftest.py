"""What every test of the models shares."""

import pytest

from helpers.inline import Inline

TOML = """
[dataset]
path = "data"
[corpus]
reader = "table"
root = "corpus"
file = "labels.csv"
[features.functionals]
enabled = false
[features.egemaps]
[split]
protocol = "group-k-fold"
folds = 2
[train]
systems = ["linear", "majority"]
seeds = [0]
[train.linear]
features = ["egemaps"]
"""


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Small systems: a second thread only gets in the way."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A recipe that was run, its recordings, and its bundle."""
    from serprep.recipe import read_recipe
    from serprep.testing import write_synthetic_corpus
    from serprep_models.bundle import bundle
    from serprep_models.run import run_recipe

    folder = tmp_path_factory.mktemp("reproduce")
    write_synthetic_corpus(folder / "corpus", n_speakers=4, n_texts=1)
    paths = sorted((folder / "corpus").rglob("*.wav"))
    rows = [f"{p.stem}-{p.parent.name},{p.parent.name}/{p.name},{p.stem.split('_')[0]},{p.parent.name}" for p in paths]
    (folder / "corpus" / "labels.csv").write_text("\n".join(["id,path,speaker,emotion", *rows]) + "\n")
    (folder / "recipe.toml").write_text(TOML)
    run_recipe(read_recipe(folder / "recipe.toml"), pool=Inline(), page=False)
    bundle(folder / "recipe.toml", folder / "results.zip")
    return folder


@pytest.fixture(scope="session")
def outcome(small, pool):
    """What the experiments of the small store's recipe gave, all of them."""
    from serprep_models.experiments import run_experiments

    recipe, store = small
    return run_experiments(recipe, store, pool=pool)
