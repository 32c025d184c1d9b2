import pytest

from serprep.conditions import CONDITIONS, STANDARD, condition_from
from serprep.errors import RecipeError


def test_the_standard_set_has_what_reviewers_ask_for():
    assert len(STANDARD) == 13
    assert {dict(values).get("of", name) for name, values in STANDARD.items()} == set(CONDITIONS.names)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("street", {}, "unknown condition 'street'; expected one of telephone, mp3"),
        ("street", 3, r"\[test.conditions.street\] is 3; expected a table such as"),
        ("white", {"snr": 1000}, r"snr is 1000.0; expected -50 to 100 dB"),
        ("white", {"db": 1}, "unknown key 'db'; expected one of snr"),
        ("../x", {"of": "white"}, "expected a name that a file can have"),
        ("clean", {"of": "white"}, "'clean' is what the others are compared with"),
    ],
)
def test_what_is_no_condition_is_told(name, values, message):
    with pytest.raises(RecipeError, match=message):
        condition_from(name, values)
