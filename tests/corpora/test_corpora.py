"""One contract for every reader; what is particular to one is in its own file."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import PurePosixPath

import pytest

from serprep import plugins
from serprep.corpora import CORPORA, READERS, corpus_named, iemocap, read_corpus
from serprep.corpora.corpus import Corpus
from serprep.corpora.guess import guess
from serprep.errors import CorpusError
from serprep.manifest.table import make_manifest, read_manifest, write_manifest
from serprep.recipe import recipe_from
from serprep.utterance import Utterance

LITTER = ("._{}", ".DS_Store", "Thumbs.db", "README", "README.txt", ".hidden/x.wav", "desktop.ini", "scores.csv~")


@dataclass(frozen=True)
class Row:
    """A small folder of one corpus, in its layout, and what reading it must give."""

    expected: tuple[Utterance, ...]  # in the reader's order
    options: Mapping[str, object] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)  # label files: name → text


ROWS = {
    "audformat": Row(
        (
            Utterance(
                id="wav/a_1.25_3.0",
                path="wav/a.wav",
                start=1.25,
                end=3.0,
                speaker="7",
                emotion="sad",
                extra={"gender": "female", "note": "", "valence": "0.5"},
            ),
            Utterance(
                id="wav/b_2.5",
                path="wav/b.wav",
                start=2.5,
                speaker="8",
                emotion="joy",
                extra={"gender": "", "note": "x, y", "valence": ""},
            ),
        ),
        labels={
            "db.yaml": "name: x\nsource: here\nusage: research\nlanguages: [deu]\nlicense: CC-BY-4.0\n"
            "schemes:\n  speaker: {dtype: int, labels: {7: {gender: female}, 8: {}}}\n  number: {dtype: float}\n"
            "tables:\n"
            "  files: {type: filewise, columns: {speaker: {scheme_id: speaker}, note: {}}}\n"
            "  words: {type: segmented, columns: {emotion: {}, valence: {scheme_id: number}}}\n",
            "db.files.csv": 'file,speaker,note\nwav/b.wav,8,"x, y"\nwav/a.wav,7,\nwav/c.wav,7,\n',
            "db.words.csv": "file,start,end,emotion,valence\nwav/b.wav,0 days 00:00:02.5,,joy,\n"
            "wav/a.wav,0 days 00:00:01.25,0 days 00:00:03,sad,0.5\n",
        },
    ),
    "compare": Row(
        (
            Utterance(id="train_0001", path="wav/train_0001.wav", emotion="sleepy", partition="train"),
            Utterance(id="devel_0001", path="wav/devel_0001.wav", emotion="awake", partition="devel"),
            Utterance(id="test_0001", path="wav/test_0001.wav", partition="test"),
        ),
        labels={
            "lab/labels.csv": "file_name,label\ntrain_0001.wav,sleepy\ndevel_0001.wav,awake\ntest_0001.wav,?\n",
        },
    ),
    "compare2018": Row(
        (
            Utterance(id="devel_0001", path="wav/devel_0001.wav", emotion="sad", partition="devel"),
            Utterance(id="test_0001", path="wav/test_0001.wav", partition="test"),
            Utterance(id="train_0001", path="wav/train_0001.wav", emotion="angry", partition="train"),
        ),
        labels={
            "lab/ComParE2018_AtypicalAffect.tsv": "file_name\temotion\ntrain_0001.wav\tangry\ndevel_0001.wav\tsad\n",
        },
    ),
    "crema_d": Row(
        (
            Utterance(
                id="1001_IEO_ANG_HI",
                path="AudioWAV/1001_IEO_ANG_HI.wav",
                speaker="1001",
                emotion="anger",
                extra={
                    "gender": "male",
                    "age": "51",
                    "race": "Caucasian",
                    "ethnicity": "Not Hispanic",
                    "text": "IEO",
                    "intensity": "high",
                    "voice_vote": "D",
                    "voice_level": "67",
                    "face_vote": "A",
                    "face_level": "65.56",
                    "multimodal_vote": "A",
                    "multimodal_level": "63.25",
                },
            ),
            Utterance(
                id="1091_WSI_NEU_XX",
                path="AudioWAV/1091_WSI_NEU_XX.wav",
                speaker="1091",
                emotion="neutral",
                extra={
                    "gender": "female",
                    "age": "29",
                    "race": "Asian",
                    "ethnicity": "Not Hispanic",
                    "text": "WSI",
                    "intensity": "unspecified",
                    "voice_vote": "F:N",
                    "voice_level": "48.5:49.0",
                    "face_vote": "N",
                    "face_level": "60",
                    "multimodal_vote": "N",
                    "multimodal_level": "85.38",
                },
            ),
        ),
        labels={
            "VideoDemographics.csv": '"ActorID","Age","Sex","Race","Ethnicity"\n'
            '1001,51,"Male","Caucasian","Not Hispanic"\n1091,29,"Female","Asian","Not Hispanic"\n',
            "processedResults/summaryTable.csv": '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel",'
            '"MultiModalVote","MultiModalLevel"\n'
            '"10","1001_IEO_ANG_HI","D","67","A","65.56","A","63.25"\n'
            '"7442","1091_WSI_NEU_XX","F:N","48.5:49.0","N","60","N","85.38"\n',
        },
    ),
    "emodb": Row(
        (
            Utterance(
                id="03a01Wa",
                path="wav/03a01Wa.wav",
                speaker="03",
                emotion="anger",
                extra={"gender": "male", "text": "a01"},
            ),
            Utterance(
                id="16b10Lb",
                path="wav/16b10Lb.wav",
                speaker="16",
                emotion="boredom",
                extra={"gender": "female", "text": "b10"},
            ),
        )
    ),
    "emovo": Row(
        (
            Utterance(
                id="gio-f1-b2",
                path="f1/gio-f1-b2.wav",
                speaker="f1",
                emotion="joy",
                extra={"gender": "female", "text": "b2"},
            ),
            Utterance(
                id="pau-m3-n5",
                path="m3/pau-m3-n5.wav",
                speaker="m3",
                emotion="fear",
                extra={"gender": "male", "text": "n5"},
            ),
        )
    ),
    "iemocap": Row(
        (
            Utterance(
                id="Ses03M_impro05b_F000",
                path="Session3/sentences/wav/Ses03M_impro05b/Ses03M_impro05b_F000.wav",
                speaker="Ses03F",
                emotion="exc",
                extra={
                    "session": "3",
                    "dialogue": "Ses03M_impro05b",
                    "method": "impro",
                    "text": "",
                    "partner": "Ses03M",
                    "gender": "female",
                    "transcript": "Excuse me.",
                    "valence": "2.5",
                    "arousal": "3.0",
                    "dominance": "4.25",
                    "n_raters": "3",
                    "agreement": "2",
                },
            ),
            Utterance(
                id="Ses05M_script01_1b_M012",
                path="Session5/sentences/wav/Ses05M_script01_1b/Ses05M_script01_1b_M012.wav",
                speaker="Ses05M",
                emotion="xxx",
                extra={
                    "session": "5",
                    "dialogue": "Ses05M_script01_1b",
                    "method": "script",
                    "text": "script01_1",
                    "partner": "Ses05F",
                    "gender": "male",
                    "transcript": "",
                    "valence": "3.0",
                    "arousal": "3.0",
                    "dominance": "3.0",
                    "n_raters": "0",
                    "agreement": "0",
                },
            ),
        ),
        labels={
            "Session3/dialog/EmoEvaluation/Ses03M_impro05b.txt": f"{iemocap.HEADER}\n\n"
            "[6.2901 - 8.2357]\tSes03M_impro05b_F000\texc\t[2.5000, 3.0000, 4.2500]\n"
            "C-E2:\tExcited;\t()\nC-E4:\tHappiness; Excited;\t()\nC-F1:\tNeutral;\t(curious)\n"
            "A-E3:\tval 2; act 3; dom  4;\t()\nA-E4:\tval 3; act 3; dom ;\t()\n\n",
            "Session3/dialog/transcriptions/Ses03M_impro05b.txt": "M: Hm.\n"
            "Ses03M_impro05b_F000 [006.2901-008.2357]: Excuse me.\n",
            "Session5/dialog/EmoEvaluation/Ses05M_script01_1b.txt": f"{iemocap.HEADER}\n\n"
            "[0.5 - 8.2357]\tSes05M_script01_1b_M012\txxx\t[3.0000, 3.0000, 3.0000]\n",
            "Session3/dialog/EmoEvaluation/Categorical/Ses03M_impro05b_e2_cat.txt": "Ses03M_impro05b_F000 :Sad; ()\n",
        },
    ),
    "meld": Row(
        (
            Utterance(
                id="train_dia0_utt0",
                path="train_splits/dia0_utt0.wav",
                speaker="Chandler",
                emotion="neutral",
                partition="train",
                extra={
                    "role": "Chandler",
                    "dialogue": "train_0",
                    "utterance": "0",
                    "sentiment": "neutral",
                    "season": "8",
                    "episode": "21",
                    "transcript": "so, a second café?",
                },
            ),
            Utterance(
                id="dev_dia0_utt0",
                path="dev_splits_complete/dia0_utt0.wav",
                emotion="joy",
                partition="dev",
                extra={
                    "role": "All",
                    "dialogue": "dev_0",
                    "utterance": "0",
                    "sentiment": "positive",
                    "season": "4",
                    "episode": "7",
                    "transcript": "Hey!",
                },
            ),
            Utterance(
                id="test_dia12_utt3",
                path="output_repeated_splits_test/dia12_utt3.wav",
                speaker="Mark",
                emotion="surprise",
                partition="test",
                extra={
                    "role": "Mark",
                    "dialogue": "test_12",
                    "utterance": "3",
                    "sentiment": "negative",
                    "season": "3",
                    "episode": "19",
                    "transcript": "Why?",
                },
            ),
        ),
        labels={
            f"{partition}_sent_emo.csv": "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,"
            f'Season,Episode,StartTime,EndTime\n1,{row},"00:20:57,256","00:21:00,049"\n'
            for partition, row in {
                "train": '"so, a second café?",Chandler,neutral,neutral,0,0,8,21',
                "dev": "Hey!,All,joy,positive,0,0,4,7",
                "test": "Why?,Mark,surprise,negative,12,3,3,19",
            }.items()
        },
    ),
    "msp_improv": Row(
        (
            Utterance(
                id="MSP-IMPROV-S07H-M02-T-FM03",
                path="session2/S07H/T/MSP-IMPROV-S07H-M02-T-FM03.wav",
                speaker="M02",
                emotion="H",
                extra={
                    "session": "2",
                    "partner": "F02",
                    "gender": "male",
                    "scenario": "S07H",
                    "text": "07",
                    "kind": "T",
                    "arousal": "3.0",
                    "valence": "4.5",
                    "dominance": "",
                    "naturalness": "4.0",
                },
            ),
            Utterance(
                id="MSP-IMPROV-S01A-F01-P-FM01",
                path="session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav",
                speaker="F01",
                emotion="X",
                extra={
                    "session": "1",
                    "partner": "M01",
                    "gender": "female",
                    "scenario": "S01A",
                    "text": "",
                    "kind": "P",
                    "arousal": "3.0",
                    "valence": "3.0",
                    "dominance": "2.5",
                    "naturalness": "4.0",
                },
            ),
        ),
        labels={
            "Evaluation.txt": "UTD-IMPROV-S07H-M02-T-FM03.avi; H; A:3.0; V:4.5; D:NaN ; N:4.0;\n\n"
            "UTD-IMPROV-S01A-F01-P-FM01.avi; X; A:3.0; V:3.0; D:2.5 ; N:4.0;\n"
        },
    ),
    "msp_podcast": Row(
        (
            Utterance(
                id="MSP-PODCAST_0001_0066",
                path="Audios/MSP-PODCAST_0001_0066.wav",
                speaker="17",
                emotion="N",
                partition="Test1",
                extra={"gender": "female", "arousal": "4.2", "valence": "4.0", "dominance": "5.2"},
            ),
            Utterance(
                id="MSP-PODCAST_0001_0019",
                path="Audios/MSP-PODCAST_0001_0019.wav",
                emotion="X",
                partition="Development",
                extra={"gender": "", "arousal": "3.0", "valence": "4.0", "dominance": "4.4"},
            ),
        ),
        labels={
            "Labels/labels_consensus.csv": "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
            "MSP-PODCAST_0001_0066.wav,N,4.2,4.0,5.2,17,Female,Test1\n"
            "MSP-PODCAST_0001_0019.wav,X,3.0,4.0,4.4,Unknown,Unknown,Development\n"
        },
    ),
    "kaldi": Row(
        (
            Utterance(
                id="s1-a",
                path="w/a.wav",
                start=0.5,
                end=2.0,
                speaker="s1",
                emotion="low mood",
                extra={"text": "so it is"},
            ),
            Utterance(id="s2-b", path="w/b.wav", speaker="s2", emotion="", extra={"text": ""}),
        ),
        labels={
            "wav.scp": "r1 w/a.wav\nr2 w/b.wav\n",
            "segments": "s1-a r1 0.5 2.0\ns2-b r2 0.0 -1\n",
            "utt2spk": "s1-a s1\ns2-b s2\n",
            "utt2emo": "s1-a low%20mood\n",
            "text": "s1-a so it is\n",
        },
    ),
    "huggingface": Row(
        (
            Utterance(id="one", path="data/1.wav", speaker="s2", emotion="joy", extra={"take": "1"}),
            Utterance(id="two", path="data/2.wav", speaker="s1", emotion="sad", extra={"take": ""}),
        ),
        labels={
            "metadata.csv": "file_name,id,speaker_id,label,take\ndata/1.wav,one,s2,joy,1\ndata/2.wav,two,s1,sad,\n"
        },
    ),
    "pattern": Row(
        (
            Utterance(id="joy/f1_t1_a", path="joy/f1_t1_a.wav", speaker="f1", emotion="joy", extra={"text": "t1"}),
            Utterance(id="sad/m2_t1_b", path="sad/m2_t1_b.wav", speaker="m2", emotion="sad", extra={"text": "t1"}),
        ),
        options={"pattern": "{emotion}/{speaker}_{text}_{_}.wav"},
    ),
    "ravdess": Row(
        (
            Utterance(
                id="03-01-05-02-01-02-01",
                path="Actor_01/03-01-05-02-01-02-01.wav",
                speaker="01",
                emotion="angry",
                extra={"gender": "male", "text": "kids", "intensity": "strong", "repetition": "02"},
            ),
            Utterance(
                id="03-01-01-01-02-01-24",
                path="Actor_24/03-01-01-01-02-01-24.wav",
                speaker="24",
                emotion="neutral",
                extra={"gender": "female", "text": "dogs", "intensity": "normal", "repetition": "01"},
            ),
        )
    ),
    "savee": Row(
        (
            Utterance(
                id="DC_sa03",
                path="AudioData/DC/sa03.wav",
                speaker="DC",
                emotion="sadness",
                extra={"gender": "male", "text": "sa03"},
            ),
            Utterance(
                id="KL_a15",
                path="AudioData/KL/a15.wav",
                speaker="KL",
                emotion="anger",
                extra={"gender": "male", "text": "a15"},
            ),
        )
    ),
    "table": Row(
        (
            Utterance(id="two", path="wav/2.wav", speaker="s1", emotion="sad", partition="train", extra={"mood": "x"}),
            Utterance(id="one", path="wav/1.wav", speaker="s2", emotion="joy", partition="test", extra={"mood": ""}),
        ),
        options={"file": "labels.csv"},
        labels={
            "labels.csv": "id,path,speaker,emotion,partition,mood\n"
            "two,wav/2.wav,s1,sad,train,x\none,wav/1.wav,s2,joy,test,\n"
        },
    ),
    "tess": Row(
        (
            Utterance(
                id="OAF_back_ps",
                path="OAF_Pleasant_surprise/OAF_back_ps.wav",
                speaker="OAF",
                emotion="pleasant surprise",
                extra={"gender": "female", "age": "64", "text": "back"},
            ),
            Utterance(
                id="OA_bite_neutral",
                path="OAF_neutral/OA_bite_neutral.wav",
                speaker="OAF",
                emotion="neutral",
                extra={"gender": "female", "age": "64", "text": "bite"},
            ),
            Utterance(
                id="YAF_young_fear",
                path="YAF_fear/YAF_young_fear.wav",
                speaker="YAF",
                emotion="fear",
                extra={"gender": "female", "age": "26", "text": "young"},
            ),
        )
    ),
    "urdu": Row(
        (
            Utterance(
                id="SM1_F1_A01",
                path="Angry/SM1_F1_A01.wav",
                speaker="SM1",
                emotion="Angry",
                extra={"gender": "male"},
            ),
            Utterance(
                id="SF12_F10_S010",
                path="Sad/SF12_F10_S010.wav",
                speaker="SF12",
                emotion="Sad",
                extra={"gender": "female"},
            ),
        )
    ),
}


def make_folder(root, row, *, rename=lambda path: path, order=1):
    """Write the row's folder; readers open no audio, so files are empty."""
    for utterance in row.expected[::order]:
        path = root / rename(utterance.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name, text in row.labels.items():
        for utterance in row.expected:
            text = text.replace(utterance.path, rename(utterance.path))
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def renamed(row, rename):
    """The expected utterances after files were renamed."""
    return tuple(dataclasses.replace(utterance, path=rename(utterance.path)) for utterance in row.expected)


def test_every_reader_has_a_row():
    assert set(ROWS) == set(CORPORA)


@pytest.fixture(params=CORPORA)
def name(request):
    return request.param


@pytest.fixture
def row(name):
    return ROWS[name]


def test_a_folder_becomes_its_utterances(tmp_path, name, row):
    reading = read_corpus(name, make_folder(tmp_path, row), row.options)
    assert reading.utterances == row.expected
    assert [list(utterance.extra) for utterance in reading.utterances] == [list(u.extra) for u in row.expected]
    assert reading.corpus.utterances is CORPORA[name].utterances
    for utterance in reading.utterances:
        assert (tmp_path / utterance.path).is_file()
        assert (utterance.duration, utterance.sample_rate, utterance.audio_digest) == (None, None, "")


def test_utterances_survive_a_manifest(tmp_path, name, row):
    reading = read_corpus(name, make_folder(tmp_path / "corpus", row), row.options)
    manifest = make_manifest(reading.utterances)
    assert read_manifest(write_manifest(manifest, tmp_path)).utterances == manifest.utterances
    assert sorted(manifest.utterances, key=lambda u: u.id) == sorted(row.expected, key=lambda u: u.id)


@pytest.mark.parametrize("suffix", [".flac", ".WAV", ".Wav", ".mp3", ".ogg"])
def test_any_kind_of_recording_will_do(tmp_path, name, row, suffix):
    def rename(path):
        return str(PurePosixPath(path).with_suffix(suffix))

    reading = read_corpus(name, make_folder(tmp_path, row, rename=rename), row.options)
    assert reading.utterances == renamed(row, rename)


def test_litter_is_passed_over_without_a_word(tmp_path, name, row):
    make_folder(tmp_path, row)
    clean = read_corpus(name, tmp_path, row.options)
    for utterance in row.expected:
        path = tmp_path / utterance.path
        for litter in LITTER:
            for folder in (tmp_path, path.parent):
                (folder / litter.format(path.name)).parent.mkdir(exist_ok=True)
                (folder / litter.format(path.name)).touch()
    littered = read_corpus(name, tmp_path, row.options)
    assert littered == clean


def test_order_of_creation_does_not_matter(tmp_path, name, row):
    forwards = read_corpus(name, make_folder(tmp_path / "a", row), row.options)
    backwards = read_corpus(name, make_folder(tmp_path / "b", row, order=-1), row.options)
    assert forwards == backwards


def test_published_counts_that_differ_are_warned_of_with_both_numbers(tmp_path, name, row):
    corpus = CORPORA[name]
    warnings = "\n".join(read_corpus(name, make_folder(tmp_path, row), row.options).warnings)
    for kind, found, published in (
        ("utterances", len(row.expected), corpus.n_utterances),
        ("speakers", len({utterance.speaker for utterance in row.expected}), corpus.n_speakers),
    ):
        assert (f"{found} {kind} found, {published} published" in warnings) == (published not in (None, found))
    for emotion, published in corpus.n_per_emotion.items():
        found = sum(utterance.emotion == emotion for utterance in row.expected)
        assert f"{emotion} {found}/{published}" in warnings
    for column, counts in corpus.n_per.items():
        values = [getattr(utterance, column, utterance.extra.get(column)) for utterance in row.expected]
        for value, published in list(counts.items())[:12]:
            assert f"{value} {values.count(value)}/{published}" in warnings
        assert f"and {len(counts) - 12} more" in warnings or len(counts) <= 12
    for column, published in corpus.n_different.items():
        found = len({utterance.extra[column] for utterance in row.expected})
        assert f"{found} different values of {column} found, {published} published" in warnings


def test_options_a_reader_does_not_take_are_refused(tmp_path, name, row):
    with pytest.raises(CorpusError, match=f"reader '{name}' has no option 'colour'; it takes"):
        read_corpus(name, make_folder(tmp_path, row), {**row.options, "colour": "red"})


def test_options_a_reader_needs_are_asked_for(tmp_path, name, row):
    for option in CORPORA[name].required:
        given = {key: value for key, value in row.options.items() if key != option}
        with pytest.raises(CorpusError, match=f"reader '{name}' needs '{option}'"):
            read_corpus(name, make_folder(tmp_path, row), given)


def test_a_missing_folder_is_refused(tmp_path, name, row):
    with pytest.raises(CorpusError, match=f"no such folder; expected the root of {CORPORA[name].title}"):
        read_corpus(name, tmp_path / "nowhere", row.options)
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="no such folder"):
        read_corpus(name, tmp_path / "file", row.options)


