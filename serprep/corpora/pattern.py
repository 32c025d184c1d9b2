"""A folder without label files, whose paths say it all: ``{emotion}/{speaker}_{text}.wav``.

Each ``{name}`` stands for one or more characters without ``/``.  ``emotion``,
``speaker``, ``partition`` and ``id`` have their meaning; ``{_}`` matches and is
forgotten; every other name becomes a column.  A name used twice must match the
same text.  Between two names stands something that tells them apart, or one of them has
a width: in ``{speaker:3}{emotion:1}{text}.wav`` the speaker has three characters.
``*`` stands for any characters without ``/``, none included, and ``**/`` for any folders;
both are forgotten.  The suffix stands for any kind of recording.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.audio.decode import OTHER_SUFFIXES, SUFFIXES
from serprep.columns import OWN, RESERVED
from serprep.corpora.corpus import SAID, About, Corpus, Finding, told_about
from serprep.errors import CorpusError
from serprep.files import without_suffix
from serprep.place.corpus import walk
from serprep.utterance import Utterance

FIELD = re.compile(r"\{([^{}:]*)(?::([1-9][0-9]?))?\}")  # its name, and how many characters it has
WILD = re.compile(r"\*\*/|\*+")
#: Columns that mean something to the audit or to splits; a name near one of these is most likely it, misspelt.
MEANT = ("speaker", "emotion", "partition", "id", *OWN)
#: What people call them; ``{label}`` alone could be anything and is asked about.
OTHER_NAMES = {
    **dict.fromkeys(
        ("spk", "spkr", "spkid", "speaker_id", "speakerid", "spk_id", "actor", "subject", "talker"), "speaker"
    ),
    **dict.fromkeys(("emo", "emotions", "label", "class", "affect"), "emotion"),
    **dict.fromkeys(("split", "set", "subset", "fold"), "partition"),
}
NOT_NAMED = RESERVED - {"id", "speaker", "emotion", "partition"}  # columns that no path can give


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
    expression, place, seen, before, is_open = "", 0, set[str](), "", False
    names = [braces[1].strip() for braces in FIELD.finditer(body)]
    seen_twice = {name for name in names if names.count(name) > 1 and name != "_"}  # the other one fixes its text
    for braces in FIELD.finditer(body):
        name, between = braces[1].strip(), body[place : braces.start()]
        is_open = is_open and bool(place) and not between  # whether names that this one touches may be cut anywhere
        if is_open and not braces[2] and not {before, name} & seen_twice:
            raise CorpusError(
                f"pattern {pattern!r}: nothing stands between {{{before}}} and {{{name}}}, so that it could be cut "
                f"anywhere; expected a sign between them, such as _, a width, such as {{{before}:2}}, or the same name"
            )
        if between.endswith("*") or (place and between.startswith("*")):
            raise CorpusError(
                f"pattern {pattern!r}: * beside a name could take any of it; expected a sign between them"
            )
        expression += _literal(between)
        place, before, is_open = braces.end(), name, is_open or not braces[2]
        length = f"{{{braces[2]}}}" if braces[2] else "+?"
        if name == "_":
            expression += f"[^/]{length}"
        elif not name.isidentifier() or name.startswith("__") or name in NOT_NAMED:
            raise CorpusError(
                f"pattern {pattern!r}: {{{name}}} is not a possible column; expected a word such as {{speaker}}"
            )
        elif name in seen:
            expression += f"(?P={name})"
        else:
            expression += f"(?P<{name}>[^/]{length})"
            seen.add(name)
    if body[place:].startswith("*"):
        raise CorpusError(f"pattern {pattern!r}: * beside a name could take any of it; expected a sign between them")
    expression += _literal(body[place:])
    if not seen or "{" in FIELD.sub("", body) or "}" in FIELD.sub("", body):
        raise CorpusError(
            f"pattern {pattern!r}: expected names in braces, such as {{emotion}}/{{speaker}}_{{text}}.wav"
        )
    return re.compile(expression + r"\.(?i:wav|flac|ogg|mp3)", re.DOTALL)


def _literal(text: str) -> str:
    """The expression of what stands between names."""
    expression, place = "", 0
    for wildcard in WILD.finditer(text):
        expression += re.escape(text[place : wildcard.start()])
        expression += r"(?:[^/]+/)*?" if wildcard[0] == "**/" else "[^/]*?"
        place = wildcard.end()
    return expression + re.escape(text[place:])


def check_names(pattern: str) -> None:
    """Refuse names that are most likely misspelt ones of those with a meaning, where these are not named as well.

    Raises
    ------
    CorpusError
    """
    names = {braces[1].strip() for braces in FIELD.finditer(pattern)}
    for name in sorted(names - set(MEANT)):
        meant = "" if name.startswith("_") else OTHER_NAMES.get(name.lower()) or _near(name)
        if meant and meant not in names:
            raise CorpusError(
                f"pattern {pattern!r}: {{{name}}} is not expected; did you mean {{{meant}}}? "
                f"Write {{_{name}}} to have a column of that name"
            )


def _near(name: str) -> str:
    """The name with a meaning that is written almost like this one."""
    near = difflib.get_close_matches(name.lower(), MEANT, n=1, cutoff=0.8)
    return near[0] if near else ""


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding | About]:
    """Utterances of every recording whose path fits the pattern, in path order."""
    pattern = str(options["pattern"])
    expression = compile_pattern(pattern)
    check_names(pattern)
    in_form = compile_pattern(unicodedata.normalize("NFC", pattern))  # macOS spells é as two characters
    lacking = [name for name in ("speaker", "emotion") if name not in expression.groupindex]
    if lacking:
        yield Finding(
            f"the pattern gives {', '.join(expression.groupindex)} and no {' and no '.join(lacking)}", pattern
        )
    yield from told_about(options, CORPUS)
    for path in walk(root, OTHER_SUFFIXES):
        if (root / path).is_file():
            yield Finding("recordings in other formats passed over: convert them to wav or flac", path)
    for path in walk(root, SUFFIXES):
        match = expression.fullmatch(path) or in_form.fullmatch(unicodedata.normalize("NFC", path))
        if match is None:
            yield Finding("recordings that do not fit the pattern passed over", path)
            continue
        values = {name: value.strip() for name, value in match.groupdict().items()}
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
    options=("pattern", *SAID),
    required=("pattern",),
)
