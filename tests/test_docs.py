"""The documents agree with the code: rows, keys, defaults, examples, links."""

import dataclasses
import importlib
import importlib.util
import json
import re
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from serprep_cli.main import cli

from serprep import doctor, errors
from serprep.columns import COLUMNS, DIMENSIONS
from serprep.config import hints_of, words_of
from serprep.corpora import CORPORA
from serprep.corpora.corpus import Rating
from serprep.features.compare_2016 import LLD
from serprep.features.extract import Features
from serprep.features.framing import SEGMENTS, Segment
from serprep.features.kinds import KINDS
from serprep.manifest.select import select
from serprep.manifest.table import (
    Manifest,
    make_manifest,
    read_manifest,
    to_csv,
    write_manifest,
)
from serprep.pipeline.build import BuildResult
from serprep.ratings import read_ratings, write_ratings
from serprep.recipe import CorpusConfig, Dataset, OtherRooms, Recipe, TrainConfig, recipe_from
from serprep.split import FORMAT as SPLIT_FORMAT
from serprep.split import Split, SplitConfig, make_split, read_split, write_split
from serprep.split.folds import PARTITIONS
from serprep.store import zarr_store
from serprep.store.layout import StoreConfig, arrays, tables
from serprep.store.writer import Plan, attributes
from serprep.utterance import Utterance
from serprep.version import STORE_FORMAT, version_of

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])

