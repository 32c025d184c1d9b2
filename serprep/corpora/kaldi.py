"""A data folder of Kaldi, ESPnet and their kin.

| what | |
| --- | --- |
| origin | kaldi-asr.org, "Data preparation" |
| size, speakers, labels, licence | whatever the folder holds |

Tree: ``wav.scp`` (``key path``), ``utt2spk``, and where they are there ``segments`` (``key recording start end``;
an end of -1 is the file's), ``text`` and ``utt2emo``.  ``file`` names another file of labels, such as ``utt2lab``.
Paths are relative to the folder, or absolute and below it.  A line of ``wav.scp`` that is a command (it ends in
``|``) is never run.  Blanks or tabs stand between cells.  In a label ``%20`` stands for a blank, as serprep exports it.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from serprep.corpora.corpus import SAID, About, Corpus, Finding, told_about
from serprep.corpora.labels import ABSENT, is_there, read_lines
from serprep.errors import CorpusError, one_line
from serprep.text import as_float, described
from serprep.utterance import Utterance

COMMANDS = "recordings that are the output of a command passed over: convert them first"
NOWHERE = "excerpts of recordings that wav.scp does not name passed over"


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding | About]:
    """Utterances in the order of ``segments``, or of ``wav.scp``."""
    yield from told_about(options, CORPUS)
    if not (root / "wav.scp").is_file():
        return
    paths: dict[str, str] = {}
    named = _pairs(root, "wav.scp")
    for key, (place, value) in named.items():
        if value.endswith("|"):
            yield Finding(COMMANDS, f"{place}: {key}")
        else:
            paths[key] = _relative(value, root)
    labels = str(options.get("file") or "utt2emo")
    emotions, speakers, texts = (_optional(root, name) for name in (labels, "utt2spk", "text"))
    for key, (place, recording, start, end) in _excerpts(root, list(paths)).items():
        if recording not in paths:
            if recording not in named:
                yield Finding(NOWHERE, f"{place}: {key}")
            continue
        if not is_there(root / paths[recording]):
            yield Finding(ABSENT, f"{place}: {paths[recording]}")
        yield Utterance(
            id=key,
            path=paths[recording],
            start=start,
            end=end,
            speaker=speakers.get(key, ""),
            emotion=unquote(emotions.get(key, "")),
            extra={"text": texts.get(key, "")},
        )


def _pairs(root: Path, name: str) -> dict[str, tuple[str, str]]:
    """Key → (place, the line's remainder)."""
    pairs = {}
    for line in read_lines(root, name)[0]:
        key, *values = re.split(r"[ \t]+", line.text.strip(), maxsplit=1)
        if key in pairs:
            raise CorpusError(f"{one_line(root / name)}: {described(key)} stands twice; remove one of the lines")
        pairs[key] = (line.place, "".join(values))
    return pairs


def _optional(root: Path, name: str) -> dict[str, str]:
    return {key: value for key, (_, value) in _pairs(root, name).items()} if (root / name).is_file() else {}


def _excerpts(root: Path, keys: list[str]) -> dict[str, tuple[str, str, float | None, float | None]]:
    """Utterance → place, recording, start, end."""
    if not (root / "segments").is_file():
        return {key: ("wav.scp", key, None, None) for key in keys}
    excerpts = {}
    for key, (place, value) in _pairs(root, "segments").items():
        recording, *times = value.split()
        numbers = [as_float(time) for time in times[:2]]
        if len(numbers) < 2 or numbers[0] is None or numbers[1] is None:
            raise CorpusError(f"{place}: {described(value)}; expected a recording, and a start and end in seconds")
        if times[2:]:
            raise CorpusError(
                f"{place}: channel {described(times[2])} of a recording; expected a recording per channel: "
                "serprep mixes them, so write each one as a file of its own"
            )
        start, end = numbers[0], numbers[1] if numbers[1] >= 0 else None
        excerpts[key] = (place, recording, None if (start, end) == (0, None) else start, end)
    return excerpts


def _relative(value: str, root: Path) -> str:
    path = PurePosixPath(value)
    for above in map(str, (root.absolute(), root.resolve())):
        if path.is_relative_to(above):
            return str(path.relative_to(above))
    return str(path)


CORPUS = Corpus(
    name="kaldi",
    title="a data folder of Kaldi",
    licence="unknown: yours to know",
    source="local folder",
    citation="",
    layout="wav.scp, utt2spk, and where they are there segments, text and utt2emo",
    utterances=utterances,
    options=("file", *SAID),
)
