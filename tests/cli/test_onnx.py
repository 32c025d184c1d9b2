"""``serprep onnx``."""

import json


def test_a_checkpoint_is_written_as_a_graph_and_said_to_be(trained, serprep, tmp_path):
    checkpoint = trained / "plain-crnn" / "fold-01" / "seed-0"
    written = serprep("onnx", checkpoint, tmp_path / "x.onnx", "--json")
    assert json.loads(written.stdout) == {
        "onnx": str(tmp_path / "x.onnx"),
        "inputs": ["short"],
        "labels": ["angry", "happy", "neutral", "sad"],
    }
    assert (tmp_path / "x.onnx").stat().st_size > 100_000
    assert serprep("onnx", tmp_path, tmp_path / "y.onnx").returncode == 1 and not (tmp_path / "y.onnx").exists()