#: Section of docs/recipe.md → the configuration it documents.
SECTIONS: dict[str, type] = {
    "dataset": Dataset,
    "corpus": CorpusConfig,
    **{f"features.{name}": kind.config for name, kind in KINDS.items()},
    "features.segments": Segment,
    "store": StoreConfig,
    "split": SplitConfig,
    "train": TrainConfig,
    "test": OtherRooms,
}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def rows(text: str) -> dict[str, list[str]]:
    """Table rows by the word in backticks that their first cell begins with."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        name = re.match(r"`([^`]+)`", cells[0]) if cells else None
        if name:
            found[name[1]] = cells
    return found


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {title!r}"
    return found[1]


# -- rows ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CORPORA)
def test_every_reader_has_its_row(name: str) -> None:
    corpus = CORPORA[name]
    row = " | ".join(rows(page("corpora.md"))[name])
    assert corpus.licence in row
    for emotion, count in corpus.n_per_emotion.items():
        assert emotion in row and str(count) in row
    for count in (corpus.n_utterances, corpus.n_speakers):
        assert count is None or str(count) in row
    for option in corpus.options:
        assert option in row


def test_no_row_of_an_unknown_reader() -> None:
    assert set(rows(page("corpora.md"))) == set(CORPORA)


@pytest.mark.parametrize("name", cli.commands)
def test_every_command_has_its_row(name: str) -> None:
    documented = {
        entry.split()[1]: cells for entry, cells in rows(page("commands.md")).items() if entry.startswith("serprep ")
    }
    assert set(documented) == set(cli.commands)
    options = set(re.findall(r"--[a-z-]+", documented[name][2]))
    known = {max(option.opts, key=len) for option in cli.commands[name].params if option.param_type_name == "option"}
    assert options == known - {"--json", "--help"}


def test_build_json_is_documented() -> None:
    row = rows(section(page("commands.md"), "JSON"))["build"]
    for entry in dataclasses.fields(BuildResult):
        assert f"`{entry.name}`" in row[1]


def test_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8") if (ROOT / "README.md").is_file() else ""
    if not readme.strip():
        pytest.skip("there is no README.md yet")
    for name in cli.commands:
        assert f"serprep {name}" in readme or "docs/commands.md" in readme


# -- the recipe ----------------------------------------------------------------------


def test_every_section_of_a_recipe_is_documented() -> None:
    hints = typing.get_type_hints(Recipe)
    named = {name for name in hints if name not in ("folder", "features", "name", "corpora", "sources")}
    assert named | {f"features.{name}" for name in ("segments", *KINDS)} == set(SECTIONS)


def test_every_kind_of_feature_has_its_row() -> None:
    assert list(rows(section(page("kinds.md"), "Which kinds are there?"))) == list(KINDS)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_of_a_recipe_has_its_row_and_default(name: str) -> None:
    documented = rows(section(page("recipe.md"), f"`[{name}]`"))
    fields = {entry.name: entry for entry in dataclasses.fields(SECTIONS[name])}
    assert list(documented) == list(fields)
    for key, entry in fields.items():
        default = documented[key][3]
        if default.startswith("`") and default.count("`") == 2:
            written = tomllib.loads(f"x = {default.strip('`')}")["x"]
            assert type(entry.default)(written) == entry.default, key
        else:
            assert entry.default in ("", None, dataclasses.MISSING), f"{key}: {default}"


def test_default_segments_are_documented() -> None:
    text = section(page("recipe.md"), "`[features.segments]`")
    for name, segment in SEGMENTS.items():
        assert f"{name} = {{ length = {segment.length}, hop = {segment.hop} }}" in text


def test_minimal_recipe_is_minimal(tmp_path: Path) -> None:
    values = tomllib.loads(blocks(page("recipe.md"), "toml")[0])
    assert set(values) == {"corpus"} and set(values["corpus"]) == {"reader", "root"}
    assert recipe_from(values, folder=tmp_path, name="x").features == Features()


# -- the manifest and the split ------------------------------------------------------


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """The example of docs/manifest.md."""
    (csv,), (about,) = blocks(page("manifest.md"), "csv"), blocks(page("manifest.md"), "json")
    (tmp_path / "utterances.csv").write_bytes(csv.encode())
    (tmp_path / "manifest.json").write_bytes(about.encode())
    return read_manifest(tmp_path)


def test_manifest_example_is_what_we_write(manifest: Manifest, tmp_path: Path) -> None:
    written = write_manifest(manifest, tmp_path / "again")
    assert written.read_text(encoding="utf-8") == blocks(page("manifest.md"), "csv")[0]
    about = (tmp_path / "again" / "manifest.json").read_text(encoding="utf-8")
    assert about == blocks(page("manifest.md"), "json")[0]


def test_the_table_of_columns_is_the_schema_s(manifest: Manifest) -> None:
    documented = rows(section(page("manifest.md"), "The columns of `utterances.csv`"))
    assert documented == {
        column.name: [
            f"`{column.name}`",
            column.expected.removeprefix("a "),
            column.unit,
            "yes" if column.required else "no",
            column.meaning,
        ]
        for column in COLUMNS.values()
        if column.place != "store"
    }
    assert set(manifest.columns) <= set(documented)


def test_every_field_of_a_manifest_is_documented() -> None:
    assert set(json.loads(blocks(page("manifest.md"), "json")[0])) <= set(
        rows(section(page("manifest.md"), "The fields of `manifest.json`"))
    )


def test_every_field_of_a_rating_is_documented_and_the_example_is_what_we_write(tmp_path: Path) -> None:
    documented = rows(section(page("manifest.md"), "The fields of `raters.jsonl`"))
    assert list(documented) == [entry.name for entry in dataclasses.fields(Rating)]
    required = [entry.name for entry in dataclasses.fields(Rating) if entry.default is dataclasses.MISSING]
    assert [name for name, cells in documented.items() if cells[3] == "yes"] == required
    example = blocks(page("manifest.md"), "jsonl")[0]
    (tmp_path / "raters.jsonl").write_text(example, encoding="utf-8")
    written = write_ratings(read_ratings(tmp_path), tmp_path / "again")
    assert written is not None and written.read_text(encoding="utf-8") == example


def test_required_columns_of_a_manifest_are_required(tmp_path: Path) -> None:
    documented = rows(section(page("manifest.md"), "The columns of `utterances.csv`"))
    required = [name for name, cells in documented.items() if cells[3] == "yes"]
    path = tmp_path / "utterances.csv"
    path.write_text(",".join(required) + "\na,a.wav\n", encoding="utf-8")
    assert to_csv(read_manifest(path)) == to_csv(make_manifest([Utterance(id="a", path="a.wav")]))


@pytest.fixture
def split(tmp_path: Path) -> Split:
    """The example of docs/split.md."""
    path = tmp_path / "split.json"
    path.write_text(blocks(page("split.md"), "json")[0], encoding="utf-8")
    return read_split(path)


def test_split_example_is_what_we_make(manifest: Manifest, split: Split, tmp_path: Path) -> None:
    neutral = select(manifest, emotions={"neutral": "neutral"}).manifest
    assert make_split(neutral, SplitConfig()) == split
    written = write_split(split, tmp_path / "again.json")
    assert written.read_text(encoding="utf-8") == blocks(page("split.md"), "json")[0]


def test_every_field_and_protocol_of_a_split_is_documented() -> None:
    example = json.loads(blocks(page("split.md"), "json")[0])
    assert example["format"] == SPLIT_FORMAT
    fields = rows(section(page("split.md"), "Fields"))
    assert set(example) | {f"utterances.*.{name}" for name in ("speaker", "group", "roles")} == set(fields)
    protocols = rows(section(page("split.md"), "Protocols"))
    assert set(protocols) == set(words_of(hints_of(SplitConfig)["protocol"]))
    for partition in PARTITIONS:
        assert f"`{partition}`" in protocols["fixed"][1]


@pytest.mark.parametrize("name", ["protocol", "folds", "utterances"])
def test_required_fields_of_a_split_are_required(name: str, tmp_path: Path) -> None:
    example = json.loads(blocks(page("split.md"), "json")[0])
    assert rows(section(page("split.md"), "Fields"))[name][3] == "yes"
    del example[name]
    path = tmp_path / "split.json"
    path.write_text(json.dumps(example), encoding="utf-8")
    with pytest.raises(ValueError, match=r"docs/split\.md"):
        read_split(path)


# -- the store -----------------------------------------------------------------------


def example_attributes() -> dict[str, Any]:
    return dict(json.loads(blocks(page("store.md"), "json")[0]))


def written_attributes(manifest: Manifest, example: Mapping[str, Any]) -> dict[str, Any]:
    """What the writer says about the example's manifest; no features are needed for that."""
    plan = Plan(manifest, (None,) * len(manifest), Features(), StoreConfig(), {})  # type: ignore[arg-type]
    return attributes(
        plan,
        version=example["version"],
        configurations=example["configurations"],
        extractors=example["provenance"]["extractors"],
    )


