import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"serprep": "serprep", "serprep_models": "serprep_models", "cli": "serprep_cli"}  # folder → installed name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the tree, so that no build folder is left or reused."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for folder in (*PACKAGES, "tests", "docs", "examples", "benchmarks", "manifests"):
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__", "*.wav"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(tree)]
    built = subprocess.run(command, capture_output=True, text=True, cwd=tree)
    said = built.stdout + built.stderr
    assert built.returncode == 0 and "is absent from" not in said, said
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return path, {name: archive.read(name) for name in archive.namelist()}


def test_site_packages_gains_only_our_names(wheel):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    top_level = {name.split("/")[0] for name in wheel[1]}
    assert top_level == {"serprep", "serprep_models", "serprep_cli", f"serprep-{version}.dist-info"}
    assert wheel[0].name == f"serprep-{version}-py3-none-any.whl"


def test_every_file_of_the_packages_is_in_the_wheel_unchanged(wheel):
    """A subpackage that is not listed in pyproject.toml would be left out silently."""
    for folder, package in PACKAGES.items():
        paths = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        for path in paths:
            name = f"{package}/{path.relative_to(ROOT / folder).as_posix()}"
            assert name in wheel[1], f"{name} is not in the wheel"
        assert any(path.name == "py.typed" for path in paths)


def test_nothing_else_is_in_the_wheel(wheel):
    suffixes = {Path(name).suffix for name in wheel[1] if ".dist-info/" not in name}
    assert suffixes <= {".py", ".typed", ".j2", ".gz", ".html", ".css", ".js", ".txt"}


@pytest.mark.parametrize(
    "name",
    [
        "serprep/py.typed",
        "serprep_models/py.typed",
        "serprep_cli/py.typed",
        "serprep_models/page.html.j2",
        "serprep/releases/emodb.tsv.gz",
        "serprep/browse/assets/index.html",
    ],
)
def test_data_files_are_in_the_wheel(wheel, name):
    assert name in wheel[1]


def test_the_command_and_the_licence_are_declared(wheel):
    (info,) = {name.split("/")[0] for name in wheel[1] if ".dist-info/" in name}
    assert "serprep = serprep_cli.main:main" in wheel[1][f"{info}/entry_points.txt"].decode()
    assert f"{info}/licenses/LICENSE" in wheel[1]
    metadata = wheel[1][f"{info}/METADATA"].decode()
    needs = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    assert not any("torch" in line and "extra ==" not in line for line in needs)  # torch is asked for by name


def test_the_licence_of_every_package_that_is_asked_for_is_listed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in extras if extra != "dev" for line in extras[extra])]
    listed = (ROOT / "docs" / "licences.md").read_text()
    names = {re.split(r"[\[>=]", line)[0] for line in lines} - {"serprep"}
    assert [name for name in sorted(names) if not re.search(rf"\| {name}\b", listed)] == []


def test_one_version_number():
    import serprep

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert serprep.__version__ == project["version"]
    assert f"version: {project['version']}" in (ROOT / "CITATION.cff").read_text()
