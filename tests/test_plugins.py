import ast
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from serprep import plugins
from serprep.corpora import CORPORA
from serprep.errors import FeatureError, SerprepError
from serprep.exports import EXPORTS
from serprep.plugins import Registry, distribution, load, plugged


def test_entry_points_are_listed_by_name():
    found = plugged("console_scripts")
    assert list(found) == sorted(found)
    (entry,) = found["serprep"]
    assert entry.value == "serprep_cli.main:main"
    assert distribution(entry).startswith("serprep ")


def test_what_cannot_be_imported_is_one_line_that_names_its_package():
    entry = EntryPoint("centroid", "no_such_module:CENTROID", "serprep.features")
    with pytest.raises(SerprepError, match=r"serprep.features 'centroid' of the package unknown cannot be loaded") as e:
        load(entry)
    assert "\n" not in str(e.value) and "no_such_module" in str(e.value)


# -- a registry ----------------------------------------------------------------------


class Thing:
    def __init__(self, name):
        self.name = name


class Distribution:
    name, version = "serprep-things", "1.4.2"


MINE = Thing("mine")
THINGS = Registry("serprep.things", "thing", {"own": Thing("own")}, Thing, FeatureError, "everything else works")


@pytest.fixture
def installed(monkeypatch):
    """A function that makes packages bring objects: name → "module:attribute"."""

    def install(**values):
        entries = {name: EntryPoint(name, value, "serprep.things") for name, value in values.items()}
        for entry in entries.values():
            vars(entry).update(dist=Distribution)
        plugged = {name: (entry,) for name, entry in entries.items()}
        monkeypatch.setattr(plugins, "plugged", lambda group: plugged if group == "serprep.things" else {})

    return install


def test_what_others_bring_stands_behind_our_own_and_says_by_whom(installed):
    installed(mine=f"{__name__}:MINE", own=f"{__name__}:MINE")
    assert THINGS.names == ("own", "mine")
    assert THINGS["mine"].name == "mine" and THINGS["own"].name == "own"  # nobody takes the place of our own
    assert THINGS.brought_by("mine") == "serprep-things 1.4.2" and THINGS.brought_by("own") == ""
    assert list(THINGS.usable()) == ["own", "mine"]


def test_a_name_that_two_packages_bring_is_neithers(monkeypatch):
    entries = [EntryPoint("mine", f"{__name__}:{value}", "serprep.things") for value in ("MINE", "Thing")]
    for entry, package in zip(entries, ("serprep-things", "other-things"), strict=True):
        vars(entry).update(dist=type("Distribution", (), {"name": package, "version": "1.4.2"}))
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)
    plugged.cache_clear()
    try:
        with pytest.raises(
            FeatureError,
            match=r"'mine' is brought by several packages: other-things 1.4.2, serprep-.* 1.4.2; keep one",
        ):
            THINGS["mine"]
    finally:
        plugged.cache_clear()


def test_an_unknown_name_is_answered_with_the_known_ones_and_what_works_without():
    with pytest.raises(
        FeatureError, match=r"^unknown thing 'onw'; expected one of own; did you mean 'own'\? If another package brings"
    ):
        THINGS["onw"]
    with pytest.raises(
        FeatureError, match=r"one of own; if another package brings it, install that \(everything else works without\)$"
    ):
        THINGS["theirs"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("json:dumps", r"package serprep-things 1.4.2 is function ''; expected a .*Thing of that name"),
        (f"{__name__}:MINE", r"package serprep-things 1.4.2 is Thing 'mine'; expected a .*Thing of that name"),
        ("no_such_module:X", r"package serprep-things 1.4.2 cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_what_is_no_such_thing_is_one_line_and_stops_nothing_else(installed, value, message):
    installed(theirs=value)
    with pytest.raises(SerprepError, match=message) as caught:
        THINGS["theirs"]
    told = []
    assert list(THINGS.usable(told.append)) == ["own"]
    assert told == [str(caught.value)] and "\n" not in told[0]


# -- no privilege --------------------------------------------------------------------


def compared(path):
    """Texts that a module compares something with."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


@pytest.mark.parametrize(("names", "home"), [(CORPORA, "corpora"), (EXPORTS, "exports")], ids=["corpora", "exports"])
def test_nothing_outside_an_object_asks_for_its_name(names, home):
    root = Path(__file__).parents[1]
    modules = [path for folder in ("serprep", "serprep_models", "cli") for path in (root / folder).rglob("*.py")]
    asking = {
        path.relative_to(root).as_posix(): asked
        for path in modules
        if not path.is_relative_to(root / "serprep" / home) and (asked := set(compared(path)) & set(names))
    }
    assert asking == {}
