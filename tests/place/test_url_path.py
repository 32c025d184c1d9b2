"""What readers see of a URL is what they would see of a folder."""

import pickle

import fsspec
import pytest

from serprep import remote
from serprep.corpora import read_corpus
from serprep.errors import CorpusError
from serprep.place.corpus import as_root, walk
from serprep.testing import LAYOUTS, write_layout

FILES = (
    *("a.wav", "a/b.wav", "a/deep/c.WAV", "a-b/d.wav", "a.b/e.flac", "labels.csv", "[x]/f.wav"),
    *(".hidden/g.wav", "a/.h.wav", "folder.wav/i.txt", "ü/j 1#?.wav"),
)


@pytest.fixture
def bucket(tmp_path):
    """A name of its own in the memory of this process, emptied afterwards."""
    yield f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


def copy(folder, url):
    for path in folder.rglob("*"):
        if path.is_file():
            remote.write(f"{url}/{path.relative_to(folder).as_posix()}", path.read_bytes())


@pytest.fixture
def both(tmp_path, bucket):
    """The same files in a folder and at a URL."""
    folder = tmp_path / "files"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    copy(folder, bucket)
    return folder, as_root(bucket)


# -- paths ---------------------------------------------------------------------------


def test_the_same_files_and_folders_are_there(both):
    folder, url = both
    for name in (*FILES, "a", "a/deep", "folder.wav", "none", "a/none", "a/b.wav/x", ".", "a.wa"):
        for question in ("is_file", "is_dir", "exists"):
            expected = getattr(folder / name, question)()
            assert getattr(url / name, question)() == expected, (question, name)
    assert [path.name for path in url.iterdir()] == sorted(path.name for path in folder.iterdir())
    with pytest.raises(FileNotFoundError, match="no such folder"):
        list((url / "none").iterdir())


@pytest.mark.parametrize(
    "pattern",
    ["*", "*.wav", "*/", "a*/", "[ab]*", "[[]x]/*", "*/*.wav", "**/*.wav", "**/", "a/**/*", "a/deep/c.WAV", "none/*"],
)
def test_patterns_find_the_same(both, pattern):
    folder, url = both
    expected = sorted(path.relative_to(folder).as_posix() for path in folder.glob(pattern))
    assert sorted(str(path.relative_to(url)) for path in url.glob(pattern)) == expected
    if not pattern.startswith(("**", "a/")):
        deep = sorted(path.relative_to(folder).as_posix() for path in folder.rglob(pattern))
        assert sorted(str(path.relative_to(url)) for path in url.rglob(pattern)) == deep


def test_walking_gives_the_same_paths_in_the_same_order(both):
    folder, url = both
    expected = list(walk(folder, (".wav", ".flac")))
    assert list(walk(url, (".wav", ".flac"))) == expected and len(expected) == 8
    assert list(walk(url / "a", (".wav",))) == list(walk(folder / "a", (".wav",)))


def test_parts_of_a_path(both):
    folder, url = both
    for name in ("a/deep/c.WAV", "a.wav", "a.b/e.flac"):
        for part in ("name", "stem", "suffix"):
            assert getattr(url / name, part) == getattr(folder / name, part)
        assert (url / name).parent.name in ((folder / name).parent.name, url.name)
        assert (url / name).read_bytes() == (folder / name).read_bytes()
        assert (url / name).read_text() == (url / name).open().read().decode() == name
    assert (url / "a.wav").parent == url == url.parent == url / "."
    assert {url / "a", url / "a"} == {url / "a"} and sorted([url / "a.b", url / "a"])[0].name == "a"
    assert pickle.loads(pickle.dumps(url / "a.wav")).read_bytes() == b"a.wav"  # noqa: S301 - our own bytes
    with pytest.raises(ValueError, match="expected 'rb'"):
        (url / "a.wav").open("w")


def test_a_corpus_is_listed_once(both, monkeypatch):
    _, url = both
    calls = []
    listing = remote.listing
    monkeypatch.setattr(remote, "listing", lambda place: calls.append(place) or listing(place))
    assert list(walk(url, (".wav",))) and (url / "a" / "b.wav").is_file() and (url / "a").is_dir()
    assert [path.stamp() for path in url.glob("**/*.wav")]
    assert calls == [str(url)]


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_reader_reads_a_url_like_a_folder(name, tmp_path, bucket):
    folder = tmp_path / "corpus"
    write_layout(name, folder, litter=True, sound=False)
    copy(folder, bucket)
    assert read_corpus(name, as_root(bucket)) == read_corpus(name, folder)


def test_a_table_at_a_url_in_any_of_its_forms(tmp_path, bucket):
    import pandas as pd

    folder = tmp_path / "corpus"
    folder.mkdir()
    table = pd.DataFrame({"path": ["a.wav", "b.wav"], "emotion": ["sad", "angry"]})
    table.to_csv(folder / "labels.csv", index=False)
    table.to_parquet(folder / "labels.parquet")
    copy(folder, bucket)
    for file in ("labels.csv", "labels.parquet"):
        reading = read_corpus("table", as_root(bucket), {"file": file})
        assert [row.emotion for row in reading.utterances] == ["sad", "angry"]
        with pytest.raises(CorpusError, match=rf"x{file}: no such (object|file)"):
            read_corpus("table", as_root(bucket), {"file": f"x{file}"})
