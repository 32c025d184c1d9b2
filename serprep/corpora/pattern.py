"""A folder without label files, whose paths say it all: ``{emotion}/{speaker}_{text}.wav``.

Each ``{name}`` stands for one or more characters without ``/``.  ``emotion``,
``speaker``, ``partition`` and ``id`` have their meaning; ``{_}`` matches and is
forgotten; every other name becomes a column.  A name used twice must match the
same text.  The suffix stands for any kind of recording.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.audio.decode import OTHER_SUFFIXES, SUFFIXES
from serprep.corpora.corpus import Corpus, Finding
from serprep.corpora.table import OWN_COLUMNS
from serprep.errors import CorpusError
from serprep.files import walk, without_suffix
from serprep.remote import UrlPath
from serprep.utterance import Utterance

FIELD = re.compile(r"\{([^{}]*)\}")
NOT_NAMED = OWN_COLUMNS - {"id", "speaker", "emotion", "partition"}  # columns that no path can give


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The regular expression of a path pattern.

    Raises
    ------
    CorpusError
        If a brace is left open, a name is not a word, or nothing is named.

    Examples
    --------
    >>> compile_pattern("{emotion}/{speaker}_{text}.wav").fullmatch("sad/f1_t2.flac")["speaker"]
    'f1'
    """
    suffix = PurePosixPath(pattern).suffix.lower()
    body = pattern[: -len(suffix)] if suffix in SUFFIXES else pattern
    expression, place, seen = "", 0, set()
    for found in FIELD.finditer(body):
        name = found[1].strip()
        expression += re.escape(body[place : found.start()])
        place = found.end()
        if name == "_":
            expression += "[^/]+?"
        elif not name.isidentifier() or name.startswith("__") or name in NOT_NAMED:
            raise CorpusError(
                f"pattern {pattern!r}: {{{name}}} is not a possible column; expected a word such as {{speaker}}"
            )
        elif name in seen:
            expression += f"(?P={name})"
        else:
            expression += f"(?P<{name}>[^/]+?)"
            seen.add(name)
    expression += re.escape(body[place:])
    if not seen or "{" in FIELD.sub("", body) or "}" in FIELD.sub("", body):
        raise CorpusError(
            f"pattern {pattern!r}: expected names in braces, such as {{emotion}}/{{speaker}}_{{text}}.wav"
        )
    return re.compile(expression + r"\.(?i:wav|flac|ogg|mp3)", re.DOTALL)


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances of every recording whose path fits the pattern, in path order."""
    expression = compile_pattern(str(options["pattern"]))
    if not isinstance(root, UrlPath):  # a bucket is not listed twice for a remark
        for path in walk(root, OTHER_SUFFIXES):
            if (root / path).is_file():
                yield Finding("recordings in other formats passed over: convert them to wav or flac", path)
    for path in walk(root, SUFFIXES):
        found = expression.fullmatch(path)
        if found is None:
            yield Finding("recordings that do not fit the pattern passed over", path)
            continue
        values = {name: value.strip() for name, value in found.groupdict().items()}
        yield Utterance(
            id=values.pop("id", without_suffix(path)),
            path=path,
            speaker=values.pop("speaker", ""),
            emotion=values.pop("emotion", ""),
            partition=values.pop("partition", ""),
            extra=values,
        )


CORPUS = Corpus(
    name="pattern",
    title="a folder of named recordings",
    licence="unknown: yours to know",
    source="local folder",
    citation="",
    layout="recordings that fit the pattern",
    utterances=utterances,
    options=("pattern",),
    required=("pattern",),
)
