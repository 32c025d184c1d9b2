"""Embeddings against the models called directly, and what is refused before anything is computed."""

import hashlib
import json
import shutil
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.late import Late
from serprep.audio.signal import Signal
from serprep.errors import FeatureError, SerprepError
from serprep.features.embedding import EMBEDDING, Embedding, frames_of, pooled, windows
from serprep.features.embedding_model import hub_cache
from serprep.features.extract import Features, _extractor, extract, features_from_json, identities
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store.convert import convert
from serprep.store.store import open_store
from serprep.store.verify import verify

onnx = Late("onnx")
torch = Late("torch")

RNG = np.random.default_rng(0)
SIGNALS = [(0.1 * RNG.normal(size=n)).astype(np.float32) for n in (4000, 9100, 400)]
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 8,
}
WHISPER = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_source_positions": 50,
    "max_target_positions": 8,
    "num_mel_bins": 20,
    "vocab_size": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Small random models of each family, saved: name → (folder, model)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import transformers
    folder, made = tmp_path_factory.mktemp("models"), {}
    torch.manual_seed(0)
    for name, family, config in (
        ("wav2vec2", "Wav2Vec2", SMALL),
        ("hubert", "Hubert", SMALL | {"feat_extract_norm": "layer", "do_stable_layer_norm": True}),
        ("wavlm", "WavLM", SMALL),
        ("whisper", "Whisper", WHISPER),
    ):
        model = getattr(transformers, f"{family}Model")(getattr(transformers, f"{family}Config")(**config)).eval()
        model.save_pretrained(folder / name)
        made[name] = folder / name, model
    return made


