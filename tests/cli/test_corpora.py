"""``serprep corpora``."""

import json

from helpers.command import installed


def test_corpora_lists_every_reader_with_its_licence() -> None:
    from serprep.corpora import CORPORA

    listed = json.loads(installed("corpora", "--json").stdout)["corpora"]
    assert [row["name"] for row in listed] == list(CORPORA)
    assert all(row["licence"] for row in listed)
    text = installed("corpora").stdout
    assert all(name in text for name in CORPORA)
