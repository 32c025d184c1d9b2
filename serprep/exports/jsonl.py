"""Predictions as JSON, one object a line."""

import json
from collections.abc import Iterable, Iterator, Sequence

from serprep.exports.exporter import Exporter, Predicted


class _JSONL(Exporter):
    name = "jsonl"

    def predictions(self, rows: Iterable[Predicted], labels: Sequence[str]) -> Iterator[str]:
        for row in rows:
            probabilities = dict(zip(labels, row.probabilities, strict=True))
            line = {"id": row.id, "label": row.label, "probabilities": probabilities}
            yield "".join(map(_escaped, json.dumps(line, ensure_ascii=False))) + "\n"


def _escaped(character: str) -> str:
    """What a terminal would obey, as JSON escapes it."""
    return character if character.isprintable() else json.dumps(character)[1:-1]


JSONL = _JSONL()
