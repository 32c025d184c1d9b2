"""A bundle of the small store's experiments, written, read back and attacked."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from serprep.errors import TrainError
from serprep_models.bundle import ABOUT, LARGEST, RECIPE, bundle, read_bundle

LINK = zipfile.ZipInfo(RECIPE)
LINK.external_attr = 0o120777 << 16


def test_a_bundle_holds_no_audio_and_no_features(made):
    with zipfile.ZipFile(made / "results.zip") as file:
        assert set(file.namelist()) == set(LARGEST) - {"exclude.txt"}
    assert (made / "results.zip").stat().st_size < 20_000


def test_a_file_that_is_no_bundle_is_not_replaced(tmp_path):
    own = tmp_path / "table.csv"
    own.write_text("file,label\n")
    with pytest.raises(TrainError, match=r"table.csv is there and no bundle; name another file"):
        bundle(tmp_path / "recipe.toml", own)
    assert own.read_text() == "file,label\n"


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("../recipe.toml", "x")], r"it holds '\.\./recipe\.toml', as no bundle does; nothing of it was unpacked"),
        ([("/etc/passwd", "x")], "it holds '/etc/passwd'"),
        ([(LINK, "/etc/passwd")], "'recipe.toml' is no plain file; nothing of it was unpacked"),
        ([(RECIPE, b"0" * ((1 << 20) + 1))], "'recipe.toml' is larger than 1048576 bytes"),
        ([(f"{n}.txt", "") for n in range(9)], "9 members; a bundle has at most 5"),
        ([(RECIPE, "")], "no bundle.json in it"),
        ([(ABOUT, "[]")], "it is no JSON object"),
        ([(ABOUT, '{"format": 2}')], "has format 2, this serprep reads 1"),
        ([(ABOUT, '{"format": 1}')], "no recipe.toml in it"),
    ],
)
def test_a_hostile_zip_is_refused_in_one_line(tmp_path, members, message):
    with pytest.raises(TrainError, match=message) as error:
        read_bundle(zipped(tmp_path / "b.zip", members))
    assert "\n" not in str(error.value) and [path.name for path in tmp_path.iterdir()] == ["b.zip"]


@pytest.mark.parametrize("data", [b"", b"PK\3\4 no zip", b"\0" * 1000])
def test_what_is_no_zip_is_one_line(tmp_path, data):
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(TrainError, match=r"b\.zip: .*; expected what `serprep bundle` writes"):
        read_bundle(tmp_path / "b.zip")


@pytest.mark.parametrize("name", ["version", "runs", "summary", "environment", "split"])
def test_fields_of_other_types_are_one_line(made, tmp_path, name):
    given = read_bundle(made / "results.zip")
    about = json.dumps({**given.about, name: 3})
    with pytest.raises(TrainError, match=f"{name} in bundle.json is not what"):
        read_bundle(zipped(tmp_path / "b.zip", [(ABOUT, about), *given.files.items()]))


def test_a_bundle_is_of_one_corpus(small, monkeypatch, tmp_path):
    several = replace(small[0], corpora=(small[0].corpus,))
    monkeypatch.setattr("serprep_models.bundle.finished_of", lambda path: (several, None, None))
    with pytest.raises(TrainError, match=r"both.toml: it has several corpora; a bundle is made of a recipe with one"):
        bundle(Path("both.toml"), tmp_path / "x.zip")
