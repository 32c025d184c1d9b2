import numpy as np
import pytest

from serprep.exports import EXPORTS
from serprep.exports.arff import arff_lines
from serprep.exports.exporter import Predicted

WEKA = {"n": "\n", "r": "\r", "t": "\t"}  # what a backslash means before a letter


def read_arff(text):
    """Relation, attributes and rows, by Weka's rules: written for this test, strict, and knows no more than needed."""
    head, _, data = text.partition("@data\n")
    lines = head.splitlines()
    assert lines[0].startswith("@relation ")
    attributes = {}
    for line in lines[1:]:
        word, name, kind = line.split(" ", 2)
        assert word == "@attribute"
        attributes[name] = cells(kind[1:-1]) if kind.startswith("{") and kind.endswith("}") else kind
    assert data.endswith("\n")
    return cells(lines[0].removeprefix("@relation "))[0], attributes, [cells(line) for line in data[:-1].split("\n")]


def cells(line):
    """Comma-separated values, bare or between single quotes with backslash escapes."""
    found, place = [], 0
    while place <= len(line):
        value = ""
        if line[place : place + 1] == "'":
            place += 1
            while line[place] != "'":
                if line[place] == "\\":
                    place += 1
                    value += WEKA.get(line[place], line[place])
                else:
                    value += line[place]
                place += 1
            place += 1
        else:
            while place < len(line) and line[place] != ",":
                assert line[place] not in " '\"%{}\\\t", f"{line!r}: {line[place]!r} needs quotes"
                value += line[place]
                place += 1
            assert value not in ("", "?"), f"{line!r}: a missing value"
        assert line[place : place + 1] in ("", ",")
        found.append(value)
        place += 1
    return found


NAMES = [
    "a'b.wav",
    "a\\b.wav",
    "50%.wav",
    "a b,c.wav",
    "é{}.wav",
    'q"q.wav',
    "a\tb.wav",
    "a\nb.wav",
    "?.wav",
    "\\n.wav",
]
ODD = ["low mood", "it's", "?", "a,b", "plain", "50%", "{x}"]


def test_arff_keeps_any_name_and_label():
    rows = [(name, ODD[place % len(ODD)]) for place, name in enumerate(NAMES)]
    relation, attributes, found = read_arff("".join(arff_lines(rows, relation="a b'c", labels=ODD)))
    assert (relation, attributes) == ("a b'c", {"name": "string", "prediction": ODD})
    assert found == [list(row) for row in rows]


def test_predictions_are_names_and_labels():
    rows = [Predicted("a\x1b'b", "low mood", (0.25, 0.75)), Predicted("c", "sad", (1.0, 0.0))]
    relation, attributes, found = read_arff("".join(EXPORTS["arff"].predictions(rows, ("sad", "low mood"))))
    assert relation == "serprep_predictions"
    assert attributes == {"name": "string", "prediction": ["sad", "low mood"]}
    assert found == [["a\\x1b'b", "low mood"], ["c", "sad"]]  # escapes reach no terminal


def test_liac_arff_reads_a_store(shop):
    arff = pytest.importorskip("arff")
    text = (shop.export("arff") / "all.arff").read_text(encoding="utf-8")
    read = arff.loads(text)
    assert [name for name, _ in read["attributes"][4:-1]] == shop.store.names("egemaps")
    assert read["attributes"][-1] == ("class", list(shop.store.labels))
    assert [row[0] for row in read["data"]] == shop.store.ids
    assert [tuple(row[1:4]) for row in read["data"]] == [shop.splits[3].utterances[i].roles for i in shop.store.ids]
    assert np.array_equal(np.float32([row[4:-1] for row in read["data"]]), np.stack(shop.vectors))
    assert [row[-1] for row in read["data"]] == shop.store.emotions
    assert shop.store.version in read["description"] and "recordings: " in read["description"]
