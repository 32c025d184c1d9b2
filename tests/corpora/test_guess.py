import unicodedata

import pytest

from helpers.late import Late
from serprep.corpora.guess import guess
from serprep.errors import CorpusError
from serprep.testing import LAYOUTS, write_layout

pandas = Late("pandas")


def make(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize("name", ["ravdess", "emodb", "savee", "tess", "emovo", "urdu", "crema_d"])
def test_known_layouts_are_recognised(tmp_path, name):
    assert name in LAYOUTS
    write_layout(name, tmp_path, sound=False)
    found = guess(tmp_path)
    assert (found.reader, found.options) == (name, {})
    assert found.n_recordings == len(found.reading.utterances)


PEOPLE, MOODS, TAKES = ("anna", "bert", "carl"), ("angry", "happy", "Sad"), ("01", "02", "03")


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("{p}_{m}_{t}.wav", "{speaker}_{emotion}_{take}.wav"),
        ("{m}/{p}_{t}.flac", "{emotion}/{speaker}_{take}.flac"),
        ("{p}/{m}/{t}.wav", "{speaker}/{emotion}/{take}.wav"),
        ("wav/{p}-{m}-x{t}.wav", "wav/{speaker}-{emotion}-{text}.wav"),
        ("{t}.{m}.{p}.wav", "{take}.{emotion}.{speaker}.wav"),
        ("corpus v1/{m}/rec_{t}_{p}.mp3", "corpus v1/{emotion}/rec_{take}_{speaker}.mp3"),
    ],
)
def test_names_that_follow_a_pattern(tmp_path, form, pattern):
    make(tmp_path, *(form.format(p=p, m=m, t=t) for p in PEOPLE for m in MOODS for t in TAKES))
    found = guess(tmp_path)
    assert (found.reader, found.options) == ("pattern", {"pattern": pattern})
    assert found.n_speakers == 3
    assert found.emotions == {"Sad": 9, "angry": 9, "happy": 9}


MOODS_OF = {"Colère": "C", "Joie": "J", "Tristesse": "T"}


@pytest.mark.parametrize(
    ("names", "pattern", "n_speakers"),
    [
        # each sentence is said in one emotion, a number of Windows's stands for the speaker or for nothing
        (
            (f"{m}/{m[0]}{t} ({k}).wav" for m in MOODS for t in TAKES for k in range(1, 5)),
            "{emotion}/{text} ({take}).wav",
            0,
        ),
        # SUBESCO: numbers of speakers start anew for each gender
        (
            (
                f"{g}_0{i}_{p}_S_{t}_{m}_{k}.wav"
                for g, i, p in (("F", 1, "ANA"), ("F", 2, "EVA"), ("M", 1, "BOB"), ("M", 2, "CAI"))
                for t in (1, 2, 10)
                for m in MOODS
                for k in (1, 2)
            ),
            "{gender}_{_}_{speaker}_S_{text}_{emotion}_{take}.wav",
            4,
        ),
        # CaFE as a Mac writes it: the intensity is no speaker, the letter says the emotion again
        (
            (
                unicodedata.normalize("NFD", f"{m}/{level}/{p:02}-{code}-{1 + (level == 'Fort')}-{t}.wav")
                for m, code in MOODS_OF.items()
                for level in ("Faible", "Fort")
                for p in range(1, 6)
                for t in (1, 2)
            ),
            "{emotion}/{intensity}/{speaker}-{_}-{_}-{take}.wav",
            5,
        ),
        # ESD: folders of a partition are no text
        (
            (
                f"{p:04}/{m}/{side}/{p:04}_{3 * k + j:06}.wav"
                for p in range(1, 4)
                for k, m in enumerate(MOODS)
                for j, side in enumerate(("evaluation", "test", "train"))
            ),
            "{speaker}/{emotion}/{partition}/{_}_{take}.wav",
            3,
        ),
        (
            (f"actor_{p}/{m}/level_{n}/x{t}.wav" for p in (1, 2) for m in MOODS for n in (1, 2) for t in TAKES),
            "actor_{speaker}/{emotion}/level_{intensity}/{text}.wav",
            2,
        ),
    ],
)
def test_parts_of_names_that_look_like_speakers_or_texts_and_are_not(tmp_path, names, pattern, n_speakers):
    make(tmp_path, *names)
    guessed = guess(tmp_path)
    assert (guessed.options["pattern"], guessed.n_speakers) == (pattern, n_speakers)


def test_names_without_speakers_have_none(tmp_path):
    make(tmp_path, *(f"{m}_{n:03}.wav" for m in MOODS for n in range(9)))
    found = guess(tmp_path)
    assert (found.options["pattern"], found.n_speakers) == ("{emotion}_{take}.wav", 0)


@pytest.mark.parametrize(("called", "meant"), [("spk", "speaker"), ("Actor", "speaker"), ("x", "text")])
def test_what_is_called_a_speaker_is_one_though_each_says_little(tmp_path, called, meant):
    make(tmp_path, *(f"{called}{i}_{m}_a.wav" for i in range(5) for m in MOODS[:2]))
    assert guess(tmp_path).options["pattern"] == f"{{{meant}}}_{{emotion}}_a.wav"


def test_a_table_is_recognised_with_its_columns_and_the_folder_it_lacks(tmp_path):
    names = [f"{p}_{n}.wav" for p in PEOPLE for n in range(3)]
    make(tmp_path, *(f"samples/{name}" for name in names))
    rows = {"file_id": names, "Emotion": ["sad"] * 9, "Speaker ID": [n[:4] for n in names], "Sex": ["f"] * 9}
    pandas.DataFrame(rows).to_csv(tmp_path / "data.csv", index=False)
    found = guess(tmp_path)
    columns = {"path": "file_id", "emotion": "Emotion", "speaker": "Speaker ID", "gender": "Sex"}
    assert (found.reader, found.options) == ("table", {"file": "data.csv", "prefix": "samples", "columns": columns})
    assert (found.n_speakers, found.emotions) == (3, {"sad": 9})


def test_of_several_tables_that_name_the_recordings_the_one_that_tells_most_is_taken(tmp_path):
    names = [f"{p}{n}.wav" for p in range(3) for n in range(3)]
    make(tmp_path, *(f"audio/{name}" for name in names))
    (tmp_path / "audio/a.csv").write_text("file_name,ok\n" + "".join(f"{name},1\n" for name in names))
    rows = (f"{name[:2]},{MOODS[int(name[1])]},{name[0]}\n" for name in names)  # as ids, without suffix
    (tmp_path / "audio/b.csv").write_text("file_name,emotion_expressed,actor\n" + "".join(rows))
    guessed = guess(tmp_path)
    columns = {"path": "file_name", "speaker": "actor", "emotion": "emotion_expressed"}
    assert guessed.options == {"file": "audio/b.csv", "prefix": "audio", "columns": columns}


def test_what_cannot_be_guessed_says_what_was_seen(tmp_path):
    with pytest.raises(CorpusError, match="gone: no such folder"):
        guess(tmp_path / "gone")
    with pytest.raises(CorpusError, match=r"no recordings \(\*\.wav"):
        guess(tmp_path)
    make(tmp_path, "x1.wav", "y2.wav", "data.csv")
    with pytest.raises(CorpusError, match=r"2 recordings, such as x1\.wav, whose names tell no emotion"):
        guess(tmp_path)
