"""JSON from files that anybody may have written: what is odd is a ValueError, and nothing else.

Beyond what `json` refuses: text that is not UTF-8, NaN and numbers beyond float64, whole
numbers of hundreds of digits, lone surrogates, and deep nesting, over which whatever comes
later would stumble.
"""

import json
import math
import re
from typing import Any

DEEPEST = 64  # lists and objects inside one another
LONGEST = 300  # digits of a whole number: it can still become a float
_NESTED = (dict, list)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def load_json(data: bytes | bytearray | str) -> Any:
    """The value of a JSON document.

    Raises
    ------
    ValueError
        If it is none, or holds what no file of serprep does; the message is one line.

    Examples
    --------
    >>> load_json(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    """
    text = data if isinstance(data, str) else data.decode("utf-8-sig")
    try:
        value = json.loads(text, parse_constant=_constant, parse_float=_float, parse_int=_int)
    except RecursionError:
        raise ValueError(f"nested deeper than {DEEPEST}") from None
    _check_depth(value)
    if not text.isascii() or _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it holds half of a character (a lone surrogate)") from None
    return value


def load_object(data: bytes | bytearray | str) -> dict[str, Any]:
    """The same, for documents that are an object.

    Raises
    ------
    ValueError
    """
    value = load_json(data)
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    return value


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is beyond any number")
    return value


def _int(text: str) -> int:
    if len(text) > LONGEST:
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        inside = (outer.values() if isinstance(outer, dict) else outer for outer in level if isinstance(outer, _NESTED))
        level = [inner for values in inside for inner in values if isinstance(inner, _NESTED)]
        if not level:
            return
    raise ValueError(f"nested deeper than {DEEPEST}")


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces: the same value, the same bytes.

    Examples
    --------
    >>> canonical_json({"b": 1, "a": None})
    b'{"a":null,"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
