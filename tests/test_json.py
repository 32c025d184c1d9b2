import pytest

from serprep._json import load_json


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\udfff": 1}', "half of a surrogate pair"),
        ('{"a": "\ud800"}', "half of a surrogate pair"),
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"9" * 5000, "thousands of digits"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b"", "Expecting value"),
        (b"{,}", "Expecting property name"),
        ("{}".encode("utf-16"), "byte 0 is not UTF-8"),
    ],
)
def test_what_is_no_json_is_one_line(data, reason):
    with pytest.raises(ValueError, match=rf"^x\.json: .*{reason}") as error:
        load_json(data, "x.json")
    assert "\n" not in str(error.value)


def test_json_is_read():
    assert load_json('\ufeff{"a": "\\ud83d\\ude00", "ü": [1, 2.5, null, true]}'.encode(), "x") == {
        "a": "😀",
        "ü": [1, 2.5, None, True],
    }