def test_a_folder_without_the_corpus_is_refused(tmp_path, name, row):
    with pytest.raises(CorpusError, match=r"no utterance of .* found; expected|[Nn]o such file"):
        read_corpus(name, tmp_path, row.options)


def test_entries_are_complete(name):
    corpus = CORPORA[name]
    assert corpus.name == name
    for text in (corpus.title, corpus.licence, corpus.source, corpus.layout):
        assert text
        assert "\n" not in text
    assert set(corpus.required) <= set(corpus.options)
    if corpus.n_utterances:
        assert sum(corpus.n_per_emotion.values()) == corpus.n_utterances
        assert all(sum(counts.values()) == corpus.n_utterances for counts in corpus.n_per.values())
        assert corpus.citation
        assert corpus.release


@pytest.mark.parametrize("suffix", [".wav", ".WAV", ".flac", ""])
def test_a_name_alone_tells_the_same_as_the_folder(name, row, suffix):
    named = CORPORA[name].named
    if named is None:
        pytest.skip("names of this corpus tell nothing")
    for utterance in row.expected:
        path = utterance.path.removesuffix(".wav") + suffix
        bare = PurePosixPath(path).name
        for place in (path, f"some/where/{path}", f"C:\\data\\{path}", bare if name != "savee" else path):
            found = named(place)  # published SAVEE has its speakers in folders
            assert found is not None
            assert (found.id, found.speaker) == (utterance.id, utterance.speaker)
            assert found.emotion in ("", utterance.emotion)  # labels may stand in a file
            for column, value in found.extra.items():
                assert value in ("", utterance.extra[column])
    for other in ("", "x", "a.wav", "README.txt", "notes/readme", "Angry", "a-b-c", "0", "é"):
        assert named(other) is None


