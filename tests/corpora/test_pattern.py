import unicodedata

import pytest

from serprep.corpora import read_corpus
from serprep.corpora.pattern import compile_pattern
from serprep.errors import CorpusError


def make(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def read(root, pattern):
    return read_corpus("pattern", root, {"pattern": pattern})


RAB = {"gender": "m", "speaker": "01", "emotion": "rab", "text": "1a"}


def named(pattern, path):
    found = compile_pattern(pattern).fullmatch(path)
    return found and found.groupdict()


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("{emotion}/{speaker}_{text}.wav", "sad/f1_t2.wav", {"emotion": "sad", "speaker": "f1", "text": "t2"}),
        ("{emotion}/{speaker}_{text}.wav", "sad/f1_t_2.wav", {"emotion": "sad", "speaker": "f1", "text": "t_2"}),
        ("{speaker}", "f1.flac", {"speaker": "f1"}),
        ("{speaker}.WAV", "f1.mp3", {"speaker": "f1"}),
        ("{speaker}.wav", "f1.FLAC", {"speaker": "f1"}),
        ("{speaker}.wav", "f.1.ogg", {"speaker": "f.1"}),
        ("{speaker}.raw", "f1.raw.wav", {"speaker": "f1"}),
        ("{ speaker }-{_}-{_}.wav", "f1-x-y.wav", {"speaker": "f1"}),
        ("{speaker}/{speaker}_{emotion}.wav", "f1/f1_sad.wav", {"speaker": "f1", "emotion": "sad"}),
        ("{speaker}/{speaker}_{emotion}.wav", "f1/f2_sad.wav", None),
        ("{_take}/{_take}{take}.wav", "1/12.wav", {"_take": "1", "take": "2"}),
        ("{größe}_{class}.wav", "x_y.wav", {"größe": "x", "class": "y"}),
        ("a.b+c(d)[e]^$|?{speaker}.wav", "a.b+c(d)[e]^$|?f1.wav", {"speaker": "f1"}),
        ("a.b{speaker}.wav", "axbf1.wav", None),
        ("*/{speaker}_*.wav", "any/f1_x_y.wav", {"speaker": "f1"}),
        ("*/{speaker}_*.wav", "any/deep/f1_x.wav", None),
        ("**/{speaker}_{text}.wav", "any/deep/f1_x.wav", {"speaker": "f1", "text": "x"}),
        ("**/{speaker}_{text}.wav", "f1_x.wav", {"speaker": "f1", "text": "x"}),
        ("take*_{speaker}.wav", "take_f1.wav", {"speaker": "f1"}),
        ("take*_{speaker}.wav", "tuke_f1.wav", None),
        ("{speaker:3}{emotion:1}{text}.wav", "F01A02.wav", {"speaker": "F01", "emotion": "A", "text": "02"}),
        ("{gender:1}_{speaker}_{emotion:3}{text}.wav", "m_01_rab1a.wav", RAB),
        ("{speaker:3}_{emotion}.wav", "F1_sad.wav", None),
        ("{speaker}.wav", "deep/f1.wav", None),
        ("{speaker}_{emotion}.wav", "_sad.wav", None),
        ("{speaker}.wav", "f1.wav.bak", None),
        ("{speaker}_{emotion}.wav", "f1_a\nb.wav", {"speaker": "f1", "emotion": "a\nb"}),
    ],
)
def test_paths_give_what_the_pattern_names(pattern, path, expected):
    assert named(pattern, path) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "names.wav",
        "{}.wav",
        "{ }.wav",
        "{_}.wav",
        "{two words}.wav",
        "{1st}.wav",
        "{a-b}.wav",
        "{__}.wav",
        "{__x}.wav",
        "{speaker",
        "speaker}.wav",
        "{speaker}_{text.wav",
        "{speaker}}.wav",
        "{{speaker}}.wav",
        "{path}.wav",
        "{emotion}/{speaker}{text}.wav",
        "{_}{speaker}.wav",
        "{speaker}{emotion:1}{text}.wav",
        "{speaker:0}_{text}.wav",
        "{speaker}*{text}.wav",
        "take*{speaker}.wav",
        "{speaker}*.wav",
        "{speaker}*_{text}.wav",
        "{spk}_{text}.wav",
        "{label}/{speaker}.wav",
        "{emotoin}/{speaker}.wav",
        "{Speaker}_{emotion}.wav",
        "{start}_{speaker}.wav",
        "{duration}.wav",
        "{n_frames}.wav",
        "{audio_digest}.wav",
    ],
)
def test_bad_patterns_are_refused(tmp_path, pattern):
    make(tmp_path, "a.wav")
    with pytest.raises(CorpusError, match=r"^pattern .*expected"):
        read(tmp_path, pattern)


