import hashlib
import json

import pytest

from serprep.errors import StoreError
from serprep.version import build_number, check_tag, is_version, latest, resolve, tags, version_of, versions

A = "aaaaaaaa11" + "0" * 54
B = "aaaaaaaa22" + "0" * 54
C = "c" * 64


def dataset(root, built, tags=()):
    """A data set with stores (stem and suffix → number of the build) and tags."""
    (root / "versions").mkdir(parents=True)
    (root / "tags").mkdir()
    for name, number in built.items():
        (root / "versions" / name).mkdir()
        report = root / "versions" / f"{name.split('.')[0]}.build.json"
        report.write_text(json.dumps({"number": number}))
    for tag, version in dict(tags).items():
        (root / "tags" / tag).write_text(f"{version}\n")
    return str(root)


@pytest.fixture
def root(tmp_path):
    built = {f"{A}.zarr": 2, f"{B}.zarr": 3, f"{C}.h5": 1}
    return dataset(tmp_path / "ravdess", built, {"v1": C, "deadbeef": A, "gone": "d" * 64, "empty": ""})


# -- the digest ----------------------------------------------------------------------

ASKED = {
    "manifest_digest": "12",
    "configurations": {"features": {"n_mels": 40}, "labels": ["sad", "angry"]},
    "extractors": {"logmel": {"revision": 1}},
    "segment_dtype": "float32",
}


def test_version_is_the_sha256_of_what_was_asked_for():
    text = (
        '{"configurations":{"features":{"n_mels":40},"labels":["sad","angry"]},'
        '"extractors":{"logmel":{"revision":1}},"format":1,"manifest":"12","segment_dtype":"float32"}'
    )
    assert version_of(**ASKED) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"manifest_digest": "13"},
        {"segment_dtype": "float16"},
        {"extractors": {"logmel": {"revision": 2}}},
        {"configurations": {"features": {"n_mels": 41}, "labels": ["sad", "angry"]}},
        {"configurations": {"features": {"n_mels": 40}, "labels": ["angry", "sad"]}},  # the order of the logits
    ],
)
def test_version_changes_with_everything_asked_for(change):
    assert version_of(**{**ASKED, **change}) != version_of(**ASKED)


# -- names ---------------------------------------------------------------------------


def test_versions_are_stores_and_nothing_else(root, tmp_path):
    folder = tmp_path / "ravdess" / "versions"
    for name in (f".{A[:16]}.x.tmp", "notes.zarr", f"{A}.zarr.bak", f"{A.upper()}.zarr", f"{A[:-1]}.zarr"):
        (folder / name).mkdir()
    assert versions(root) == [f"versions/{A}.zarr", f"versions/{B}.zarr", f"versions/{C}.h5"]
    assert versions(str(tmp_path / "nowhere")) == []