def direct(name, model, samples):
    """Hidden states of the model called directly, and its last one: each of shape (n_frames, 16)."""
    with torch.inference_mode():
        if name != "whisper":
            out = model(torch.from_numpy(samples)[None], output_hidden_states=True)
            return [state[0].numpy() for state in (*out.hidden_states, out.last_hidden_state)]
        from transformers import WhisperFeatureExtractor

        mels = WhisperFeatureExtractor(feature_size=20, chunk_length=1)(
            samples, sampling_rate=16_000, return_tensors="pt"
        )
        out = model.encoder(mels.input_features, output_hidden_states=True)
        n = -(-len(samples) // 320)  # the rest is padding
        return [state[0, :n].numpy() for state in (*out.hidden_states, out.last_hidden_state)]


def close(found, expected):
    assert found.shape == expected.shape and found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize("name", ["wav2vec2", "hubert", "wavlm", "whisper"])
def test_values_are_those_of_the_model_called_directly_whatever_came_before(models, name):
    folder, model = models[name]
    for values, expect in (
        ({}, lambda states: states[-1].mean(0)),
        ({"pooling": "mean+std"}, lambda states: np.concatenate([states[-1].mean(0), states[-1].std(0)])),
        ({"layers": (2, 0), "pooling": "none"}, lambda states: np.concatenate([states[2], states[0]], 1)),
        ({"layers": "mean"}, lambda states: np.mean(states[:-1], 0).mean(0)),
    ):
        config = Embedding(model=str(folder), **values)
        compute = EMBEDDING.extractor(config, Signal())
        rows = [compute(samples) for samples in SIGNALS]
        for samples, found in zip(SIGNALS, rows, strict=True):
            close(found, expect(direct(name, model, samples)))
            assert found.shape[-1] == EMBEDDING.n_columns(config) == len(EMBEDDING.names(config))
        again = [compute(samples) for samples in reversed(SIGNALS)][::-1]
        assert [found.tobytes() for found in again] == [found.tobytes() for found in rows]
        threads = torch.get_num_threads()
        torch.set_num_threads(threads + 1)
        try:
            assert compute(SIGNALS[0]).tobytes() == rows[0].tobytes() and torch.get_num_threads() == threads + 1
        finally:
            torch.set_num_threads(threads)


def test_samples_are_scaled_where_the_model_wants_it(models, tmp_path):
    folder, model = models["wav2vec2"]
    scaled = shutil.copytree(folder, tmp_path / "scaled")
    (scaled / "preprocessor_config.json").write_text('{"do_normalize": true}')
    samples = SIGNALS[0]
    expected = direct("wav2vec2", model, ((samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)).astype("f4"))
    close(EMBEDDING.extractor(Embedding(model=str(scaled)), Signal())(samples), expected[-1].mean(0))
    first, second = (EMBEDDING.plain(Embedding(model=str(place))) for place in (folder, scaled))
    assert first["weights"] == second["weights"] and first["configuration"] != second["configuration"]


def test_a_long_signal_is_computed_in_windows(models):
    folder, model = models["wavlm"]
    samples = (0.1 * RNG.normal(size=40_000)).astype(np.float32)  # 2.5 s in windows of 1 s
    config = Embedding(model=str(folder), window=1.0, overlap=0.2, pooling="none")
    found = EMBEDDING.extractor(config, Signal())(samples)
    assert len(found) == len(direct("wavlm", model, samples)[0])
    close(found[:45], direct("wavlm", model, samples[:16_000])[-1][:45])  # up to the middle of what they share
    close(found[45:85], direct("wavlm", model, samples[12_800:28_800])[-1][5:45])


def test_frames_of_windows_are_those_of_the_whole():
    samples = np.arange(5000, dtype=np.float32)

    def run(part):  # each frame is its own first sample
        return [np.lib.stride_tricks.sliding_window_view(part, 40)[::20, :1]]

    whole = run(samples)[0]
    for window, hop in ((200, 100), (1000, 900), (400, 300), (5000, 4900)):
        assert np.array_equal(np.concatenate(list(frames_of(samples, run, stride=20, window=window, hop=hop))), whole)
    assert all(stop - start <= 200 for start, stop, *_ in windows(5000, window=200, hop=100))
    parts = list(frames_of(samples, run, stride=20, window=1000, hop=900))
    assert pooled(iter(parts), "mean+std").tolist() == pytest.approx([whole.mean(), whole.std()], rel=1e-6)


# -- ONNX ----------------------------------------------------------------------------


def write_onnx(path, *, outside=False):
    """Frames of 400 samples every 320, three weighted sums each; returns the weights."""
    weights = np.random.default_rng(1).normal(size=(3, 1, 400)).astype(np.float32)
    nodes = [
        onnx.helper.make_node("Unsqueeze", ["signal", "axis"], ["x"]),
        onnx.helper.make_node("Conv", ["x", "w"], ["y"], strides=[320]),
        onnx.helper.make_node("Transpose", ["y"], ["z"], perm=[0, 2, 1]),
        onnx.helper.make_node("Squeeze", ["z", "zero"], ["frames"]),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [onnx.helper.make_tensor_value_info("signal", onnx.TensorProto.FLOAT, [1, "n"])],
        [onnx.helper.make_tensor_value_info("frames", onnx.TensorProto.FLOAT, ["t", 3])],
        [
            onnx.numpy_helper.from_array(weights, "w"),
            onnx.numpy_helper.from_array(np.array([1]), "axis"),
            onnx.numpy_helper.from_array(np.array([0]), "zero"),
        ],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path, save_as_external_data=outside, location="weights.data" if outside else None)
    return weights[:, 0]


@pytest.mark.parametrize("outside", [False, True])
def test_an_onnx_model_gives_frames(tmp_path, outside):
    path = tmp_path / "sums.onnx"
    weights = write_onnx(path, outside=outside)
    expected = np.lib.stride_tricks.sliding_window_view(SIGNALS[1], 400)[::320] @ weights.T
    config = Embedding(model=str(path), pooling="none")
    assert np.allclose(EMBEDDING.extractor(config, Signal())(SIGNALS[1]), expected, atol=1e-4)
    plain = EMBEDDING.plain(config)
    assert (plain["model"], plain["width"], plain["configuration"]) == ("sums.onnx", 3, "")
    if not outside:
        assert plain["weights"] == hashlib.sha256(path.read_bytes()).hexdigest()
        return
    (tmp_path / "weights.data").write_bytes(bytes(4800))
    assert EMBEDDING.plain(config)["weights"] != plain["weights"]
    (tmp_path / "weights.data").rename(tmp_path / "other")
    with pytest.raises(FeatureError, match=r"keeps weights in .*weights\.data; expected a file beside it"):
        EMBEDDING.plain(replaced(path))


def replaced(path):
    """The same file, written anew."""
    path.write_bytes(path.read_bytes())
    return Embedding(model=str(path))


# -- stores --------------------------------------------------------------------------


def recipe(folder, store_format="zarr", **embedding):
    values = {
        "dataset": {"path": f"data-{store_format}"},
        "corpus": {"reader": "pattern", "root": ".", "pattern": "{speaker}_{emotion}.wav"},
        "features": {"logmel": {"enabled": False}, "functionals": {"enabled": False}, "embedding": embedding},
        "store": {"format": store_format},
    }
    return recipe_from(values, folder=folder, name="e")


@pytest.fixture
def corpus(tmp_path, models):
    for name, samples in zip(("anna_sad", "bob_angry"), SIGNALS, strict=False):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000, "FLOAT")
    shutil.copytree(models["wavlm"][0], tmp_path / "tiny")
    return tmp_path


