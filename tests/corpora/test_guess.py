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


def test_what_cannot_be_guessed_says_what_was_seen(tmp_path):
    with pytest.raises(CorpusError, match="gone: no such folder"):
        guess(tmp_path / "gone")
    with pytest.raises(CorpusError, match=r"no recordings \(\*\.wav"):
        guess(tmp_path)
    make(tmp_path, "x1.wav", "y2.wav", "data.csv")
    with pytest.raises(CorpusError, match=r"2 recordings, such as x1\.wav, whose names tell no emotion"):
        guess(tmp_path)
