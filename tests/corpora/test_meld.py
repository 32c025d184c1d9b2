"""MELD: ids that repeat, sound in videos, several speakers under one name."""

import os
import subprocess
from collections import Counter

import pytest

from serprep.corpora import CORPORA, read_corpus
from serprep.errors import CorpusError
from serprep.testing import write_layout

FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
ABSENT = "recordings that a label file names but that are not there"


@pytest.fixture
def folder(tmp_path):
    write_layout("meld", tmp_path, sound=False)
    return tmp_path


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def kept(reading):
    """Warnings besides the counts of the whole corpus."""
    return [warning for warning in reading.warnings if "published" not in warning]


def test_published_counts_per_class_are_those_of_the_three_parts():
    # the publication's table: train, dev, test
    table = {
        "anger": (1109, 153, 345),
        "disgust": (271, 22, 68),
        "fear": (268, 40, 50),
        "joy": (1743, 163, 402),
        "neutral": (4710, 470, 1256),
        "sadness": (683, 111, 208),
        "surprise": (1205, 150, 281),
    }
    corpus = CORPORA["meld"]
    assert {name: sum(counts) for name, counts in table.items()} == corpus.n_per_emotion
    assert [sum(counts) for counts in zip(*table.values(), strict=True)] == list(corpus.n_per["partition"].values())


def test_ids_and_dialogues_that_repeat_are_kept_apart_by_partition(folder):
    utterances = read_corpus("meld", folder).utterances
    assert len({u.id for u in utterances}) == len(utterances) == 24
    assert Counter(u.partition for u in utterances) == {"train": 8, "dev": 8, "test": 8}
    assert Counter(u.extra["dialogue"] for u in utterances) == {f"{part}_{n}": 4 for part in FOLDERS for n in (0, 1)}
    for utterance in utterances:
        assert utterance.path == f"{FOLDERS[utterance.partition]}/{utterance.id.partition('_')[2]}.wav"


@pytest.mark.parametrize(
    ("role", "speaker"),
    [
        ("Phoebe", "Phoebe"),
        ("Mrs. Green", "Mrs. Green"),
        ("Andy", "Andy"),
        ("Allesandro", "Allesandro"),
        ("All", ""),
        ("Both", ""),
        ("Everyone", ""),
        ("The Guys", ""),
        ("Ross and Joey", ""),
        ("Chandler/Joey", ""),
        ('"Phoebe, Rachel"', ""),
    ],
)
def test_names_that_stand_for_several_are_no_speaker(folder, role, speaker):
    edit(folder / "train_sent_emo.csv", ",Ross,", f",{role},")
    rows = [u for u in read_corpus("meld", folder).utterances if u.extra["role"] == role.strip('"')]
    assert rows
    assert {u.speaker for u in rows if u.partition == "train"} == {speaker}


@pytest.mark.parametrize(
    "folders",
    [
        {"train": "audio/train", "dev": "audio/dev", "test": "audio/test"},
        {"train": "MELD.Raw/train/train_splits", "dev": "MELD.Raw/dev_splits", "test": "MELD.Raw/test/x"},
        {"train": "train/latest", "dev": "dev/latest", "test": "test/latest"},
        {"train": "test_of_mine/train", "dev": "test_of_mine/dev", "test": "test_of_mine/test"},
    ],
)
def test_recordings_are_found_in_any_folder_that_names_its_partition(folder, folders):
    whole = read_corpus("meld", folder)
    for part, place in folders.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / FOLDERS[part]).rename(folder / place)
    reading = read_corpus("meld", folder)
    assert kept(reading) == []
    assert [(u.id, u.path) for u in reading.utterances] == [
        (u.id, f"{folders[u.partition]}/{u.path.rpartition('/')[2]}") for u in whole.utterances
    ]


