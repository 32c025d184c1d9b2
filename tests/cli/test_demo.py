"""``serprep demo``."""

from helpers.command import one_error


def test_a_demo_never_overwrites_what_is_not_a_demo(tmp_path, serprep) -> None:
    (tmp_path / "recipe.toml").write_text("[corpus]\n", encoding="utf-8")
    assert "not empty, and not a demo's" in one_error(serprep("demo", tmp_path))
    assert (tmp_path / "recipe.toml").read_text(encoding="utf-8") == "[corpus]\n"
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]
