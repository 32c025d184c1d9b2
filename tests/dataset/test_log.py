"""The life of a data set: versions come, get names, are compared, and go."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.inline import Inline
from serprep.cache.parts import Cache
from serprep.dataset import garbage
from serprep.dataset.diff import Difference, diff, in_short
from serprep.dataset.garbage import gc
from serprep.dataset.log import log
from serprep.dataset.tag import tag
from serprep.errors import StoreError
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store.store import Store, open_store
from serprep.version import CONDITIONS

DAY = 24 * 3600


def make(root, rows, **sections):
    """Build the rows (id → path, speaker, emotion, text) into ``root/data``."""
    lines = ["id,path,speaker,emotion,text", *(",".join((name, *cells)) for name, cells in rows.items())]
    (root / "corpus" / "labels.csv").write_text("\n".join(lines) + "\n")
    values = {
        "dataset": {"name": "test", "path": str(root / "data")},
        "corpus": {"reader": "table", "root": str(root / "corpus"), "file": "labels.csv"},
        "features": {"functionals": {"enabled": False}},
        **sections,
    }
    return build(recipe_from(values, folder=root, name="test"), pool=Inline(), batch_size=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three versions of a data set, each with known changes against the one before."""
    root = tmp_path_factory.mktemp("made")
    (root / "corpus").mkdir()
    for i in range(8):
        samples = 0.1 * np.random.default_rng(i).normal(size=8000 + 100 * i)
        soundfile.write(root / "corpus" / f"{i}.wav", samples, 16_000)
    rows = {f"u{i}": (f"{i}.wav", f"s{i % 2}", "sad" if i < 3 else "angry", "hello") for i in range(6)}
    first = make(root, rows)
    rows["u2"] = ("2.wav", "s0", "angry", "hello")
    rows["u3"] = ("3.wav", "s7", "angry", "hello")
    second = make(root, rows)
    del rows["u0"]
    rows["u4"] = ("6.wav", "s0", "angry", "hello")
    rows["u5"] = ("5.wav", "s1", "angry", "good bye")
    rows["u9"] = ("7.wav", "s1", "happy", "hello")
    third = make(
        root, rows, features={"functionals": {"enabled": False}, "segments": {"short": {"length": 20, "hop": 20}}}
    )
    return root, [first, second, third]


@pytest.fixture
def data(made, tmp_path):
    """A copy of the data set, three days old."""
    copy = shutil.copytree(made[0] / "data", tmp_path / "data", copy_function=copy_or_link())
    grow_old(copy, days=3)
    return copy


def copy_or_link():
    """Copies files, and links those that were links of each other."""
    seen = {}

    def copy(source, target):
        inode = Path(source).stat().st_ino
        if inode in seen:
            os.link(seen[inode], target)
        else:
            seen[inode] = shutil.copy2(source, target)
        return target

    return copy


def grow_old(folder, *, days):
    then = time.time() - days * DAY
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, (then, then))


