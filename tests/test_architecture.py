"""The direction of the path, read from the imports, also those inside functions."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.mirror import mirror_of

ROOT = Path(__file__).parents[1]
FOUNDATIONS = {
    "errors",
    "_json",
    "text",
    "config",
    "columns",
    "utterance",
    "audio",
    "files",
    "forms",
    "remote",
    "retries",
    "meanwhile",
    "place",
    "metrics",
    "progress",
    "limits",
    "contained",
    "processes",
    "waits",
    "members",
    "serving",
    "fitness",
    "isolation",
    "pages",
    "parallel",
    "status",
    "plugins",
    "_typing",
}
STAGES = (
    *("corpora", "manifest", "ratings", "release", "conditions", "features", "cache", "version", "store", "dataset"),
    *("split", "audit", "systems", "recipe", "card", "pipeline", "exports", "browse", "doctor", "testing"),
)
MODELS = (  # modules of serprep_models, the lowest first
    *("threads", "children", "standardise", "statistics", "system"),
    *(
        f"scores.{name}"
        for name in ("result", "metrics", "intervals", "summary", "concordance", "dimensions", "distributions")
    ),
    *("raters", "targets", "examples", "loader", "augment", "besides", "adam", "resume", "objectives", "train"),
    *("systems.options", "crnn", "cnn_lstm", "mlp", "fold"),
    *(f"systems.{name}" for name in ("majority", "svm", "svr", "crnn", "cnn_lstm", "mlp", "linear")),
    *(f"scores.{name}" for name in ("calibration", "groups", "number_groups", "doubt")),
    *("figures", "page", "listen", "catalogue", "cautions", "common_labels", "submission", "recordings", "built"),
    *(
        "checkpoint",
        "seen",
        "predictor",
        "onnx",
        "experiment_folder",
        "experiment",
        "predictions",
        "predict",
        "predict_store",
        "start",
        "beforehand",
        "tasks",
        "travel",
        "conditioned",
        "score_store",
    ),
    *(
        "outcome",
        "notes",
        "plan",
        "gathered",
        "experiments",
        "finished",
        "browsed",
        "compare",
        "bundle",
        "report",
        "run",
        "versus",
        "cross",
        "reproduce",
    ),
)
FOLDERS = {"serprep": ROOT / "serprep", "serprep_models": ROOT / "serprep_models", "serprep_cli": ROOT / "cli"}
IMPORTS_BY_NAME = {  # modules that import what is named while they run
    "serprep/__init__.py": "public names, when they are asked for",
    "serprep/plugins.py": "objects of an axis, when they are asked for",
    "serprep/doctor.py": "the axes, and torch where it is installed",
    "serprep/features/embedding_model.py": "packages of its extra, when a signal is computed",
}
UNTESTED = {  # modules without a test file of their own
    "_typing.py": "aliases",
    "utterance.py": "a dataclass without code",
    "waits.py": "shown in test_members.py and test_parallel.py, with the waits that are said",
    "serving.py": "shown in test_parallel.py, with the processes that work",
    "features/embedding_model.py": "shown in features/test_embedding.py, with what is computed by them",
    "pipeline/conditioned.py": "shown in models/test_conditioned.py, with the experiments that use its stores",
    "corpora/corpus.py": "two dataclasses without code",
    "exports/exporter.py": "a dataclass and an interface without code",
    "card/beside.py": "shown in card/test_page.py, on the page",
    "card/heard.py": "shown in card/test_page.py, with the pictures",
    "card/outliers.py": "shown in card/test_page.py, on the page",
    "card/rows.py": "shown in card/test_page.py, on the page",
    "card/sides.py": "shown in card/test_page.py, on the page",
    "card/write.py": "shown in card/test_page.py, with the files",
    "pages/notebook.py": "shown in card/test_page.py, with the objects",
    "pages/picture.py": "shown in card/test_page.py, with the pictures",
    "pages/player.py": "shown in card/test_page.py, with the players",
    "pages/plot.py": "shown in models/test_page.py, with the charts",
    "store/frames.py": "shown in card/test_page.py, with the pictures",
    "exports/compare_layout.py": "shown in exports/test_csv_table.py and test_arff.py, with what is written so",
    "exports/parquet.py": "shown in exports/test_huggingface.py and test_croissant.py, with the files it writes",
    "corpora/_template.py": "a form to copy",
    "dataset/diff.py": "shown in dataset/test_log.py, with the versions that differ",
    "dataset/tag.py": "shown in dataset/test_log.py, with the versions that are named",
    "store/hdf5_array.py": "shown in store/test_hdf5_store.py, with the files that hold them",
    "features/_opensmile_helper.py": "a program that opensmile_fork starts, shown there",
    "serprep_models/fold.py": "shown in models/test_experiments.py, with the systems that fit on it",
    "serprep_models/finished.py": "shown in models/test_report.py, with the pages of what is finished",
    "serprep_models/versus.py": "shown in models/test_report.py, with the page of two recipes",
    "serprep_models/objectives.py": "shown in models/test_targets.py, with the systems that learn by them",
    "serprep_models/systems/svr.py": "shown in models/test_targets.py, with what it predicts",
    "serprep_models/systems/options.py": "two dataclasses, shown in models/systems/test_crnn.py, with what they change",
}


def modules(package):
    folder = FOLDERS[package]
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


@functools.cache
def imported(path, package):
    """Absolute names of everything a file imports, wherever the statement stands."""
    return frozenset(import_statements(path, package))


def import_statements(path, package):
    here = [package, *path.relative_to(FOLDERS[package]).with_suffix("").parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: -node.level]) if node.level else ""
            name = ".".join(filter(None, (base, node.module)))
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            first = node.args[0]
            yield str(first.value) if isinstance(first, ast.Constant) else "computed"


def stage_of(name):
    """The stage or foundation of serprep that a dotted name belongs to, or ""."""
    parts = name.split(".")
    return parts[1] if parts[0] == "serprep" and len(parts) > 1 else ""


def modules_of_all():
    return [path for package in FOLDERS for path in modules(package)]


def test_every_module_has_its_place():
    names = {path.stem for path in (ROOT / "serprep").glob("*.py")} - {"__init__"}
    names |= {path.parent.name for path in (ROOT / "serprep").glob("*/__init__.py")}
    assert names <= FOUNDATIONS | set(STAGES), "a new module needs a place in the path"
    assert not FOUNDATIONS & set(STAGES)


def test_the_decisions_give_the_order_of_the_stages():
    told = re.search(r"Stages import in the order ([\w, ]+)\.", (ROOT / "docs/decisions.md").read_text("utf-8"))
    assert told and tuple(told[1].split(", ")) == STAGES


def allowed_in(path):
    """Stages and foundations that a module of serprep may import."""
    own = path.relative_to(ROOT / "serprep").parts[0].removesuffix(".py")
    if own == "__init__":
        return set()
    return FOUNDATIONS if own in FOUNDATIONS else FOUNDATIONS | set(STAGES[: STAGES.index(own) + 1])


def test_a_stage_imports_only_what_lies_before_it():
    known = FOUNDATIONS | set(STAGES)
    later = {
        str(path): sorted(({stage_of(name) for name in imported(path, "serprep")} & known) - allowed_in(path))
        for path in modules("serprep")
    }
    assert {path: names for path, names in later.items() if names} == {}, "imported, and come after it"


def top_levels(path, package):
    return {name.split(".")[0] for name in imported(path, package)}


def refused_in(path, package):
    """Packages that a module must not import."""
    refused = {
        "serprep": {"torch", "safetensors", "serprep_models", "serprep_cli", "cli"},
        "serprep_models": {"serprep_cli", "cli", "click"},
        "serprep_cli": {"torch", "safetensors", "cli"},
    }[package]
    if path.relative_to(ROOT).as_posix() not in IMPORTS_BY_NAME:
        refused = refused | {"computed"}
    if path.name not in ("parallel.py", "serving.py", "isolation.py"):
        refused = refused | {"dask", "distributed"}
    return refused


def test_packages_do_not_look_back():
    back = {
        str(path): sorted(top_levels(path, package) & refused_in(path, package))
        for package in FOLDERS
        for path in modules(package)
    }
    assert {path: names for path, names in back.items() if names} == {}


def test_the_command_line_imports_its_own_by_dots():
    assert "serprep_cli" not in {
        name.split(".")[0]
        for path in modules("serprep_cli")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }


#: What only the objects of a place or a container may say, and the modules that are these objects.
WORDS = {
    r"\bis_url\b|\bUrlPath\b|\bremote\b|\bfsspec\b|[\"']://": ("serprep/place/", "serprep/remote.py"),
    r"[\"']\.?(zarr|hdf5|h5)[\"']|[\"']zarr\.json": (
        "serprep/store/zarr_store.py",
        "serprep/store/hdf5_store.py",
        "serprep/forms.py",
    ),
    r"\b(zarr_store|hdf5_store)\b": (
        "serprep/store/zarr_store.py",
        "serprep/store/hdf5_store.py",
        "serprep/store/containers.py",
    ),
}
OTHER_MEANINGS = {  # what is neither a branch on a place nor on a container
    "serprep/fitness.py": "packages that are looked for",
    "serprep/features/libraries.py": "packages whose versions are recorded",
    "serprep/features/imported.py": "files of other people",
}


@functools.cache
def code_of(path):
    """A file's code, without docstrings and comments, and the names in it."""
    tree, names = ast.parse(path.read_text(encoding="utf-8")), set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant):
            names.update(word for word in vars(node).values() if type(word) is str)
        body = getattr(node, "body", None)
        if isinstance(body, list):  # texts that stand alone
            alone = [e for e in body if isinstance(e, ast.Expr) and isinstance(e.value, ast.Constant)]
            node.body = [entry for entry in body if entry not in alone] or [ast.Pass()]
    return ast.unparse(tree), frozenset(names)


