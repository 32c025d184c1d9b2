"""Text that people and programs wrote: its encoding, the numbers in it, and what a misspelt word was meant to be.

A number is what a CSV may hold: digits 0 to 9, a point, an exponent.  Python's own
``float`` and ``int`` take more, silently: ``1_0``, digits of other scripts, ``infinity``.
"""

import difflib
import math
import re
import unicodedata
from collections.abc import Collection, Iterable

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_CLOCK = re.compile(r"(?:([0-9]+) days?,? )?([0-9]+):([0-9]+):([0-9]+(?:\.[0-9]+)?)")
_UNIT = re.compile(r"([+-]?[0-9.]+)\s*(ms|msec|milliseconds?|s|sec|secs|seconds?|min|minutes?|h|hours?|k?hz)", re.I)
#: Beginnings of files that are no text, or no table.
_MAGIC = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook: export it as CSV"),
    (b"PAR1", "a Parquet file: give its name the suffix .parquet"),
    (b"ARROW1", "an Arrow file: export it as CSV or Parquet"),
    (b"SQLite format 3\0", "an SQLite database: export the table as CSV"),
    (b"\x1f\x8b", "compressed with gzip: unpack it first"),
    (b"BZh", "compressed with bzip2: unpack it first"),
    (b"\xfd7zXZ\0", "compressed with xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first"),
    (b"%PDF-", "a PDF document: export the table as CSV"),
    (b"\x89HDF\r\n", "an HDF5 file: export the table as CSV"),
    (b"{\\rtf", "an RTF document: save it as plain text"),
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer: run `git lfs pull` in the corpus"),
)


def as_float(cell: str) -> float | None:
    """The finite number that a cell holds, or None.

    Examples
    --------
    >>> as_float("2.5000"), as_float("1e-3"), as_float("1_0"), as_float("nan"), as_float(" 1")
    (2.5, 0.001, None, None, None)
    """
    if not _NUMBER.fullmatch(cell):
        return None
    value = float(cell)
    return value if math.isfinite(value) else None


def as_int(cell: str) -> int | None:
    """The whole number that a cell holds, of at most 18 digits, or None.

    Examples
    --------
    >>> as_int("16000"), as_int("16_000"), as_int("16000.0")
    (16000, None, None)
    """
    return int(cell) if _WHOLE.fullmatch(cell) else None


def clock_seconds(cell: str) -> float | None:
    """Seconds of a clock or timedelta such as ``0 days 00:01:02.5``, or None.

    Examples
    --------
    >>> clock_seconds("0 days 00:01:02.5"), clock_seconds("1 day, 0:00:01"), clock_seconds("62.5")
    (62.5, 86401.0, None)
    """
    clock = _CLOCK.fullmatch(cell)
    if clock is None or len(cell) > 40:
        return None
    days, hours, minutes, seconds = clock.groups(default="0")
    return 86_400.0 * int(days) + 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def why_no_number(cell: str) -> str:
    """What a cell that looks like a number, and is none, should be instead; "" where it looks like none.

    Examples
    --------
    >>> why_no_number("1,5"), why_no_number("high")
    ('a decimal comma: write 1.5', '')
    """
    if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", cell):
        return f"a decimal comma: write {cell.replace(',', '.')}"
    if re.fullmatch(r"[+-]?[0-9]{1,3}(?:[.,'\u2019\u00a0\u202f ][0-9]{3})+(?:[.,][0-9]+)?", cell):
        return "separated thousands: write the digits without separators, and a decimal point"
    seconds = clock_seconds(cell)
    if seconds is not None:
        return f"a clock time: write seconds, {seconds!r}"
    if re.fullmatch(r"(?i)-?P(?=.*[0-9])[0-9DTHMSWY.]+", cell):
        return "an ISO 8601 duration: write seconds such as 1.25"
    if re.fullmatch(r"[+-]?[0-9][0-9_.eE+-]*", cell) and "_" in cell:
        return "digits joined by underscores: write them without"
    if _UNIT.fullmatch(cell):
        return "a number with a unit: write the number alone"
    if re.fullmatch(r"(?i)[+-]?0[xob][0-9a-f_]+", cell):
        return "not decimal: write decimal digits"
    if re.fullmatch(r"(?i)[+-]?(?:inf|infinity|nan|na|n/a|null|none|nat)|#n/a", cell):
        return "no number: leave the cell empty where there is none"
    if cell != cell.strip() and (not cell.strip() or as_float(cell.strip()) is not None):
        return "spaces around a number: remove them"
    if not cell.isascii() and any(letter.isdigit() for letter in cell):
        plain = re.sub(r"\d", "0", cell.translate({0x2212: "-", 0x2013: "-", 0x066B: "."}))
        if _NUMBER.fullmatch(plain):
            return "written with other signs: write it with the digits 0 to 9, a point and a hyphen"
    if _NUMBER.fullmatch(cell):
        return "too large a number" if as_float(cell) is None else ""
    return ""