def test_an_unknown_reader_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(CorpusError, match=f"unknown reader 'emo-db'; expected one of {', '.join(CORPORA)}"):
        read_corpus("emo-db", tmp_path)
    with pytest.raises(CorpusError, match="unknown reader ''"):
        corpus_named("")


def test_a_folder_of_something_else_is_refused_with_what_was_found(tmp_path):
    for name in ("b.wav", "a.wav"):
        (tmp_path / name).touch()
    with pytest.raises(CorpusError, match=r"no utterance of EmoDB found; 2 recordings not named like EmoDB .* a.wav"):
        read_corpus("emodb", tmp_path)


def test_names_with_line_breaks_stay_on_one_line(tmp_path):
    (tmp_path / "03a01Wa.wav").touch()
    (tmp_path / "a\nb\x1b[31m.wav").touch()
    warning = read_corpus("emodb", tmp_path).warnings[0]
    assert warning == r"recordings not named like EmoDB passed over: a\nb\x1b[31m.wav"


# -- a corpus of somebody else's -----------------------------------------------------


def moods(root, options):
    for path in sorted(root.glob("*.wav")):
        if options.get("take", path.stem[-1]) == path.stem[-1]:
            yield Utterance(id=path.stem, path=path.name, speaker=path.stem[:2], emotion="glad")


