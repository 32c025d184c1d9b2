import numba
import numpy as np
import pytest

from serprep.features.compare_2016 import compiled, objects


@pytest.fixture
def kept_function(tmp_path, monkeypatch):
    """A function whose machine code is kept, its file, and a function that makes it anew as a later process would."""
    monkeypatch.setattr(compiled, "folder_for", lambda source: tmp_path)

    def halves(x, scale):
        found = np.empty((2, len(x)), np.float32)
        total = 0.0
        for i in range(len(x)):
            found[0, i] = found[1, i] = x[i] / scale
            total += x[i]
        return found, total

    again = lambda: compiled.compiled(halves)  # noqa: E731
    again()(np.ones(3, np.float32), 2)
    return next(tmp_path.glob("*.native")), again


def test_code_from_disk_gives_the_same_without_being_compiled(kept_function, monkeypatch):
    _, again = kept_function
    monkeypatch.setattr(objects, "make", None)
    found, total = again()(np.arange(4, dtype=np.float32), 2)
    np.testing.assert_array_equal(found, [[0, 0.5, 1, 1.5]] * 2)
    assert total == 6
    row = found[1]
    del found  # the memory lives as long as what looks at it
    np.testing.assert_array_equal(row, [0, 0.5, 1, 1.5])


@pytest.mark.parametrize("damage", ["cut", "changed", "of others"])
def test_code_that_is_damaged_or_that_others_could_write_is_not_run(kept_function, damage):
    path, _ = kept_function
    kinds = (("f", 1, True), int)
    assert objects.load(path, kinds, owner=path)
    code = path.read_bytes()
    if damage == "cut":
        path.write_bytes(code[:-1])
    elif damage == "changed":
        path.write_bytes(code[:-1] + bytes([code[-1] ^ 1]))
    else:
        path.chmod(0o666)
    assert objects.load(path, kinds, owner=path) is None


def test_other_types_and_strides_have_their_own_code(kept_function):
    path, again = kept_function
    function = again()
    assert function(np.ones(6, np.float32)[::2], 2)[1] == 3  # left to numba
    assert function(np.ones(3, np.float64), 4.0)[1] == 3
    assert len(list(path.parent.glob("*.native"))) == 2


def test_what_is_of_another_type_is_not_taken_for_an_array(kept_function):
    """Machine code looks at what it is given; what it was not made for goes another way, or is refused."""
    function, halves = kept_function[1](), [0.5, 1, 1.5, 2]
    x = np.arange(1, 5, dtype=np.float32)
    for _ in range(2):
        assert function(x, 2)[0][1].tolist() == halves
        assert function(x.astype(np.float64), 2)[0][1].tolist() == halves
        assert function(x.astype(np.int32), 2)[0][1].tolist() == halves
        assert function(np.repeat(x, 2)[::2], 2)[0][1].tolist() == halves
        assert function(x, 2.0)[0][1].tolist() == halves
        for wrong in (None, 3, "text", object(), x.reshape(2, 2), np.float32(1)):
            with pytest.raises((TypeError, ValueError, numba.core.errors.NumbaError)):
                function(wrong, 2)
        with pytest.raises(TypeError):
            function(x)


def test_every_type_of_argument_arrives(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "folder_for", lambda source: tmp_path)

    @compiled.compiled
    def given(flag, weight, cube, whole, flags, factor):
        n_layers, n_rows, n_columns = cube.shape
        return flag, weight, cube[1, 2, 3] + n_layers + 10 * n_rows + 100 * n_columns, whole, flags[1], factor

    cube, flags = np.arange(24.0).reshape(2, 3, 4), np.array([False, True])
    assert given(True, np.float32(0.5), cube, 7, flags, 0.25) == (True, 0.5, 23 + 432, 7, True, 0.25)
    assert given(False, np.float32(1.5), cube, -7, ~flags, 2.5) == (False, 1.5, 23 + 432, -7, False, 2.5)
    assert len(list(tmp_path.iterdir())) == 1


def test_code_that_needs_more_than_the_c_library_is_left_to_numba(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "folder_for", lambda source: tmp_path)

    @compiled.compiled
    def flat(x):
        return x.ravel()[0]

    assert flat(np.ones((2, 2), np.float32)) == 1
    assert not list(tmp_path.iterdir())
