"""The signal as a kind of feature: it is what the guard gives, in every container."""

import numpy as np
import pytest
import soundfile

from serprep.audio.decode import decode, read_bytes
from serprep.audio.guard import PEAK
from serprep.audio.signal import Signal
from serprep.errors import FeatureError
from serprep.features.extract import Features, features_from_json, identities
from serprep.features.signal import SIGNAL, Samples, int16_codes
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store.convert import convert
from serprep.store.store import open_store
from serprep.store.verify import verify

ONLY = {"logmel": {"enabled": False}, "functionals": {"enabled": False}}


@pytest.fixture
def corpus(tmp_path):
    """Two recordings: one that is resampled and mixed, one of 16 bits, with both ends of the range."""
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "anna_sad.wav", rng.uniform(-1.5, 1.5, (4410, 2)), 44_100, "FLOAT")
    codes = rng.integers(-32768, 32768, 900, dtype=np.int16)
    codes[:2] = -32768, 32767
    soundfile.write(tmp_path / "bob_angry.wav", codes, 16_000, "PCM_16")
    return tmp_path


def recipe(root, container, dtype, **more):
    values = {
        "dataset": {"path": "data"},
        "corpus": {"reader": "pattern", "root": ".", "pattern": "{speaker}_{emotion}.wav"},
        "features": {**ONLY, "signal": {"dtype": dtype}, **more},
        "store": {"format": container},
    }
    return recipe_from(values, folder=root, name="signals")


@pytest.mark.parametrize("container", ["zarr", "hdf5"])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_a_store_gives_the_guarded_samples_back(corpus, inline, container, dtype):
    asked = recipe(corpus, container, dtype)
    result = build(asked, pool=inline)
    assert (result.computed, build(asked, pool=inline).computed) == (2, 0)
    store = open_store(result.store)
    for i, name in enumerate(["anna_sad.wav", "bob_angry.wav"]):
        guarded = decode(read_bytes(corpus / name))
        expected = (guarded * 32768).astype(np.int16) if dtype == "int16" else guarded  # as openSMILE's package does it
        rows = store.values("signal", i)
        assert rows.dtype == dtype and rows.shape == (store.column("n_samples")[i], 1)
        assert rows[:, 0].tobytes() == expected.tobytes()
    if dtype == "int16":
        assert np.array_equal(
            store.values("signal", 1)[:, 0], soundfile.read(corpus / "bob_angry.wav", dtype="int16")[0]
        )
    values, offsets = store.read("signal", [1, 0])
    assert offsets.tolist() == [0, 900, 2500] and len(values) == 2500 and store.names("signal") == ["amplitude"]
    assert verify(result.store, against_audio=corpus).problems == ()
    other = convert(result.store, corpus / ("x.h5" if container == "zarr" else "x.zarr"), quiet=True)
    assert (other.version, other.values("signal", 1).tobytes()) == (store.version, store.values("signal", 1).tobytes())
    assert verify(other.path).problems == ()


def test_segments_are_cut_from_it(corpus, inline):
    asked = recipe(corpus, "zarr", "int16", segments={"a": {"length": 400, "hop": 100, "of": "signal"}})
    store = open_store(build(asked, pool=inline).store)
    rows = store.values("signal", 1)
    assert np.array_equal(store.segments(1, 400, "signal"), np.stack([rows[i : i + 400] for i in range(0, 501, 100)]))


def test_a_recording_with_another_signal_is_found(corpus, inline):
    place = build(recipe(corpus, "zarr", "float32"), pool=inline).store
    soundfile.write(corpus / "bob_angry.wav", np.zeros(900), 16_000)
    (problem,) = verify(place, against_audio=corpus).problems
    assert problem.utterances == ("bob_angry",) and "other SHA-256" in problem.message


def test_codes_are_truncated_and_within_int16():
    edge = np.array([-1, PEAK, 1.99 / 32768, -1.99 / 32768, -0.5 / 32768, 0.5 / 32768], np.float32)
    assert int16_codes(edge).tolist() == [-32768, 32767, 1, -1, 0, 0]
    assert not np.signbit(int16_codes(edge)[-2:]).any()


def test_it_does_not_hide_how_recordings_become_samples_in_keys():
    features = Features(logmel=None, functionals=None, signal=Samples(dtype="int16"))
    identity = identities(features)["signal"]
    assert identity["signal"] == {"sample_rate": 16_000, "resampler": "soxr-HQ"} and identity["dtype"] == "int16"
    assert features.signal == Signal() and features.to_json()["kinds"] == {"signal": {"dtype": "int16"}}
    assert features_from_json(features.to_json()) == features


def test_another_type_is_refused():
    with pytest.raises(FeatureError, match=r"\[features\.signal\] dtype is 'int24'; expected one of float32, int16"):
        Samples(dtype="int24")


def test_the_extractor_hands_out_a_copy():
    samples = np.zeros(10, np.float32)
    rows = SIGNAL.extractor(Samples(), Signal())(samples)
    assert rows.shape == (10, 1) and not np.shares_memory(rows, samples)