MOODS = Corpus(
    name="moods",
    title="Moods",
    licence="CC0",
    source="x",
    citation="",
    layout="",
    utterances=moods,
    options=("take",),
)


def broken(root, options):
    raise KeyError("speaker")


BROKEN = dataclasses.replace(MOODS, name="broken", utterances=broken)


@pytest.fixture
def installed(monkeypatch):
    values = {"broken": f"{__name__}:BROKEN", "gone": "no_such_module:CORPUS", "moods": f"{__name__}:MOODS"}
    entries = {name: (EntryPoint(name, value, "serprep.corpora"),) for name, value in values.items()}
    monkeypatch.setattr(plugins, "plugged", lambda group: entries if group == "serprep.corpora" else {})


def test_a_corpus_of_another_package_is_read_guessed_and_named_in_a_recipe(installed, tmp_path):
    for name in ("s1_a", "s1_b", "s2_a"):
        (tmp_path / f"{name}.wav").touch()
    assert READERS.names == (*CORPORA, "broken", "gone", "moods")
    assert [row.id for row in read_corpus("moods", tmp_path).utterances] == ["s1_a", "s1_b", "s2_a"]
    values = {"corpus": {"reader": "moods", "root": str(tmp_path), "options": {"take": "b"}}}
    given = recipe_from(values, folder=tmp_path, name="x").corpus
    assert [row.id for row in read_corpus(given.reader, tmp_path, given.reader_options).utterances] == ["s1_b"]
    with pytest.raises(CorpusError, match="reader 'moods' has no option 'tke'; it takes take; did you mean 'take'"):
        read_corpus("moods", tmp_path, {"tke": "b"})
    assert guess(tmp_path).reader == "moods"  # and those that break stop nothing


def test_where_its_package_is_missing_one_line_says_what_works_without(tmp_path):
    with pytest.raises(CorpusError, match=r"urdu; if another package brings it, install that \(stores and manifests"):
        read_corpus("laughter", tmp_path)