def test_versions_of_a_url(tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file(f"/{tmp_path.name}/versions/{A}.zarr/zarr.json", b"{}")
    memory.pipe_file(f"/{tmp_path.name}/versions/{A}.build.json", b'{"number": 4}')
    memory.pipe_file(f"/{tmp_path.name}/tags/v1", A.encode())
    url = f"memory://{tmp_path.name}"
    assert versions(url) == [f"versions/{A}.zarr"]
    for name in ("", "@latest", "@v1", f"@{A[:9]}"):
        assert resolve(url + name) == f"{url}/versions/{A}.zarr"
    assert versions(f"{url}/none") == []


@pytest.mark.parametrize(
    ("name", "store"),
    [
        ("", f"{B}.zarr"),
        ("/", f"{B}.zarr"),
        ("@latest", f"{B}.zarr"),
        ("@v1", f"{C}.h5"),
        (f"@{C[:8]}", f"{C}.h5"),
        (f"@{A[:9]}", f"{A}.zarr"),
        (f"@{B}", f"{B}.zarr"),
        ("@deadbeef", f"{A}.zarr"),  # a tag goes before digits
    ],
)
def test_resolve(root, name, store):
    assert resolve(root + name) == f"{root}/versions/{store}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("@aaaaaaaa", "2 versions begin with aaaaaaaa; `serprep log"),
        ("@bbbbbbbb", "0 versions begin with bbbbbbbb"),
        ("@ccccccc", "no such tag"),  # seven digits
        ("@CCCCCCCC", "no such tag"),
        ("@v2", "no such tag; `serprep log .*` lists"),
        ("@gone", "its store dddddddddddd is gone"),
        ("@empty", "its store  is gone"),
        ("@", "not a possible tag"),
        ("@.", "not a possible tag"),
        ("@..", "not a possible tag"),
        ("@-x", "not a possible tag"),
        ("@a b", "not a possible tag"),
        ("@a\nb", "not a possible tag"),
        ("@v1\n", "not a possible tag"),
        ("@a\\b", "not a possible tag"),
        ("@ü", "not a possible tag"),
        ("@" + "x" * 65, "not a possible tag"),
        ("@../../x", "no store there"),
        ("@../tags/v1", "no store there"),
        ("@v1/../../x", "no store there"),
    ],
)
def test_names_that_resolve_to_nothing(root, name, message):
    with pytest.raises(StoreError, match=message):
        resolve(root + name)


def test_a_tag_cannot_lead_out_of_its_data_set(root, tmp_path):
    secret = tmp_path / "secret" / "versions"
    (secret / f"{A}.zarr").mkdir(parents=True)
    tags = tmp_path / "ravdess" / "tags"
    (tags / "evil").write_text(f"../../secret/versions/{A}")
    (tags / "folder").mkdir()
    (tags / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match="is gone"):
        resolve(f"{root}@evil")
    with pytest.raises(StoreError, match="no such tag"):
        resolve(f"{root}@folder")
    with pytest.raises(StoreError, match="is gone"):
        resolve(f"{root}@bytes")


def test_a_store_s_own_path_stands_for_itself(root):
    for path in (f"{root}/versions/{A}.zarr", "x/y.h5", "a@b/c.zarr", "copy@home.zarr", "/x/copy@home.zarr/"):
        assert resolve(path) == path


def test_folders_may_have_an_at_in_their_name(tmp_path):
    root = dataset(tmp_path / "me@home" / "my@data", {f"{A}.zarr": 1}, {"v1": A})
    for name in (root, f"{root}@latest", f"{root}@v1", f"{root}@{A[:8]}"):
        assert resolve(name) == f"{root}/versions/{A}.zarr"
    with pytest.raises(StoreError, match="no such tag"):
        resolve(f"{root}@v2")


def test_the_working_folder_may_be_a_data_set(root, monkeypatch):
    monkeypatch.chdir(root)
    assert {resolve(name) for name in ("", ".", "@latest", ".@latest")} == {f"./versions/{B}.zarr"}


@pytest.mark.parametrize("place", ["nowhere", "nowhere@latest", "nowhere@v1", "a@b@c", "@v1", "", "@"])
def test_no_store_at_all(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=r"no store there; expected PATH\.zarr"):
        resolve(place)


# -- tags ----------------------------------------------------------------------------


def test_tags_are_what_can_be_a_tag_and_is_a_file(root, tmp_path):
    folder = tmp_path / "ravdess" / "tags"
    (folder / "folder").mkdir()
    for name in (".v1.0123.tmp", "a b", "latest", "-x"):
        (folder / name).write_text(A)
    (folder / "bytes").write_bytes(b"\xff")
    assert tags(root) == {"bytes": "\ufffd", "deadbeef": A, "empty": "", "gone": "d" * 64, "v1": C}
    assert tags(str(tmp_path / "nowhere")) == {}


def test_tags_that_cannot_be_read(tmp_path):
    (tmp_path / "tags").write_text("mine")
    with pytest.raises(StoreError, match="tags: Not a directory; make them readable"):
        tags(str(tmp_path))


@pytest.mark.parametrize("name", ["v1", "1.0", "paper_table-2", "x" * 64, "Latest"])
def test_possible_tags(name):
    check_tag("x", name)


@pytest.mark.parametrize("name", ["", "latest", ".v1", "-v1", "a/b", "../v1", "a b", "a\n", "ü", "x" * 65, "a@b"])
def test_impossible_tags(name):
    with pytest.raises(StoreError, match="not a possible tag; expected up to 64 letters"):
        check_tag("x", name)


def test_whole_versions():
    assert is_version(A)
    assert not any(map(is_version, (A[:-1], A.upper(), A + "0", "", f"{A}\n")))


# -- the order of builds -------------------------------------------------------------


def test_latest_goes_by_number_not_by_digest_or_clock(root):
    assert latest(root, versions(root)) == f"versions/{B}.zarr"
    assert build_number(root, f"versions/{C}") == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"number": "9"}', '{"number": null}', "\xff"])
def test_a_damaged_report_counts_as_none(root, tmp_path, text):
    (tmp_path / "ravdess" / "versions" / f"{B}.build.json").write_bytes(text.encode("latin-1"))
    assert build_number(root, f"versions/{B}") == 0
    assert resolve(root) == f"{root}/versions/{A}.zarr"


def test_a_build_that_cannot_be_read_keeps_its_place_by_what_was_claimed_for_it(tmp_path):
    """Else `latest` would be an older version, without a word."""
    root = str(tmp_path)
    for number, version in ((1, A), (2, B)):
        (tmp_path / "versions" / f"{version}.zarr").mkdir(parents=True)
        (tmp_path / "versions" / f"{version}.zarr" / "zarr.json").write_text("{}")
        (tmp_path / "versions" / f"{version}.build.json").write_text(f'{{"number": {number}}}' if number == 1 else "{")
    assert latest(root, versions(root)) == f"versions/{A}.zarr"
    (tmp_path / "numbers").mkdir()
    (tmp_path / "numbers" / "2").write_text(f"{B}\n")
    (tmp_path / "numbers" / "3x").write_text(f"{B}\n")
    assert latest(root, versions(root)) == f"versions/{B}.zarr" and build_number(root, f"versions/{B}") == 2
