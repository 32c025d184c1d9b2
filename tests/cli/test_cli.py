"""The command: output, exit status, one-line errors; as installed where a process of its own matters."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serprep.testing import write_synthetic_corpus

SERPREP = shutil.which("serprep", path=str(Path(sys.executable).parent))

EMOTIONS = ("angry", "happy", "neutral", "sad")
RECIPE = """\
[dataset]
path = "stores"
[corpus]
reader = "pattern"
root = "corpus"
pattern = "{emotion}/{speaker}_{text}_{take}.wav"
[split]
protocol = "group-k-fold"
folds = 2
[train]
systems = ["plain-crnn", "majority"]
seeds = [0]
epochs = 1
"""


def installed(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    assert SERPREP is not None, "serprep is not installed beside this Python"
    return subprocess.run([SERPREP, *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=300)


def one_error(result: subprocess.CompletedProcess[str]) -> str:
    """The error line of a command that failed as it should."""
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stdout == ""
    return result.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    write_synthetic_corpus(folder / "corpus", n_speakers=2, n_texts=2)
    (folder / "corpus" / "sad" / "synth02_t09_1.wav").write_bytes(b"not a recording")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def built(project) -> dict:
    result = installed("build", "recipe.toml", "--json", "--workers", 1, cwd=project)
    assert result.returncode == 3
    return json.loads(result.stdout)


def test_build_says_what_it_did_in_one_json_document(built, project) -> None:
    assert {"version", "store", "n_utterances", "computed", "reused", "quarantined", "reasons"} <= built.keys()
    assert (built["n_utterances"], built["computed"], built["reused"], built["quarantined"]) == (16, 16, 0, 1)
    assert Path(built["store"]).is_absolute()
    assert built["reasons"][0]["id"] == "sad/synth02_t09_1"
    assert built["reasons"][0]["reason"].startswith("not a recording")


def test_a_second_build_reuses_everything(built, project, serprep) -> None:
    again = json.loads(serprep("build", "recipe.toml", "--json", cwd=project).stdout)
    assert (again["computed"], again["reused"], again["quarantined"]) == (0, 16, 1)
    assert again["version"] == built["version"]


def test_failing_on_bad_audio_names_the_recording(built, project, serprep) -> None:
    assert "synth02_t09_1" in one_error(serprep("build", "recipe.toml", "--on-bad-audio", "fail", cwd=project))


def test_info_describes_the_store(built, project, serprep) -> None:
    about = json.loads(serprep("info", "stores@latest", "--json", cwd=project).stdout)
    assert about["version"] == built["version"]
    assert about["n_utterances"] == 16
    assert about["arrays"]["functionals/compare_2016"] == {"shape": [16, 6373], "dtype": "float32"}
    assert about["arrays"]["utterances/id"]["dtype"] == "string"
    assert "synthetic" not in about["features"]
    text = serprep("info", f"stores@{built['version'][:8]}", cwd=project).stdout
    assert "angry 4, happy 4, neutral 4, sad 4" in text


def test_run_trains_scores_and_writes_a_page(built, project, serprep) -> None:
    result = serprep("run", "recipe.toml", "--json", "--workers", 1, cwd=project)
    assert result.returncode == 3
    values = json.loads(result.stdout)
    assert [row["system"] for row in values["summary"]] == ["plain-crnn", "majority"]
    assert {"system", "fold", "seed", "n_test", "wa", "ua"} <= values["results"][0].keys()
    assert values["summary"][1]["ua"] == 0.25
    assert values["summary"][1]["recall"] in ({name: float(name == one) for name in EMOTIONS} for one in EMOTIONS)
    assert any("2 test speakers" in note for note in values["notes"])
    assert all(f"note: {note}" in result.stderr for note in values["notes"])
    page = Path(values["report"]).read_text(encoding="utf-8")
    assert "majority" in page
    again = serprep("report", "recipe.toml", "-o", "page.html", cwd=project)
    assert again.returncode == 0
    assert (project / "page.html").read_text(encoding="utf-8") == page


def test_train_takes_one_system_fold_and_seed(built, project, serprep) -> None:
    words = ("train", "recipe.toml", "--system", "majority", "--fold", "2", "--seed", "0", "--json")
    values = json.loads(serprep(*words, cwd=project).stdout)
    assert [(row["system"], row["fold"], row["seed"]) for row in values["results"]] == [("majority", "2", 0)]


def test_manifest_check_and_split(project, tmp_path, serprep) -> None:
    pattern = "{emotion}/{speaker}_{text}_{take}.wav"
    result = serprep("manifest", "pattern", project / "corpus", "-o", tmp_path, "--pattern", pattern, "--json")
    values = json.loads(result.stdout)
    assert values["n_utterances"] == 17
    assert values["emotions"] == {"angry": 4, "happy": 4, "neutral": 4, "sad": 5}
    assert list(values["unreadable"]) == ["sad/synth02_t09_1.wav"]

    same = serprep("check", tmp_path, project / "corpus", "--json")
    assert (same.returncode, json.loads(same.stdout)["same"]) == (0, True)
    copy = tmp_path / "copy"
    shutil.copytree(project / "corpus", copy)
    (copy / "sad" / "synth01_t01_1.wav").unlink()
    (copy / "sad" / "synth01_t02_1.wav").write_bytes(b"other")
    (copy / "sad" / "new.wav").write_bytes(b"new")
    differing = serprep("check", tmp_path, copy, "--json")
    found = json.loads(differing.stdout)
    assert differing.returncode == 1
    assert found["missing"] == ["sad/synth01_t01_1.wav"]
    assert found["changed"] == ["sad/synth01_t02_1.wav"]
    assert found["extra"] == ["sad/new.wav"]

    split = json.loads(serprep("split", tmp_path, "-o", tmp_path / "split.json", "--json").stdout)
    assert [fold["test_groups"] for fold in split["folds"]] == ["synth01", "synth02"]


def test_corpora_lists_every_reader_with_its_licence() -> None:
    from serprep.corpora import CORPORA

    listed = json.loads(installed("corpora", "--json").stdout)["corpora"]
    assert [row["name"] for row in listed] == list(CORPORA)
    assert all(row["licence"] for row in listed)
    text = installed("corpora").stdout
    assert all(name in text for name in CORPORA)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("build", "absent.toml"), "No such file"),
        (("info", "absent"), "no store there"),
        (("manifest", "nonsense", ".", "-o", "out"), "unknown reader 'nonsense'"),
        (("manifest", "ravdess", "absent", "-o", "out"), "no such folder"),
        (("check", "absent.csv", "."), "expected a manifest"),
        (("split", "absent.csv"), "expected a manifest"),
        (("report", "absent"), "no store there"),
        (("run", "."), "Is a directory"),
    ],
)
def test_what_cannot_be_done_is_one_line(words, expected: str, tmp_path, serprep) -> None:
    result = serprep(*words, cwd=tmp_path)
    message = one_error(result)
    assert expected in message
    assert len(message.splitlines()) == 1


def test_wrong_usage_is_status_2() -> None:
    assert installed("build").returncode == 2
    assert installed("frobnicate").returncode == 2
    assert installed("--help").returncode == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("trian", "x"), "no command 'trian'; did you mean 'train'?"),
        (("exprmnts",), "no command 'exprmnts'; did you mean 'experiments'?"),
        (("x\x1b[1m",), r"no command 'x\\x1b[1m'; expected one of demo, run, init, "),
        (("build", "--retryy", "x"), "No such option '--retryy'. (Did you mean one of: '--repair', '--retry'?)"),
        (("--verison",), "'--verison'. Did you mean '--version'?"),
    ],
)
def test_a_misspelt_command_or_option_is_answered_with_the_nearest(words, expected: str, serprep) -> None:
    result = serprep(*words)
    assert (result.returncode, result.stdout) == (2, "")
    assert expected in result.stderr, result.stderr


def test_every_command_has_help_with_its_options(serprep) -> None:
    from serprep_cli.main import cli

    for name in cli.commands:
        result = serprep(name, "--help")
        assert result.returncode == 0
        assert f"serprep {name} [" in result.stdout


def test_help_imports_nothing_heavy() -> None:
    """Not a timing: the modules that would make it slow are not loaded."""
    code = (
        "import sys\nfrom serprep_cli.main import cli\ncli.main(['--help'], standalone_mode=False)\n"
        "heavy = {'numpy', 'torch', 'zarr', 'dask', 'pandas', 'rich', 'opensmile'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_a_demo_never_overwrites_what_is_not_a_demo(tmp_path, serprep) -> None:
    (tmp_path / "recipe.toml").write_text("[corpus]\n", encoding="utf-8")
    assert "not empty, and not a demo's" in one_error(serprep("demo", tmp_path))
    assert (tmp_path / "recipe.toml").read_text(encoding="utf-8") == "[corpus]\n"
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


def test_what_could_not_be_trained_is_found_before_anything_is_computed(project, tmp_path, serprep) -> None:
    shutil.copytree(project / "corpus", tmp_path / "corpus")
    recipe = RECIPE.replace('"majority"', '"compare-svm"') + "[features.functionals]\nenabled = false\n"
    (tmp_path / "recipe.toml").write_text(recipe, encoding="utf-8")
    assert "compare-svm needs functionals" in one_error(serprep("run", "recipe.toml", cwd=tmp_path))
    assert not (tmp_path / "stores").exists()


def test_an_output_that_cannot_be_written_is_one_line(project, tmp_path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    words = ("manifest", "pattern", project / "corpus", "-o", tmp_path / "file")
    assert "name a place" in one_error(installed(*words, "--pattern", "{emotion}/{speaker}_{text}_{take}.wav"))


def test_a_pipe_that_closes_is_no_traceback(project) -> None:
    done = subprocess.run(f"{SERPREP} corpora | true", shell=True, capture_output=True, text=True)
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_with_130_and_a_sentence(project, tmp_path) -> None:
    import os
    import signal
    import time

    shutil.copytree(project / "corpus", tmp_path / "corpus")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    for _ in range(2):
        before = len(list(tmp_path.glob("stores/cache/*/*.part")))
        process = subprocess.Popen(
            [SERPREP, "build", "recipe.toml", "--batch-size", "1"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        while process.poll() is None and len(list(tmp_path.glob("stores/cache/*/*.part"))) == before:
            time.sleep(0.01)  # until something is finished that can be kept
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        if process.returncode == 3:  # it was faster
            break
        assert process.returncode == 130, errors
        assert "Interrupted: finished work is kept" in errors
        assert "Traceback" not in errors
    assert installed("build", "recipe.toml", cwd=tmp_path).returncode == 3


def test_two_builds_at_once_both_succeed_and_agree(project, tmp_path) -> None:
    shutil.copytree(project / "corpus", tmp_path / "corpus")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    command = [SERPREP, "build", "recipe.toml", "--json", "--workers", "1"]
    running = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    results = [json.loads(process.communicate(timeout=300)[0]) for process in running]
    assert [process.returncode for process in running] == [3, 3]
    assert results[0]["store"] == results[1]["store"]
    assert installed("verify", results[0]["store"], "--against-audio", tmp_path / "corpus").returncode == 0
    versions = [path.name for path in (tmp_path / "stores" / "versions").iterdir()]
    assert len(versions) == 3  # one store, its build.json and its card, nothing half-written


def test_training_without_torch_is_one_line(project) -> None:
    code = (
        "import sys\nsys.modules['torch'] = None\n"
        "from serprep_cli.main import main\nsys.argv = ['serprep', 'run', 'recipe.toml']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=project)
    assert "training needs torch" in one_error(done)


@pytest.mark.parametrize("closed", ["2>&-", "1>&-", "0<&-", "0<&- 1>&- 2>&-"])
def test_streams_that_a_service_closed_change_no_status(closed, project, built) -> None:
    command = f'exec "{SERPREP}" build recipe.toml --workers 1 {closed}'
    done = subprocess.run(["sh", "-c", command], cwd=project, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "1>&-" in closed or "0 computed" in done.stdout


def test_a_deleted_working_directory_is_named(tmp_path) -> None:
    command = f'mkdir gone && cd gone && rmdir ../gone && exec "{SERPREP}" build recipe.toml'
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert "the working directory was deleted; change to one that exists (`cd`)\n" in one_error(done)


def test_what_the_machine_refuses_is_one_line(serprep, monkeypatch, tmp_path) -> None:
    def refuse(path):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("serprep.recipe.read_recipe", refuse)
    assert "no further process or thread may be started" in one_error(serprep("build", tmp_path / "r.toml"))


def test_too_little_memory_to_load_anything_is_one_line(project, built) -> None:
    command = f'ulimit -v 250000 && exec "{SERPREP}" info "{built["store"]}"'
    done = subprocess.run(["sh", "-c", command], cwd=project, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == ""
    assert "out of memory: the limit is 250000 kB (ulimit -v); allow more" in one_error(done)
