"""``serprep report``."""

import json
from pathlib import Path


def test_the_page_of_a_recipe_is_that_of_its_run(project, ran, serprep, tmp_path) -> None:
    folder = Path(json.loads(ran.stdout)["report"]).parent
    before = {path: path.stat().st_ino for path in folder.rglob("*")}
    again = serprep("report", "recipe.toml", "-o", tmp_path / "page.html", cwd=project)
    assert (again.returncode, again.stdout.strip()) == (0, str(tmp_path / "page.html"))
    assert {path: path.stat().st_ino for path in folder.rglob("*")} == before  # it may be read-only
    page = Path(json.loads(ran.stdout)["report"])
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page.read_text(encoding="utf-8")


def test_a_store_has_no_other_recipes_training(serprep) -> None:
    wrong = serprep("report", "a.zarr", "--train-from", "b.toml")
    assert wrong.returncode == 2 and "--train-from is for a RECIPE" in wrong.stderr
