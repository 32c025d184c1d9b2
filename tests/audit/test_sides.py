"""Published names find their utterances, and no others."""

import numpy as np
import pytest

from serprep import Utterance
from serprep.audit.foreign import Listing
from serprep.audit.rows import Entry
from serprep.audit.sides import BITS, find_sides, finder, namer
from serprep.corpora import CORPORA
from serprep.errors import SplitError

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
