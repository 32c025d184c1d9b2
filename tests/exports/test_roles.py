import pytest

from serprep.errors import SplitError
from serprep.exports import roles
from serprep.exports.roles import Groups, fold_files, numbers_of
from serprep.exports.source import Source


def test_a_fold_is_a_list_of_files(shop, monkeypatch):
    source = Source(shop.store, shop.bound[3])
    numbers = numbers_of(source)
    for fold, files in fold_files(source, str):
        place = source.folds.index(fold)
        for role in ("train", "dev", "test"):
            held = {shop.store.ids[i] for i in range(6) if str(numbers[source.roles(i)]) in files[role]}
            assert held == set(shop.splits[3].ids(place, role))
    monkeypatch.setattr(roles, "MOST", 2)
    with pytest.raises(SplitError, match="3 different sequences of roles over its 3 folds"):
        numbers_of(source)


def test_groups_are_written_when_full_and_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(roles, "HELD", 10)
    written = []
    groups = Groups(lambda number, rows: written.append((number, rows)), full=6)
    for number, row, size in ((0, "a", 3), (0, "b", 3), (1, "c", 5), (2, "d", 4), (3, "e", 1)):
        groups.add(number, row, size)
    assert written == [(0, ["a", "b"]), (1, ["c"])]  # the largest of 5 + 4 + 1 bytes
    groups.add(2, "f", 1)
    groups.close()
    assert written == [(0, ["a", "b"]), (1, ["c"]), (2, ["d", "f"]), (3, ["e"])]
