"""A store as manifests of the library `lhotse`.

``recordings.jsonl.gz``, ``supervisions.jsonl.gz`` and ``cuts.jsonl.gz``; features lie in ``features.h5`` and are
arrays of a cut's ``custom``, such as ``cut.load_functionals()``.  Roles are ``custom["roles"]``; with a split
``<fold>/<role>.txt`` lists ids for ``cuts.subset(cut_ids=…)``.  Without recordings (``--audio``) what a file holds
beyond its excerpts is not known, and channels are taken for one.
"""

import gzip
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from serprep.exports.exporter import Exporter
from serprep.exports.kaldi import name_of
from serprep.exports.source import Source

ARRAYS = "features.h5"


class _Lhotse(Exporter):
    name = "lhotse"

    def write(self, source: Source, folder: Path) -> None:
        store = source.store
        recordings = _recordings(source)
        with ExitStack() as files:
            opened = {name: files.enter_context(_lines(folder / f"{name}.jsonl.gz")) for name in NAMES}
            arrays = files.enter_context(h5py.File(folder / ARRAYS, "w", libver="latest", track_order=False))
            for recording in recordings.values():
                _put(opened["recordings"], recording)
            for batch in source.batches():
                for place, i in enumerate(batch.rows):
                    values = {}
                    for table in store.tables:
                        name, array = source.name_of(table), batch.values[table.name][place]
                        key = f"{i}/{name}"
                        arrays.create_dataset(key, data=np.ascontiguousarray(array))
                        values[name] = {
                            "storage_type": "numpy_hdf5",
                            "storage_path": ARRAYS,
                            "storage_key": key,
                            "shape": list(array.shape),
                        }
                    recording = recordings[store.column("path")[i]]
                    start = store.column("start")[i]
                    start = 0.0 if start != start else start
                    supervision = _supervision(source, i, recording["id"], start)
                    _put(opened["supervisions"], supervision)
                    cut = {
                        "id": store.ids[i],
                        "start": start,
                        "duration": store.column("duration")[i],
                        "channel": 0,
                        "supervisions": [supervision | {"start": 0.0}],
                        "recording": recording,
                        "custom": {"roles": _roles(source, i), **values},
                        "type": "MonoCut",
                    }
                    _put(opened["cuts"], cut)
        for number, fold in enumerate(source.folds):
            (folder / name_of(fold)).mkdir()
            for role in ("train", "dev", "test"):
                ids = [store.ids[i] for i in range(len(source)) if source.roles(i)[number] == role]
                (folder / name_of(fold) / f"{role}.txt").write_text(
                    "".join(f"{name}\n" for name in ids), encoding="utf-8"
                )


NAMES = ("recordings", "supervisions", "cuts")


@contextmanager
def _lines(path: Path) -> Iterator[Any]:
    """A compressed text to write; without name and time: same store, same bytes."""
    with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        yield io.TextIOWrapper(packed, encoding="utf-8", newline="\n", write_through=True)


def _put(file: Any, row: dict[str, Any]) -> None:
    file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def _roles(source: Source, i: int) -> dict[str, str]:
    return dict(zip(source.folds, source.roles(i), strict=True))


def _supervision(source: Source, i: int, recording: str, start: float) -> dict[str, Any]:
    record = source.record(i)
    own = ("id", "path", "start", "end", "speaker", "gender", "duration")
    return {
        "id": record["id"],
        "recording_id": recording,
        "start": start,
        "duration": record["duration"],
        "channel": 0,
        "text": source.words(i),
        "speaker": record["speaker"],
        "gender": record.get("gender") or None,
        "custom": {name: value for name, value in record.items() if name not in own} | {"roles": _roles(source, i)},
    }


def _recordings(source: Source) -> dict[str, dict[str, Any]]:
    """Path → what is known of its file."""
    store = source.store
    recordings: dict[str, dict[str, Any]] = {}
    for i, path in enumerate(store.column("path")):
        end = store.column("end")[i]
        last = store.column("duration")[i] if end != end else end
        rate = int(store.column("sample_rate")[i])
        known = recordings.get(path)
        if known and known["duration"] >= last:
            continue
        recordings[path] = {
            "id": path,
            "sources": [
                {"type": "file", "channels": [0], "source": f"{source.audio}/{path}" if source.audio else path}
            ],
            "sampling_rate": rate,
            "num_samples": round(last * rate),
            "duration": last,
            "channel_ids": [0],
        }
    if source.audio:
        import soundfile

        for path, data in source.files():
            recording, about = recordings[path], soundfile.info(io.BytesIO(data))
            channels = list(range(about.channels))
            recording["sources"][0]["channels"] = recording["channel_ids"] = channels
            recording.update(
                num_samples=about.frames, duration=about.frames / about.samplerate, sampling_rate=about.samplerate
            )
    return recordings


LHOTSE = _Lhotse()
