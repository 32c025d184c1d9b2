"""Messages stay one line, whatever a file is called."""

import pytest

from serprep import errors
from serprep.errors import SerprepError, first_ten, one_line


def test_control_characters_and_terminal_escapes_are_shown_not_obeyed() -> None:
    assert one_line("a\nb\x1b[31m\u202e\udcff") == r"a\nb\x1b[31m\u202e\udcff"
    assert one_line("Müller 日本") == "Müller 日本"


@pytest.mark.parametrize(("n", "lines"), [(1, 1), (2, 3), (10, 11), (25, 12)])
def test_the_first_ten_problems_and_the_total(n: int, lines: int) -> None:
    text = first_ten([f"problem {i}" for i in range(n)])
    assert len(text.splitlines()) == lines
    assert "problem 0" in text
    assert ("problem 10" in text) is False
    if n > 1:
        assert text.endswith(f"({n} problems)")


def test_every_error_is_a_serprep_error() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) == 13
    assert all(issubclass(kind, SerprepError) for kind in kinds)
