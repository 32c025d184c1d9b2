"""From a wrong label that is seen in the table to a version that has the right one."""

from dataclasses import replace

import numpy as np
import soundfile

from helpers.builds import noise, recipe, table
from helpers.inline import Inline
from serprep.browse.listing import listing
from serprep.browse.subject import Subject
from serprep.dataset.diff import diff
from serprep.manifest.marks import COLUMNS, LEAVE_OUT
from serprep.pipeline.build import build
from serprep.store.store import open_store


def test_a_planted_wrong_label_is_found_marked_and_mended(tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    rows = [(f"{label}{number}.wav", label, f"s{number}") for label in ("angry", "sad") for number in range(2)]
    for number, (path, *_) in enumerate(rows):
        soundfile.write(root / path, noise(0.3, 16_000, seed=number), 16_000)
    planted = rows[0][0]
    table(root / "t.csv", [(planted, "sad", "s0"), *rows[1:]], ["path", "emotion", "speaker"])
    asked = recipe(root, tmp_path / "stores", folder=tmp_path, reader="table", file="t.csv")
    before = open_store(build(asked, pool=Inline()).store)

    # a system that hears what is there, and is least sure of it where the label says otherwise
    truth = dict(zip([path.removesuffix(".wav") for path, *_ in rows], [label for _, label, _ in rows], strict=True))
    chances = np.array([[0.9, 0.1] if truth[id_] == "angry" else [0.1, 0.9] for id_ in before.ids])
    assert before.labels == ("angry", "sad")
    columns = {
        column["name"]: [column["words"][value] for value in column["values"]]
        if "words" in column
        else column["values"]
        for column in listing(Subject(store=before, probabilities={"svm": chances}))
    }
    wrong = [
        id_
        for id_, label, said in zip(columns["id"], columns["emotion"], columns["svm says"], strict=True)
        if label != said
    ]
    assert wrong == [planted.removesuffix(".wav")]

    other = next(id_ for id_ in before.ids if id_ not in wrong)
    table(tmp_path / "marks.csv", [(wrong[0], "another emotion", "angry"), (other, LEAVE_OUT, "")], COLUMNS)
    marked = replace(asked, corpus=replace(asked.corpus, marks="marks.csv"))
    built = build(marked, pool=Inline())
    assert built.computed == 0 and built.dropped == {"marked to be left out": 1}
    assert "marks.csv: 1 label corrected" in built.warnings
    changed = diff(before.path, built.store)
    assert dict(changed.label_changes) == {wrong[0]: ("sad", "angry")}
    assert changed.removed == (other,)