def test_columns_with_a_meaning_have_it_and_others_are_carried_along(tmp_path):
    make(tmp_path, "train/sad/f1_x.wav", "devel/joy/m2_y.flac")
    second, first = read(tmp_path, "{partition}/{emotion}/{speaker}_{take}.wav").utterances
    assert (first.id, first.partition, first.emotion, first.speaker) == ("train/sad/f1_x", "train", "sad", "f1")
    assert (second.id, second.path, second.extra) == ("devel/joy/m2_y", "devel/joy/m2_y.flac", {"take": "y"})


def test_the_id_may_be_part_of_the_path(tmp_path):
    make(tmp_path, "sad/17 .wav")
    assert read(tmp_path, "{emotion}/{id}.wav").utterances[0].id == "17"


def test_recordings_that_do_not_fit_are_passed_over_and_counted(tmp_path):
    make(tmp_path, "sad/f1_a.wav", "sad/f1.wav", "f2_b.wav", "sad/deep/f1_a.wav", "notes.txt", "._f.wav")
    reading = read(tmp_path, "{emotion}/{speaker}_{text}.wav")
    assert [utterance.path for utterance in reading.utterances] == ["sad/f1_a.wav"]
    expected = "3 recordings that do not fit the pattern passed over, such as f2_b.wav"
    assert reading.warnings == (expected,)


def test_a_pattern_that_nothing_fits_is_refused_with_an_example(tmp_path):
    make(tmp_path, "a/b.wav")
    with pytest.raises(CorpusError, match=r"recordings that do not fit the pattern passed over: a/b.wav"):
        read(tmp_path, "{speaker}.wav")


def test_the_unicode_form_of_pattern_and_path_may_differ(tmp_path):
    names = [unicodedata.normalize("NFD", f"Colère/é{i}.wav") for i in range(2)]
    make(tmp_path, *names)
    pattern = unicodedata.normalize("NFC", "Colère/{speaker:2}.wav")
    utterances = read(tmp_path, pattern).utterances
    assert (list(utterances.column("path")), list(utterances.column("speaker"))) == (names, ["é0", "é1"])


def test_a_slow_pattern_does_not_run_away(tmp_path):
    make(tmp_path, "_".join("abcdefghijkl" * 4) + ".wav")
    with pytest.raises(CorpusError, match="do not fit"):
        read(tmp_path, "{a}_{b}_{c}_{d}-{e}.wav")


def test_recordings_in_other_formats_are_counted(tmp_path):
    make(tmp_path, "sad/f1_a.wav", "sad/f1_b.m4a", "sad/f1_c.AIF", "sad.mp4/f2_a.wav")
    reading = read(tmp_path, "{emotion}/{speaker}_{text}.wav")
    assert [utterance.path for utterance in reading.utterances] == ["sad/f1_a.wav", "sad.mp4/f2_a.wav"]
    (warning,) = reading.warnings
    assert warning.startswith("2 recordings in other formats passed over: convert them") and "f1_b.m4a" in warning


@pytest.mark.parametrize(("name", "meant"), [("spk", "speaker"), ("label", "emotion"), ("sesion", "session")])
def test_a_name_that_is_most_likely_misspelt_is_refused_unless_marked(tmp_path, name, meant):
    make(tmp_path, "a_b.wav")
    with pytest.raises(CorpusError, match=rf"{{{name}}} is not expected; did you mean {{{meant}}}\?"):
        read(tmp_path, f"{{{name}}}_{{x}}.wav")
    assert read(tmp_path, f"{{_{name}}}_{{x}}.wav").utterances[0].extra == {f"_{name}": "a", "x": "b"}
    assert read(tmp_path, f"{{{name}}}_{{{meant}}}.wav").utterances


def test_a_pattern_without_speakers_says_which_columns_it_gives(tmp_path):
    make(tmp_path, "sad_1.wav")
    (warning,) = read(tmp_path, "{emotion}_{take}.wav").warnings
    assert warning == "the pattern gives emotion, take and no speaker: {emotion}_{take}.wav"


def test_title_licence_and_source_are_the_users_to_say(tmp_path):
    make(tmp_path, "f1_sad.wav")
    options = {"pattern": "{speaker}_{emotion}.wav", "title": "Mine", "licence": "CC0", "source": "https://x.org"}
    corpus = read_corpus("pattern", tmp_path, options).corpus
    assert (corpus.title, corpus.licence, corpus.source) == ("Mine", "CC0", "https://x.org")
