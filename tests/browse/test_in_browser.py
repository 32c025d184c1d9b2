"""The page in a real browser: keys, filters, player, marks and map; no request leaves the machine."""

import pytest

from helpers.eyes import axe, opened, served
from serprep.browse import content
from serprep.manifest.marks import LEAVE_OUT, MARKS, read_marks

ROWS = ".tabulator-cell[tabulator-field=c0]"


@pytest.fixture(scope="module")
def address(browser, subject):
    """Where the server answers; the first rows come before the others."""
    with pytest.MonkeyPatch.context() as patched, served(subject) as address:
        patched.setattr(content, "FIRST", 3)
        yield address


@pytest.fixture
def page(browser, address):
    with opened(browser, address, said="9 rows") as tab:
        yield tab


@pytest.fixture
def expect(browser):
    from playwright.sync_api import expect

    return expect


def test_keys_walk_through_the_table_and_names_are_text(page, subject, expect) -> None:
    ids = subject.store.ids
    assert page.locator(ROWS).all_text_contents() == [*ids, "bad"]
    for id_ in ids[:3]:
        page.keyboard.press("ArrowDown")
        expect(page.locator("#detail h2")).to_have_text(id_)
    page.keyboard.press("ArrowUp")
    expect(page.locator("#detail h2")).to_have_text(ids[1])
    assert page.locator(f"[role=row][aria-selected=true] {ROWS}").all_text_contents() == [ids[1]]
    assert page.locator("#detail").get_by_text("svm").count() == 1, "its probabilities"


def test_filters_leave_the_rows_that_fit(page, subject, expect) -> None:
    store, count = subject.store, page.locator("#count")
    expect(count).to_have_text("9 rows")
    page.select_option("#label", label=store.labels[0])
    expect(count).to_have_text("4 of 9 rows")
    fit = [id_ for id_, label in zip(store.ids, store.emotions, strict=True) if label == store.labels[0]]
    expect(page.locator(ROWS)).to_have_text(fit)
    page.click("#filters [type=reset]")
    expect(count).to_have_text("9 rows")

    page.check("#wrong")
    said = [store.labels[place] for place in subject.probabilities["svm"][:3].argmax(axis=1)]
    wrong = [id_ for id_, label, other in zip(store.ids, store.emotions, said, strict=False) if label != other]
    assert wrong
    expect(page.locator(ROWS)).to_have_text(wrong)
    page.click("#filters [type=reset]")
    page.check("#doubted")
    expect(page.locator(ROWS)).to_have_text([store.ids[1]])
    page.click("#filters [type=reset]")
    page.select_option("#quality", label="clipped")
    expect(page.locator(ROWS)).to_have_text([store.ids[2]])
    page.click("#filters [type=reset]")
    page.check("#quarantined")
    expect(page.locator(ROWS)).to_have_text(["bad"])
    page.click("#filters [type=reset]")
    page.fill("#search", "PLAIN")
    expect(page.locator(ROWS)).to_have_text(["plain"])
    page.fill("#search", "nothing of the kind")
    expect(page.locator("#grid")).to_contain_text("Nothing fits these filters.")
    page.fill("#search", "ANGER</B>")
    by_any = [id_ for n, id_ in enumerate(store.ids) if id_ in fit or store.labels[0] in said[n : n + 1]]
    expect(page.locator(ROWS)).to_have_text(by_any)


def test_a_click_on_a_heading_sorts_what_is_shown(page, subject, expect) -> None:
    ids, heading = [*subject.store.ids, "bad"], page.locator(".tabulator-col[tabulator-field=c0]")
    labels = dict(zip(subject.store.ids, subject.store.emotions, strict=True))
    heading.click()
    expect(page.locator(ROWS)).to_have_text(sorted(ids))
    heading.click()
    expect(page.locator(ROWS)).to_have_text(sorted(ids, reverse=True))
    page.locator(".tabulator-col[tabulator-field=c1]").click()
    expect(page.locator(ROWS)).to_have_text(sorted(ids, key=lambda id_: labels.get(id_, "")))  # no label comes first
    page.select_option("#label", label="joy")
    heading.click()
    expect(page.locator(ROWS)).to_have_text(sorted(id_ for id_ in labels if labels[id_] == "joy"))