@pytest.mark.parametrize(("container", "pooling"), [("zarr", "none"), ("hdf5", "mean")])
def test_a_store_of_embeddings_lives_as_any_other(corpus, inline, models, container, pooling, monkeypatch):
    result = build(recipe(corpus, container, model="tiny", pooling=pooling, layers=[0, 2]), pool=inline)
    store = open_store(result.store)
    states = direct("wavlm", models["wavlm"][1], SIGNALS[0])
    frames = np.concatenate([states[0], states[2]], 1)
    close(store.values("embedding", 0), frames if pooling == "none" else frames.mean(0))
    assert store.attributes["licences"][1:] == ["embedding: values of the model tiny, whose licence holds for them"]
    assert str(corpus) not in json.dumps(store.attributes["configurations"])
    assert verify(result.store, against_audio=corpus).problems == ()
    libraries = json.loads(Path(result.store).with_suffix(".build.json").read_text())["libraries"]
    named = {name: number for name, number in libraries.items() if name in ("torch", "transformers", "onnxruntime")}
    assert named == {name: version(name) for name in ("torch", "transformers")} and "device" not in libraries
    (corpus / "elsewhere").mkdir()
    (corpus / "tiny").rename(corpus / "elsewhere" / "tiny")
    again = build(recipe(corpus, container, model="elsewhere/tiny", pooling=pooling, layers=[0, 2]), pool=inline)
    assert (again.version, again.computed) == (store.version, 0)
    shutil.rmtree(corpus / "elsewhere")  # and without the model
    other = convert(result.store, corpus / ("x.h5" if container == "zarr" else "x.zarr"), quiet=True)
    assert other.version == store.version and verify(other.path).problems == ()
    monkeypatch.setattr("serprep.features.embedding_model.SEEN", {})
    _extractor.cache_clear()
    found = verify(other.path, against_audio=corpus)
    (problem,) = found.problems
    assert found.whole and found.n_recomputed == 0  # a model that is not here is no damage
    assert (problem.kind, problem.place) == ("not checked", "embedding")
    assert "model 'tiny' is neither a folder nor" in problem.message


def test_a_recorded_model_is_found_by_its_name_and_known_by_its_digest(models, tmp_path, monkeypatch):
    folder = models["wavlm"][0]
    features = Features(logmel=None, functionals=None, embedding=Embedding(model=str(folder)))
    recorded = features_from_json(features.to_json())
    monkeypatch.setattr("serprep.features.embedding_model.SEEN", {})
    with pytest.raises(SerprepError, match=r"model 'wavlm' is neither a folder .* SERPREP_MODELS; serprep downloads"):
        extract(SIGNALS[0], recorded, ("embedding",))
    monkeypatch.setenv("SERPREP_MODELS", str(folder.parent))
    assert identities(recorded) == identities(features)
    assert extract(SIGNALS[0], recorded, ("embedding",))["embedding"].shape == (1, 16)
    shutil.copytree(models["hubert"][0], tmp_path / "wavlm")
    monkeypatch.setattr("serprep.features.embedding_model.SEEN", {})
    monkeypatch.setenv("SERPREP_MODELS", str(tmp_path))
    with pytest.raises(FeatureError, match="is another model: its weights have SHA-256"):
        EMBEDDING.settled(recorded.configs["embedding"])


