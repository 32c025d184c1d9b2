"""What experiments gave, as people and programs are told it."""

import dataclasses
import shlex


def test_a_trained_system_says_how_to_predict_by_it_and_a_floor_has_nothing_to_say(outcome) -> None:
    spaced = dataclasses.replace(outcome, folder=outcome.folder / "a b; rm")
    assert outcome.predict_command("majority") == ""
    assert shlex.split(spaced.predict_command("plain-crnn"))[:3] == [
        "serprep",
        "predict",
        str(spaced.folder / "plain-crnn"),
    ]
    shared = shlex.split(spaced.predict_command("plain-crnn", shared=True))[2]
    assert shared == "/".join([*spaced.folder.parts[-3:], "plain-crnn"]) and not shared.startswith("/")


def test_a_notebook_shows_a_row_for_each_system_and_runs_nothing_of_it(outcome) -> None:
    row = dataclasses.replace(outcome.summary[0], system="<script>", ua=0.5, ua_interval=None)
    shown = dataclasses.replace(outcome, summary=[row, *outcome.summary[1:]])._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "UA 50.0 %" in shown
    assert all(row.system in shown for row in outcome.summary[1:])
