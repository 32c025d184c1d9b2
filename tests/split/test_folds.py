import itertools
from collections import Counter

import numpy as np
import pytest

from serprep.errors import SplitError
from serprep.split.folds import TOLERANCE, count_groups, divide, group_roles, partition_roles, set_apart

CLASSES = ("angry", "happy", "neutral", "sad")


def even(n_groups, *, n_each=6, gender=lambda number: "female" if number % 2 else "male"):
    """Groups that all hold each class equally often, as in acted corpora."""
    rows = [
        (f"s{number:03}", emotion, gender(number))
        for number in range(n_groups)
        for emotion in CLASSES
        for _ in range(n_each)
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def uneven(n_groups, seed, *, n_each=20, spread=0.6):
    """Groups of different sizes that prefer one class."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"s{number:03}", CLASSES[i], "female" if number % 2 else "male")
        for number in range(n_groups)
        for i in rng.choice(4, size=int(n_each * rng.uniform(0.5, 1.5)), p=rng.dirichlet([spread] * 4))
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def parted(columns, n_parts, seed=0):
    groups = count_groups(*columns)
    return dict(zip(groups.names, divide(groups, n_parts, seed=seed), strict=True))


def held(columns, part_of):
    """Utterances per part and class, counted row by row."""
    return Counter((part_of[group], emotion) for group, emotion in zip(*columns[:2], strict=True))


def test_groups_are_counted_by_hand():
    groups = count_groups(["b", "a", "b", "a"], ["sad", "", "sad", "angry"], ["male", "", "female", ""])
    assert groups.names == ("a", "b")
    assert groups.classes == ("angry", "sad")
    assert groups.counts.tolist() == [[1, 0], [0, 2]]
    assert groups.genders == ("", "female+male")
    assert count_groups(["a", "a"], ["", ""], ["", ""]).counts.tolist() == [[2]]


# -- parts are alike -----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n_groups", "n_parts"), [(24, 6), (24, 5), (91, 5), (7, 7), (10, 2), (13, 4)])
def test_parts_have_equally_many_groups_and_of_each_gender(n_groups, n_parts, seed):
    columns = even(n_groups, gender=lambda number: "female" if number % 3 else "male")
    gender = dict(zip(columns[0], columns[2], strict=True))
    part_of = parted(columns, n_parts, seed)
    for kinds in ({"female", "male"}, {"female"}, {"male"}):
        sizes = Counter(part for group, part in part_of.items() if gender[group] in kinds)
        counts = [sizes[part] for part in range(n_parts)]
        assert max(counts) - min(counts) <= 1


def test_ravdess_in_six_folds_has_two_men_and_two_women_each():
    columns = even(24)
    for seed in range(20):
        part_of = parted(columns, 6, seed)
        assert Counter((part, int(group[1:]) % 2) for group, part in part_of.items()) == {
            (part, odd): 2 for part in range(6) for odd in (0, 1)
        }


@pytest.mark.parametrize("seed", range(20))
def test_parts_of_many_groups_hold_each_class_within_the_tolerance(seed):
    columns = uneven(90, seed)
    counts, total = held(columns, parted(columns, 5, seed)), Counter(columns[1])
    for part, emotion in itertools.product(range(5), CLASSES):
        share = total[emotion] / 5
        assert abs(counts[part, emotion] - share) <= max(1, TOLERANCE * share)


def chances(columns, n_parts):
    """Every way to deal the groups in parts of equal size, for the slow reference."""
    groups = sorted(set(columns[0]))
    seats = sorted(i % n_parts for i in range(len(groups)))
    return [dict(zip(groups, order, strict=True)) for order in set(itertools.permutations(seats))]


@pytest.mark.parametrize("seed", range(8))
def test_no_part_misses_a_class_that_some_dealing_gives_it(seed):
    rng = np.random.default_rng(seed)
    rows = [(f"s{i}", emotion, "") for i in range(8) for emotion in CLASSES[:2] for _ in range(5)]
    rows += [(f"s{i}", "sad", "") for i in rng.permutation(8)[:2]]  # a class that two groups have
    columns = [list(column) for column in zip(*rows, strict=True)]

    def missing(part_of):
        counts = held(columns, part_of)
        return sum(not counts[part, emotion] for part in range(2) for emotion in (*CLASSES[:2], "sad"))

    assert min(map(missing, chances(columns, 2))) == 0
    assert missing(parted(columns, 2, seed)) == 0


# -- parts are stable ----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_order_and_unlabelled_utterances_mean_nothing(seed):
    columns = uneven(12, seed)
    before = parted(columns, 4, seed)
    order = np.random.default_rng(seed).permutation(len(columns[0]))
    assert parted([[column[i] for i in order] for column in columns], 4, seed) == before
    more = [columns[0] + ["s003"] * 50, columns[1] + [""] * 50, columns[2] + [""] * 50]
    assert parted(more, 4, seed) == before


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n_groups", "n_parts"), [(24, 6), (91, 5)])
def test_utterances_of_known_groups_come_and_go_and_nobody_moves(n_groups, n_parts, seed):
    columns = even(n_groups)
    before = parted(columns, n_parts, seed)
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(rng.random(len(columns[0])) < 0.9)
    assert parted([[column[i] for i in kept] for column in columns], n_parts, seed) == before
    one = f"s{rng.integers(n_groups):03}"
    more = [columns[0] + [one] * 4, columns[1] + list(CLASSES), columns[2] + [""] * 4]
    assert parted(more, n_parts, seed) == before
    fewer = [i for i, emotion in enumerate(columns[1]) if emotion != "sad"]  # what a recipe does
    assert parted([[column[i] for i in fewer] for column in columns], n_parts, seed) == before


@pytest.mark.parametrize(("n_groups", "n_parts"), [(24, 6), (91, 5)])
def test_a_new_group_moves_fewer_than_one_group_per_part(n_groups, n_parts):
    columns = even(n_groups)
    n_moved = []
    for seed in range(30):
        before = parted(columns, n_parts, seed)
        more = [
            column + new for column, new in zip(columns, (["new"] * 24, [*CLASSES] * 6, ["male"] * 24), strict=True)
        ]
        after = parted(more, n_parts, seed)
        n_moved.append(sum(before[group] != after[group] for group in before))
    assert np.mean(n_moved) < n_parts  # a reshuffle moves n_groups * (1 - 1 / n_parts)


def test_where_parts_are_unlike_fewer_groups_move_than_by_a_reshuffle():
    moved = []
    for seed in range(20):
        columns = uneven(40, seed)
        before = parted(columns, 5, seed)
        more = [columns[0] + ["s007"] * 4, columns[1] + ["sad"] * 4, columns[2] + ["female"] * 4]
        after = parted(more, 5, seed)
        moved.append(np.mean([before[group] != after[group] for group in before]))
    assert np.mean(moved) < 0.1  # a reshuffle moves 0.8


def test_the_seed_decides():
    columns = even(24)
    assert len({tuple(parted(columns, 6, seed).values()) for seed in range(10)}) == 10


# -- development groups --------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_development_groups_are_of_both_genders(seed):
    groups = count_groups(*even(23))
    for n_apart in (2, 4, 10):
        apart = set_apart(groups, n_apart, seed=seed, fold="1")
        chosen = Counter(gender for gender, dev in zip(groups.genders, apart, strict=True) if dev)
        assert chosen.total() == n_apart
        assert abs(chosen["male"] - n_apart * 12 / 23) < 1


@pytest.mark.parametrize("seed", range(10))
def test_development_groups_hold_every_class_where_they_can_and_training_keeps_it(seed):
    rng = np.random.default_rng(seed)
    rows = [(f"s{i}", emotion, "") for i in range(10) for emotion in CLASSES[:2] for _ in range(5)]
    rows += [(f"s{i}", "sad", "") for i in rng.permutation(10)[:2]]
    groups = count_groups(*(list(column) for column in zip(*rows, strict=True)))
    apart = np.array(set_apart(groups, 1, seed=seed, fold="x"))
    assert apart.sum() == 1
    assert (groups.counts[apart].sum(axis=0) > 0).all()
    assert (groups.counts[~apart].sum(axis=0) > 0).all()


@pytest.mark.parametrize("n_utterances", [1, 9])
def test_a_class_of_one_group_stays_in_training(n_utterances):
    rows = [(f"s{i}", emotion, "") for i in range(6) for emotion in CLASSES[:2] for _ in range(5)]
    rows += [("s3", "sad", "")] * n_utterances
    groups = count_groups(*(list(column) for column in zip(*rows, strict=True)))
    for seed in range(20):
        assert not set_apart(groups, 2, seed=seed, fold="x")[3]


def test_another_fold_has_its_own_development_groups_and_a_new_group_displaces_one_at_most():
    columns = even(24, gender=lambda number: "")
    groups = count_groups(*columns)
    chosen = [tuple(set_apart(groups, 3, seed=0, fold=str(fold))) for fold in range(10)]
    assert len(set(chosen)) > 5
    more = count_groups(*(column + new * 24 for column, new in zip(columns, (["t"], ["sad"], [""]), strict=True)))
    for fold in range(10):
        after = set_apart(more, 3, seed=0, fold=str(fold))
        kept = [before and now for before, now in zip(chosen[fold], after, strict=False)]
        assert sum(kept) >= 2


# -- roles ---------------------------------------------------------------------------


def test_a_class_in_one_group_only_is_refused_by_name():
    columns = even(6)
    pairs = zip(columns[0], columns[1], strict=True)
    columns[1] = ["fear" if pair == ("s002", "sad") else pair[1] for pair in pairs]
    with pytest.raises(SplitError, match=r"emotion 'fear' occurs in one speaker only, 's002' \(6 utterances\), so it"):
        group_roles(count_groups(*columns), column="speaker", n_folds=3, n_dev=0, seed=0)


@pytest.mark.parametrize("n_folds", [None, 3])
def test_development_groups_lie_inside_the_training_side(n_folds):
    groups = count_groups(*even(9))
    folds, roles = group_roles(groups, column="speaker", n_folds=n_folds, n_dev=2, seed=4)
    plain = group_roles(groups, column="speaker", n_folds=n_folds, n_dev=0, seed=4)[1]
    assert len(folds) == (n_folds or 9)
    for with_dev, without in zip(roles, plain, strict=True):
        assert Counter(with_dev.values())["dev"] == 2
        assert all(without[name] == role.replace("dev", "train") for name, role in with_dev.items())


PODCAST = ["Train"] * 3 + ["Development"] + ["Test1"] * 2 + ["Test2"] + ["Test3", ""]


@pytest.mark.parametrize("test", ["test1", "Test2", "TEST3"])
def test_one_of_several_test_sets_is_chosen_and_the_others_are_left_out(test):
    roles = partition_roles(PODCAST, column="partition", test=test)
    assert roles[:4] == ["train", "train", "train", "dev"]
    assert roles[4:] == ["test" if value.lower() == test.lower() else "" for value in PODCAST[4:]]


def test_any_value_may_be_the_test_set():
    assert partition_roles(["train", "held-out", "test"], column="c", test="held-out") == ["train", "test", ""]


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("", "column 'c' holds 3 test sets, Test1, Test2, Test3; choose one, such as test = 'Test1'"),
        ("test4", "column 'c' has no value 'test4' to test; it holds Development, Test1, Test2, Test3, Train"),
        ("train", r"gives \['dev', 'test'\]; expected train"),
    ],
)
def test_which_test_set_must_be_clear(test, message):
    with pytest.raises(SplitError, match=message):
        partition_roles(PODCAST, column="c", test=test)
