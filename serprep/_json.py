"""JSON files that anybody may have written → plain values, or one ValueError that says what is wrong."""

import json
from typing import Any

_MOST = 1 << 31  # bytes


def load_json(data: bytes | str, place: str) -> Any:
    """The value of a JSON text: UTF-8, no NaN, no lone surrogates, not nested without end.

    Parameters
    ----------
    data : bytes or str
    place : str
        The file's name, for the message.

    Raises
    ------
    ValueError
        One line: the place, and why it cannot be read.

    Examples
    --------
    >>> load_json(b'{"a": [1]}', "x.json")
    {'a': [1]}
    >>> load_json("[" * 200_000, "x.json")
    Traceback (most recent call last):
    ValueError: x.json: brackets are nested too deeply
    """
    try:
        if len(data) > _MOST:
            raise ValueError("too large")
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse_constant)
        if "\\u" in text or not isinstance(data, bytes):
            _refuse_surrogates(value)
    except RecursionError:
        raise ValueError(f"{place}: brackets are nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{place}: byte {error.start} is not UTF-8") from None
    except UnicodeEncodeError:
        raise ValueError(f"{place}: it holds half of a surrogate pair, which is no character") from None
    except MemoryError:
        raise ValueError(f"{place}: too large") from None
    except ValueError as error:
        reason = str(error)
        if "integer string conversion" in reason:
            reason = "a number of thousands of digits"
        raise ValueError(f"{place}: {reason}") from None
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _refuse_surrogates(value: Any) -> None:
    """UnicodeEncodeError where a text cannot be written as UTF-8."""
    json.dumps(value, ensure_ascii=False).encode()
