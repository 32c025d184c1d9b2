"""A store as Kaldi's data folders.

At the top ``wav.scp``, ``segments`` where utterances are excerpts, ``text``, ``utt2spk``, ``spk2utt``,
``utt2emo``, ``utt2dur``, and ``<group>.ark`` with ``<group>.scp`` for the features; with a split
``<fold>/<role>/`` has the same small files of those utterances alone.  Names hold no blanks: ``%20`` stands for one.
A name begins with the speaker's, so that both orders are one, as Kaldi asks for.
"""

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import numpy as np

from serprep._typing import AnyArray
from serprep.exports.exporter import Exporter
from serprep.exports.source import Source

SAFE = "!#$&'()*+,-./:;<=>?@[]^_`{|}~"  # of what is printable, all but blank, quotes, "%" and backslash


class _Kaldi(Exporter):
    name = "kaldi"

    def write(self, source: Source, folder: Path) -> None:
        for _ in source.files():
            pass  # only recordings that are there, and the same, are named
        keys = [key_of(source, i) for i in range(len(source))]
        everyone = range(len(source))
        _data_folder(source, folder, keys, everyone)
        for number, fold in enumerate(source.folds):
            for role in ("train", "dev", "test"):
                rows = [i for i in everyone if source.roles(i)[number] == role]
                if rows:
                    _data_folder(source, folder / name_of(fold) / role, keys, rows)
        tables = source.store.tables
        arks = {table.name: (folder / f"{source.name_of(table)}.ark").open("wb") for table in tables}
        places: dict[str, dict[str, int]] = {name: {} for name in arks}
        try:
            for batch in source.batches():
                for name, values in batch.values.items():
                    for i, array in zip(batch.rows, values, strict=True):
                        places[name][keys[i]] = _write_array(arks[name], keys[i], array)
        finally:
            for file in arks.values():
                file.close()
        for table in tables:
            name = source.name_of(table)
            _lines(folder / f"{name}.scp", ((key, f"{name}.ark:{at}") for key, at in places[table.name].items()))


def name_of(text: str) -> str:
    """A word without blanks and quotes, from which the text can be had again.

    Examples
    --------
    >>> name_of("low mood"), name_of("03a01Fa")
    ('low%20mood', '03a01Fa')
    """
    return quote(text, safe=SAFE.replace("/", ""))


def key_of(source: Source, i: int) -> str:
    """Kaldi's name of an utterance: ``<speaker>-<id>``."""
    speaker, name = source.store.speakers[i], quote(source.store.ids[i], safe=SAFE)
    return f"{name_of(speaker)}-{name}" if speaker else name


def _data_folder(source: Source, folder: Path, keys: list[str], rows: Iterable[int]) -> None:
    """The small files of some utterances."""
    folder.mkdir(parents=True, exist_ok=True)
    store, chosen = source.store, list(rows)
    speakers = {i: name_of(store.speakers[i]) or keys[i] for i in chosen}
    root = f"{source.audio}/" if source.audio else ""
    recordings: dict[str, str] = {}
    segments = []
    for i in chosen:
        path = store.column("path")[i]
        name = quote(path, safe=SAFE) if source.is_excerpt(i) else keys[i]
        recordings[name] = f"{root}{path}"
        if source.is_excerpt(i):
            start, end = store.column("start")[i], store.column("end")[i]
            segments.append((keys[i], f"{name} {0.0 if start != start else start!r} {-1 if end != end else repr(end)}"))
    _lines(folder / "wav.scp", recordings.items())
    if segments:
        _lines(
            folder / "segments", segments + [(keys[i], f"{keys[i]} 0.0 -1") for i in chosen if not source.is_excerpt(i)]
        )
    _lines(folder / "text", ((keys[i], " ".join(source.words(i).split())) for i in chosen))
    _lines(folder / "utt2spk", ((keys[i], speakers[i]) for i in chosen))
    _lines(folder / "utt2emo", ((keys[i], name_of(store.emotions[i])) for i in chosen))
    _lines(folder / "utt2dur", ((keys[i], repr(store.column("duration")[i])) for i in chosen))
    spoken: dict[str, list[str]] = {}
    for i in chosen:
        spoken.setdefault(speakers[i], []).append(keys[i])
    _lines(folder / "spk2utt", ((speaker, " ".join(sorted(names))) for speaker, names in spoken.items()))


def _lines(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """``key value`` lines in the order of the C locale."""
    lines = sorted(f"{key} {value}".rstrip() + "\n" for key, value in pairs)
    path.write_text("".join(sorted(lines, key=lambda line: line.encode())), encoding="utf-8", newline="\n")


def _write_array(file: BinaryIO, key: str, array: AnyArray) -> int:
    """A vector or matrix of an archive; where it begins, behind its key.  Segments are rows of a matrix."""
    file.write(f"{key} ".encode())
    begin = file.tell()
    flat = np.ascontiguousarray(array if array.ndim == 1 else array.reshape(len(array), -1), np.float32)
    sizes = b"".join(b"\4" + struct.pack("<i", size) for size in flat.shape)
    file.write(b"\0B" + (b"FV " if flat.ndim == 1 else b"FM ") + sizes + flat.astype("<f4").tobytes())
    return begin


KALDI = _Kaldi()