def test_nobody_asks_whether_a_place_is_a_url_or_which_container_a_store_has():
    codes = {path.relative_to(ROOT).as_posix(): code_of(path)[0] for path in modules_of_all()}
    branches = [
        (name, *re.findall(words, code))
        for name, code in codes.items()
        for words, own in WORDS.items()
        if not name.startswith(own) and name not in OTHER_MEANINGS and re.search(words, code)
    ]
    assert branches == [], "ask the place (`serprep.place`) or the container instead"


def test_names_say_what_a_thing_is():
    bare = {path.relative_to(ROOT).as_posix(): code_of(path)[1] & {"found", "one"} for path in modules_of_all()}
    assert {name: words for name, words in bare.items() if words} == {}, "say what was found, and one of what"


def test_a_module_of_the_models_imports_only_what_lies_below_it():
    places = {name: place for place, name in enumerate(MODELS)}
    assert len(places) == len(MODELS)
    files = [path for path in modules("serprep_models") if path.name != "__init__.py"]
    names = {".".join(path.relative_to(ROOT / "serprep_models").with_suffix("").parts): path for path in files}
    assert names.keys() == places.keys(), "a new module needs a place in MODELS"
    above = {
        name: sorted(used for used in own_names(path) & names.keys() - {name} if places[used] > places[name])
        for name, path in names.items()
    }
    assert {name: used for name, used in above.items() if used} == {}, "imported, and lie above it"


