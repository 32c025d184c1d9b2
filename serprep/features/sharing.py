"""What several kinds of feature compute of one signal, computed once.

Functions of an array that are marked `once` remember what they gave, but only inside a block ``with sharing()``,
in which nobody changes the arrays, and only for the thread that entered it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

_local = threading.local()
Function = TypeVar("Function", bound=Callable[..., Any])


@contextmanager
def sharing() -> Iterator[None]:
    """Inside, functions marked `once` compute once for the same array and arguments."""
    _local.known = {}
    try:
        yield
    finally:
        _local.known = None


def is_shared() -> bool:
    """Whether somebody else may want what is computed now."""
    return getattr(_local, "known", None) is not None


def once(function: Function) -> Function:
    """`function` of an array and hashable arguments, remembered while `sharing`.

    Examples
    --------
    >>> import numpy as np
    >>> total = once(lambda array: print("adding") or array.sum())
    >>> with sharing():
    ...     array = np.arange(3)
    ...     int(total(array) + total(array))
    adding
    6
    """

    @wraps(function)
    def remembered(array: Any, *rest: Any) -> Any:
        if not is_shared():
            return function(array, *rest)
        key = function, id(array), *rest
        if key not in _local.known:
            _local.known[key] = array, function(array, *rest)  # while the array is kept, its id is its own
        return _local.known[key][1]

    return remembered  # type: ignore[return-value]
