"""Every error serprep raises on purpose.

::

    SerprepError(ValueError)
    ├── RecipeError      a recipe or another file of settings
    ├── CorpusError      a corpus folder or its label files
    ├── ManifestError    a manifest
    ├── AudioError       one recording: the reason it is quarantined for
    ├── FeatureError     a signal a feature cannot be computed from
    │   ├── KilledError  its extractor was killed from outside: worth trying again
    │   └── LimitError   its extractor reached a limit or crashed: worth trying in another build
    ├── CacheError       the intermediate store
    │   └── PartError    a part of it is damaged or gone: compute it again
    ├── StoreError       a feature store
    ├── SplitError       a split
    └── TrainError       training, checkpoints, prediction

A message is one line: place, fact, expectation, remedy.
"""

from collections.abc import Sequence


class SerprepError(ValueError):
    """Something the user can mend; the command line prints it as one line."""


class RecipeError(SerprepError):
    """A recipe holds something serprep does not understand."""


class CorpusError(SerprepError):
    """A corpus folder is not laid out as its reader expects."""


class ManifestError(SerprepError):
    """A manifest breaks the rules of ``docs/manifest.md``."""


class AudioError(SerprepError):
    """A recording cannot be used; the message is the reason in the build report."""


class FeatureError(SerprepError):
    """A feature is not defined for this signal."""


class KilledError(FeatureError):
    """The extractor was killed from outside; that says nothing about the signal."""


class LimitError(FeatureError):
    """The extractor reached a limit of time or memory, or crashed; not remembered, since the machine has its part."""


class CacheError(SerprepError):
    """The cache cannot be read or written."""


class PartError(CacheError):
    """A part of the cache is damaged or was removed; building again computes it afresh."""


class StoreError(SerprepError):
    """A store is incomplete, damaged, or of a format this serprep cannot read."""


class SplitError(SerprepError):
    """A split is impossible, leaks, or does not belong to the store."""


class TrainError(SerprepError):
    """Training or prediction cannot go on."""


def one_line(text: object) -> str:
    """`text` with control characters escaped, so that a message stays one line.

    File names may hold line breaks and terminal escapes.

    Examples
    --------
    >>> one_line("a\\nb")
    'a\\\\nb'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in str(text)
    )


def brief(text: object, most: int = 300) -> str:
    """`text` as one line of so many characters at most: what a file holds may be of any length.

    Examples
    --------
    >>> len(brief("a" * 5000))
    300
    """
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def first_ten(problems: Sequence[str]) -> str:
    """Up to ten problems, one a line, and how many there are in all.

    Examples
    --------
    >>> first_ten(["one"])
    'one'
    """
    if len(problems) == 1:
        return problems[0]
    shown = "\n".join(problems[:10])
    rest = f"\n… and {len(problems) - 10} more" if len(problems) > 10 else ""
    return f"{shown}{rest}\n({len(problems)} problems)"