def own_names(path):
    """Modules of serprep_models that a file imports; what a folder exports lies in the last module of it."""
    short = {name.removeprefix("serprep_models.") for name in imported(path, "serprep_models")}
    return short | ({"scores.summary"} if "scores" in short else set())


def test_imports_are_read_wherever_they_stand(tmp_path, monkeypatch):
    monkeypatch.setitem(FOLDERS, "serprep", tmp_path)
    (tmp_path / "store").mkdir()
    path = tmp_path / "store" / "x.py"
    path.write_text(
        "import a.b\nfrom serprep import pipeline as p\nfrom . import writer\nfrom ..card import y\n"
        "def f():\n    import torch\n    if 1:\n        from dask.x import z\n    import_module('q')\n"
        "    importlib.import_module(name)\n"
    )
    found = set(imported(path, "serprep"))
    assert {"a.b", "serprep.pipeline", "serprep.store.writer", "serprep.card.y", "torch", "dask.x.z", "q"} <= found
    assert "computed" in found
    assert {stage_of(name) for name in found} >= {"pipeline", "store", "card"}


def test_every_module_has_its_test_file():
    missing = []
    for path in modules_of_all():
        if path.name == "__init__.py" or path.relative_to(ROOT).as_posix().removeprefix("serprep/") in UNTESTED:
            continue
        test = mirror_of(path.relative_to(ROOT))
        if not (ROOT / test).is_file():
            missing.append(test.as_posix())
    assert missing == []
    gone = [name for name in UNTESTED if not any((ROOT / folder / name).is_file() for folder in ("serprep", ""))]
    assert gone == [], "a name in UNTESTED is gone"


def test_importing_serprep_is_instant():
    code = (
        "import sys, serprep; dir(serprep); "
        "print([n for n in ('numpy', 'zarr', 'dask', 'torch', 'click', 'soundfile', 'fsspec') if n in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_all_of_serprep_runs_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['serprep_models'] = None\n"
        "import serprep\n"
        "for name in serprep.__all__: getattr(serprep, name)\n"
        "print(len(serprep.__all__))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) > 20


def test_an_unknown_name_is_an_attribute_error():
    import serprep

    with pytest.raises(AttributeError, match="module 'serprep' has no attribute 'nothing'"):
        serprep.nothing  # noqa: B018
