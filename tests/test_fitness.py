"""Workers are used if they compute what this process would."""

import hashlib
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import serprep
from serprep import fitness


def answer(**changes):
    return json.dumps({**fitness.own(), **changes})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (answer(), ""),
        (answer(host="elsewhere"), ""),
        (answer(code=""), "it has no serprep"),
        (answer(code="0" * 64), "other code"),
        (answer(models="0" * 64), "other code"),
        (answer(python="3.9"), "it has Python 3.9, here is"),
        (answer(serprep="9.9"), "it has serprep 9.9, here is"),
        (answer(libraries={**fitness.own()["libraries"], "numpy": "1.0"}), "it has numpy 1.0, here is"),
        (answer(libraries={}), "it has numpy not, here is"),
        ("no JSON", "does not say what it computes with"),
        (ValueError("boom"), r"does not say what it computes with (boom)"),
        (None, "does not say what it computes with"),
    ],
)
def test_a_worker_is_used_or_the_difference_is_named(given, says):
    reason = fitness.unfit(given)
    assert says in reason if says else reason == ""


def test_the_digest_is_of_every_source_file():
    """Against a slow recipe: SHA-256 over names and digests of all .py files, sorted by name."""
    root = Path(serprep.__file__).parent
    total = hashlib.sha256()
    for name in sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py")):
        total.update(name.encode() + b"\0" + hashlib.sha256((root / name).read_bytes()).digest())
    assert fitness.own()["code"] == total.hexdigest()
    assert (fitness.own()["models"] != "") == (find_spec("serprep_models") is not None)


def test_who_has_no_serprep_answers_too():
    code = f"import sys; sys.modules['serprep'] = None; print(eval({fitness.question()!r}))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert "it has no serprep" in fitness.unfit(done.stdout)
