def test_the_quarantined_are_counted_too(subject):
    assert len(subject) == len(subject.store) + 1