def test_the_label_files_may_lie_deeper(folder):
    whole = read_corpus("meld", folder)
    (folder / "data/MELD").mkdir(parents=True)
    (folder / "data/MELD_Dyadic").mkdir()
    (folder / "data/MELD_Dyadic/train_sent_emo_dya.csv").write_text("another table")
    for part in FOLDERS:
        (folder / f"{part}_sent_emo.csv").rename(folder / f"data/MELD/{part}_sent_emo.csv")
    assert read_corpus("meld", folder) == whole


def test_videos_without_sound_beside_them_are_counted_with_the_remedy(folder):
    for path in sorted(folder.rglob("*.wav")):
        path.rename(path.with_suffix(".mp4"))
    reading = read_corpus("meld", folder)
    (warning,) = kept(reading)
    assert warning.startswith("24 videos whose sound has to be extracted first, in the corpus folder: find . -name")
    assert "ffmpeg -i" in warning
    assert warning.endswith("such as train_splits/dia0_utt0.mp4")
    assert reading.utterances[0].path == "train_splits/dia0_utt0.wav"  # where the command writes it


def test_the_remedy_makes_the_recordings(folder, tmp_path_factory):
    """The command of the warning, run by a shell with an ffmpeg that only copies."""
    whole = read_corpus("meld", folder)
    for path in sorted(folder.rglob("*.wav")):
        path.rename(path.with_suffix(".mp4"))
    tools = tmp_path_factory.mktemp("bin")
    (tools / "ffmpeg").write_text('#!/bin/sh\n[ "$1 $3 $4 $5 $6 $7" = "-i -vn -ac 1 -ar 16000" ] && cp "$2" "$8"\n')
    (tools / "ffmpeg").chmod(0o755)
    (warning,) = kept(read_corpus("meld", folder))
    command = warning.partition("folder: ")[2].partition(", such as")[0]
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    subprocess.run(command, shell=True, cwd=folder, env=environment, check=True)
    again = read_corpus("meld", folder)
    assert (again.utterances, kept(again)) == (whole.utterances, [])


def test_other_cuts_of_test_clips_are_passed_over(folder):
    (folder / "output_repeated_splits_test/final_videos_testdia0_utt0.wav").touch()
    (folder / "train_splits/notes.wav").touch()
    (folder / "dia0_utt0.wav").touch()
    reading = read_corpus("meld", folder)
    assert len(reading.utterances) == 24
    assert set(kept(reading)) == {
        "other cuts of test clips (final_videos_test…) passed over: "
        "output_repeated_splits_test/final_videos_testdia0_utt0.wav",
        "recordings not named like MELD passed over: train_splits/notes.wav",
        "recordings in no folder of train, dev or test passed over: dia0_utt0.wav",
    }


def test_a_clip_that_is_not_there_stays_a_row(folder):
    (folder / "dev_splits_complete/dia1_utt3.wav").unlink()
    reading = read_corpus("meld", folder)
    assert len(reading.utterances) == 24
    assert kept(reading) == [f"{ABSENT}: dev_sent_emo.csv:9"]
    assert "dev_splits_complete/dia1_utt3.wav" in {u.path for u in reading.utterances}


def test_a_partition_without_labels_is_told(folder):
    (folder / "dev_sent_emo.csv").unlink()
    reading = read_corpus("meld", folder)
    assert {u.partition for u in reading.utterances} == {"train", "test"}
    assert kept(reading) == [
        "partitions without labels, as a file is missing: dev_sent_emo.csv",
        "8 recordings that no label file names passed over, such as dev_splits_complete/dia0_utt0.wav",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",joy,", ",hapiness,", r"train_sent_emo\.csv:3: unknown emotion 'hapiness'; expected neutral, joy"),
        (",positive,0,1,", ",positive,../0,1,", r"train_sent_emo\.csv:3: Dialogue_ID and Utterance_ID are not numbers"),
        (",positive,0,1,", ",positive,0,,", r"train_sent_emo\.csv:3: Dialogue_ID and Utterance_ID are not numbers"),
    ],
)
def test_rows_of_another_form_are_refused_with_their_line(folder, old, new, message):
    edit(folder / "train_sent_emo.csv", old, new)
    with pytest.raises(CorpusError, match=message):
        read_corpus("meld", folder)
