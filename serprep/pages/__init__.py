"""Pages of one file: no script, no network, light and dark, for any width, print and screen readers."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

HERE = Path(__file__).parent


def render(template: Path, values: Mapping[str, Any], *, title: str, filters: Mapping[str, Any] | None = None) -> str:
    """A page made of a template, every text in it escaped.

    Parameters
    ----------
    template : Path
        It extends ``base.html.j2``.
    values : mapping
        What it names.
    title : str
        What a window's bar shows.
    filters : mapping, optional
        What the template formats values with, besides ours.
    """
    environment = _environment(template.parent)
    environment.filters |= filters or {}
    page = environment.get_template(template.name)
    return page.render(values, title=title, style=_style())


@functools.cache
def _environment(folder: Path) -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    environment.filters |= {"count": count, "length_of": length_of, "percent": percent, "words": words}
    return environment


def _shown(value: Any) -> Any:
    """Text as it is shown: control characters, and those that turn the direction of what follows, as escapes."""
    return escaped(value) if type(value) is str else value


def escaped(text: str) -> str:
    """`text` in one line, with terminal escapes and marks of direction made visible.

    Examples
    --------
    >>> escaped("a\\x1b[1m\\u202eb")
    'a\\\\x1b[1m\\\\u202eb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _KEPT else c.encode("unicode_escape").decode() for c in text)


def words(text: str) -> "Markup":
    """`text` that is broken at its spaces, and inside a word only where that alone is longer than a line.

    A browser breaks at hyphens as well, where ``--split`` and a file's name no longer look like what they are.

    Examples
    --------
    >>> str(words("serprep verify <STORE>"))
    '<span class="w">serprep</span> <span class="w">verify</span> <span class="w">&lt;STORE&gt;</span>'
    """
    from markupsafe import Markup

    return Markup(" ").join(Markup('<span class="w">{}</span>').format(escaped(word)) for word in text.split(" "))


_KEPT = "\n\u200d\u202f\u00a0"  # line breaks, what joins emoji, narrow and unbreakable spaces


@functools.cache
def _style() -> Any:
    from markupsafe import Markup

    return Markup((HERE / "style.css").read_text(encoding="utf-8"))


def count(value: float) -> str:
    """Thousands apart from five digits on, halves kept (a median).

    Examples
    --------
    >>> count(1440), count(12.5), count(50_000)
    ('1440', '12.5', '50\\u202f000')
    """
    text = f"{value:,.1f}".removesuffix(".0")
    return text.replace(",", "\u202f" if abs(value) >= 10_000 else "")


def length_of(seconds: float) -> str:
    """Seconds, minutes or hours; "–" where it is not known.

    Examples
    --------
    >>> length_of(3.25), length_of(600), length_of(9000), length_of(float("nan"))
    ('3.2 s', '10.0 min', '2.5 h', '–')
    """
    if seconds != seconds:
        return "–"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def percent(value: float | None, missing: str = "undefined") -> str:
    """A fraction as per cent.

    Examples
    --------
    >>> percent(0.6432), percent(None)
    ('64.3', 'undefined')
    """
    return missing if value is None or value != value else f"{100 * value:.1f}"
