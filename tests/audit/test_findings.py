"""What folds add up to."""

from serprep.audit.findings import Finding, summarise


def finding(fold, *things, kind="speaker", n=0, scored=0):
    return Finding(kind=kind, severity="leak", fold=fold, things=things, n_things=9, n_utterances=n, n_scored=scored)


def test_things_count_once_and_utterances_add_up():
    found = [
        finding("1", "a", "b", n=3, scored=4),
        finding("2", "b", "c", n=5, scored=6),
        finding("1", "x", kind="bytes"),
    ]
    speakers, equal = summarise(found, 10)
    assert (speakers["count"], speakers["of"], speakers["n_folds"]) == (3, 9, 2)
    assert (speakers["n_utterances"], speakers["n_scored"]) == (8, 10)
    assert speakers["examples"] == ["a", "b", "c"]
    assert (equal["kind"], equal["count"], equal["n_scored"]) == ("bytes", 1, 0)


def test_examples_are_the_first_five():
    one = finding("1", *"abcdefg")
    assert (one.count, one.examples) == (7, tuple("abcde"))
