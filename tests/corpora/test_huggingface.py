import hashlib
import json
import shutil

import pytest

from serprep.corpora import read_corpus
from serprep.errors import CorpusError


def test_what_was_exported_is_read_back(shop, tmp_path):
    root = tmp_path / "export"
    shutil.copytree(shop.export("huggingface", audio=True), root)
    rows = {row.id: row for row in read_corpus("huggingface", root).utterances}
    assert sorted(rows) == shop.store.ids
    for i, name in enumerate(shop.store.ids):
        assert rows[name].emotion == shop.store.emotions[i] and rows[name].speaker == shop.store.speakers[i]
        data = (root / rows[name].path).read_bytes()
        if not shop.store.column("path")[i].startswith("long"):
            assert hashlib.sha256(data).hexdigest() == shop.store.column("audio_digest")[i]
        assert (rows[name].start, rows[name].end) == (None, None)  # excerpts are cut already


def test_without_recordings_the_columns_are_named(shop):
    with pytest.raises(CorpusError, match=r"part-000\.parquet: no column of recordings \(bytes and path\) among"):
        read_corpus("huggingface", shop.export("huggingface"))


def test_what_is_no_parquet_is_one_line(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(CorpusError, match=r"a\.parquet: .*; expected a Parquet file") as error:
        read_corpus("huggingface", tmp_path)
    assert "\n" not in str(error.value)


def test_a_partition_is_told_by_the_files_name(tmp_path):
    import pyarrow
    from pyarrow import parquet

    audio = pyarrow.array([{"bytes": b"RIFFx", "path": "../../a.wav"}])
    (tmp_path / "data").mkdir()
    table = pyarrow.table({"file": audio, "label": ["joy"]})
    parquet.write_table(table, tmp_path / "data" / "validation-00000-of-00001.parquet")
    (row,) = read_corpus("huggingface", tmp_path).utterances
    assert (row.partition, row.emotion) == ("validation", "joy")
    assert row.path == "recordings/data/validation-00000-of-00001/000000_a.wav"  # a hostile path leads nowhere
    assert (tmp_path / row.path).read_bytes() == b"RIFFx"


@pytest.mark.parametrize(
    ("label", "names", "emotion"),
    [(1, ["sad", "joy"], "joy"), ("joy", ["sad", "joy"], "joy"), (1.0, ["sad", "joy"], "1.0"), (1, "ab", "1")],
)
def test_names_are_given_to_whole_numbers_and_the_nearest_folder_is_the_partition(tmp_path, label, names, emotion):
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"file": [{"bytes": b"RIFFx", "path": "a.wav"}], "label": [label]})
    features = {"label": {"_type": "ClassLabel", "names": names}}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    (tmp_path / "test_set").mkdir()
    parquet.write_table(table, tmp_path / "test_set" / "train-0.parquet")
    (row,) = read_corpus("huggingface", tmp_path).utterances
    assert (row.emotion, row.partition) == (emotion, "train")


def test_a_table_beside_the_recordings_may_be_of_json_lines_and_in_the_folder_of_a_split(tmp_path):
    for folder, rows in {"train": [("a.wav", "joy", 7), ("b.wav", "sad", None)], "test": [("c.wav", "joy", 8)]}.items():
        (tmp_path / folder).mkdir()
        lines = [
            json.dumps({"file_name": file, "label": label, "speaker_id": speaker, "scores": [1, 2], "age": 30.5})
            for file, label, speaker in rows
        ]
        (tmp_path / folder / "metadata.jsonl").write_text("\n".join([*lines, ""]))
    rows = {row.path: row for row in read_corpus("huggingface", tmp_path).utterances}
    told = {path: (row.emotion, row.speaker, row.partition, dict(row.extra)) for path, row in rows.items()}
    assert told == {
        "train/a.wav": ("joy", "7", "train", {"age": "30.5"}),
        "train/b.wav": ("sad", "", "train", {"age": "30.5"}),
        "test/c.wav": ("joy", "8", "test", {"age": "30.5"}),
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", r"metadata\.jsonl:1: it is no JSON object; expected a JSON object"),
        ('{"label": "joy"}', r"metadata\.jsonl: no column 'file_name'; it has label$"),
    ],
)
def test_a_table_of_json_lines_that_tells_no_files_is_one_line(tmp_path, line, message):
    (tmp_path / "metadata.jsonl").write_text(line)
    with pytest.raises(CorpusError, match=message):
        read_corpus("huggingface", tmp_path)
