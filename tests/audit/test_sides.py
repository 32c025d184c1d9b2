"""Published names find their utterances, and no others."""

from dataclasses import replace

import numpy as np
import pytest

from serprep import Utterance, make_manifest
from serprep.audit.foreign import Listing, list_split
from serprep.audit.rows import Entry
from serprep.audit.sides import BITS, find_sides, finder, namer, sides_of
from serprep.corpora import CORPORA
from serprep.errors import SplitError
from serprep.split import Assignment, Split

KNOWN = [
    Utterance(id="1052_WSI_ANG_XX", path="AudioWAV/1052_WSI_ANG_XX.wav", audio_digest="ab" * 32),
    Utterance(id="AudioData/DC/a01", path="AudioData/DC/a01.wav"),
    Utterance(id="AudioData/JE/a01", path="AudioData/JE/a01.wav"),
    Utterance(id="dia_0", path="dia.flac", start=0.0, end=1.5),
    Utterance(id="dia_1", path="dia.flac", start=1.5, end=4.0),
]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("1052_WSI_ANG_XX",), [0]),
        (("ab" * 32,), [0]),
        (("cremad-1052-WSI-ANG-XX",), [0]),
        (("/data/cremad/AudioWAV/1052_WSI_ANG_XX.flac",), [0]),
        ((r"C:\cremad\1052_WSI_ANG_XX.WAV",), [0]),
        (("my_crema_d_1052-wsi-ang-xx",), [0]),
        (("unknown", "x/1052_WSI_ANG_XX.wav"), [0]),
        (("wav/JE/a01.wav",), [2]),
        (("savee-JE-a01",), [2]),
        (("a01",), []),
        (("11052_WSI_ANG_XX",), []),
        (("1052_WSI_ANG",), []),
        (("dia_1",), [4]),
        (("dia.wav",), [3, 4]),
        (("",), []),
    ],
)
def test_names_and_the_utterances_they_name(names, found):
    assert finder(KNOWN)(Entry(names, "train")) == [KNOWN[i] for i in found]


def test_an_excerpt_is_found_by_its_start():
    find = finder(KNOWN)
    assert find(Entry(("dia.wav",), "train", start=1.5)) == [KNOWN[4]]
    assert find(Entry(("dia.wav",), "train", start=1.0)) == []


@pytest.mark.parametrize(
    ("reader", "names", "speaker"),
    [
        ("ravdess", ("ravdess-03-01-05-01-02-01-18",), "18"),
        ("emodb", ("emodb-16b10Wb", "downloads/emodb/wav/16b10Wb.wav"), "16"),
        ("emodb", ("x/16b10Wb.npy",), "16"),
        ("emodb", ("somebody",), None),
    ],
)
def test_names_alone_tell_the_speaker(reader, names, speaker):
    found = namer(CORPORA[reader].named)(Entry(names, "test"))
    assert [utterance.speaker for utterance in found] == ([] if speaker is None else [speaker])


def test_roles_gaps_and_doubles():
    folds = {
        "1": (Entry(("dia_0",), "train", speaker="x"), Entry(("dia_0",), "train"), Entry(("dia_0",), "test")),
        "2": (Entry(("dia_1",), "dev", label="sad"), Entry(("nobody",), "test")),
    }
    sides = find_sides(Listing(folds, ("a note",)), finder(KNOWN), KNOWN)
    assert [(row.id, row.emotion) for row in sides.utterances] == [("dia_0", ""), ("dia_1", "sad")]
    assert np.array_equal(sides.roles, [[BITS["train"] | BITS["test"], 0], [0, BITS["dev"]]])
    assert (sides.doubled, sides.unmatched, sides.named) == (((0, 0),), (("2", "nobody"),), {0: "x"})
    assert [row.id for row in sides.absent] == [row.id for row in KNOWN[:3]]
    assert sides.notes == ("a note",)


def test_a_split_of_another_corpus_is_refused():
    listing = Listing({"1": (Entry(("a\nb",), "train"), Entry(("c",), "test"))}, ())
    with pytest.raises(SplitError, match=r"none of the split's 2 names is known here:\nno such utterance: 'a\\\\nb'"):
        find_sides(listing, finder(KNOWN), KNOWN)


def test_one_of_our_own_splits_has_the_same_sides_by_column():
    rng = np.random.default_rng(0)
    rows = [Utterance(id=f"u{i:02}", path=f"{i}.wav", speaker=f"s{i % 5}", emotion="ab"[i % 2]) for i in range(30)]
    roles = {row.id: tuple(rng.choice(["train", "dev", "test", ""], 3, p=[0.2, 0.1, 0.1, 0.6])) for row in rows[3:]}
    assignments = {name: Assignment(f"s{i % 4}", "", several) for i, (name, several) in enumerate(roles.items())}
    split = Split(protocol="list", group="", seed=0, folds=("a", "b", "c"), utterances=assignments, notes=("n",))
    manifest = make_manifest(rows)
    by_column = sides_of(split, manifest)
    by_name = find_sides(list_split(split), finder(manifest.utterances), manifest.utterances)
    assert list(by_column.utterances) == list(by_name.utterances) and by_column.roles.tolist() == by_name.roles.tolist()
    others = ("folds", "doubled", "unmatched", "named", "absent", "notes")
    assert [getattr(by_column, name) for name in others] == [getattr(by_name, name) for name in others]
    for name in ("speaker", "emotion", "text", "start"):
        assert by_column.column(name) == by_name.column(name)


def test_of_another_split_there_are_no_sides_by_column():
    one = {"a": Assignment("", "", ("train",))}
    split = Split(protocol="list", group="", seed=0, folds=("1",), utterances=one)
    known = Utterance(id="a", path="a")
    assert sides_of(split, make_manifest([known])) is not None
    assert sides_of(split, make_manifest([replace(known, id="b")])) is None  # found by its path, perhaps
    assert sides_of(split, make_manifest([known, replace(known, path="b")])) is None  # which of the two
