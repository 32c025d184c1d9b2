"""Recordings are found below their root, and nowhere else."""

import numpy as np
import pytest
import soundfile

from serprep import Utterance
from serprep.audit.sounds import listen
from serprep.errors import SplitError
from serprep.testing import synthetic_utterance


@pytest.fixture
def root(tmp_path):
    """Two recordings, one of them as wav, as its bytes again, as flac, and softer; and a silence twice."""
    (tmp_path / "root/x").mkdir(parents=True)
    for name, speaker in (("a", 0), ("b", 1)):
        soundfile.write(tmp_path / f"root/x/{name}.wav", synthetic_utterance(speaker=speaker, emotion="sad"), 16_000)
    samples, rate = soundfile.read(tmp_path / "root/x/a.wav", dtype="int16")
    soundfile.write(tmp_path / "root/same.flac", samples, rate)
    soundfile.write(tmp_path / "root/soft.wav", (samples // 4).astype(np.int16), rate)
    (tmp_path / "root/twin.wav").write_bytes((tmp_path / "root/x/a.wav").read_bytes())
    for name in ("nothing.wav", "nil.flac"):
        soundfile.write(tmp_path / f"root/{name}", np.zeros(16_000), 16_000)
    (tmp_path / "root/broken.wav").write_bytes(b"RIFF")
    (tmp_path / "secret.wav").write_bytes((tmp_path / "root/x/a.wav").read_bytes())
    return tmp_path / "root"


def of(*paths):
    return [Utterance(id=path, path=path) for path in paths]


def test_pairs_that_sound_the_same(root):
    done = []
    heard = listen(
        of("x/a.wav", "x/b.wav", "same.flac", "soft.wav", "twin.wav", "nothing.wav", "nil.flac"),
        root,
        progress=lambda n, total: done.append((n, total)),
    )
    pairs = {(i, j): likeness for i, j, likeness in heard.pairs}
    # a and its twin have the same bytes, which is a finding of its own
    assert set(pairs) == {(0, 2), (0, 3), (2, 3), (2, 4), (3, 4)}
    assert pairs[0, 2] == pairs[2, 4] == 1
    assert 0.97 <= pairs[0, 3] < 1
    assert heard.utterances[0].audio_digest == heard.utterances[4].audio_digest != ""
    assert (heard.n_compared, heard.notes) == (7, ())
    assert done[-1] == (7, 7)


def test_published_paths_are_found_by_their_ends(root):
    heard = listen(of("downloads/corpus/x/a.mp3", "elsewhere/b.wav", "no.wav", "broken.wav"), root)
    assert [bool(row.audio_digest) for row in heard.utterances] == [True, True, False, False]
    assert heard.notes == ("2 of 4 recordings are missing or unreadable, such as no.wav: not compared by sound",)


def test_nothing_outside_the_root_is_opened(root):
    with pytest.raises(SplitError, match="none of the split's 2 recordings is there"):
        listen(of("../secret.wav", str(root.parent / "secret.wav")), root)


def test_a_missing_root_is_refused(tmp_path):
    with pytest.raises(SplitError, match="no such folder; expected the recordings"):
        listen(of("a.wav"), tmp_path / "none")


def test_excerpts_are_compared_on_their_own(root):
    rows = [
        Utterance(id="1", path="x/a.wav", start=0.0, end=0.5),
        Utterance(id="2", path="x/a.wav", start=0.5, end=1.0),
    ]
    assert listen(rows, root).pairs == ()
