"""From a wrong label that is seen in the browser, and marked there by key, to a version that has the right one."""

from dataclasses import replace

import numpy as np
import soundfile

from helpers.builds import noise, recipe, table
from helpers.eyes import opened, served
from helpers.inline import Inline
from serprep.browse.subject import Subject
from serprep.dataset.diff import diff
from serprep.pipeline.build import build
from serprep.store.store import open_store


def test_a_planted_wrong_label_is_found_marked_and_mended(browser, tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    rows = [(f"{label}{number}.wav", label, f"s{number}") for label in ("angry", "sad") for number in range(2)]
    for number, (path, *_) in enumerate(rows):
        soundfile.write(root / path, noise(0.3, 16_000, seed=number), 16_000)
    wrong = rows[0][0].removesuffix(".wav")
    table(root / "t.csv", [(rows[0][0], "sad", "s0"), *rows[1:]], ["path", "emotion", "speaker"])
    asked = recipe(root, tmp_path / "stores", folder=tmp_path, reader="table", file="t.csv")
    before = open_store(build(asked, pool=Inline()).store)

    # a system that hears what is there, and is least sure of it where the label says otherwise
    truth = dict(zip([path.removesuffix(".wav") for path, *_ in rows], [label for _, label, _ in rows], strict=True))
    chances = np.array([[0.9, 0.1] if truth[id_] == "angry" else [0.1, 0.9] for id_ in before.ids])
    assert before.labels == ("angry", "sad")
    with (
        served(Subject(store=before, probabilities={"svm": chances})) as address,
        opened(browser, address, said="4 rows") as page,
    ):
        from playwright.sync_api import expect

        rows, title = page.locator(".tabulator-cell[tabulator-field=c0]"), page.locator("#detail h2")
        page.check("#wrong")
        expect(rows).to_have_text([wrong])
        page.keyboard.press("ArrowDown")
        expect(title).to_have_text(wrong)
        page.keyboard.press("2")
        page.select_option("#should", label="angry")
        page.click("#filters [type=reset]")
        expect(rows).to_have_count(4)
        other = next(id_ for id_ in before.ids if id_ != wrong)
        rows.get_by_text(other, exact=True).click()
        expect(title).to_have_text(other)
        page.keyboard.press("9")
        with page.expect_download() as download:
            page.click("#save")
        download.value.save_as(tmp_path / "marks.csv")

    marked = replace(asked, corpus=replace(asked.corpus, marks="marks.csv"))
    built = build(marked, pool=Inline())
    assert built.computed == 0 and built.dropped == {"marked to be left out": 1}
    assert "marks.csv: 1 label corrected" in built.warnings
    changed = diff(before.path, built.store)
    assert dict(changed.label_changes) == {wrong: ("sad", "angry")}
    assert changed.removed == (other,)
