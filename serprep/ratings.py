"""What single raters said: ``raters.jsonl`` beside a manifest (``docs/manifest.md``).

One JSON object a line, so that soft labels can be built without the corpus's label files.
"""

import dataclasses
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from serprep._json import load_json
from serprep.columns import DIMENSIONS
from serprep.corpora.corpus import Rating
from serprep.errors import ManifestError, first_ten, one_line
from serprep.files import read_regular, write_whole

NAME = "raters.jsonl"
_FIELDS = tuple(field.name for field in dataclasses.fields(Rating))


def write_ratings(ratings: Iterable[Rating], folder: Path) -> Path | None:
    """Write ``raters.jsonl`` into a manifest's folder; returns its path, or None where there are no ratings.

    Lines are sorted by utterance and rater.  Without ratings an older file is removed:
    it would be another manifest's.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = write_ratings([Rating(id="a", rater="r1", emotions=("sad",), valence=1.5)], Path(folder))
    ...     print(path.read_text(), end="")
    {"id": "a", "rater": "r1", "emotions": ["sad"], "valence": 1.5}
    """
    path = folder / NAME
    lines = [_line(rating) for rating in sorted(ratings, key=lambda rating: (rating.id, rating.rater))]
    if not lines:
        path.unlink(missing_ok=True)
        return None
    write_whole(path, "".join(lines).encode())
    return path


def _line(rating: Rating) -> str:
    """One rating as JSON; what it does not say is left out."""
    said = {name: value for name in _FIELDS if (value := getattr(rating, name)) not in (None, "", ())}
    return json.dumps({"id": rating.id, "rater": rating.rater, **said}, ensure_ascii=False, allow_nan=False) + "\n"


def read_ratings(path: Path) -> tuple[Rating, ...]:
    """What single raters said of a manifest's utterances; empty where the corpus does not tell.

    Parameters
    ----------
    path : Path
        The manifest: its folder or its CSV.

    Raises
    ------
    ManifestError
        If a line is not as documented; the message names it.
    """
    path = (path if path.is_dir() else path.parent) / NAME
    place = one_line(path)
    try:
        text = read_regular(path).decode()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ManifestError(f"{place}: {error.strerror}; make it readable, or remove it") from None
    except UnicodeDecodeError as error:
        raise ManifestError(f"{place}: {error.reason} at byte {error.start}; expected UTF-8") from None
    ratings, problems = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            ratings.append(_rating(load_json(line)))
        except (ValueError, OverflowError) as error:
            problems.append(f"{place}:{number}: {one_line(error)}")
    if problems:
        raise ManifestError(first_ten(problems))
    return tuple(ratings)


def _rating(said: Any) -> Rating:
    """A rating from its line; ValueError says what is wrong."""
    if not isinstance(said, dict) or not set(said) <= set(_FIELDS):
        raise ValueError(f"expected an object with some of {', '.join(_FIELDS)}")
    for name in ("id", "rater", "comment"):
        if not isinstance(said.get(name, ""), str) or not (said.get(name) or name == "comment"):
            raise ValueError(f"{name} is {str(said.get(name))[:40]!r}; expected text")
    emotions = said.get("emotions", [])
    if not isinstance(emotions, list) or not all(isinstance(emotion, str) for emotion in emotions):
        raise ValueError(f"emotions is {str(emotions)[:40]!r}; expected a list of text")
    for name in DIMENSIONS:
        value = said.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise ValueError(f"{name} is {str(value)[:40]!r}; expected a number")
        if value is not None:
            said[name] = float(value)
            if not math.isfinite(said[name]):
                raise ValueError(f"{name} is {value}; expected a finite number")
    return Rating(**{**said, "emotions": tuple(emotions)})
