import dataclasses

import pytest

from serprep.columns import COLUMNS, DIMENSIONS, FIRST, LAST, OWN, RESERVED, TOLD, dtype_of
from serprep.utterance import Utterance


def test_an_utterance_has_a_field_for_each_column_that_every_manifest_has():
    fields = {entry.name: entry for entry in dataclasses.fields(Utterance) if entry.name != "extra"}
    assert set(fields) == {*FIRST, *LAST}
    for name, entry in fields.items():
        missing = dataclasses.MISSING if COLUMNS[name].required else COLUMNS[name].value("")
        assert entry.default == missing, name


def test_the_parts_are_those_of_the_format():
    assert (*FIRST, *LAST) == (
        *("id", "path", "start", "end", "speaker"),
        *("emotion", "partition", "duration", "sample_rate", "audio_digest"),
    )
    assert DIMENSIONS == ("valence", "arousal", "dominance") and set(DIMENSIONS) <= set(OWN)
    assert {*FIRST, *LAST, "n_samples", "n_frames"} == RESERVED and not RESERVED & set(OWN)
    assert TOLD == ("id", "path", "start", "end", "speaker", "emotion", "partition")
    assert {name for name in COLUMNS if dtype_of(name) == "float64"} == {"start", "end", "duration"}
    assert {name for name in COLUMNS if dtype_of(name) == "int64"} == {"sample_rate", "n_samples", "n_frames"}
    assert dtype_of("take") == dtype_of("valence") == "string"


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("end", "2.5", 2.5),
        ("end", "", None),
        ("sample_rate", "8000", 8000),
        ("speaker", "", ""),
        ("text", "1,5", "1,5"),
    ],
)
def test_a_cell_is_what_its_column_holds(name, cell, value):
    assert COLUMNS[name].value(cell) == value and type(COLUMNS[name].value(cell)) is type(value)


@pytest.mark.parametrize(
    ("name", "cell", "message"),
    [
        ("start", "-1", r"^start is '-1'; expected a number from 0, or nothing$"),
        ("end", "1,5", r"^end is '1,5' \(a decimal comma: write 1.5\); expected a number from 0, or nothing$"),
        ("sample_rate", "1.5", r"^sample_rate is '1.5'; expected a whole number from 0, or nothing$"),
        ("audio_digest", "AB", r"^audio_digest is 'AB'; expected 64 lower-case hexadecimal digits, or nothing$"),
    ],
)
def test_anything_else_is_one_line(name, cell, message):
    with pytest.raises(ValueError, match=message):
        COLUMNS[name].value(cell)