def tree(folder):
    """Relative name → bytes of everything below a folder."""
    return {path.relative_to(folder).as_posix(): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def writable(path):
    for place in [path, *path.rglob("*")]:
        place.chmod(place.stat().st_mode | 0o200)


# -- diff ----------------------------------------------------------------------------


def test_labels_and_speakers(made):
    first, second = made[1][0].store, made[1][1].store
    expected = Difference(label_changed=("u2",), speaker_changed=("u3",))
    assert diff(first, second) == diff(second, first) == expected
    assert expected.words == "1 with another label, 1 with another speaker"


def test_rows_audio_columns_and_settings(made):
    second, third = made[1][1].store, made[1][2].store
    settings = {
        "features.segments.long.hop": (25, None),
        "features.segments.long.length": (50, None),
        "features.segments.short.length": (30, 20),
        "labels": (["angry", "sad"], ["angry", "happy", "sad"]),
    }
    forth = diff(second, third)
    assert forth == Difference(
        added=("u9",),
        removed=("u0",),
        audio_changed=("u4",),
        other_changed={"path": ("u4",), "text": ("u5",)},
        configuration_changed=settings,
    )
    assert forth.words == (
        "1 added, 1 removed, 1 with other audio, 1 with another path, 1 with another text; "
        "features.segments.long.hop 25 → none, features.segments.long.length 50 → none, "
        "features.segments.short.length 30 → 20, and 1 more settings"
    )
    back = diff(third, second)
    assert (back.added, back.removed, back.audio_changed) == (("u0",), ("u9",), ("u4",))
    assert back.configuration_changed == {name: (b, a) for name, (a, b) in settings.items()}


def test_what_has_another_id_is_paired_by_its_audio(made, tmp_path):
    """A file moved to another label's folder, another renamed, one speaker renamed, and two copies of one file."""
    corpus = made[0] / "corpus"
    stores = []
    for lines in (
        ["sad/a,1.wav,s1,sad", "b,2.wav,s1,sad", "c,3.wav,s2,sad", "t1,4.wav,s2,sad", "t2,4.wav,s2,sad"],
        ["angry/a,1.wav,s1,angry", "b2,2.wav,s1,sad", "c,3.wav,s9,sad", "x1,4.wav,s2,sad", "new,5.wav,s2,sad"],
    ):
        (corpus / "t.csv").write_text("\n".join(["id,path,speaker,emotion", *lines, ""]))
        values = {
            "dataset": {"path": str(tmp_path / "data")},
            "corpus": {"reader": "table", "root": str(corpus), "file": "t.csv"},
            "features": {"functionals": {"enabled": False}},
        }
        stores.append(build(recipe_from(values, folder=tmp_path, name="x"), pool=Inline()).store)
    found = diff(*stores)
    assert found.renamed == (("b", "b2"), ("sad/a", "angry/a"), ("t1", "x1"))
    assert (found.added, found.removed) == (("new",), ("t2",))
    assert found.label_changes == {"angry/a": ("sad", "angry")} and found.label_changed == ("angry/a",)
    assert found.speaker_changes == {"c": ("s2", "s9")} and found.speaker_changed == ("c",)
    assert found.audio_changed == () and found.other_changed == {}
    assert found.words.startswith("1 added, 1 removed, 3 renamed, 1 with another label, 1 with another speaker; labels")
    back = diff(*stores[::-1])
    assert back.renamed == (("angry/a", "sad/a"), ("b2", "b"), ("x1", "t1"))
    assert back.label_changes == {"sad/a": ("angry", "sad")}


def test_no_difference(made):
    for result in made[1]:
        assert diff(result.store, result.store) == Difference()
    assert Difference().words == "no difference"


def test_another_excerpt_is_other_audio(made, tmp_path):
    corpus = made[0] / "corpus"
    stores = []
    for times in (("0.1", "0.4"), ("0.1", "0.3"), ("", "0.4"), ("0.1", "")):
        (corpus / "t.csv").write_text(f"id,path,start,end\na,1.wav,{','.join(times)}\nb,1.wav,,\n")
        values = {
            "dataset": {"path": str(tmp_path / "data")},
            "corpus": {"reader": "table", "root": str(corpus), "file": "t.csv"},
            "features": {"functionals": {"enabled": False}},
        }
        stores.append(build(recipe_from(values, folder=tmp_path, name="x"), pool=Inline()).store)
    for store in stores[1:]:
        assert diff(stores[0], store) == Difference(audio_changed=("a",))


def test_stores_of_other_columns_and_data_sets(made, tmp_path):
    corpus = made[0] / "corpus"
    (corpus / "t.csv").write_text("id,path,emotion,take\nu1,1.wav,sad,1\n")
    values = {
        "dataset": {"path": str(tmp_path / "data")},
        "corpus": {"reader": "table", "root": str(corpus), "file": "t.csv"},
        "features": {"functionals": {"enabled": False}},
    }
    other = build(recipe_from(values, folder=tmp_path, name="x"), pool=Inline()).store
    found = diff(made[1][0].store, other)
    assert found.removed == ("u0", "u2", "u3", "u4", "u5")
    assert found.other_changed == {"text": ("u1",), "take": ("u1",)}
    assert found.speaker_changed == ("u1",) and found.label_changed == found.audio_changed == ()


def test_a_long_setting_is_cut():
    assert in_short(["x" * 30, "y" * 30]) == "x" * 30 + ", " + "y" * 7 + "…"
    assert in_short([]) == "none"


def test_diff_of_what_is_not_there(made, tmp_path):
    with pytest.raises(StoreError, match="no store there"):
        diff(made[1][0].store, tmp_path / "nowhere")


# -- log -----------------------------------------------------------------------------


def test_log_tells_each_version(made, data):
    results = made[1]
    tag(data, results[0].version[:8], "v1")
    tag(data, results[0].version[:8], "paper")
    entries = log(data)
    assert [entry.number for entry in entries] == [3, 2, 1]
    assert [entry.version for entry in entries] == [result.version for result in results[::-1]]
    assert [entry.store for entry in entries] == [
        str(data / "versions" / Path(result.store).name) for result in results[::-1]
    ]
    assert [entry.n_utterances for entry in entries] == [6, 6, 6]
    assert [entry.labels for entry in entries] == [("angry", "happy", "sad"), ("angry", "sad"), ("angry", "sad")]
    assert [entry.tags for entry in entries] == [(), (), ("paper", "v1")]
    assert [entry.latest for entry in entries] == [True, False, False]
    assert {entry.format for entry in entries} == {"zarr"}
    assert [entry.changes.split(",")[0] for entry in entries] == [
        "1 added",
        "1 with another label",
        "the first version",
    ]
    for entry in entries:
        report = json.loads((data / "versions" / f"{entry.version}.build.json").read_bytes())
        assert entry.built == report["built"]
        states = [path.stat() for path in Path(entry.store).rglob("*") if path.is_file()]
        assert entry.bytes == sum(512 * state.st_blocks for state in states)
        shared = [state for state in states if state.st_nlink > 1]
        assert entry.shared_bytes == sum(512 * state.st_blocks for state in shared)
        assert bool(shared) and entry.shared_bytes < entry.bytes


def test_log_of_a_damaged_version(made, data):
    store = data / "versions" / Path(made[1][1].store).name
    writable(store)
    (store / "utterances" / "id" / "c" / "0").unlink()
    (data / "versions" / f"{made[1][2].version}.build.json").write_text("{")
    third, second, first = sorted(log(data), key=lambda entry: entry.version != made[1][2].version)
    entries = {entry.version: entry for entry in (first, second, third)}
    damaged, newest = entries[made[1][1].version], entries[made[1][2].version]
    assert "files are missing" in damaged.damaged and damaged.n_utterances is None and damaged.labels == ()
    assert not damaged.latest
    assert (newest.number, newest.built, newest.latest) == (3, "", True)  # by what was claimed for it


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "[" * 200_000,
        lambda text: "",
        lambda text: text.replace('"number": 3', '"number": 2'),
        lambda text: text.replace('"number": 3', '"number": -3'),
        lambda text: text.replace('"number": 3', '"number": "3"'),
        lambda text: text.replace('"number": 3', f'"number": {"9" * 5000}'),
        lambda text: text.replace('"number": 3', '"number": NaN'),
        lambda text: text.replace('"built": "2', '"built": "\\ud8002'),
        lambda text: text.replace('"built": "2', '"built": "1'),
        lambda text: text.replace('"libraries": {', '"libraries": 7, "x": {'),
        lambda text: text[:-20],
    ],
)
def test_a_damaged_report_is_recognised_and_its_store_stays(made, data, serprep, change):
    path = data / "versions" / f"{made[1][2].version}.build.json"
    text = path.read_text()
    assert change(text) != text
    path.write_text(change(text))
    entries = {entry.version: entry for entry in log(data)}
    newest = entries[made[1][2].version]
    assert "build.json: " in newest.note and "\n" not in newest.note and not newest.damaged
    assert (newest.number, newest.built) == (3, "")  # by what was claimed for it
    assert all(not entry.note for entry in entries.values() if entry is not newest)
    assert "its build.json is damaged: it may be the latest" in gc(data).kept[f"versions/{Path(newest.store).name}"]
    for words in (["log", data], ["info", data], ["gc", data], ["tag", data, "latest", "v1"]):
        done = serprep(*words)
        assert done.returncode == 0 and "Traceback" not in done.stderr
    assert newest.note in serprep("log", data).stderr


