"""JSON that anybody may have written: the value, or a ValueError of one line."""

import json

import pytest

from serprep._json import DEEPEST, canonical_json, load_json, load_object


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "ü\U0001f600\n", [], {"a": [1, {"b": "x"}]}])
def test_what_json_writes_is_read(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert load_json(text) == load_json(text.encode()) == load_json(b"\xef\xbb\xbf" + text.encode()) == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" * 200_000, "nested deeper than 64"),
        (b'{"a":' * 200_000, "nested deeper than 64"),
        (b"[" * 900 + b"]" * 900, "nested deeper than 64"),
        (b"[" * (DEEPEST + 2) + b"]" * (DEEPEST + 2), "nested deeper than 64"),
        (b"9" * 5000, "a whole number of 5000 digits"),
        (b'{"n": ' + b"1" * 301 + b"}", "a whole number of 301 digits"),
        (b"1e999", "1e999 is beyond any number"),
        (b"[-1e400]", "beyond any number"),
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b'"\\ud800"', "half of a character"),
        (b'{"\\uDC00x": 1}', "half of a character"),
        ('"\ud800"', "half of a character"),
        (b'"\xed\xa0\x80"', "can't decode byte"),
        ("[1]".encode("utf-16"), "can't decode byte"),
        (b"\xff", "can't decode byte"),
        (b"", "Expecting value"),
        (b"{} x", "Extra data"),
        (b'{"a": 1,}', "Expecting property name|Illegal trailing comma"),
        (b'"a\nb"', "Invalid control character"),
    ],
)
def test_what_is_odd_is_a_value_error(data, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_json(data)
    assert "\n" not in str(caught.value)


def test_pairs_of_surrogates_are_a_character():
    assert load_json(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_what_is_deep_enough_and_no_deeper():
    data = b"[" * DEEPEST + b"]" * DEEPEST
    assert canonical_json(load_json(data)) == data


@pytest.mark.parametrize("data", [b"[]", b"1", b"null", b'"{}"'])
def test_an_object_is_asked_for(data):
    with pytest.raises(ValueError, match="it is no JSON object"):
        load_object(data)
    assert load_object(b'{"a": 1}') == {"a": 1}