def test_the_space_bar_plays_the_recording_to_its_end(page, expect) -> None:
    page.keyboard.press("ArrowDown")
    expect(page.locator("#play")).to_have_text("Play")
    page.evaluate("void state.sound.on('finish', () => document.body.setAttribute('data-played', 'yes'))")
    page.keyboard.press("Space")
    expect(page.locator("body")).to_have_attribute("data-played", "yes")
    heard = page.evaluate("(({ currentSrc, duration }) => [currentSrc, duration])(state.sound.getMediaElement())")
    assert heard[0].endswith("/token/audio/0.wav") and heard[1] == pytest.approx(0.6, abs=0.01)
    with page.expect_response("**/token/matched/0.wav") as answer:
        page.check("#matched")
    assert answer.value.ok and answer.value.headers["content-type"] == "audio/wav"


def test_marks_are_saved_as_a_recipe_reads_them_and_loaded_again(page, subject, expect, tmp_path) -> None:
    ids, marked, title = subject.store.ids, page.locator("#marked"), page.locator("#detail h2")
    page.keyboard.press("ArrowDown")
    expect(title).to_have_text(ids[0])
    page.keyboard.press("2")
    page.select_option("#should", label="joy")
    title.click()
    page.keyboard.press("ArrowDown")
    expect(title).to_have_text(ids[1])
    page.keyboard.press("9")
    expect(marked).to_have_text("2 marked, not saved")
    page.check("#doubtful")
    expect(page.locator(ROWS)).to_have_text(ids[:2])
    with page.expect_download() as download:
        page.click("#save")
    expect(marked).to_have_text("2 marked")
    download.value.save_as(tmp_path / "marks.csv")
    saved = {mark.id: (mark.mark, mark.emotion) for mark in read_marks(tmp_path / "marks.csv")}
    assert saved == {ids[0]: (MARKS[1], "joy"), ids[1]: (LEAVE_OUT, "")}
    page.keyboard.press("0")
    expect(marked).to_have_text("1 marked, not saved")
    page.set_input_files("#load", tmp_path / "marks.csv")
    expect(marked).to_have_text("2 marked, not saved")


def test_the_map_chooses_and_selects_in_the_table(page, subject, expect) -> None:
    ids, plane = subject.store.ids, page.locator("#plane")
    expect(page.locator("#map-note")).to_contain_text("principal components of 8 utterances")
    plane.scroll_into_view_if_needed()
    x, y = page.evaluate("state.places")
    plane.click(position={"x": x[3], "y": y[3]})
    expect(page.locator("#detail h2")).to_have_text(ids[3])

    page.select_option("#label", label="joy")
    expect(page.locator("#count")).to_have_text("4 of 9 rows")
    opacities = page.evaluate(
        """([x, y]) => {
          const canvas = at("plane"), ratio = canvas.width / canvas.clientWidth;
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return x.map((_, i) => data[4 * (Math.round(y[i] * ratio) * canvas.width + Math.round(x[i] * ratio)) + 3]);
        }""",
        [x, y],
    )
    joyful = [label == "joy" for label in subject.store.emotions]
    assert [opacity > 200 for opacity in opacities] == joyful and min(opacities) > 0, "the others are faint"
    page.click("#filters [type=reset]")

    cut = sum(sorted(x)[3:5]) / 2
    box = plane.bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(box["x"] + cut, box["y"] + box["height"] - 1)
    page.mouse.up()
    expect(page.locator(ROWS)).to_have_text([id_ for id_, place in zip(ids, x, strict=True) if place < cut])
    page.click("#everywhere")
    expect(page.locator("#count")).to_have_text("9 rows")
    page.select_option("#colour", label="duration")
    expect(page.locator("#legend li")).to_have_text(["0.6", "0.6", "0.6"])


def test_nobody_is_shut_out_and_nothing_is_wider_than_a_telephone(browser, address, expect) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")  # brings axe-core
    with opened(browser, address, said="9 rows", bypass_csp=True, viewport={"width": 400, "height": 800}) as page:
        page.keyboard.press("ArrowDown")
        expect(page.locator("#play")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert not axe(page)


def test_a_printed_page_holds_every_column_of_what_is_shown(page, subject, expect) -> None:
    page.select_option("#label", label="joy")
    expect(page.locator("#count")).to_have_text("4 of 9 rows")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 1000})
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    columns = page.evaluate("state.columns.map((column) => column.name)")
    assert page.locator("#printed th").all_text_contents() == ["mark", "should be", *columns]
    joyful = [id_ for id_, label in zip(subject.store.ids, subject.store.emotions, strict=True) if label == "joy"]
    assert page.locator("#printed tbody td:nth-child(3)").all_text_contents() == joyful
    assert page.locator("#grid").is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no column is cut"
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("#printed").inner_html() == ""
