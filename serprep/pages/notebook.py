"""Objects as a notebook shows them: a small table, every text in it escaped."""

from collections.abc import Mapping

from markupsafe import Markup

from serprep.pages import escaped

LONGEST = 400  # characters of a cell


def table(title: str, facts: Mapping[str, object]) -> str:
    """What an object is, and what is to be known of it, as a table.

    Examples
    --------
    >>> table("Store", {"labels": "<b>"})
    '<table><caption>Store</caption><tr><th scope="row">labels</th><td>&lt;b&gt;</td></tr></table>'
    """
    rows = (
        Markup('<tr><th scope="row">{}</th><td>{}</td></tr>').format(escaped(name), _cell(value))
        for name, value in facts.items()
    )
    return str(Markup("<table><caption>{}</caption>{}</table>").format(escaped(title), Markup("").join(rows)))


def _cell(value: object) -> str:
    text = escaped(str(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


class Shown:
    """Something a notebook shows."""

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        return self.html


def shown(*parts: str) -> Shown:
    """Parts, made by `table`, `picture` and `player`, below one another."""
    return Shown("".join(f"<div>{part}</div>" for part in parts if part))
