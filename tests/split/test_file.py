import hashlib
import json

import pytest

from serprep.errors import SplitError
from serprep.manifest.table import make_manifest
from serprep.split import (
    SplitConfig,
    make_split,
    read_split,
    write_split,
)
from serprep.utterance import Utterance


def odd_split():
    """Names that JSON, CSV and terminals dislike."""
    rows = [
        Utterance(id=name, path=f"{number}.wav", speaker=f"s{number % 3}\n", extra={"text": '"t" ü'})
        for number, name in enumerate(("a b", "ü@1", 'q"uote', "new\nline", "rows_digest", "ﬀ", "__proto__", "\u2028"))
    ]
    return make_split(make_manifest(rows), SplitConfig(dev_groups=1))


def test_a_split_is_what_was_written(tmp_path, corpus):
    for split in (odd_split(), make_split(corpus(), SplitConfig(protocol="group-k-fold"))):
        path = write_split(split, tmp_path / "folder" / "split.json")
        assert read_split(path) == split
        text = path.read_bytes()
        write_split(read_split(path), path)
        assert path.read_bytes() == text


def test_a_split_file_names_what_it_is_bound_to(tmp_path, corpus):
    manifest = corpus()
    values = json.loads(write_split(make_split(manifest, SplitConfig(seed=4)), tmp_path / "s.json").read_bytes())
    rows = sorted([row.id, row.speaker, row.speaker] for row in manifest.utterances)
    text = json.dumps(rows, separators=(",", ":"))
    assert values["rows_digest"] == hashlib.sha256(text.encode()).hexdigest()
    assert values["manifest_digest"] == manifest.digest
    assert (values["format"], values["protocol"], values["seed"]) == (1, "leave-one-group-out", 4)
    assert values["utterances"]["s00_00"] == {"speaker": "s00", "group": "s00", "roles": ["test"] + ["train"] * 11}
    assert ".wav" not in (tmp_path / "s.json").read_text()


@pytest.fixture
def edited(tmp_path, corpus):
    """A function that writes a split file and changes its values."""

    def edit(change):
        path = write_split(make_split(corpus(3, 2), SplitConfig()), tmp_path / "split.json")
        values = json.loads(path.read_bytes())
        change(values)
        path.write_text(json.dumps(values))
        return path

    return edit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["utterances"]["s00_00"].update(speaker="s01"), "do not have the digest it names; it was edited"),
        (lambda v: v["utterances"]["s00_00"].update(group="s01"), "do not have the digest it names"),
        (lambda v: v["utterances"].pop("s00_00"), "do not have the digest it names"),
        (lambda v: v["utterances"].update(x=v["utterances"]["s00_00"]), "do not have the digest it names"),
        (lambda v: v.update(format=2), "has format 2, this serprep reads 1"),
        (lambda v: v.pop("format"), "'format' is missing or misplaced"),
        (lambda v: v.pop("utterances"), "'utterances' is missing or misplaced"),
        (lambda v: v.update(utterances=[1]), "is missing or misplaced"),
        (lambda v: v.update(utterances={}), "no folds or no utterances"),
        (lambda v: v.update(folds=[]), "expected 0 of train, dev, test or nothing"),
        (lambda v: v.update(folds=3), "expected a JSON object with a list of folds"),
        (lambda v: v.update(seed="x"), "seed is 'x'; expected a whole number"),
        (lambda v: v.update(seed=float("inf")), "Infinity is not JSON"),
        (lambda v: v.update(seed="1_0"), "expected a whole number"),
        (lambda v: v.update(seed=1.5), "expected a whole number"),
        (lambda v: v["utterances"]["s00_00"].update(speaker=None), "a speaker is 'None'; expected text"),
        (lambda v: v["utterances"]["s00_00"].update(roles=["test"]), "'s00_00' has roles .*expected 3 of train, dev"),
        (lambda v: v["utterances"]["s00_00"].update(roles=["x", "train", "test"]), "expected 3 of train, dev, test"),
        (lambda v: v["utterances"]["s00_00"].update(roles=[["train"], "", ""]), "is missing or misplaced"),
        (lambda v: v["utterances"]["s00_00"].update(roles=None), "is missing or misplaced"),
        (lambda v: v["utterances"].update({"\ud800": v["utterances"]["s00_00"]}), "half of a character"),
    ],
)
def test_edited_split_files(tmp_path, change, message, edited):
    path = edited(change)
    with pytest.raises(SplitError, match=message) as caught:
        read_split(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_list_from_elsewhere_needs_no_digest(tmp_path, edited):
    path = edited(lambda values: [values.pop(name) for name in ("rows_digest", "manifest_digest", "notes")])
    assert len(read_split(path).utterances) == 6


@pytest.mark.parametrize("data", [b"", b"[]", b"3", b"{", b"\xff", b"[" * 100_000], ids=range(6))
def test_files_that_are_no_split(tmp_path, data):
    path = tmp_path / "split.json"
    path.write_bytes(data)
    with pytest.raises(SplitError, match=r"expected (a )?JSON|missing or misplaced"):
        read_split(path)


def test_no_file(tmp_path):
    with pytest.raises(SplitError, match="No such file or directory; expected a split file"):
        read_split(tmp_path / "none.json")


def test_utterances_share_their_roles_in_memory(tmp_path, many):
    split = make_split(many(50), SplitConfig())
    again = read_split(write_split(split, tmp_path / "s.json"))
    for one in (split, again):
        assert len({id(row.roles) for row in one.utterances.values()}) == 50
    assert again == split