def test_store_example_is_what_we_write(manifest: Manifest) -> None:
    example = example_attributes()
    assert written_attributes(manifest, example) == example
    assert example["format"] == STORE_FORMAT
    assert example["configurations"]["features"] == Features().to_json()


def test_version_of_the_store_example() -> None:
    example = example_attributes()
    assert example["version"] == version_of(
        manifest_digest=example["provenance"]["manifest_digest"],
        configurations=example["configurations"],
        extractors=example["provenance"]["extractors"],
        segment_dtype=example["segment_dtype"],
    )


def test_every_root_attribute_is_documented(manifest: Manifest) -> None:
    written = written_attributes(manifest, example_attributes())
    assert list(rows(section(page("store.md"), "Root attributes"))) == [*written, "kinds", "files", "seal"]


def test_every_array_is_documented(manifest: Manifest) -> None:
    documented = rows(section(page("store.md"), "Arrays"))
    features = Features(lld=LLD(enabled=True))
    found = arrays(
        columns=[*manifest.columns, *DIMENSIONS],
        numbers=DIMENSIONS,
        n=100_000,
        n_rows={table.name: 200_000 for table in tables(features)},
        features=features,
        config=StoreConfig(),
    )
    used = set()
    for array in found:
        name = array.name
        if name.startswith("utterances/") and name.split("/")[1] not in {
            name for name, column in COLUMNS.items() if column.type in ("number", "count", "scale")
        }:
            name = "utterances/<column>"
        used.add(name)
        _, shape, dtype, dimensions, chunk, shard, fill, _ = documented[name]
        assert len(shape.strip("()").rstrip(",").split(",")) == len(array.shape), name
        assert shape.rstrip(",)").split(", ")[1:] == [str(size) for size in array.shape[1:]], name
        assert (dtype, dimensions) == (array.dtype, ", ".join(array.dimensions)), name
        assert chunk == str(array.chunk), name
        assert shard == (str(array.shard) if array.is_large else "none"), name
        assert fill == ("NaN" if dtype.startswith("float") else '""' if dtype == "string" else "0"), name
    assert used == set(documented)


def test_seal_is_computed_as_documented(tmp_path: Path) -> None:
    (tmp_path / "utterances").mkdir()
    (tmp_path / "utterances" / "zarr.json").write_text("{}", encoding="utf-8")
    zarr_store.seal(tmp_path, {"format": STORE_FORMAT})
    names: dict[str, Any] = {"path": tmp_path}
    exec(blocks(page("store.md"), "python")[0], names)  # noqa: S102 - the example itself is tested
    assert names["seal"] == zarr_store.read_attributes(str(tmp_path))["seal"]


