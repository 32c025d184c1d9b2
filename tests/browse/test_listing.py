import json

from serprep.browse.listing import about, listing


def columns(subject, **options):
    """Name → values, words put in."""
    return {
        column["name"]: [
            column["words"][value] if "words" in column and value is not None else value for value in column["values"]
        ]
        for column in listing(subject, **options)
    }


def test_every_utterance_is_a_row_and_the_quarantined_come_last(subject):
    shown, store = columns(subject), subject.store
    assert shown["id"] == [*store.ids, "bad"]
    assert shown["emotion"] == [*store.emotions, None]
    assert shown["speaker"][:-1] == store.speakers
    assert shown["duration"] == [0.6] * len(store) + [None]
    assert shown["quarantined"][:-1] == [None] * len(store)
    assert shown["quarantined"][-1] == subject.quarantined[0].reason
    assert {len(values) for values in shown.values()} == {len(subject)}
    assert "path" not in shown and "audio_digest" not in shown


def test_predictions_are_the_likeliest_labels(subject):
    shown, labels = columns(subject), subject.store.labels
    assert shown["svm says"] == [labels[0], labels[1], labels[0], *[None] * 6]
    assert shown["svm is sure"] == [0.9, 0.8, 0.5, *[None] * 6]


def test_levels_and_doubts_are_told_where_they_are_known(subject):
    shown, n = columns(subject), len(subject.store)
    assert shown["quality"] == ["well", "well", "clipped", None, *["well"] * (n - 4), None]
    assert shown["level, dB"] == [-20.0, -20.0, -20.0, None, *[-20.0] * (n - 4), None]
    assert shown["margin"] == [0.8, -0.6, *[None] * (n - 1)]


def test_what_the_page_filters_by_has_its_role(subject):
    roles = {column["role"]: column["name"] for column in listing(subject)}
    assert roles == {
        "id": "id",
        "label": "emotion",
        "predicted": "svm says",
        "certainty": "svm is sure",
        "speaker": "speaker",
        "side": "split",
        "margin": "margin",
        "duration": "duration",
        "quality": "quality",
        "quarantined": "quarantined",
        "": list(columns(subject))[-1],
    }


def test_what_is_said_once_is_plain_json(subject):
    said = json.loads(json.dumps(about(subject), allow_nan=False))
    assert said["n"] == len(subject.store) and said["maps"][0] == ["imported", "PCA"] and said["audio"] is True
    assert len(said["words"]) == 9 and said["leave_out"] in said["words"]


def test_the_first_rows_are_those_of_the_whole_table_in_the_same_columns(subject):
    first, whole = columns(subject, most=3), columns(subject)
    assert list(first) == list(whole)
    assert first == {name: values[:3] for name, values in whole.items()}
