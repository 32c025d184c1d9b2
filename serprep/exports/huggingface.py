"""A store for the library `datasets`: Parquet, and a card that says which files are which split of which fold.

``load_dataset(FOLDER)`` gives everything as the split ``full``, or with one fold its own splits;
``load_dataset(FOLDER, "fold-<name>")`` those of one of several folds.  A split file's ``dev`` is ``validation``,
as that library has it.  Emotions are a ClassLabel; recordings, where asked for, an Audio column of the files' bytes.
"""

import json
import re
from pathlib import Path
from typing import Any

from serprep.exports.exporter import Exporter
from serprep.exports.parquet import AUDIO, Columns, file_name, write_parquet
from serprep.exports.roles import fold_files
from serprep.exports.source import Source
from serprep.store.layout import Table

SPLITS = {"train": "train", "dev": "validation", "test": "test"}


class _HuggingFace(Exporter):
    name = "huggingface"

    def write(self, source: Source, folder: Path) -> None:
        metadata = {
            "huggingface": json.dumps({"info": {"features": features_of(source)}}),
            "serprep": json.dumps(source.about),
        }
        names = write_parquet(source, folder / "data", metadata=metadata)
        (folder / "README.md").write_text(_card(source, names), encoding="utf-8")


def features_of(source: Source) -> dict[str, Any]:
    """The features, as `datasets` writes them."""
    columns = Columns.of(source)
    own: dict[str, Any] = {name: {"dtype": kind, "_type": "Value"} for name, kind in columns.texts.items()}
    own["emotion"] = {"names": list(source.store.labels), "_type": "ClassLabel"}
    own |= {name: _list(table) for name, table in columns.tables.items()}
    return own | ({AUDIO: {"_type": "Audio"}} if columns.audio else {})


def _list(table: Table) -> dict[str, Any]:
    feature: dict[str, Any] = {"dtype": table.dtype, "_type": "Value"}
    for size in reversed(table.row):
        feature = {"feature": feature, "length": size, "_type": "List"}
    return feature if table.per_utterance else {"feature": feature, "_type": "List"}


def _configs(source: Source, names: list[str]) -> list[dict[str, Any]]:
    folds = list(fold_files(source, lambda number: f"data/{file_name(number)}"))
    configs = {
        "default" if len(folds) == 1 else f"fold-{re.sub(r'[^A-Za-z0-9_.-]', '_', fold)}": files
        for fold, files in folds
    }
    if len(configs) != 1:
        configs = {"default": {"full": [f"data/{name}" for name in names]}} | configs
    return [
        {
            "config_name": config,
            "data_files": [{"split": SPLITS.get(role, role), "path": paths} for role, paths in files.items()],
        }
        for config, files in configs.items()
    ]


def _card(source: Source, names: list[str]) -> str:
    """README.md: the head is YAML, of which JSON is a part."""
    about, store = source.about, source.store
    head = {
        "pretty_name": source.title,
        "license": "other",
        "license_name": source.licence,
        "task_categories": ["audio-classification"],
        "tags": ["speech-emotion-recognition", "serprep"],
        "configs": _configs(source, names),
    }
    licences = "".join(f"- {line}\n" for line in about["licences"])
    tables = "".join(
        f"- `{name}`: {len(table.row)}-d {table.dtype}\n" for name, table in Columns.of(source).tables.items()
    )
    counts = {label: store.emotions.count(label) for label in store.labels}
    labels = "".join(f"| {label} | {count} |\n" for label, count in counts.items())
    split = about["split"]
    told = (
        f"{split['protocol']} by {split['group']}, seed {split['seed']}, digest `{split['digest']}`"
        if split
        else "none"
    )
    return (
        "---\n"
        + "".join(f"{key}: {json.dumps(value)}\n" for key, value in head.items())
        + f"---\n\n# {source.title}\n\n"
        f"{len(store)} utterances, {len(set(store.speakers))} speakers, {store.hours:.2f} hours.\n"
        f"Written by serprep from the store of version `{store.version}`; `serprep.json` says how it was made.\n\n"
        f"## Licences\n\n{licences}\n## Labels\n\n| label | utterances |\n| --- | --- |\n{labels}\n"
        f"## Features\n\n{tables}\nExtractors: `{json.dumps(about['extractors'], sort_keys=True)}`\n\n"
        f"## Split\n\n{told}\n"
    )


HUGGINGFACE = _HuggingFace()
