import subprocess
import sys
from collections import Counter

import pytest
import soundfile

from serprep.corpora import read_corpus
from serprep.testing.iemocap import RELEASE, Bank, Turn, label_files, main, read_turns, write_iemocap

TABLE = """utterance,emotion,n_annotators,agreement,n_samples
Ses01F_impro01_F000,neu,4,4,31129
Ses01F_impro01_M000,ang,3,2,9359
Ses05M_script01_1b_M012,xxx,0,0,
Ses05M_script01_1b_F003,dis,4,2,
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "turns.csv"
    path.write_text(TABLE)
    return path


def test_lengths_are_the_table_s_to_the_sample(table, tmp_path):
    paths = write_iemocap(read_turns(table), tmp_path / "x")
    infos = [soundfile.info(path) for path in paths]
    assert [info.frames for info in infos][:2] == [31129, 9359]
    assert all(9_359 <= info.frames <= 546_220 for info in infos)
    assert {(info.samplerate, info.channels, info.subtype) for info in infos} == {(16_000, 1, "PCM_16")}
    assert paths[0] == tmp_path / "x" / RELEASE / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"


def test_the_folder_says_that_nothing_in_it_is_human(table, tmp_path):
    write_iemocap(read_turns(table), tmp_path / "x")
    for place in (tmp_path / "x", tmp_path / "x" / RELEASE):
        assert (place / "README.txt").read_text().startswith("SYNTHETIC")


def test_raters_agree_as_often_as_the_table_says(table, tmp_path):
    write_iemocap(read_turns(table), tmp_path, sound=False)
    rows = {row.id: row for row in read_corpus("iemocap", tmp_path).utterances}
    assert {name: (row.extra["agreement"], row.emotion) for name, row in rows.items()} == {
        "Ses01F_impro01_F000": ("4", "neu"),
        "Ses01F_impro01_M000": ("2", "ang"),
        "Ses05M_script01_1b_M012": ("0", "xxx"),
        "Ses05M_script01_1b_F003": ("2", "dis"),
    }
    assert [rows[name].extra["n_raters"] for name in list(rows)[:2]] == ["4", "3"]


@pytest.mark.parametrize("agreement", [2, 3, 4])
def test_no_other_emotion_has_a_majority(agreement):
    turns = [
        Turn(name=f"Ses01F_impro01_F{i:03}", emotion="sad", n_annotators=4, agreement=agreement) for i in range(99)
    ]
    text = dict(label_files(turns))[f"{RELEASE}/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"]
    for block in text.split("\n\n")[1:-1]:
        chosen = Counter(
            word for line in block.split("\n") if line.startswith("C-") for word in line.split("\t")[1].split("; ")
        )
        assert max(chosen, key=lambda word: chosen[word]).startswith("Sadness")


def test_same_table_same_bytes_and_litter_is_hidden(table, tmp_path):
    for name in ("a", "b"):
        write_iemocap(read_turns(table), tmp_path / name)
    files = {path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file()}
    assert all((tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes() for path in files)
    write_iemocap(read_turns(table), tmp_path / "c", litter=False)
    assert {path for path in files if not path.name.startswith(".")} == {
        path.relative_to(tmp_path / "c") for path in (tmp_path / "c").rglob("*") if path.is_file()
    }
    wavs = tmp_path / "a" / RELEASE / "Session1/sentences/wav/Ses01F_impro01"
    assert {"._Ses01F_impro01_F000.wav", ".DS_Store"} <= {path.name for path in wavs.iterdir()}


def test_no_two_turns_sound_the_same():
    bank = Bank()
    sounds = {
        bank.sound(Turn(name=f"Ses01F_impro01_F{i:03}", emotion="neu", n_samples=9_359)).tobytes() for i in range(200)
    }
    assert len(sounds) == 200


def test_scripts_have_the_same_words_in_all_sessions():
    turns = [Turn(name=f"Ses0{n}M_script01_1_F000", emotion="neu") for n in (1, 2)]
    spoken = [text.split("]: ")[1] for path, text in label_files(turns) if "transcriptions" in path]
    assert spoken[0] == spoken[1]


def test_the_program_writes_the_folder_and_says_what_is_wrong(table, tmp_path, capsys):
    main([str(table), str(tmp_path / "x")])
    assert capsys.readouterr().out == f"4 turns in {tmp_path / 'x' / RELEASE}\n"
    for text, message in (
        ("utterance\nx\n", "expected the columns agreement, emotion"),
        (TABLE + "../../x,neu,3,2,\n", ":6: '../../x' is no turn of IEMOCAP"),
        (TABLE + "Ses01F_impro01_F001,neu,three,2,\n", ":6: .*three"),
        (TABLE + "Ses01F_impro01_F001,neu,3\n", ":6: "),
        (TABLE + "Ses01F_impro01_F001,bored,3,2,\n", ":6: unknown emotion 'bored'"),
        (TABLE + "Ses01F_impro01_F001,neu,3,5,\n", ":6: "),
        (TABLE + "Ses01F_impro01_F001,neu,3,2,-4\n", ":6: "),
        (TABLE + "Ses01F_impro01_F001,neu,3,2,99999999999\n", ":6: "),
    ):
        table.write_text(text)
        with pytest.raises(SystemExit, match=rf"Error: .*turns\.csv:?.*{message}"):
            main([str(table), str(tmp_path / "y")])
    with pytest.raises(SystemExit, match=r"Error: .*nowhere: No such file"):
        main([str(tmp_path / "nowhere"), str(tmp_path / "y")])
    assert not (tmp_path / "y").exists()


def test_python_m_runs_it_without_a_warning(tmp_path):
    command = [sys.executable, "-W", "error", "-m", "serprep.testing.iemocap", "--help"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
