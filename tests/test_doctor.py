import json
from importlib.metadata import version

import numpy as np

from serprep import doctor
from serprep.doctor import Finding, examine, summary


def found(part):
    return next(finding for finding in examine() if finding.part == part)


def test_versions_are_those_that_are_installed():
    assert found("numpy") == Finding("numpy", "ok", np.__version__)
    assert found("serprep").text.startswith(f"{version('serprep')} in ")


def test_what_is_old_or_missing_is_named_with_what_installs_it(monkeypatch):
    lines = ["numpy>=999", "no-such-package>=1", 'no-such-toolkit>=1; extra == "onnx"', 'mypy>=999; extra == "dev"']
    monkeypatch.setattr(doctor, "requires", lambda _: lines)
    findings = list(doctor._packages())
    assert findings == [
        Finding("numpy", "wrong", f"{np.__version__}; expected >=999", 'pip install "numpy>=999"'),
        Finding("no-such-package", "wrong", "not installed; expected >=1", 'pip install "no-such-package>=1"'),
        Finding(
            "extra onnx",
            "optional",
            "no-such-toolkit not installed; needed for `serprep onnx`",
            'pip install "serprep[onnx]"',
        ),
    ]
    assert summary(findings) == "2 wrong: numpy, no-such-package"


def test_a_full_disk_and_a_folder_that_cannot_be_written_are_wrong(monkeypatch, tmp_path):
    monkeypatch.setenv("SERPREP_CACHE", str(tmp_path / "not" / "made" / "yet"))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000_000_000}))
    cache = found("cache")
    assert cache.state == "wrong" and "1.0 GB free" in cache.text and cache.remedy.startswith("make room")
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert found("cache").state == "optional" and "cannot be written" in found("cache").text
    assert found("temporary folder").state == "wrong"


def test_what_is_broken_is_a_finding_and_stops_nothing(monkeypatch):
    def broken():
        raise OSError("cannot load library\nlibsndfile.so")

    broken.__name__ = "_sound"
    monkeypatch.setattr(doctor, "_sound", broken)
    finding = found("sound")
    assert finding.state == "wrong" and finding.text == r"OSError: cannot load library\nlibsndfile.so"
    assert found("python").state == "ok"


def test_a_package_beside_serprep_that_cannot_be_loaded_is_named(monkeypatch):
    registry = type(
        "Registry",
        (),
        {
            "group": "serprep.things",
            "names": ("own", "theirs"),
            "brought_by": lambda self, name: "things 1.2" if name == "theirs" else "",
            "__getitem__": lambda self, name: json.loads(name),
        },
    )()
    monkeypatch.setattr(doctor, "AXES", (f"{__name__}:X",))
    monkeypatch.setattr(doctor, "import_module", lambda _: type("Module", (), {"X": registry}))
    (finding,) = doctor._plugins()
    assert (finding.part, finding.state, finding.remedy) == ("serprep.things theirs", "wrong", "update things 1.2")