def test_a_report_of_before_has_no_checksum(made, data):
    path = data / "versions" / f"{made[1][2].version}.build.json"
    about = json.loads(path.read_bytes())
    digest = about.pop("sha256")
    assert (
        digest
        == hashlib.sha256(
            json.dumps(about, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        ).hexdigest()
    )
    path.write_text(json.dumps(about))
    assert [(entry.number, entry.note) for entry in log(data)] == [(3, ""), (2, ""), (1, "")]


def test_a_clock_that_runs_ahead_removes_nothing_young(made, data, monkeypatch):
    """This machine's clock is two days ahead of the one that dates files: what is two hours old seems older."""
    grow_old(data, days=1 / 12)
    (data / "versions" / ".x.tmp").write_text("half")
    grow_old(data, days=1 / 12)
    now = time.time()
    monkeypatch.setattr("serprep.place.here.time.time", lambda: now + 2 * DAY)
    assert gc(data).stores == names(made, 1, 2)  # a dry run touches nothing, so it cannot know
    found = gc(data, yes=True)
    assert (found.stores, found.parts, found.temporary) == ((), (), ())


@pytest.mark.parametrize("function", [log, gc, lambda place: tag(place, "latest", "v1")])
def test_what_is_no_data_set(function, tmp_path):
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path, tmp_path / "nowhere", tmp_path / "file", f"{tmp_path}@v1", tmp_path / ("x" * 300)):
        with pytest.raises(StoreError, match=r"no store there; expected the folder|File name too long; expected"):
            function(place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


# -- tag -----------------------------------------------------------------------------


def test_a_tag_names_a_version_wherever_a_store_is_named(made, data):
    first, second, _ = [result.version for result in made[1]]
    done = tag(data, first[:8], "v1")
    assert (done.tag, done.version, done.before) == ("v1", first, "")
    assert (data / "tags" / "v1").read_text() == f"{first}\n"
    assert open_store(f"{data}@v1").version == Store(done.store).version == first
    assert tag(data, "v1", "also").version == first
    assert tag(data, "latest", "newest").version == made[1][2].version
    assert diff(f"{data}@v1", f"{data}@{second}").label_changed == ("u2",)
    assert sorted(path.name for path in (data / "tags").iterdir()) == ["also", "newest", "v1"]


def test_a_tag_is_moved_only_by_force(made, data):
    first, second, _ = [result.version for result in made[1]]
    tag(data, first, "v1")
    with pytest.raises(StoreError, match=f"@v1: the tag names version {first[:12]}; choose .* move it with --force"):
        tag(data, second, "v1")
    assert open_store(f"{data}@v1").version == first
    assert tag(data, first, "v1").before == first  # the same again is no move
    moved = tag(data, second, "v1", force=True)
    assert (moved.version, moved.before) == (second, first)
    assert open_store(f"{data}@v1").version == second
    assert tag(data, first, "v2", force=True).before == ""


def test_a_tag_that_another_process_makes_meanwhile_is_not_replaced(made, data, monkeypatch):
    first, second, _ = [result.version for result in made[1]]
    link = os.link

    def overtake(source, target):
        Path(target).write_text(f"{second}\n")
        link(source, target)

    monkeypatch.setattr(os, "link", overtake)
    with pytest.raises(StoreError, match=f"the tag names version {second[:12]}"):
        tag(data, first, "v1")
    assert tag(data, second, "v2").version == second
    assert sorted(path.name for path in (data / "tags").iterdir()) == ["v1", "v2"]


def test_tags_where_there_are_no_links(made, data, monkeypatch):
    monkeypatch.setattr(os, "link", lambda a, b: (_ for _ in ()).throw(OSError(95, "not supported")))
    tag(data, "latest", "v1")
    assert [path.name for path in (data / "tags").iterdir()] == ["v1"]
    assert open_store(f"{data}@v1").version == made[1][2].version


def test_names_and_versions_that_cannot_be(made, data):
    first = made[1][0].version
    for name in ("latest", "../x", "a/b", "", "-x", "a b", "x" * 65):
        with pytest.raises(StoreError, match="not a possible tag"):
            tag(data, "latest", name)
    for name in (first[:8], first[:20], first):
        with pytest.raises(StoreError, match="these are digits of a version; choose a name that is none"):
            tag(data, "latest", name)
    for version, message in (("0" * 8, "0 versions begin with"), ("v7", "no such tag"), ("", "not a possible tag")):
        with pytest.raises(StoreError, match=message):
            tag(data, version, "v1")
    (data / "tags").mkdir()
    (data / "tags" / "v1").mkdir()
    with pytest.raises(StoreError, match=r"v1: .*; make it writable|the tag names"):
        tag(data, "latest", "v1", force=True)
    assert [path.name for path in (data / "tags").iterdir()] == ["v1"]


def test_a_damaged_store_gets_no_name(made, data):
    store = data / "versions" / Path(made[1][0].store).name
    writable(store)
    (store / "zarr.json").write_text("{}")
    with pytest.raises(StoreError, match="unfinished or damaged"):
        tag(data, made[1][0].version[:8], "v1")
    assert not (data / "tags").exists()


# -- gc ------------------------------------------------------------------------------


def names(made, *numbers):
    return tuple(sorted(f"versions/{made[1][n - 1].version}.zarr" for n in numbers))


def test_a_dry_run_touches_nothing(made, data):
    before = tree(data)
    found = gc(data)
    assert found.stores == names(made, 1, 2) and not found.removed
    assert found.kept == {names(made, 3)[0]: "latest"}
    assert tree(data) == before


def test_what_is_tagged_newest_or_young_stays(made, data):
    tag(data, made[1][0].version, "v1")
    young = data / names(made, 2)[0]
    os.utime(young, (time.time() - DAY + 60,) * 2)
    found = gc(data, yes=True)
    assert found.stores == () and found.removed
    assert set(found.kept.items()) == {
        (names(made, 1)[0], "tagged v1"),
        (names(made, 2)[0], "less than 24 hours old"),
        (names(made, 3)[0], "latest"),
    }
    os.utime(young, (time.time() - DAY - 60,) * 2)
    assert gc(data, yes=True).stores == names(made, 2)
    assert [entry.version for entry in log(data)] == [made[1][2].version, made[1][0].version]


def test_what_goes_goes_whole_and_shared_files_stay(made, data):
    other = {name: content for name, content in tree(data).items() if made[1][1].version not in name}
    tag(data, made[1][0].version, "v1")
    first = data / names(made, 1)[0]
    linked = [path for path in (data / names(made, 2)[0]).rglob("*") if path.is_file() and path.stat().st_nlink > 1]
    assert linked
    found = gc(data, yes=True)
    assert found.stores == names(made, 2)
    after = tree(data)
    assert {name: content for name, content in after.items() if not name.startswith("tags")} == {
        name: content for name, content in other.items() if name not in found.parts
    }
    assert all(path.stat().st_mode & 0o222 == 0 for path in [first, *first.rglob("*")])
    np.testing.assert_array_equal(open_store(first).segments(0, 30), open_store(made[1][0].store).segments(0, 30))


def test_bytes_are_what_comes_back(made, data):
    def used():
        states = {path.stat().st_ino: path.stat().st_blocks for path in data.rglob("*") if path.is_file()}
        return 512 * sum(states.values())

    (data / "versions" / ".abc.tmp").write_bytes(bytes(100_000))
    os.utime(data / "versions" / ".abc.tmp", (0, 0))
    before = used()
    suffixes = ("build.json", "card.html")
    reports = [data / "versions" / f"{made[1][n].version}.{suffix}" for n in (0, 1) for suffix in suffixes]
    small = sum(512 * path.stat().st_blocks for path in reports)
    found = gc(data, yes=True)
    assert found.bytes + small == before - used() > 100_000


def test_what_is_somebody_elses_stays_and_is_named(made, data, monkeypatch):
    grow_old(data, days=3)
    old = data / "versions" / ".abc.tmp"
    old.touch()
    os.utime(old, (0, 0))
    mine = gc(data)
    before, owner = tree(data), os.geteuid()
    monkeypatch.setattr("serprep.place.here.os.geteuid", lambda: owner + 1)
    monkeypatch.setattr("serprep.place.here.os.access", lambda *_: False)
    foreign = gc(data, yes=True)
    assert tree(data) == before and mine.stores and mine.temporary
    assert not (foreign.stores or foreign.parts or foreign.temporary or foreign.bytes)
    assert {foreign.kept[name] for name in mine.stores} == {"somebody else's, who can remove it"}
    (note,) = foreign.notes
    assert "somebody else's" in note


def test_a_part_goes_when_no_kept_store_names_its_keys(made, data):
    """u0 is in versions 1 and 2 only, 4.wav as well: their parts hold neighbours that version 3 needs."""
    cache = Cache(str(data / "cache"))
    kept = {row.tobytes() for row in open_store(data).keys("logmel/20")}
    parts = cache.parts("logmel")
    alone = cache.write("logmel", [bytes(32)], [np.zeros((2, 40), "f4")], [500])
    young = cache.write("logmel", [bytes(31) + b"1"], [np.ones((2, 40), "f4")], [500])
    other = cache.write("functionals", [bytes(32)], [np.zeros((1, 3), "f4")], [500])
    cache.write_failures({bytes(32): "too short"})
    shutil.copy(data / "cache" / next(iter(parts)), data / "cache" / "logmel" / "twin.part")
    for name in (alone, other, "logmel/twin.part"):
        os.utime(data / "cache" / name, (0, 0))
    expected = {name for name, own in parts.items() if not own & kept} | {alone, other}
    found = gc(data, yes=True)
    assert set(found.parts) == {f"cache/{name}" for name in expected}
    left = {path.relative_to(data / "cache").as_posix() for path in (data / "cache").rglob("*.part")}
    left -= {name for name in left if name.startswith("levels/")}  # of utterances that version 3 has, too
    assert left == (parts.keys() | {young, "logmel/twin.part"}) - expected
    assert len(list((data / "cache" / "failures").iterdir())) == 1


def test_parts_of_stores_in_other_conditions_stay(made, data):
    first = names(made, 1)[0]
    kept = {row.tobytes() for row in open_store(data).keys("logmel/20")}
    only = {row.tobytes() for row in open_store(data / first).keys("logmel/30")} - kept
    part = Cache(str(data / "cache")).write("logmel", [min(only)], [np.zeros((2, 40), "f4")], [500])
    grow_old(data, days=3)
    assert f"cache/{part}" in gc(data).parts
    shutil.copytree(data / first, data / CONDITIONS / first)
    assert f"cache/{part}" not in gc(data).parts
    writable(data / CONDITIONS)
    (data / CONDITIONS / first / "zarr.json").write_text("{}")
    found = gc(data)
    assert (list(found.damaged), found.parts) == ([f"{CONDITIONS}/{first}"], ())


def test_a_part_of_a_tagged_version_stays(made, data):
    keys = {row.tobytes() for result in made[1][:1] for row in open_store(result.store).keys("logmel/30")}
    tag(data, made[1][0].version, "v1")
    gc(data, yes=True)
    found = {key for own in Cache(str(data / "cache")).parts("logmel").values() for key in own}
    assert keys <= found


def test_after_gc_the_newest_is_built_again_from_the_cache(made, data, tmp_path):
    gc(data, yes=True)
    shutil.copytree(made[0] / "corpus", tmp_path / "corpus")
    lines = (made[0] / "corpus" / "labels.csv").read_text().splitlines()[1:]
    rows = {line.split(",")[0]: tuple(line.split(",")[1:]) for line in lines}
    again = make(tmp_path, rows)
    assert (again.computed, again.reused) == (0, 6)
    assert json.loads(Path(again.store).with_suffix(".build.json").read_bytes())["number"] == 4


def test_leftovers_of_killed_builds(data):
    folders = {"versions": ".aa.bb.tmp", "tags": ".v1.cc.tmp", "cache/logmel": ".x.part.dd.tmp"}
    for folder, name in folders.items():
        (data / folder).mkdir(exist_ok=True)
        (data / folder / f"{name}").write_text("half")
        (data / folder / f".young{name}").write_text("half")
        os.utime(data / folder / name, (0, 0))
    for name in (".old.tmp", ".busy.tmp"):
        (data / "versions" / name / "logmel").mkdir(parents=True)
        (data / "versions" / name / "logmel" / "c").write_text("half")
        (data / "versions" / name / "logmel" / "c").chmod(0o444)
    (data / "versions" / "notes.tmp").write_text("mine")
    grow_old(data / "versions" / ".old.tmp", days=2)
    for name in (".old.tmp", ".busy.tmp"):
        os.utime(data / "versions" / name, (0, 0))
    (data / "versions" / ".old.tmp" / "logmel").chmod(0o555)
    expected = {f"{folder}/{name}" for folder, name in folders.items()} | {"versions/.old.tmp"}
    found = gc(data, yes=True)
    assert set(found.temporary) == expected
    assert not any((data / name).exists() for name in expected)
    assert (data / "versions" / ".busy.tmp" / "logmel" / "c").read_text() == "half"
    assert all((data / folder / f".young{name}").exists() for folder, name in folders.items())
    assert (data / "versions" / "notes.tmp").exists()


def test_a_clock_that_jumped_back_makes_nothing_old(made, data, monkeypatch):
    """Everything was made days ahead of what the clock says now."""
    shutil.copytree(data / "cache" / "logmel", data / "cache" / "other")
    (data / "versions" / ".x.tmp").write_text("half")
    grow_old(data, days=-3)
    found = gc(data, yes=True)
    assert (found.stores, found.parts, found.temporary) == ((), (), ())
    assert len(found.kept) == 3
    now = time.time()
    monkeypatch.setattr("serprep.place.here.time.time", lambda: now + 3.9 * DAY)
    assert gc(data).stores == ()
    monkeypatch.setattr("serprep.place.here.time.time", lambda: now + 4.1 * DAY)
    assert gc(data).stores == names(made, 1, 2)


@pytest.mark.parametrize("damage", ["missing", "root", "gone", "format", "keys"])
def test_a_damaged_store_is_named_and_stays_with_all_parts(made, data, damage):
    name = names(made, 1)[0]
    store = data / name
    writable(store)
    if damage == "missing":
        (store / "logmel" / "30" / "segments" / "c" / "0" / "0" / "0").unlink()
    elif damage == "gone":
        shutil.rmtree(store)
        store.mkdir()
    elif damage == "root":
        (store / "zarr.json").write_text("{}")
    elif damage == "keys":
        tag(data, made[1][0].version, "v1")
        path = store / "logmel" / "30" / "keys" / "c" / "0" / "0"
        damaged = bytearray(path.read_bytes())
        damaged[40] ^= 1
        path.unlink()
        path.write_bytes(damaged)
    else:
        text = (store / "zarr.json").read_text()
        seal = json.loads(text)["attributes"]["seal"]
        text = text.replace('"format": 1', '"format": 2').replace(seal, "0" * 64)
        (store / "zarr.json").write_text(text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest()))
    grow_old(data, days=3)
    alone = Cache(str(data / "cache")).write("logmel", [bytes(32)], [np.zeros((2, 40), "f4")], [500])
    os.utime(data / "cache" / alone, (0, 0))
    before = tree(store)
    found = gc(data, yes=True)
    assert list(found.damaged) == [name] and made[1][0].version[:12] in found.damaged[name]
    assert found.stores == names(made, 2) and found.parts == ()
    assert "not looked at while a store is damaged" in found.notes[0]
    assert tree(store) == before and (data / "cache" / alone).exists()


