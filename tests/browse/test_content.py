from serprep.browse.content import Content


def test_what_was_computed_is_kept(subject, monkeypatch):
    content = Content(subject)
    first = content.map(0)
    monkeypatch.setattr("serprep.browse.content.places_of", None)
    assert content.map(0) is first and content.rows is content.rows
    assert content.map(9) is None and content.utterance(len(subject)) is None


def test_names_of_a_corpus_are_text_in_the_data(subject):
    ids = [Content(subject).utterance(number) for number in range(2)]
    assert all(line.isascii() and b"\x1b" not in line for line in ids)
