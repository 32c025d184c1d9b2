"""Systems by name: which there are, their options, what they read, and where keys of before stand."""

import ast
import dataclasses
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from serprep.errors import RecipeError, TrainError
from serprep.features.egemaps_v02.kind import EGEMAPS
from serprep.features.extract import Features
from serprep.features.signal import SIGNAL
from serprep.systems import (
    SYSTEMS,
    default_systems,
    inputs_of,
    is_floor,
    is_row,
    moved,
    options_of,
    row_kinds,
    shapes_of,
)

ROOT = Path(__file__).parents[1]
MORE = Features(egemaps=EGEMAPS.config(), signal=SIGNAL.config())


def test_the_default_systems_are_the_papers_and_the_baselines() -> None:
    assert default_systems() == ("plain-crnn", "multi-crnn", "hsf-crnn", "compare-svm", "majority")
    assert default_systems("numbers") == ("plain-crnn", "multi-crnn", "hsf-crnn", "svr", "majority")
    assert default_systems("both") == ("plain-crnn", "multi-crnn", "hsf-crnn")


def test_options_are_typed_and_checked_by_the_systems_own_dataclass() -> None:
    assert options_of("hsf-crnn", {"hsf-crnn": {"layers": [8, 4]}, "plain-crnn": {}}).layers == (8, 4)
    assert options_of("hsf-crnn", {}).layers == (1024, 520, 128)
    with pytest.raises(RecipeError, match=r"\[train.hsf-crnn\] unknown key 'layer'.*did you mean 'layers'"):
        options_of("hsf-crnn", {"hsf-crnn": {"layer": [8]}})
    with pytest.raises(TrainError, match=r"unknown system 'hsf_crnn'.*did you mean 'hsf-crnn'"):
        options_of("hsf_crnn", {})


def test_a_key_that_moved_is_found_where_it_stands() -> None:
    assert moved("hsf_layers") == "; it stands in [train.hsf-crnn] layers now"
    assert moved("svm_c") == "; it stands in [train.compare-svm] c now"
    assert all(f"[train.{name}] dropout" in moved("dropout") for name in ("plain-crnn", "multi-crnn", "hsf-crnn"))
    assert moved("epochs") == ""


def test_what_a_system_reads_has_the_shapes_of_the_features() -> None:
    assert shapes_of(("short", "long", "functionals"), Features()) == {
        "short": (30, 40),
        "long": (50, 40),
        "functionals": (6373,),
    }
    assert shapes_of(("egemaps", "signal"), MORE) == {"egemaps": (88,), "signal": (1,)}
    with pytest.raises(TrainError, match=r"egemaps: enable them in \[features.egemaps\]"):
        shapes_of(("egemaps",), Features())
    with pytest.raises(TrainError, match=r"segments named 'tiny': add them to \[features.segments\]"):
        shapes_of(("tiny",), Features())


def test_rows_are_one_per_utterance() -> None:
    assert is_row("functionals", Features()) and not is_row("short", Features()) and not is_row("signal", MORE)
    assert inputs_of("svm", {"svm": {"features": ["egemaps", "functionals"]}}, MORE) == ("egemaps", "functionals")
    assert inputs_of("hsf-crnn", {"hsf-crnn": {"features": ["egemaps"]}}, MORE) == ("short", "egemaps")
    with pytest.raises(TrainError, match="'signal' is a contour; expected some of functionals, egemaps"):
        row_kinds("svm", ["signal"], MORE)
    for names in ([], ["egemaps", "egemaps"]):
        with pytest.raises(TrainError, match="expected one or more different kinds"):
            row_kinds("svm", names, MORE)


def test_a_floor_is_known_under_any_name_that_scores_give_it() -> None:
    assert all(map(is_floor, ("majority", "my recipe: majority", "majority (transductive)")))
    assert not any(map(is_floor, ("compare-svm", "majority-like", "a system whose package is gone")))


def test_systems_are_found_without_importing_torch() -> None:
    code = (
        "import sys; from serprep.systems import SYSTEMS, options_of; assert 'svm' in SYSTEMS.names; "
        "print([name for name in SYSTEMS.own if options_of(name, {name: {}}) is None or 'torch' in sys.modules])"
    )
    late = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert late.stdout.strip() == "[]"


def test_nobody_outside_a_systems_file_asks_for_its_name() -> None:
    """Constants equal to a name, anywhere in the libraries but in `serprep_models.systems`."""
    named = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.value}"
        for folder in ("serprep", "serprep_models", "cli")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not {"systems", "systems.py"} & set(path.relative_to(ROOT).parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in SYSTEMS.names
    ]
    assert named == []


def test_every_option_has_its_row_and_default() -> None:
    documented: dict[str, dict[str, str]] = {}
    tables: list[str] = []
    for line in (ROOT / "docs" / "systems.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[1].startswith("`"):
            tables = re.findall(r"\[train\.([\w-]+)\]", cells[0]) or tables
            for name in tables:
                documented.setdefault(name, {})[cells[1].strip("`")] = cells[2].strip("`")
    for name, spec in SYSTEMS.usable().items():
        defaults = {}
        for entry in dataclasses.fields(spec.options):
            value = list(entry.default) if isinstance(entry.default, tuple) else entry.default
            defaults[entry.name] = value
        told = {key: tomllib.loads(f"x = {value}")["x"] for key, value in documented.get(name, {}).items()}
        assert told == defaults, name