@pytest.mark.parametrize("content", ["", "v1", "g" * 64, "\n"])
def test_a_damaged_tag_stops_gc(data, content):
    (data / "tags").mkdir()
    (data / "tags" / "v1").write_text(content)
    before = tree(data)
    with pytest.raises(StoreError, match="@v1: the tag is damaged; set it anew or remove"):
        gc(data, yes=True)
    assert tree(data) == before


def test_a_tag_of_a_version_that_is_gone_holds_nothing(made, data):
    (data / "tags").mkdir()
    (data / "tags" / "old").write_text("d" * 64)
    assert gc(data).stores == names(made, 1, 2)


def test_a_version_tagged_meanwhile_stays(made, data, monkeypatch):
    find = garbage._find_garbage

    def slowly(place, **asked):
        found = find(place, **asked)
        tag(data, made[1][0].version, "v1")
        return found

    monkeypatch.setattr(garbage, "_find_garbage", slowly)
    gc(data, yes=True)
    assert (data / names(made, 1)[0]).exists() and not (data / names(made, 2)[0]).exists()


# -- as an ordinary user -------------------------------------------------------------

AS_NOBODY = """
import os, sys
from pathlib import Path
sys.path[:0] = {path!r}
from serprep.dataset.garbage import gc
from serprep.pipeline.build import build
from serprep.recipe import read_recipe

class Inline:
    n_workers = 1
    def run(self, function, items, *, once=False):
        return ((number, function(item)) for number, item in enumerate(items))

os.chdir({folder!r})
if os.geteuid() == 0:  # the first build loads what an ordinary user may have no access to
    build(read_recipe(Path("warm.toml")), pool=Inline())
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
stores = []
for name in ("a", "b", "a"):
    stores.append(Path(build(read_recipe(Path(f"{{name}}.toml")), pool=Inline()).store))
assert stores[0] == stores[2] != stores[1]
for path in (stores[0], *stores[0].rglob("*")):
    assert not os.access(path, os.W_OK), path
    if path.is_file():
        try:
            path.open("r+b")
        except PermissionError:
            continue
        raise SystemExit(f"{{path}} can be written")
assert (stores[1] / "logmel/30/segments/c/0/0/0").stat().st_nlink == 2
for path in (stores[0], *stores[0].rglob("*")):
    os.utime(path, (0, 0))
assert len(gc("data", yes=True).stores) == 1
assert not stores[0].exists() and stores[1].exists()
assert not list(Path("data/versions").glob(".*"))
print("done as", os.geteuid())
"""


def test_an_ordinary_user_can_build_link_and_remove_but_not_change():
    """Permissions stop nobody but ordinary users, so a super-user becomes one."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "corpus").mkdir()
        for i in range(3):
            samples = 0.1 * np.random.default_rng(i).normal(size=8000)
            soundfile.write(folder / "corpus" / f"{'sad' if i else 'angry'}_{i}.wav", samples, 16_000)
        text = '[dataset]\npath = "data"\n[corpus]\nreader = "pattern"\nroot = "corpus"\n'
        text += 'pattern = "{emotion}_{text}.wav"\n[features.functionals]\nenabled = false\n'
        (folder / "a.toml").write_text(text)
        (folder / "b.toml").write_text(text + '[corpus.emotions]\nsad = "low"\nangry = "high"\n')
        (folder / "warm.toml").write_text(text.replace('"data"', '"warm"'))
        if os.geteuid() == 0:
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, 65534, 65534)
        code = AS_NOBODY.format(path=[path for path in sys.path if path], folder=str(folder))
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.startswith("done as ") and found.stdout != "done as 0\n", found.stderr
