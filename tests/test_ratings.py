import json

import pytest

from serprep.corpora.corpus import Rating
from serprep.errors import ManifestError
from serprep.manifest.table import make_manifest, write_manifest
from serprep.ratings import read_ratings, write_ratings
from serprep.utterance import Utterance

RATINGS = (
    Rating(id="a", rater="r1", emotions=("sad", "neutral"), comment='says "hm"\n\u2028…'),
    Rating(id="a", rater="r2", valence=2.5, arousal=-1.0, dominance=0.0),
    Rating(id="ü", rater="r1", emotions=("joy",), valence=1 / 3),
)


def test_ratings_are_read_as_they_were_written(tmp_path):
    path = write_ratings(reversed(RATINGS), tmp_path)
    assert path == tmp_path / "raters.jsonl"
    assert read_ratings(tmp_path) == RATINGS  # sorted
    assert [json.loads(line)["id"] for line in path.read_text(encoding="utf-8").split("\n")[:-1]] == ["a", "a", "ü"]


def test_a_manifest_is_named_by_its_table_or_its_folder(tmp_path):
    csv = write_manifest(make_manifest([Utterance(id="a", path="a.wav")]), tmp_path)
    assert read_ratings(csv) == read_ratings(tmp_path) == ()
    write_ratings(RATINGS, tmp_path)
    assert read_ratings(csv) == read_ratings(tmp_path) == RATINGS


def test_what_a_rater_did_not_say_is_left_out(tmp_path):
    path = write_ratings([Rating(id="a", rater="r", valence=0.0)], tmp_path)
    assert json.loads(path.read_text()) == {"id": "a", "rater": "r", "valence": 0.0}


def test_without_ratings_no_file_stays(tmp_path):
    write_ratings(RATINGS, tmp_path)
    assert write_ratings((), tmp_path) is None
    assert write_ratings((), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "Expecting property name"),
        ("[" * 100_000, "nested deeper"),
        ("3", "expected an object with some of id, rater"),
        ('{"id": "a", "rater": "r", "mood": 1}', "expected an object with some of id, rater"),
        ('{"rater": "r"}', "id is 'None'; expected text"),
        ('{"id": "a", "rater": 3}', "rater is '3'; expected text"),
        ('{"id": "a", "rater": "r", "emotions": "sad"}', "emotions is 'sad'; expected a list of text"),
        ('{"id": "a", "rater": "r", "emotions": [1]}', r"emotions is '\[1\]'; expected a list of text"),
        ('{"id": "a", "rater": "r", "valence": "2"}', "valence is '2'; expected a number"),
        ('{"id": "a", "rater": "r", "valence": true}', "valence is 'True'; expected a number"),
        ('{"id": "a", "rater": "r", "arousal": NaN}', "NaN is not JSON"),
        ('{"id": "a", "rater": "r", "dominance": 1e999}', "1e999 is beyond any number"),
        ('{"id": "a", "rater": "r", "dominance": 1' + "0" * 400 + "}", "a whole number of 401 digits"),
        ('{"id": "a", "rater": "r", "comment": 3}', "comment is '3'; expected text"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    (tmp_path / "raters.jsonl").write_text('{"id": "a", "rater": "r"}\n\n' + line + "\n")
    with pytest.raises(ManifestError, match=rf"raters\.jsonl:3: .*{message}") as caught:
        read_ratings(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "raters.jsonl").write_bytes(b'{"id": "\xff"}')
    with pytest.raises(ManifestError, match="at byte 8; expected UTF-8"):
        read_ratings(tmp_path)
