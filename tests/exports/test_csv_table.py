import csv

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
