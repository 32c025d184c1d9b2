"""What is true of a URL alone; what a bucket makes of it is in `tests/test_bucket.py`."""

import pytest

from serprep import remote
from serprep.place.place import at


@pytest.fixture
def folder(tmp_path):
    return at(f"memory://{tmp_path.name}/x/")


def test_the_mark_is_written_last_and_removed_first(folder, monkeypatch):
    order = []
    for name in ("upload", "create", "remove"):
        inner = getattr(remote, name)

        def noted(url, *more, inner=inner, name=name):
            order.append((name, url))
            return inner(url, *more)

        monkeypatch.setattr(remote, name, noted)
    monkeypatch.setattr(type(folder), "each", lambda self, function, items: map(function, items))
    for replace in (False, True):
        with folder.stage("s", "b", replace=replace) as stage:
            stage.here.mkdir()
            for name in "abc":
                (stage.here / name).write_text(name)
            folder.publish(stage, "s", "b", changed=False, quiet=True)
    folder.withdraw("s", "b")
    url = folder.path("s")
    uploads = [*(("upload", f"{url}/{name}") for name in "ac"), ("create", f"{url}/b")]
    claim = folder.path(".s.going.tmp")
    begin = [*uploads, ("remove", f"{url}/b"), *uploads, ("create", claim), ("remove", f"{url}/b")]
    assert order[:-3] == begin and order[-1] == ("remove", claim)
    assert sorted(order[-3:-1]) == [("remove", f"{url}/a"), ("remove", f"{url}/c")]


def test_of_two_who_withdraw_one_does(folder):
    folder.write("s/b", b"mark")
    folder.withdraw("s", "b", unless=lambda: bool(folder.withdraw("s", "b")))
    assert folder.files() == set()
    folder.write("s/b", b"mark")
    folder.withdraw("s", "b", unless=lambda: folder.withdraw("s", "b") is None)
    assert folder.files() == {"s/b"}


def test_nothing_here_reads_it(folder):
    assert folder.direct("a") == "" and not folder.links and not folder.tells_use
    assert folder.path() == folder.root and not folder.root.endswith("/")
    folder.touch("a", 0)
    assert folder.files() == set() and folder.unwritable() == ""


def test_one_listing_tells_what_lies_below(folder, monkeypatch):
    for name in ("a/b", "a/c", "d"):
        folder.write(name, b"123")
    calls, listing = [], remote.listing
    monkeypatch.setattr(remote, "listing", lambda url: calls.append(url) or listing(url))
    assert {name: entry.size for name, entry in folder.below().items()} == {"a/b": 3, "a/c": 3, "d": 3}
    assert calls == [folder.root]
