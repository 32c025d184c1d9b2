import pytest

from serprep.corpora import read_corpus
from serprep.errors import CorpusError


def test_what_was_exported_is_read_back(shop):
    rows = {row.id.partition("-")[2]: row for row in read_corpus("kaldi", shop.export("kaldi")).utterances}
    assert rows["d"].path == "long.wav" and (rows["d"].start, rows["d"].end) == (0.75, 1.5)
    assert [row.emotion for row in rows.values()] == [
        dict(zip(shop.store.ids, shop.store.emotions, strict=True))[name.replace("%20", " ").replace("%25", "%")]
        for name in rows
    ]
    assert (rows["e"].start, rows["e"].end, rows["e"].extra["text"]) == (None, None, "two words")


def test_a_command_is_never_run(tmp_path):
    (tmp_path / "wav.scp").write_text(f"a touch {tmp_path}/ran |\nb b.wav\n")
    reading = read_corpus("kaldi", tmp_path)
    assert [row.id for row in reading.utterances] == ["b"] and not (tmp_path / "ran").exists()
    assert (
        "recordings that are the output of a command passed over: convert them first: wav.scp:1: a" in reading.warnings
    )


def test_tabs_are_as_good_as_blanks_and_an_unknown_recording_is_told(tmp_path):
    (tmp_path / "wav.scp").write_text("a\ta b.wav\n")
    (tmp_path / "segments").write_text("x\ta 0\t1\ny\tb\t0 1\n")
    (tmp_path / "utt2spk").write_text("x \tf1\n")
    (tmp_path / "utt2emo").write_text("x\tsad\n")
    reading = read_corpus("kaldi", tmp_path)
    (row,) = reading.utterances
    assert (row.id, row.path, row.end, row.speaker, row.emotion) == ("x", "a b.wav", 1.0, "f1", "sad")
    assert "excerpts of recordings that wav.scp does not name passed over: segments:2: y" in reading.warnings


def test_a_recording_of_too_long_a_name_is_absent_as_any_other(tmp_path):
    (tmp_path / "wav.scp").write_text(f"a {'x' * 300}.wav\n")
    reading = read_corpus("kaldi", tmp_path)
    assert len(reading.utterances) == 1
    assert "recordings that a label file names but that are not there" in reading.warnings[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("wav.scp", "a a.wav\na b.wav\n", "'a' stands twice"),
        ("segments", "a a 0.5\n", "expected a recording, and a"),
        ("segments", "a a 0 1 B\n", "segments:1: channel 'B' of a recording; expected a recording per channel"),
    ],
)
def test_what_is_no_data_folder_is_one_line(tmp_path, name, text, message):
    (tmp_path / "wav.scp").write_text("a a.wav\n")
    (tmp_path / name).write_text(text)
    with pytest.raises(CorpusError, match=message):
        read_corpus("kaldi", tmp_path)
