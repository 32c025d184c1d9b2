import json
from importlib.metadata import version

import numpy as np
import pytest

from serprep.errors import FeatureError
from serprep.features.extract import Features, extract, extractors, features_from_json, identities
from serprep.features.framing import SEGMENTS, Segment
from serprep.features.functionals import Functionals, functionals
from serprep.features.logmel import LogMel, log_mel

WITHOUT = Functionals(enabled=False)
CHANGES = {
    "hop": Features(logmel=LogMel(hop_length=80)),
    "segments": Features(segments={"short": Segment(length=31, hop=20), "tiny": Segment(length=3, hop=1)}),
    "no functionals": Features(functionals=WITHOUT),
    "opensmile": Features(functionals=Functionals(engine="opensmile")),
    "8 kHz": Features(logmel=LogMel(sample_rate=8000, fmax=4000.0), functionals=Functionals(engine="opensmile")),
}


def noise(n_samples):
    return np.random.default_rng(0).uniform(-0.3, 0.3, n_samples).astype(np.float32)


def test_kinds_are_what_their_functions_give():
    signal = noise(8000)
    found = extract(signal, Features(), ("logmel", "functionals"))
    assert list(found) == ["logmel", "functionals"]
    np.testing.assert_array_equal(found["logmel"], log_mel(signal))
    np.testing.assert_array_equal(found["functionals"], functionals(signal)[None])
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}


def test_only_what_was_asked_for_is_computed(monkeypatch):
    monkeypatch.setattr("serprep.features.functionals._smile", lambda: pytest.fail("openSMILE was called"))
    assert list(extract(noise(8000), Features(), ("logmel",))) == ["logmel"]
    assert extract(noise(8000), Features(), ()) == {}


@pytest.mark.parametrize(
    ("features", "n_samples"),
    [
        (Features(), 960),
        (Features(functionals=WITHOUT), 400),
        (CHANGES["8 kHz"], 480),
        (Features(logmel=LogMel(win_length=1000)), 1000),
    ],
)
def test_the_shortest_utterance_has_a_window_and_60_ms_for_functionals(features, n_samples):
    assert features.shortest == n_samples
    assert extract(noise(n_samples), features, ("logmel",))["logmel"].shape[1] == 40
    with pytest.raises(FeatureError, match=rf"too short: {n_samples - 1} samples \(.* ms\) are fewer than {n_samples}"):
        extract(noise(n_samples - 1), features, ("logmel",))


@pytest.mark.parametrize("features", [Features(), *CHANGES.values()], ids=["default", *CHANGES])
def test_a_configuration_survives_json(features):
    assert features_from_json(json.loads(json.dumps(features.to_json()))) == features


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: values.pop("signal"),
        lambda values: values.pop("segments"),
        lambda values: values["logmel"].update(n_bands=3),
        lambda values: values["segments"]["short"].pop("hop"),
        lambda values: values.update(segments=[1]),
        lambda values: values["functionals"].update(speed=3),
    ],
)
def test_a_damaged_configuration_is_refused(damage):
    values = Features().to_json()
    damage(values)
    with pytest.raises(FeatureError, match=r"feature configuration: .*; expected what this serprep writes"):
        features_from_json(values)


def test_two_segments_of_one_length_are_refused():
    with pytest.raises(FeatureError, match=r"segments 'a' and 'b' have one length \(30\)"):
        Features(segments={"a": Segment(length=30, hop=20), "b": Segment(length=30, hop=10)})
    with pytest.raises(FeatureError, match=r"\[features.segments\] has none of 'logmel'"):
        Features(segments={})


def test_without_functionals_a_store_names_the_engine_that_stores_of_before_name():
    assert Features().to_json()["functionals"]["engine"] == "native"
    off = Features(functionals=WITHOUT)
    assert off.to_json()["functionals"] == {"enabled": False, "feature_set": "ComParE_2016", "engine": "opensmile"}
    assert off == Features(functionals=Functionals(enabled=False, engine="opensmile"))


def test_configurations_do_not_share_their_segments():
    assert Features().segments == SEGMENTS
    assert Features().segments is not SEGMENTS


def test_identities_change_with_what_changes_values_and_with_nothing_else():
    default = identities(Features())
    assert set(default) == {"logmel", "functionals"}
    assert identities(CHANGES["segments"]) == default
    assert identities(CHANGES["no functionals"]) == {"logmel": default["logmel"]}
    hop = identities(CHANGES["hop"])
    assert hop["functionals"] == default["functionals"]
    assert hop["logmel"] != default["logmel"]
    rate = identities(CHANGES["8 kHz"])
    assert rate["functionals"] != identities(CHANGES["opensmile"])["functionals"]
    assert rate["logmel"] != default["logmel"]


def test_identities_name_the_libraries_that_decide_values():
    found = identities(CHANGES["opensmile"])
    logmel, compare = found["logmel"]["extractor"], found["functionals"]["extractor"]
    for name in ("soxr", "scipy"):
        assert logmel[name] == ".".join(version(name).split(".")[:2])
    assert compare["soxr"] == logmel["soxr"]
    assert compare["libsndfile"] == logmel["libsndfile"]
    assert len(compare["library"]) == 64
    json.dumps(found)


def test_extractors_name_revisions_but_no_library_except_opensmile():
    found = extractors(CHANGES["opensmile"])
    assert found["logmel"] == {"name": "serprep.logmel", "revision": 1}
    assert found["functionals"] == {"name": "opensmile", "revision": 1, "opensmile": version("opensmile")}
    assert list(extractors(Features(functionals=WITHOUT))) == ["logmel"]


def test_the_native_engine_is_known_by_its_revision_and_not_by_opensmile(monkeypatch):
    monkeypatch.setattr("serprep.features.functionals.library_digest", lambda: pytest.fail("openSMILE was looked for"))
    monkeypatch.setattr("serprep.features.functionals._smile", lambda: pytest.fail("openSMILE was called"))
    native = Features()
    found = identities(native)["functionals"]["extractor"]
    assert found["name"] == "serprep.compare_2016"
    assert found["numba"] == ".".join(version("numba").split(".")[:2])
    assert "library" not in found
    assert extractors(native)["functionals"] == {"name": "serprep.compare_2016", "revision": found["revision"]}
    np.testing.assert_array_equal(
        extract(noise(8000), native, ("functionals",))["functionals"],
        functionals(noise(8000), engine="native")[None],
    )


def test_the_native_engine_with_another_rate_is_refused():
    eight = LogMel(sample_rate=8000, fmax=4000.0)
    with pytest.raises(FeatureError, match="sample_rate is 8000; engine 'native' computes functionals at 16000 Hz"):
        Features(logmel=eight, functionals=Functionals(engine="native"))
    Features(logmel=eight, functionals=Functionals(engine="native", enabled=False))
