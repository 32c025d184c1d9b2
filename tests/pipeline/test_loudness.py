"""How loud the utterances of a build are: counted, told, left out where the recipe says so."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.inline import Inline
from serprep._json import canonical_json
from serprep.audio.levels import PROBLEMS
from serprep.cache.levels import level_key
from serprep.cache.parts import Cache
from serprep.dataset.garbage import gc
from serprep.errors import RecipeError
from serprep.features.extract import Features, identities
from serprep.manifest.look import look_at
from serprep.pipeline.build import build
from serprep.pipeline.extract import failure_key
from serprep.recipe import recipe_from
from serprep.store.store import open_store

RATE = 16_000


def speech(seed, n=12_000):
    t = np.arange(n) / RATE
    return np.round(8000 * np.sin(2 * np.pi * (150 + 10 * seed) * t) * (1 + np.sin(15 * t)) / 2).astype(np.int16)


def write_corpus(root):
    """One recording of each problem, one that has none, and one of another scale."""
    root.mkdir()
    codes = speech(1)
    soundfile.write(root / "good_a.wav", codes, RATE)
    soundfile.write(root / "silent_b.wav", np.zeros(12_000, np.int16), RATE)
    soundfile.write(root / "cancelling_c.wav", np.stack([speech(2), -speech(2)], 1), RATE)
    soundfile.write(root / "constant_d.wav", np.full(12_000, 3000, np.int16), RATE)
    soundfile.write(root / "faint_e.wav", speech(3).astype(np.int32), RATE, subtype="PCM_32")
    loud = np.clip(speech(4).astype(float) * 20, -32768, 32767).astype(np.int16)
    soundfile.write(root / "clipped_f.wav", loud, RATE)
    soundfile.write(root / "scale_g.wav", speech(5).astype(np.float32), RATE, subtype="FLOAT")
    return root


def recipe(root, dataset, **corpus):
    values = {
        "dataset": {"name": "test", "path": str(dataset)},
        "corpus": {"root": str(root), "reader": "pattern", "pattern": "{emotion}_{speaker}.wav", **corpus},
        "features": {"functionals": {"enabled": False}},
    }
    return recipe_from(values, folder=Path(root), name="test")


def test_every_problem_is_counted_and_told_and_stored_by_default(tmp_path, later):
    root = write_corpus(tmp_path / "corpus")
    first = build(recipe(root, tmp_path / "data"), pool=Inline())
    assert first.levels == dict.fromkeys(PROBLEMS, 1)
    assert first.n_utterances == 6
    assert [(entry.path, entry.reason[:24]) for entry in first.reasons] == [("scale_g.wav", "the largest sample is 80")]
    told = [line for line in first.warnings if "of 6 utterances are" in line]
    assert len(told) == len(PROBLEMS)
    for name, line in zip(PROBLEMS, told, strict=True):
        assert line.startswith(f"1 of 6 utterances are {PROBLEMS[name]}; such as ") and name in line
    report = json.loads(Path(first.store).with_suffix(".build.json").read_text(encoding="utf-8"))
    assert report["levels"] == dict(first.levels)
    second = build(recipe(root, tmp_path / "data"), pool=Inline())
    assert (second.levels, second.warnings, second.reasons) == (first.levels, first.warnings, first.reasons)
    assert second.computed == 0 and second.version == first.version


def test_what_holds_no_sound_is_left_out_where_the_recipe_says_so(tmp_path):
    root = write_corpus(tmp_path / "corpus")
    result = build(recipe(root, tmp_path / "data", silent="quarantine"), pool=Inline())
    reasons = {entry.path.split("_")[0]: entry.reason for entry in result.reasons if entry.path != "scale_g.wav"}
    assert reasons == {name: PROBLEMS[name] for name in ("silent", "cancelling", "constant", "faint")}
    assert sorted(open_store(result.store).column("emotion")) == ["clipped", "good"]
    assert result.levels == dict.fromkeys(PROBLEMS, 1)
    assert result.computed + result.reused + result.quarantined == 7


def test_the_choice_is_one_of_two():
    with pytest.raises(RecipeError, match=r"\[corpus\] silent is 'drop'; expected one of keep, quarantine"):
        recipe("x", "y", silent="drop")


def test_a_cache_from_before_levels_were_kept_gives_the_same_and_computes_no_feature(tmp_path, later):
    root = write_corpus(tmp_path / "corpus")
    first = build(recipe(root, tmp_path / "data"), pool=Inline())
    for part in (tmp_path / "data/cache/levels").iterdir():
        part.unlink()
    second = build(recipe(root, tmp_path / "data"), pool=Inline())
    assert second.computed == 0 and second.audio_seconds == 0
    assert (second.levels, second.warnings, second.reasons) == (first.levels, first.warnings, first.reasons)
    assert list((tmp_path / "data/cache/levels").iterdir())


def test_levels_of_stored_utterances_are_no_garbage(tmp_path, monkeypatch):
    root = write_corpus(tmp_path / "corpus")
    build(recipe(root, tmp_path / "data"), pool=Inline())
    monkeypatch.setattr("serprep.dataset.garbage.YOUNG", -1)
    assert not [name for name in gc(tmp_path / "data").parts if "levels" in name]
    assert level_key("ab", None, None) != level_key("ab", 0.0, None)


def mp3_without_count(seed):
    """An MP3 whose first frames are loud, and nothing says how long it is."""
    file = io.BytesIO()
    noise = np.random.default_rng(seed).uniform(-0.9, 0.9, 8000)
    samples = np.concatenate([noise, 0.001 * speech(seed, 40_000) / 32768])
    soundfile.write(file, samples, RATE, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="VARIABLE")
    data = file.getvalue()
    size = 72 * 1000 * (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[data[2] >> 4] // RATE
    return data[size + (data[2] >> 1 & 1) :]


def key_before(digest, identity, start=None, end=None):
    """As docs/cache.md has it."""
    return hashlib.sha256(canonical_json([digest, start, end, identity])).digest()


def test_only_what_is_decoded_otherwise_than_before_has_other_keys(tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    soundfile.write(root / "good_a.wav", speech(1), RATE)
    soundfile.write(root / "good_b.flac", speech(2), RATE)
    soundfile.write(root / "good_c.mp3", speech(3), RATE)
    soundfile.write(root / "good_d.ogg", speech(4), RATE)
    (root / "odd_e.mp3").write_bytes(mp3_without_count(5))
    (root / "odd_f.wav").write_bytes(b"ID3\3\0\0\0\0\7\x68" + bytes(1000) + (root / "good_a.wav").read_bytes())
    identity = identities(Features())["logmel"]
    old, new = [], []
    for path in sorted(root.iterdir()):
        found = look_at(path)
        assert found.revised == path.name.startswith("odd")
        old.append(key_before(found.digest, identity))
        new.append(key_before(found.digest, {**identity, "decoding": 2} if found.revised else identity))
    data = tmp_path / "data"
    Cache(f"{data}/cache").write("logmel", old, [np.zeros((50, 40), np.float32)] * 6, [8000] * 6)  # of the last release
    values = {
        "dataset": {"name": "test", "path": str(data)},
        "corpus": {"root": str(root), "reader": "pattern", "pattern": "{emotion}_{speaker}"},
        "features": {"functionals": {"enabled": False}},
    }
    result = build(recipe_from(values, folder=root, name="test"), pool=Inline())
    assert (result.computed, result.reused) == (2, 4)
    store = open_store(result.store)
    keys = {path: key.tobytes() for path, key in zip(store.column("path"), store.keys("logmel/50"), strict=True)}
    assert keys == dict(zip(sorted(path.name for path in root.iterdir()), new, strict=True))


def test_what_failed_before_is_tried_once_more():
    keys = {"logmel": b"a" * 32, "functionals": b"b" * 32}
    assert failure_key(keys) != hashlib.sha256(b"b" * 32 + b"a" * 32).digest()
    assert failure_key(keys) != failure_key({**keys, "logmel": b"c" * 32})


def test_ends_that_rounding_put_behind_a_recording_are_cut_there_and_counted(tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    soundfile.write(root / "a.wav", speech(1), RATE)  # 0.75 s
    rows = ["a.wav,sad,0.0,0.4", "a.wav,sad,0.2,0.75005", "a.wav,sad,0.1,0.7509", "a.wav,sad,0.1,0.752"]
    (root / "rows.csv").write_text("\n".join(["path,emotion,start,end", *rows]), encoding="utf-8")
    result = build(
        recipe_from(
            {
                "dataset": {"name": "test", "path": str(tmp_path / "data")},
                "corpus": {"root": str(root), "reader": "table", "file": "rows.csv"},
                "features": {"functionals": {"enabled": False}},
            },
            folder=root,
            name="test",
        ),
        pool=Inline(),
    )
    assert "2 excerpts end up to 1 ms behind their recordings and were cut there" in result.warnings
    assert [entry.reason for entry in result.reasons] == [
        "excerpt ends at 0.752 s, the file after 0.750 s; give it an end within the file"
    ]
    durations = dict(
        zip(open_store(result.store).column("end"), open_store(result.store).column("duration"), strict=True)
    )
    assert durations == pytest.approx({0.4: 0.4, 0.75005: 0.55, 0.7509: 0.65})