def test_a_name_is_looked_up_in_the_hub_cache(models, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert hub_cache() == tmp_path
    snapshot = tmp_path / "models--org--wavlm" / "snapshots" / "abc"
    shutil.copytree(models["wavlm"][0], snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    named, placed = Embedding(model="org/wavlm"), Embedding(model=str(models["wavlm"][0]))
    assert EMBEDDING.settings(named) == EMBEDDING.settings(placed)
    assert EMBEDDING.plain(named)["model"] == "org/wavlm"
    with pytest.raises(FeatureError, match="neither a folder nor"):
        EMBEDDING.settled(Embedding(model="org/wavlm", revision="other"))


# -- refusals ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layers": "first"}, 'expected "last", "mean", or different numbers'),
        ({"layers": (1, 1)}, "different numbers from 0"),
        ({"layers": ()}, "different numbers from 0"),
        ({"pooling": "max"}, "pooling is 'max'"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"window": 2.0, "overlap": 1.5}, "half a window"),
        ({"max_megabytes_per_hour": 0.0}, "expected more than 0"),
        ({"width": -1}, "width is -1"),
        ({"width": 1 << 19, "layers": (1, 2, 3)}, "at most 1048576 numbers of all layers"),
        ({"weights": "../x"}, "'../x' is no SHA-256"),
    ],
)
def test_impossible_configurations_are_refused(values, message):
    with pytest.raises(FeatureError, match=message):
        Embedding(model="m", **values)


def test_a_model_of_too_long_a_name_is_no_place(tmp_path):
    config = Embedding(model="m" * 300)
    assert EMBEDDING.located(config, tmp_path) == config


def test_a_model_that_does_not_fit_is_refused_before_anything_is_computed(models, tmp_path):
    folder = models["wav2vec2"][0]

    def refused(message, place=folder, **values):
        with pytest.raises(FeatureError, match=message):
            EMBEDDING.settled(Embedding(model=str(place), **values))

    refused(r"layers is \[3\]; .* has 0 to 2", layers=(3,))
    refused("are 12 MB per hour of recordings, over max_megabytes_per_hour = 10", pooling="none", **{MAX: 10.0})
    refused("its configuration have SHA-256|is another model", configuration="0" * 64)
    refused("gives 16 numbers a frame, not 17", width=17)
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    refused(r"has no config\.json", pickled)
    shutil.copy(folder / "config.json", pickled)
    refused("has no weights", pickled)
    (pickled / "pytorch_model.bin").write_bytes(b"")
    refused(r"only as pytorch_model\.bin, a pickle", pickled)
    (pickled / "config.json").write_text('{"model_type": "bert", "hidden_size": 1}')
    refused("export others to ONNX", pickled)
    with pytest.raises(FeatureError, match="names no model"):
        Features(embedding=Embedding())


MAX = "max_megabytes_per_hour"


def test_weights_that_are_not_all_there_are_refused(models, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(models["wavlm"][0], tmp_path / "less")
    tensors = load_file(folder / "model.safetensors")
    name = sorted(name for name in tensors if "attention" in name)[0]
    save_file({key: value for key, value in tensors.items() if key != name}, folder / "model.safetensors")
    with pytest.raises(SerprepError, match="the weights lack 1 tensors, such as encoder"):
        EMBEDDING.extractor(Embedding(model=str(folder)), Signal())


def test_missing_packages_are_one_line(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(SerprepError, match=r"embeddings need transformers .*pip install serprep\[embedding\]"):
        EMBEDDING.extractor(Embedding(model=str(models["wavlm"][0])), Signal())


def test_a_size_is_said_and_a_fragment_is_the_recording_s_fault(models):
    said = []
    EMBEDDING.prepare(Embedding(model=str(models["wavlm"][0]), pooling="none"), said.append)
    assert said == ["embedding: frames of 16 numbers, 12 MB per hour of recordings"]  # 16 * 4 bytes, 50 a second
    with pytest.raises(FeatureError, match=r"399 samples are fewer than one frame \(400\)"):
        EMBEDDING.extractor(Embedding(model=str(models["wavlm"][0])), Signal())(SIGNALS[0][:399])
