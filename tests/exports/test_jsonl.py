import json

from serprep.exports import EXPORTS
from serprep.exports.exporter import Predicted


def test_nothing_is_lost_and_nothing_obeyed():
    rows = [Predicted("a\x1b[2J\x9b\u202eé", "sad\x07", (2 / 3, 1 / 3)), Predicted("b", "happy", (0.0, 1.0))]
    lines = list(EXPORTS["jsonl"].predictions(rows, ("sad\x07", "happy")))
    assert [json.loads(line) for line in lines] == [
        {
            "id": row.id,
            "label": row.label,
            "probabilities": dict(zip(("sad\x07", "happy"), row.probabilities, strict=True)),
        }
        for row in rows
    ]
    assert all(line.endswith("\n") and line[:-1].isprintable() for line in lines) and "é" in lines[0]
