"""The card of stores and manifests: what it says, and that nothing in it can do harm."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape

from helpers.builds import recipe as small_recipe
from helpers.inline import Inline
from serprep.card import card_of, make_card, write_card
from serprep.errors import StoreError
from serprep.manifest.table import make_manifest
from serprep.pages import escaped
from serprep.pipeline.build import build
from serprep.split import make_split
from serprep.store.store import open_store
from serprep.testing import write_synthetic_corpus
from serprep.utterance import Utterance

NASTY = '<script>alert("1")</script>'
NAMES = [NASTY, "../../etc/passwd", "a\"b'c", "\u202eevil", "😀", "\x1b[31mred", "שלום"]
VOID = {"meta", "img", "br", "link"}


class Structure(HTMLParser):
    """Reads a page: every element is closed, and what elements there are."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(page.decode())
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A recipe of a small corpus, its build, and one more recording than it had at first."""
    folder = tmp_path_factory.mktemp("card")
    write_synthetic_corpus(folder / "corpus", n_takes=1)
    recipe = small_recipe(folder / "corpus", folder / "stores")
    first = sorted((folder / "corpus").rglob("*.wav"))[0]
    (folder / "copy.wav").write_bytes(first.read_bytes())
    build(recipe, pool=Inline())
    (folder / "copy.wav").rename(first.with_name("s9_text_9.wav"))
    (first.parent / "s9_text_8.wav").write_bytes(b"no sound")
    return recipe, build(recipe, pool=Inline())


def test_a_build_writes_the_card_beside_the_store(built):
    _, result = built
    assert result.card == result.store.removesuffix(".zarr") + ".card.html"
    page = Structure(open_page(built))
    text = " ".join(page.text)
    assert result.version in text and open_store(result.store).seal in text
    for word in ("Article 5(1)(f)", "Annex III", "high-risk", "1 group of utterances with the same bytes"):
        assert word in text
    assert "s9_text_8" in text, "the quarantined one"
    assert re.search(r"Since version .*1 added", re.sub(r"\s+", " ", text))
    assert text.count("leave-one-group-out by speaker") == 1


def test_a_page_is_closed_to_the_network_and_open_to_screen_readers(built):
    page = Structure(open_page(built))
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    for tag, attributes in page.attributes:
        assert not any(name.startswith("on") for name in attributes)
        assert str(attributes.get("src", "data:")).startswith("data:")
        if tag == "img":
            assert attributes["alt"]
            signed = "signed" in attributes["class"].split()  # its white is turned to dark with the page
            assert signed == ("less the mean" in attributes["alt"])
        if tag == "th":
            assert attributes["scope"] in ("row", "col")
        if tag == "svg":
            assert attributes["aria-hidden"] == "true", "its chart has a label"
    assert ("html", {"lang": "en"}) in page.attributes and page.tags.count("h1") == 1
    policy = next(a["content"] for tag, a in page.attributes if "Policy" in str(a.get("http-equiv")))
    assert policy.startswith("default-src 'none'")


def open_page(built):
    return Path(built[1].card).read_bytes()


def test_names_are_text_whatever_they_hold():
    rows = [
        Utterance(
            id=f"{i}{name}", path=f"{i}.wav", speaker=name, emotion=name, duration=1.0 + i, extra={"gender": name}
        )
        for i, name in enumerate(NAMES)
    ]
    page = make_card(make_manifest(rows, {"corpus": NASTY, "licence": "<b>", "source": NASTY}))
    read = Structure(page)
    assert "script" not in read.tags and "b" in read.tags, "ours"
    text = "".join(read.text)
    assert text.count(NASTY) >= 3
    assert "\x1b" not in text and "\\x1b[31mred" in text
    assert "\u202e" not in text and "\\u202eevil" in text
    assert "😀" in text and "שלום" in text


def test_a_card_that_says_the_same_is_not_made_again(built, monkeypatch):
    recipe, result = built
    store = open_store(result.store)
    monkeypatch.setattr("serprep.card.write.make_card", lambda *_, **__: pytest.fail("made again"))
    assert write_card(store, recipe=recipe) == result.card


def test_players_only_where_they_are_asked_for(built, tmp_path):
    recipe, result = built
    store = open_store(result.store)
    assert b"<audio" not in make_card(store, audio=recipe.root)
    page = make_card(store, audio=recipe.root, with_sound=3)
    assert page.count(b"<audio") == 3 and page.count(b"data:audio/ogg") == 3
    with pytest.raises(StoreError, match="does not say where its recordings are"):
        card_of(result.store, output=str(tmp_path / "a.html"), with_sound=1)


def test_a_card_is_small(built):
    assert len(open_page(built)) < 400_000


def test_a_mean_picture_is_the_mean_of_what_was_stored(built):
    from serprep.card.heard import COLUMNS, hear

    store = open_store(built[1].store)
    label = store.labels[0]
    pictures = []
    for i in np.flatnonzero(np.array(store.emotions) == label):
        segments = store.segments(int(i), 30)
        frames = segments[:, :20].reshape(-1, 40)
        at = [min(len(frames) - 1, int((k + 0.5) / COLUMNS * len(frames))) for k in range(COLUMNS)]
        picture = frames[at]
        pictures.append(picture - picture.mean())
    heard = hear(store)
    lengths = {table.segment.length / table.segment.hop for table in store.tables if table.segment}
    assert min(lengths) == 1.5, "segments of 30 repeat the least"
    np.testing.assert_allclose(heard.pictures[label], np.mean(pictures, axis=0).T, atol=1e-4)


def test_what_stands_apart_is_found_with_its_reason():
    from serprep.card.heard import Heard
    from serprep.card.outliers import find_outliers
    from serprep.card.rows import rows_of

    rng = np.random.default_rng(0)
    rows = rows_of(
        make_manifest(
            Utterance(
                id=f"u{i:02}",
                path=f"{i}.wav",
                duration=60.0 if i == 7 else float(2 + rng.uniform()),
                sample_rate=48_000,
            )
            for i in range(40)
        )
    )
    levels = np.tile(np.array([0.5, 0.1, 0, 0.1, 0], np.float32), (40, 1))
    levels[:, 1] += rng.uniform(-0.01, 0.01, 40)
    levels[11, 1] = 0.0001
    width = np.full(40, 8000.0, np.float32)
    width[3] = 3900.0
    heard = Heard({}, width, np.zeros(40, np.float32), width, [b""] * 40, 8000.0)
    found = {(one.by, one.id): one.reason for one in find_outliers(rows, levels=levels, heard=heard, far=None)}
    assert set(found) == {("duration", "u07"), ("level", "u11"), ("sound", "u03")}
    assert found["sound", "u03"] == "a 48 kHz file that holds sound up to 3.9 kHz only, as a telephone does"


def test_objects_show_themselves_in_notebooks(built):
    recipe, result = built
    store = open_store(result.store)
    frame = store.to_pandas()
    assert list(frame.index) == store.ids and frame["emotion"].tolist() == store.emotions
    assert "<table>" in store._repr_html_() and "<table>" in store.manifest()._repr_html_()
    html = store.show(0, recipe.root)._repr_html_()
    assert store.ids[0] in html and "data:image/png" in html and "<audio" in html
    assert "not there" in store.play(0, "/nowhere")._repr_html_()
    with pytest.raises(StoreError, match="has no 'nothing'"):
        store.to_pandas("nothing")
    for name in NAMES:
        html = make_manifest([Utterance(id="a", path="a.wav", speaker="s", emotion=name)])._repr_html_()
        assert str(escape(escaped(name))) in html and "<script" not in html and not set("\x1b\u202e") & set(html)


def test_nobody_is_shut_out_of_the_card(built, faults):
    assert not faults(next(Path(built[1].store).parent.glob("*.card.html")))


def test_of_very_many_utterances_a_split_is_shown_only_where_it_is_named(built, tmp_path, monkeypatch):
    """It takes longer than the rest of the card."""
    monkeypatch.setattr("serprep.card.write.MOST", 5)
    recipe, result = built
    store = open_store(result.store)
    page = Path(write_card(store, recipe=recipe, place=str(tmp_path / "a.html"))).read_text("utf-8")
    assert "Of more than 5 utterances no split is made for a card; one that is named is shown." in page
    split = make_split(store.manifest(), recipe.split)
    named = Path(write_card(store, recipe=recipe, split=split, place=str(tmp_path / "b.html"))).read_text("utf-8")
    assert "no split is made" not in named and split.digest[:12] in named