def described(cell: str) -> str:
    """A cell in quotes, cut where it is long, and what it is if it only looks like a number.

    Examples
    --------
    >>> described("1,5"), described("soon")
    ("'1,5' (a decimal comma: write 1.5)", "'soon'")
    """
    why = why_no_number(cell)
    shown = repr(cell if len(cell) <= 60 else f"{cell[:57]}…")
    return f"{shown} ({why})" if why else shown


def not_text(data: bytes) -> str:
    """What a file is that should be a text in UTF-8 and clearly is none, and what to do; "" where it may be.

    Examples
    --------
    >>> not_text("id,path".encode("utf-16"))
    'UTF-16: save it as UTF-8, for example with `iconv -f utf-16 -t utf-8`'
    """
    for name, marks in (
        ("utf-32", (b"\xff\xfe\0\0", b"\0\0\xfe\xff")),
        ("utf-16", (b"\xff\xfe", b"\xfe\xff")),
    ):
        if data.startswith(marks):
            return f"{name.upper()}: save it as UTF-8, for example with `iconv -f {name} -t utf-8`"
    if data.startswith(b"PK\x03\x04"):
        head = data[:4096] + data[-65_536:]
        if b"opendocument.spreadsheet" in head:
            return "an OpenDocument spreadsheet (ods): export it as CSV in UTF-8"
        if b"xl/" in head or b"[Content_Types].xml" in head:
            return "an Excel workbook (xlsx): export it as CSV in UTF-8"
        return "a zip archive: unpack it first"
    for mark, what in _MAGIC:
        if data.startswith(mark):
            return what
    head = data[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "an HTML page: the download failed, get the file again"
    few = data[:4096]
    for offset, name in ((1, "le"), (0, "be")):  # Latin letters in UTF-16: every second byte is 0
        if len(few) >= 4 and few[offset::2].count(0) > 0.9 * (len(few) // 2) and few[1 - offset :: 2].count(0) == 0:
            return f"UTF-16: save it as UTF-8, for example with `iconv -f utf-16{name} -t utf-8`"
    return ""


def not_table(text: str) -> str:
    """What a text is that should be a table and clearly is none, and what to do; "" where it may be.

    Examples
    --------
    >>> not_table('[{"path": "a.wav"}]')
    'JSON: write the rows as CSV'
    """
    head = text[:512].lstrip()
    if re.match(r"\{\s*(?:\"|\}|$)|\[\s*(?:[{\[\"\]]|$)", head):
        return "JSON: write the rows as CSV"
    if re.match(r"(?i)<(?:\?xml|!doctype|html)", head):
        return "XML or an HTML page: get the table itself, as CSV"
    return ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'epochs'?``, or "" where no known word is near.

    Examples
    --------
    >>> did_you_mean("epoch", ["epochs", "seeds"]), did_you_mean("x", ["epochs"])
    ("; did you mean 'epochs'?", '')
    """
    near = nearest(word, known)
    return f"; did you mean {near!r}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that `word` most likely is; "" where none is near."""
    if len(word) > 80:
        return ""
    plain: dict[str, str] = {}
    for name in known:
        plain.setdefault(_plain(name), name)
    closest = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.6)
    if not closest and len(word) >= 3:  # "spk" is "speaker": its letters, in their order, from the same first one
        letters = re.compile(".*".join(map(re.escape, _plain(word))))
        closest = [name for name in plain if letters.match(name)][:1]
    return plain[closest[0]] if closest else ""


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]+", "", word.casefold())


def spelled_as(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Each name as `known` spells it, where that is the same name in another Unicode form.

    Examples
    --------
    >>> spelled_as(["\u00e9", "b"], {"e\u0301"}) == {"\u00e9": "e\u0301", "b": "b"}
    True
    """
    absent = [name for name in names if name not in known]
    by_form = {unicodedata.normalize("NFC", name): name for name in known} if absent else {}
    return {name: name if name in known else by_form.get(unicodedata.normalize("NFC", name), name) for name in names}
