"""``serprep card``."""

from serprep.manifest.table import write_manifest


def test_the_command_writes_cards_of_stores_and_manifests(small, serprep, tmp_path):
    _, store = small
    done = serprep("card", store.path, "-o", tmp_path / "card.html")
    assert done.returncode == 0 and (tmp_path / "card.html").is_file()
    write_manifest(store.manifest(), tmp_path)
    done = serprep("card", tmp_path)
    assert done.stdout.strip() == str(tmp_path / "card.html")
    assert ">manifest</span>" in (tmp_path / "card.html").read_text(encoding="utf-8")
    done = serprep("card", tmp_path / "nothing")
    assert done.returncode == 1 and "no store there" in done.stderr
