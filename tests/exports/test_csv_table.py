import csv

import numpy as np

from serprep.exports import EXPORTS
from serprep.exports.exporter import Predicted


def test_every_label_has_its_column_and_numbers_are_exact():
    rows = [Predicted('a"b,c', "low mood", (0.1, 0.9)), Predicted("d", "sad", (2 / 3, 1 / 3))]
    lines = list(EXPORTS["csv"].predictions(rows, ("sad", "low mood")))
    assert len(lines) == 3 and all(line.endswith("\n") for line in lines)  # piece by piece
    head, *found = csv.reader(lines)
    assert head == ["id", "label", "p_sad", "p_low mood"]
    assert [(name, label, tuple(map(float, values))) for name, label, *values in found] == [
        (row.id, row.label, row.probabilities) for row in rows
    ]


def test_escapes_reach_no_terminal():
    text = "".join(EXPORTS["csv"].predictions([Predicted("a\x1b[2J\x9b\u202e", "sad\x07", (1.0,))], ("sad\x07",)))
    assert all(character.isprintable() or character == "\n" for character in text)


def test_a_store_is_a_table_of_names_vectors_and_classes(shop):
    with (shop.export("csv") / "all.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    names = shop.store.names("egemaps")
    assert head == ["name", "role_s1", "role_s2", "role_s3", *names, "class"]
    assert [row[0] for row in rows] == shop.store.ids and [row[-1] for row in rows] == shop.store.emotions
    assert [tuple(row[1:4]) for row in rows] == [shop.splits[3].utterances[name].roles for name in shop.store.ids]
    assert np.array_equal(np.float32([row[4:-1] for row in rows]), np.stack(shop.vectors))


def test_with_one_fold_a_file_is_a_partition(shop):
    for role, stem in (("train", "train"), ("dev", "devel"), ("test", "test")):
        with (shop.export("csv", folds=1) / f"{stem}.csv").open(encoding="utf-8", newline="") as file:
            assert [row[0] for row in csv.reader(file)][1:] == shop.splits[1].ids(0, role)
