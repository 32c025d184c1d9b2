"""A store as Parquet that Croissant 1.0 describes (``croissant.json``, JSON-LD), with its fields on responsible use.

``data/part-000.parquet`` has a row per utterance: columns of the store, ``role_<fold>``, and a list per table.
"""

import json
from pathlib import Path
from typing import Any

from serprep.exports.exporter import Exporter
from serprep.exports.parquet import Columns, write_parquet
from serprep.exports.source import Source
from serprep.store.container import digest_of

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
FILE = "data/part-000.parquet"


class _Croissant(Exporter):
    name = "croissant"

    def write(self, source: Source, folder: Path) -> None:
        write_parquet(source, folder / "data", metadata={"serprep": json.dumps(source.about)}, by_roles=False)
        text = json.dumps(_described(source, folder), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / "croissant.json").write_text(text + "\n", encoding="utf-8")


def _described(source: Source, folder: Path) -> dict[str, Any]:
    about, store = source.about, source.store
    corpus = about["corpus"]
    columns = Columns.of(source, roles=True)
    types = {"string": "sc:Text", "float64": "sc:Float", "int64": "sc:Integer"}
    fields = [_field(name, types[kind]) for name, kind in columns.texts.items() if name != "emotion"]
    fields.append(_field("emotion", "sc:Integer", f"Number of the label among {', '.join(store.labels)}."))
    fields += [_field(name, "sc:Text", "train, dev, test, or nothing.") for name in columns.roles]
    fields += [
        _field(name, "sc:Float", f"{table.dtype}, rows of {table.row}.") for name, table in columns.tables.items()
    ]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": source.title.replace(" ", "-"),
        "description": f"Features of {len(store)} utterances for speech emotion recognition, from the serprep store "
        f"of version {store.version}. Extractors: {json.dumps(about['extractors'], sort_keys=True)}",
        "license": source.licence,
        "url": str(corpus.get("source") or "unknown"),
        "version": f"1.0.0+{store.version}",  # a semantic version, as Croissant wants one
        "citeAs": str(corpus.get("citation") or corpus.get("title") or corpus.get("corpus") or "unknown"),
        "creator": {"@type": "sc:Organization", "name": str(corpus.get("corpus") or "unknown")},
        "rai:dataCollection": "Recordings and labels are those of the corpus; see its source.",
        "rai:dataBiases": f"{len(set(store.speakers))} speakers; emotions may be acted or elicited.",
        "rai:personalSensitiveInformation": "Voices, and what is computed from them, tell of persons.",
        "rai:dataUseCases": "Research on speech emotion recognition, speakers kept apart; not decisions on persons.",
        "rai:dataLimitations": "; ".join(about["licences"]),
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "utterances-file",
                "name": "utterances-file",
                "contentUrl": FILE,
                "encodingFormat": "application/x-parquet",
                "sha256": digest_of(folder / FILE),
            }
        ],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "utterances", "name": "utterances", "field": fields}],
    }


def _field(name: str, kind: str, description: str = "") -> dict[str, Any]:
    about = {"description": description} if description else {}
    return {
        "@type": "cr:Field",
        "@id": f"utterances/{name}",
        "name": f"utterances/{name}",
        **about,
        "dataType": kind,
        "source": {"fileObject": {"@id": "utterances-file"}, "extract": {"column": name}},
    }


CROISSANT = _Croissant()
