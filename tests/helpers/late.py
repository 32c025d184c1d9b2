"""Libraries that a test file names and only its tests import, so that collection stays short."""

from importlib import import_module
from typing import Any


class Late:
    """A module that is imported when something of it is first asked for.

    Examples
    --------
    >>> Late("math").sqrt(4)
    2.0
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_", "pytest")):  # pytest asks every global of a test file for its own marks
            raise AttributeError(name)
        return getattr(import_module(self._name), name)
