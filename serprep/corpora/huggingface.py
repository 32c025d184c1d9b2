"""A data set of the library `datasets`: Parquet with a column of recordings, or recordings and a table of them.

| what | |
| --- | --- |
| origin | huggingface.co/docs/datasets, "Audio" and "AudioFolder" |
| size, speakers, labels, licence | whatever the folder holds |

Tree: ``*.parquet``, or ``metadata.csv`` or ``metadata.jsonl`` with a column ``file_name``, at any depth.  The
recordings' column is the first of bytes and path; recordings that lie in it are written to ``recordings/`` in the
folder, once, since features are computed from files.  A label that is a number has the name that the file's
ClassLabel gives it.  Columns are those of a table (``[corpus.columns]``); ``emotion`` is also found as ``label``,
``speaker`` as ``speaker_id``.  Columns of lists, such as features, are passed over.  A file or folder named after a
split, such as ``train-00000-of-00001.parquet``, is that partition.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from serprep._json import load_object
from serprep.corpora.corpus import SAID, About, Corpus, Finding, told_about
from serprep.corpora.labels import is_there
from serprep.corpora.table import cell_of, read_rows, utterance_of
from serprep.errors import CorpusError, brief, one_line
from serprep.files import write_whole
from serprep.place.corpus import read_file, walk
from serprep.utterance import Utterance

FOLDER = "recordings"
ROLES = {"id": ("id",), "emotion": ("emotion", "label"), "speaker": ("speaker", "speaker_id")}
PARTITION = re.compile(r"(?:^|/)(train|validation|valid|devel|dev|test)(?=[-_./])")
MAGIC = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg"}

Row = tuple[str, dict[str, str]]


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding | About]:
    """Utterances in the order of the files and their rows."""
    given = options.get("columns") or {}
    if not isinstance(given, Mapping):
        raise CorpusError(f'[corpus.columns] is {given!r}; expected a table such as emotion = "label"')
    yield from told_about(options, CORPUS)
    for place, cells in _rows(root):
        wanted = {"path": "path", "start": "start", "end": "end", "partition": "partition"}
        for role, names in ROLES.items():
            wanted[role] = next((name for name in names if name in cells), role)
        wanted |= {str(role): str(column) for role, column in given.items()}
        yield utterance_of(place, cells, wanted, root=root, prefix="")


def _rows(root: Path) -> Iterator[Row]:
    for name in walk(root, tuple(READERS)):
        if PurePosixPath(name).name in READERS:
            yield from _beside(root, name)
    for name in walk(root, (".parquet",)):
        yield from _parquet_rows(root, name)


def _beside(root: Path, name: str) -> Iterator[Row]:
    """Rows of a table that lies in the folder of the recordings it names."""
    folder = PurePosixPath(name).parent
    for place, cells in READERS[PurePosixPath(name).name](root / name):
        if "file_name" not in cells:
            raise CorpusError(
                f"{one_line(root / name)}: no column 'file_name'; it has {', '.join(map(one_line, cells))}"
            )
        cells["path"] = str(folder / cells.pop("file_name")) if cells["file_name"] else ""
        cells.setdefault("partition", (PARTITION.findall(name) or [""])[-1])
        yield place, cells


def _lines(path: Path) -> Iterator[Row]:
    """Rows of a file of JSON lines; nested values are passed over."""
    try:
        data = read_file(path)
    except OSError as error:
        raise CorpusError(f"{one_line(path)}: {error.strerror}; expected JSON lines") from None
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            values = load_object(line)
        except ValueError as error:
            raise CorpusError(f"{one_line(path)}:{number}: {one_line(error)}; expected a JSON object") from None
        yield (
            f"{one_line(path)}:{number}",
            {key: cell_of(value) for key, value in values.items() if not isinstance(value, list | dict)},
        )


READERS = {"metadata.csv": read_rows, "metadata.jsonl": _lines}


def _parquet_rows(root: Path, name: str) -> Iterator[Row]:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(root / name)
        schema = file.schema_arrow
        audio = next((f.name for f in schema if _is_audio(f.type, pyarrow)), None)
        if audio is None:
            raise CorpusError(
                f"{one_line(root / name)}: no column of recordings (bytes and path) among "
                f"{brief(', '.join(schema.names))}; expected one, as `datasets` writes an Audio column"
            )
        labels = {
            column: names
            for column, names in _labels(schema.metadata or {}).items()
            if column in schema.names and pyarrow.types.is_integer(schema.field(column).type)
        }
        plain = [field.name for field in schema if not pyarrow.types.is_nested(field.type)]
        partition = (PARTITION.findall(name) or [""])[-1]  # of several the one nearest to the file
        number = 0
        for batch in file.iter_batches(batch_size=64, columns=[*plain, audio]):
            for row in batch.to_pylist():
                cells = {column: cell_of(row[column]) for column in plain if column != "path"}
                for column, names in labels.items():
                    if row.get(column) is not None:
                        cells[column] = names[row[column]] if 0 <= row[column] < len(names) else ""
                cells["path"] = _recording(root, name, number, row[audio] or {})
                cells.setdefault("partition", partition)
                if _written(row[audio] or {}):  # it is cut already
                    cells |= {"start": "", "end": ""}
                yield f"{one_line(root / name)}, row {number}", cells
                number += 1
    except (OSError, pyarrow.ArrowException) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise CorpusError(f"{one_line(root / name)}: {reason}; expected a Parquet file") from None


def _is_audio(kind: Any, pyarrow: Any) -> bool:
    return bool(pyarrow.types.is_struct(kind) and {field.name for field in kind} >= {"bytes", "path"})


def _labels(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Column → the names of its ClassLabel, as `datasets` notes them in a file."""
    try:
        features = load_object(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        return {
            name: [str(label) for label in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict)
            and feature.get("_type") == "ClassLabel"
            and isinstance(feature.get("names"), list)
        }
    except (ValueError, AttributeError, TypeError):
        return {}


def _written(audio: Mapping[str, Any]) -> bool:
    return bool(audio.get("bytes"))


def _recording(root: Path, name: str, number: int, audio: Mapping[str, Any]) -> str:
    """The recording of a row, relative to the root; one that lies in the file is written beside it once."""
    told = str(audio.get("path") or "")
    if not _written(audio):
        beside = PurePosixPath(name).parent / told
        return str(beside) if told and is_there(root / beside) else told
    data = bytes(audio["bytes"])
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", PurePosixPath(told).stem)[:60]
    suffix = PurePosixPath(told).suffix.lower()
    if not re.fullmatch(r"\.[a-z0-9]{1,5}", suffix):
        suffix = MAGIC.get(data[:4], ".mp3")
    path = PurePosixPath(FOLDER) / PurePosixPath(name).with_suffix("") / f"{number:06}_{stem}{suffix}"
    target = root / str(path)
    if not target.is_file() or target.read_bytes() != data:
        write_whole(Path(str(target)), data)
    return str(path)


CORPUS = Corpus(
    name="huggingface",
    title="a data set in Hugging Face's form",
    licence="unknown: yours to know",
    source="local folder",
    citation="",
    layout="Parquet files with a column of recordings, or metadata.csv or metadata.jsonl with a column file_name",
    utterances=utterances,
    options=("columns", *SAID),
)
