"""The table of a corpus's utterances, with what its audio is (``docs/manifest.md``).

A manifest is ``utterances.csv``, which people diff, review and commit, and
``manifest.json`` beside it.  Its digest is the SHA-256 of the CSV.
"""

import csv
import hashlib
import io
import itertools
import json
import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from serprep import audio
from serprep.errors import AudioError, ManifestError, first_ten, one_line
from serprep.files import walk, write_whole
from serprep.utterance import Numbers, Texts, Utterance, Utterances

FORMAT = 1
FIRST = ("id", "path", "start", "end", "speaker")
LAST = ("emotion", "partition", "duration", "sample_rate", "audio_digest")
RESERVED = {*FIRST, *LAST, "n_samples", "n_frames"}
DIMENSIONS = ("valence", "arousal", "dominance")  # other columns that hold numbers, where a corpus has them

_COLUMN = re.compile(r"(?!__)[^\W\d]\w*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NEEDS_QUOTES = re.compile(r'[",\r\n]|^\s|\s$')


@dataclass(frozen=True)
class Manifest:
    """Utterances sorted by id, all with the same extra columns."""

    utterances: Utterances
    info: Mapping[str, object] = field(default_factory=dict)  # corpus, release, licence, source …

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names, in order."""
        return (*FIRST, *self.utterances.extra, *LAST)

    @property
    def digest(self) -> str:
        """SHA-256 of the CSV, hex."""
        total = hashlib.sha256()
        for line in csv_lines(self):
            total.update(line.encode())
        return total.hexdigest()

    @property
    def numbers(self) -> tuple[str, ...]:
        """Those of `DIMENSIONS` that hold numbers, and nothing else."""
        return tuple(
            name
            for name in self.columns
            if name in DIMENSIONS and all(cell in ("", _as_number(cell)) for cell in self.column(name))
        )

    def column(self, name: str) -> list[str]:
        """One column as text.

        Raises
        ------
        ManifestError
            If there is no such column; the message lists the known ones.
        """
        if name not in self.columns:
            raise ManifestError(f"no column {name!r}; the manifest has {', '.join(self.columns)}")
        return [_cell(value) for value in self.utterances.column(name)]

    def __len__(self) -> int:
        return len(self.utterances)


def value_of(utterance: Utterance, column: str) -> str | float | int | None:
    """The value of a manifest column."""
    if column in RESERVED:
        return getattr(utterance, column)  # type: ignore[no-any-return]
    return utterance.extra.get(column, "")


def make_manifest(
    utterances: Iterable[Utterance], info: Mapping[str, object] | None = None, *, as_written: bool = False
) -> Manifest:
    """Sort utterances, give all the same columns, and check names and paths.

    Identical rows are kept once; rows that share an id but differ stay, and the
    build quarantines them.  Numbers in the columns valence, arousal and dominance are
    written by repr, unless `as_written`.

    Raises
    ------
    ManifestError
        If a path leaves the corpus root, a column has an impossible name, or valence,
        arousal or dominance is a number in some rows and a word in others.
    """
    rows = utterances if isinstance(utterances, Utterances) else Utterances(utterances)
    problems = [
        f"column {name!r}: expected a word that is not one of {', '.join(sorted(RESERVED))}"
        for name in rows.extra
        if not _COLUMN.fullmatch(name) or name in RESERVED
    ]
    for name in () if as_written else DIMENSIONS:
        if name in rows.extra:
            rows, words = _with_numbers(rows, name)
            problems += words
    if problems:
        raise ManifestError(first_ten(problems))
    for row in rows:
        problem = _problem(row)
        if problem:
            problems.append(f"utterance {one_line(row.id)!r}: {problem}")
    if problems:
        raise ManifestError(first_ten(problems))
    return Manifest(_sorted(rows), dict(info or {}))


def _sorted(rows: Utterances) -> Utterances:
    """By id, and by the other cells where ids are the same; identical rows once."""
    columns = [rows.column(name) for name in (*FIRST, *rows.extra, *LAST)]
    by_id = sorted(range(len(rows)), key=columns[0].__getitem__)
    order: list[int] = []
    for _, group in itertools.groupby(by_id, key=columns[0].__getitem__):
        alike = list(group)
        if len(alike) > 1:
            unique = {tuple(_cell(column[i]) for column in columns): i for i in reversed(alike)}
            alike = [i for _, i in sorted(unique.items())]
        order += alike
    return rows.take(order)


def _as_number(cell: str) -> str:
    """The finite number in a cell, by repr, or "".

    Examples
    --------
    >>> _as_number("2.5000"), _as_number("3"), _as_number("high"), _as_number("nan")
    ('2.5', '3.0', '', '')
    """
    try:
        value = float(cell)
    except ValueError:
        return ""
    return repr(value) if math.isfinite(value) else ""


def _with_numbers(rows: Utterances, name: str) -> tuple[Utterances, list[str]]:
    """Rows whose column `name` has its numbers by repr, and what is wrong with it; words alone stay as they are."""
    numbers = Texts(_as_number(cell) for cell in rows.column(name))
    if not any(numbers):
        return rows, []
    cells = zip(rows.column("id"), rows.column(name), numbers, strict=True)
    words = [
        f"utterance {one_line(id_)!r}: {name} is {one_line(cell)!r}; expected a number, or nothing"
        for id_, cell, number in cells
        if cell and not number
    ]
    return rows.replace(**{name: numbers}), words


def _problem(row: Utterance) -> str:
    """What is wrong with one row, or ""."""
    path = PurePosixPath(row.path)
    if not row.id or not row.path:
        return "id and path must not be empty"
    if (
        path.is_absolute()
        or ".." in re.split(r"[/\\]", row.path)
        or re.match(r"[A-Za-z]:|\\", row.path)
        or "\0" in row.path
    ):
        return f"path {one_line(row.path)!r} leaves the corpus root; expected a relative path"
    try:
        "".join((row.id, row.path, row.speaker, row.emotion, row.partition, *row.extra.values())).encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8; rename the file"
    if row.start is not None and row.end is not None and not row.start < row.end:
        return f"start {row.start} is not before end {row.end}"
    return ""


def to_csv(manifest: Manifest) -> str:
    """The CSV of a manifest: UTF-8, LF, header, minimal quoting, floats by repr.

    Examples
    --------
    >>> print(to_csv(make_manifest([Utterance(id="a", path="a.wav", speaker="f, 1")])), end="")
    id,path,start,end,speaker,emotion,partition,duration,sample_rate,audio_digest
    a,a.wav,,,"f, 1",,,,,
    """
    return "".join(csv_lines(manifest))


def csv_lines(manifest: Manifest) -> Iterator[str]:
    """The lines of `to_csv`, one by one: the text of a large manifest need not be in memory."""
    rows = zip(*(manifest.utterances.column(name) for name in manifest.columns), strict=True)
    for line in itertools.chain([manifest.columns], rows):
        yield ",".join(_quoted(_cell(value)) for value in line) + "\n"


def _cell(value: str | float | int | None) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell


def write_manifest(manifest: Manifest, folder: Path) -> Path:
    """Write ``utterances.csv`` and ``manifest.json`` into `folder`; returns the CSV's path."""
    text = to_csv(manifest)
    about = {
        "format": FORMAT,
        **manifest.info,
        "n_utterances": len(manifest),
        "digest": hashlib.sha256(text.encode()).hexdigest(),
    }
    path = folder / "utterances.csv"
    write_whole(path, text.encode())
    write_whole(folder / "manifest.json", (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode())
    return path


def read_manifest(path: Path) -> Manifest:
    """Read a manifest: its CSV, or the folder that holds it.

    Raises
    ------
    ManifestError
        If it breaks a rule of ``docs/manifest.md``; the message names the line.
    """
    if path.is_dir():
        path = path / "utterances.csv"
    place = one_line(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ManifestError(f"{place}: {error.strerror}; expected a manifest written by `serprep manifest`") from None
    except UnicodeDecodeError as error:
        raise ManifestError(f"{place}: {error.reason} at byte {error.start}; expected UTF-8") from None
    problems: list[str] = []
    rows = Utterances(_rows(text, place, problems))
    if problems:
        raise ManifestError(first_ten(problems))
    try:
        return make_manifest(rows, _info(path.with_name("manifest.json")))
    except ManifestError as error:
        raise ManifestError(f"{place}: {error}") from None


def _rows(text: str, place: str, problems: list[str]) -> Iterator[Utterance]:
    """The rows of a CSV; lines that are none are added to `problems`."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = tuple(next(reader, ()))
        if len(set(header)) < len(header) or not {"id", "path"} <= set(header):
            raise ManifestError(
                f"{place}:1: header is {','.join(header)[:80]!r}; expected {','.join((*FIRST, '…', *LAST))}"
            )
        for cells in reader:
            try:
                if len(cells) != len(header):
                    raise ValueError(f"{len(cells)} cells, the header has {len(header)}; quote cells that hold commas")
                yield _row(dict(zip(header, cells, strict=True)))
            except ValueError as error:
                problems.append(f"{place}:{reader.line_num}: {error}")
    except csv.Error as error:
        raise ManifestError(f"{place}:{reader.line_num}: {error}; expected comma-separated cells") from None


def _row(cells: Mapping[str, str]) -> Utterance:
    """One row from its cells; ValueError says which is wrong."""

    def number(column: str, kind: Callable[[str], float]) -> float | None:
        text = cells.get(column, "")
        try:
            value = kind(text) if text else None
        except ValueError:
            value = math.nan
        if value is not None and not 0 <= value < math.inf:
            raise ValueError(f"{column} is {text!r}; expected a number from 0, or nothing")
        return value

    digest = cells.get("audio_digest", "")
    if digest and not _DIGEST.fullmatch(digest):
        raise ValueError(f"audio_digest is {digest!r}; expected 64 lower-case hexadecimal digits, or nothing")
    rate = number("sample_rate", int)
    return Utterance(
        id=cells["id"],
        path=cells["path"],
        start=number("start", float),
        end=number("end", float),
        speaker=cells.get("speaker", ""),
        emotion=cells.get("emotion", ""),
        partition=cells.get("partition", ""),
        extra={name: cell for name, cell in cells.items() if name not in RESERVED},
        duration=number("duration", float),
        sample_rate=None if rate is None else int(rate),
        audio_digest=digest,
    )


def _info(path: Path) -> dict[str, object]:
    """The small JSON file beside a manifest; {} where there is none."""
    try:
        about = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ManifestError(f"{one_line(path)}: {one_line(error)}; expected JSON") from None
    if not isinstance(about, dict) or about.get("format", FORMAT) != FORMAT:
        raise ManifestError(f"{one_line(path)}: expected a JSON object with format {FORMAT}; make the manifest again")
    return {name: value for name, value in about.items() if name not in {"format", "n_utterances", "digest"}}


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


# -- what the audio is ---------------------------------------------------------------

Look = Callable[[Path], audio.Recording]


def look_at(path: Path) -> audio.Recording:
    """Digest, duration and rate of a file.

    Raises
    ------
    AudioError
        If it is missing or cannot be decoded; the digest is then not known.
    """
    data = audio.read_bytes(path)
    duration, rate = audio.probe(data)
    return audio.Recording(duration, rate, audio.digest_of(data))


@dataclass(frozen=True)
class Looked:
    """A manifest whose digests, durations and rates were read from the files."""

    manifest: Manifest
    reasons: Mapping[str, str]  # path → why its audio could not be read


def look(
    manifest: Manifest, root: Path, *, look_at: Look = look_at, progress: Callable[[int], None] | None = None
) -> Looked:
    """Fill in duration, sample rate and audio digest from the files under `root`.

    Each file is read once, however many excerpts are cut from it.  Missing or
    unreadable audio stays a row with empty values, and a reason.

    Parameters
    ----------
    manifest : Manifest
    root : Path
    look_at : callable
        What reads one file; the cache's memo spares reading unchanged ones.
    progress : callable
        Called with the number of files done.
    """
    rows = manifest.utterances
    names = rows.column("path")
    durations, rates, digests = Numbers("d"), Numbers("q"), Texts()  # in the order of paths
    reasons: dict[str, str] = {}
    by_path = sorted(range(len(rows)), key=names.__getitem__)

    def one(path: str) -> audio.Recording | str:
        try:
            return look_at(root / path)
        except AudioError as error:
            return str(error)

    n_done = 0
    with ThreadPoolExecutor(max_workers=min(16, 2 * (os.cpu_count() or 1))) as pool:
        # a few at a time: what waits in a thread pool takes kilobytes each
        groups = ((path, list(numbers)) for path, numbers in itertools.groupby(by_path, key=names.__getitem__))
        while some := list(itertools.islice(groups, 256)):
            for (path, numbers), recording in zip(some, pool.map(one, (path for path, _ in some)), strict=True):
                seen = None if isinstance(recording, str) else recording
                if isinstance(recording, str):
                    reasons[path] = recording
                for i in numbers:
                    durations.append(None if seen is None else _duration(rows[i], seen))
                    rates.append(None if seen is None else seen.sample_rate)
                    digests.append("" if seen is None else seen.digest)
                n_done += 1
                if progress:
                    progress(n_done)
    back = sorted(range(len(rows)), key=by_path.__getitem__)
    rows = rows.replace(
        duration=Numbers("d", (durations[k] for k in back)),
        sample_rate=Numbers("q", (rates[k] for k in back)),
        audio_digest=Texts(digests[k] for k in back),
    )
    return Looked(make_manifest(rows, manifest.info), reasons)


def _duration(row: Utterance, recording: audio.Recording) -> float | None:
    """Seconds of an utterance; None if it starts behind the file's end."""
    if row.start is None and row.end is None:
        return recording.duration
    rate = recording.sample_rate
    first = math.floor((row.start or 0.0) * rate + 0.5)
    last = math.floor((recording.duration if row.end is None else row.end) * rate + 0.5)
    return (last - first) / rate if last > first else None


# -- what a recipe keeps -------------------------------------------------------------


@dataclass(frozen=True)
class Selection:
    """The rows a recipe asks for, and what it left out."""

    manifest: Manifest
    dropped: Mapping[str, int]  # reason → utterances
    labels: tuple[str, ...]  # declared emotions, in logit order


def select(manifest: Manifest, *, emotions: Mapping[str, str] | None = None, exclude: Sequence[str] = ()) -> Selection:
    """Keep, rename and merge emotions, and leave out utterances by id.

    Parameters
    ----------
    manifest : Manifest
    emotions : mapping of str to str, optional
        The corpus's word → the recipe's; what is not named is dropped.  None keeps
        every label.  Utterances of a partition "test" stay even without a label.
    exclude : sequence of str
        Utterance ids.

    Raises
    ------
    ManifestError
        If an emotion or an excluded id does not occur in the manifest: a typing
        error would otherwise drop a class silently.
    """
    rows = manifest.utterances
    present = Counter(rows.column("emotion"))
    problems = []
    for name in emotions or {}:
        if name not in present:
            known = ", ".join(sorted(filter(None, present))) or "none"
            problems.append(f"[corpus.emotions] names {name!r}, which no utterance has; the corpus has {known}")
    excluded = set(exclude)
    absent = sorted(excluded.difference(rows.column("id")))
    if absent:
        problems.append(f"{len(absent)} excluded ids are not in the corpus, such as {one_line(absent[0])!r}")
    if problems:
        raise ManifestError(first_ten(problems))
    kept: list[int] = []
    words = Texts()  # their emotions
    dropped = Counter[str]()
    cells = zip(rows.column("id"), rows.column("emotion"), rows.column("partition"), strict=True)
    for i, (id_, emotion, partition) in enumerate(cells):
        if id_ in excluded:
            dropped["excluded by the recipe's list"] += 1
        elif emotions is None or (not emotion and partition == "test"):
            kept.append(i)
            words.append(emotion)
        elif emotion in emotions:
            kept.append(i)
            words.append(emotions[emotion])
        else:
            dropped[f"emotion {emotion!r} not named in [corpus.emotions]" if emotion else "no label"] += 1
    rows = rows.take(kept).replace(emotion=words)
    declared = emotions.values() if emotions is not None else sorted(filter(None, present))
    return Selection(make_manifest(rows, manifest.info), dict(sorted(dropped.items())), tuple(dict.fromkeys(declared)))


# -- comparing a folder with a manifest ----------------------------------------------


def spellings(manifest: Manifest) -> list[str]:
    """Speakers and emotions that are most likely one, written in two ways: they would be split as two."""
    found = []
    for column in ("speaker", "emotion"):
        ways: dict[str, list[str]] = {}
        for value in sorted(set(manifest.column(column)) - {""}):
            ways.setdefault(" ".join(unicodedata.normalize("NFKC", value).casefold().split()), []).append(value)
        several = [", ".join(map(repr, map(one_line, values))) for values in ways.values() if len(values) > 1]
        if several:
            shown = "; ".join(several[:3]) + (f"; and {len(several) - 3} more" if len(several) > 3 else "")
            found.append(f"{column}s that differ in case, spaces or Unicode form only are taken as different: {shown}")
    return found


@dataclass(frozen=True)
class Check:
    """How a folder differs from a manifest; all are relative paths."""

    n_files: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    extra: tuple[str, ...]
    digests: Mapping[str, str] = field(default_factory=dict)  # of the files that are there

    @property
    def same(self) -> bool:
        """Whether every file of the manifest is there, unchanged, and no other."""
        return not (self.missing or self.changed or self.extra)


def check_manifest(manifest: Manifest, root: Path, *, progress: Callable[[int], None] | None = None) -> Check:
    """Compare a corpus folder with a manifest: missing, changed and extra recordings.

    A file counts as changed when its bytes do not have the manifest's digest, and as
    missing when it is not there or cannot be read.
    """
    if not root.is_dir():
        raise ManifestError(f"{one_line(root)}: no such folder; expected the corpus root")
    expected = dict(zip(manifest.column("path"), manifest.column("audio_digest"), strict=True))

    def digest(path: str) -> str | None:
        try:
            return audio.digest_of(audio.read_bytes(root / path))
        except AudioError:
            return None

    missing, changed, digests = [], [], {}
    with ThreadPoolExecutor(max_workers=min(16, 2 * (os.cpu_count() or 1))) as pool:
        for number, (path, found) in enumerate(zip(expected, pool.map(digest, expected), strict=True), 1):
            if found is None:
                missing.append(path)
            else:
                digests[path] = found
                if expected[path] and found != expected[path]:
                    changed.append(path)
            if progress:
                progress(number)
    extra = [path for path in walk(root, audio.SUFFIXES) if path not in expected]
    return Check(len(expected), tuple(missing), tuple(changed), tuple(extra), digests)
