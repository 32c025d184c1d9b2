"""A store as tar files for the library `webdataset`.

``part-<roles>-<shard>.tar`` hold for each utterance ``<key>.json``, ``<key>.<group>.npy``, and its recording
where asked for.  ``shards.json``: fold → role → files.  In a key ``%2E`` stands for a dot and ``%25`` for a
per cent sign, since a key ends at its first dot.
"""

import io
import json
import tarfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from serprep.exports.exporter import Exporter
from serprep.exports.roles import fold_files, numbers_of
from serprep.exports.source import Source

SHARD_BYTES = 256 << 20


class _WebDataset(Exporter):
    name = "webdataset"

    def write(self, source: Source, folder: Path) -> None:
        numbers = numbers_of(source)
        shards: dict[int, list[str]] = {number: [] for number in numbers.values()}
        labels = {label: number for number, label in enumerate(source.store.labels)}
        with ExitStack() as files:
            opened: dict[int, tarfile.TarFile] = {}
            for batch in source.batches():
                for place, i in enumerate(batch.rows):
                    number = numbers[source.roles(i)]
                    if number in opened and opened[number].offset >= SHARD_BYTES:
                        opened.pop(number).close()
                    if number not in opened:
                        shards[number].append(f"part-{number:03}-{len(shards[number]):06}.tar")
                        opened[number] = files.enter_context(tarfile.open(folder / shards[number][-1], "w"))
                    record = source.record(i)
                    record |= {
                        "label": labels.get(record["emotion"]),
                        "roles": dict(zip(source.folds, source.roles(i), strict=True)),
                    }
                    key = record["id"].replace("%", "%25").replace(".", "%2E")
                    members = {"json": json.dumps(record, allow_nan=False).encode()}
                    for table in source.store.tables:
                        text = io.BytesIO()
                        np.save(text, batch.values[table.name][place], allow_pickle=False)
                        members[f"{source.name_of(table)}.npy"] = text.getvalue()
                    if source.audio:
                        suffix, data = source.recording(i)
                        members[suffix] = data
                    for suffix, data in members.items():
                        about = tarfile.TarInfo(f"{key}.{suffix}")  # time 0: same store, same bytes
                        about.size = len(data)
                        opened[number].addfile(about, io.BytesIO(data))
                    opened[number].getmembers().clear()  # it would keep one of each
        listed = {
            fold: {role: [shard for name in names for shard in shards[int(name)]] for role, names in roles.items()}
            for fold, roles in fold_files(source, str)
        }
        everything = [shard for names in shards.values() for shard in names]
        (folder / "shards.json").write_text(json.dumps({"all": everything, "folds": listed}, indent=1) + "\n")


WEBDATASET = _WebDataset()