# -- all pages -----------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_relative_links_resolve(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, anchor = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.exists(), f"{path.name} links to {target}"
        if anchor and linked.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{path.name} links to {target}"


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_a_page_answers_one_question(path: Path) -> None:
    titles = re.findall(r"^# (.+)$", re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.M | re.S), re.M)
    assert len(titles) == 1 and titles[0].endswith("?")


def test_python_of_the_how_to_runs() -> None:
    for example in blocks(page("howto.md"), "python"):
        exec(compile(example, "howto.md", "exec"), {})  # noqa: S102 - our own page


def test_the_site_s_contents_name_every_page() -> None:
    contents = page("index.md")
    missing = [
        path.stem for path in DOCS.glob("*.md") if path.name != "index.md" and f"\n{path.stem}\n" not in contents
    ]
    assert missing == []


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What writes the reference."""
    monkeypatch.syspath_prepend(DOCS / "site")
    return importlib.import_module("generate")


def test_every_command_option_and_error_stands_in_the_generated_reference(generate: Any) -> None:
    written = generate.commands()
    for name, command in cli.commands.items():
        text = section(written, f"serprep {name}")
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert max(parameter.opts, key=len) in text, (name, parameter.name)
    known, waiting = set(), [errors.SerprepError]
    while waiting:
        known.add(error := waiting.pop())
        waiting += error.__subclasses__()
    ours = {error.__name__ for error in known if error.__module__.startswith("serprep")}
    assert len(ours) > 10 and set(re.findall(r"^## (\w+)$", generate.errors(), re.MULTILINE)) == ours


def test_every_name_along_every_axis_stands_in_the_generated_reference_with_a_description(generate: Any) -> None:
    written = generate.names()
    registries = [*doctor.AXES, "serprep.conditions.registry:CONDITIONS"]
    assert set(generate.AXES.values()) == set(registries)
    for title, place in generate.AXES.items():
        module, _, attribute = place.partition(":")
        described = rows(section(written, title))
        assert list(described) == list(getattr(importlib.import_module(module), attribute).names)
        assert all(len(text) > 3 and "subclasses" not in text for _, text in described.values()), title


def test_every_page_of_the_reference_is_in_the_site_s_contents(generate: Any, tmp_path: Path) -> None:
    generate.write(tmp_path / "reference")
    written = {f"reference/{path.stem}" for path in (tmp_path / "reference").iterdir()}
    assert written == set(re.findall(r"^reference/\w+$", page("index.md"), re.MULTILINE))
    for name in generate.MODULES:
        assert importlib.util.find_spec(name), name


def test_links_of_the_built_site_that_lead_nowhere_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(DOCS / "site")
    links = importlib.import_module("links")
    (tmp_path / "deep").mkdir()
    (tmp_path / "a b.png").write_bytes(b"")
    (tmp_path / "deep" / "two.html").write_text('<h1 id="über">2</h1><a href="../one.html">1</a>', encoding="utf-8")
    good = '<img src="a%20b.png"><a href="deep/two.html#%C3%BCber"></a><a href="https://x.y/z#a"></a><a href="#here">'
    bad = '<a href="deep/two.html#uber"></a><a href="three.html"></a><img src="c.png"><a href="#there" name="here">'
    (tmp_path / "one.html").write_text(good + bad, encoding="utf-8")
    lost = ["deep/two.html#uber", "three.html", "c.png", "#there"]
    assert links.dead(tmp_path) == [f"one.html: {link}" for link in lost]


def test_benchmarks_that_pages_cite_exist() -> None:
    pages = [*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    cited = {name for page in pages for name in re.findall(r"benchmarks/(\w+\.py)", page.read_text(encoding="utf-8"))}
    assert len(cited) > 10
    assert cited <= {path.name for path in (ROOT / "benchmarks").glob("*.py")}


def test_documents_named_by_the_code_exist() -> None:
    sources = [path for folder in ("serprep", "serprep_models", "cli") for path in (ROOT / folder).rglob("*.py")]
    for path in sources:
        for name in re.findall(r"docs/\w+\.md", path.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), f"{path.name} cites {name}"


def test_licence_is_the_declared_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith(f"{project['license']} License")
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
