"""Where the cache lies, and that data sets share it."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.inline import Inline
from serprep.cache.memo import Memo
from serprep.cache.parts import Cache
from serprep.cache.place import cache_of, shared_place
from serprep.errors import StoreError
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store.store import open_store


@pytest.fixture
def corpus(tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    for i in range(4):
        soundfile.write(root / f"{i}.wav", 0.1 * np.random.default_rng(i).normal(size=8000), 16_000)
    (root / "labels.csv").write_text("path,emotion\n0.wav,sad\n1.wav,angry\n2.wav,sad\n3.wav,angry\n")
    then = root.stat().st_mtime - 100
    for path in root.iterdir():
        os.utime(path, (then, then))
    return root


@pytest.fixture
def later(monkeypatch):
    """Ten seconds have passed since files were written: the memo trusts them."""
    import time

    now = time.time
    monkeypatch.setattr("serprep.cache.memo.time.time", lambda: now() + 10)


def built(corpus, path, cache="", **kwargs):
    values = {
        "dataset": {"path": str(path), "cache": str(cache)},
        "corpus": {"reader": "table", "root": str(corpus), "file": "labels.csv"},
        "features": {"functionals": {"enabled": False}},
    }
    return build(recipe_from(values, folder=corpus.parent, name="x"), pool=Inline(), **kwargs)


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({"SERPREP_CACHE": "/a/b/"}, "/a/b"),
        ({"SERPREP_CACHE": "s3://bucket/c/"}, "s3://bucket/c"),
        ({"SERPREP_CACHE": ""}, ""),
        ({"SERPREP_CACHE": "/a/~nobody-of-this-name"}, "/a/~nobody-of-this-name"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/serprep"),
        ({"XDG_CACHE_HOME": "/x", "SERPREP_CACHE": "/y"}, "/y"),
    ],
)
def test_the_place_that_the_environment_names(environment, place):
    assert shared_place(environment) == place


def test_home_is_asked_where_nothing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for environment in ({}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}):
        assert shared_place(environment) == str(tmp_path / ".cache" / "serprep")


def test_a_second_recipe_over_the_same_recordings_computes_nothing(corpus, tmp_path, monkeypatch, later):
    monkeypatch.setenv("SERPREP_CACHE", str(tmp_path / "shared"))
    first, second = built(corpus, tmp_path / "a"), built(corpus, tmp_path / "b")
    assert (first.computed, first.reused, first.n_files_read) == (4, 0, 4)
    assert (second.computed, second.reused, second.n_files_read) == (0, 4, 0)
    assert second.version == first.version and second.warnings == ()
    rows = [open_store(result.store).read_segments([0, 3], 30)[0] for result in (first, second)]
    assert (rows[0] == rows[1]).all()
    assert not (tmp_path / "a" / "cache").exists() and not (tmp_path / "b" / "cache").exists()


def test_a_recipe_names_its_cache(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("SERPREP_CACHE", str(tmp_path / "shared"))
    assert built(corpus, tmp_path / "a", cache="own").computed == 4
    assert list((tmp_path / "own" / "logmel").iterdir()) and not (tmp_path / "shared").exists()
    assert built(corpus, tmp_path / "b", cache=tmp_path / "own").computed == 0


def test_an_old_cache_beside_the_stores_is_read_and_not_written(corpus, tmp_path, monkeypatch, later):
    monkeypatch.setenv("SERPREP_CACHE", "")
    built(corpus, tmp_path / "a")
    old = tmp_path / "a" / "cache"
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    monkeypatch.setenv("SERPREP_CACHE", str(tmp_path / "shared"))
    shutil.rmtree(tmp_path / "a" / "versions")
    soundfile.write(corpus / "4.wav", 0.1 * np.random.default_rng(4).normal(size=8000), 16_000)
    (corpus / "labels.csv").write_text((corpus / "labels.csv").read_text() + "4.wav,sad\n")
    again = built(corpus, tmp_path / "a")
    assert (again.computed, again.reused, again.n_files_read) == (1, 4, 1)
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before
    assert len(open_store(again.store)) == 5
    assert built(corpus, tmp_path / "b").computed == 4  # what lies beside the other's stores is its own


def test_places_beside_the_stores(tmp_path, monkeypatch):
    monkeypatch.setenv("SERPREP_CACHE", str(tmp_path / "shared"))
    for dataset, scheduler in (("s3://bucket/set", None), (str(tmp_path / "set"), "tcp://host:8786")):
        assert cache_of(dataset, scheduler=scheduler).cache == Cache(f"{dataset}/cache")
    named = cache_of("s3://bucket/set", named="s3://bucket/cache", scheduler="tcp://host:1").cache
    assert named == Cache("s3://bucket/cache")


def test_a_place_that_cannot_be_written_is_told(corpus, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SERPREP_CACHE", str(tmp_path / "file" / "x"))
    result = built(corpus, tmp_path / "a")
    assert len(list((tmp_path / "a" / "cache" / "logmel").iterdir())) == 1
    assert "cannot be used (Not a directory): this data set keeps its own, beside its stores" in result.warnings[-1]
    monkeypatch.delenv("SERPREP_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    where = cache_of(str(tmp_path / "b"))
    assert where.cache.root == f"{tmp_path}/b/cache" and "nobody is not there" in where.notes[0]
    assert not (tmp_path / "nobody").exists()


def test_a_cache_in_a_store_is_refused(corpus, tmp_path, monkeypatch):
    store = built(corpus, tmp_path / "a").store
    monkeypatch.setenv("SERPREP_CACHE", f"{store}/cache")
    for named in ("", f"{store}/cache"):
        with pytest.raises(StoreError, match=r"it lies in the store .*; name another place"):
            cache_of(str(tmp_path / "b"), named=named)
    assert not (Path(store) / "cache").exists()


def test_what_was_read_before_an_interruption_is_kept(corpus, tmp_path, monkeypatch, later):
    """Ctrl-C at the third recording: the next build reads only the others."""
    place = tmp_path / "a"
    read, n = Memo.look_at, iter(range(100))

    def interrupted(memo, path):
        if next(n) == 2:
            raise KeyboardInterrupt
        return read(memo, path)

    with monkeypatch.context() as patch:
        patch.setattr("serprep.manifest.look.os.cpu_count", lambda: 1)
        patch.setattr(Memo, "look_at", interrupted)
        with pytest.raises(KeyboardInterrupt):
            built(corpus, place)
    assert built(corpus, place).n_files_read <= 2


def test_the_memo_is_saved_while_recordings_are_read(corpus, tmp_path, monkeypatch, later):
    """Killed without a chance to save: what had been saved by then is known."""
    cache = Cache(str(tmp_path / "cache"))
    memo = Memo(cache, corpus)
    memo.look_at(corpus / "0.wav")
    memo.save_sometimes()
    assert not (tmp_path / "cache" / "memo").exists()  # not every time
    memo._next = 0.0
    memo.save_sometimes()
    memo.look_at(corpus / "1.wav")
    killed = Memo(cache, corpus)
    for name in ("0.wav", "1.wav"):
        killed.look_at(corpus / name)
    assert killed.n_read == 1
    memo.save()
    whole = Memo(cache, corpus)
    for name in ("0.wav", "1.wav"):
        whole.look_at(corpus / name)
    assert whole.n_read == 0
