"""Dask's configuration is the user's or nobody's, and as before afterwards; `tests/test_parallel.py` has clusters."""

import gc

import dask
import pytest

from serprep.isolation import isolated, uncollected


def test_a_user_s_configuration_is_not_there_inside_and_is_afterwards():
    with dask.config.set({"distributed.worker.lifetime.duration": "1 s", "mine.key": 3}):
        before = dict(dask.config.config)
        with isolated({"own.key": 2}):
            assert dask.config.get("own.key") == 2
            assert dask.config.get("mine.key", None) is None
            assert dask.config.get("distributed.worker.lifetime.duration") is None  # its default
        assert dict(dask.config.config) == before


def test_it_is_as_before_after_an_error():
    before = dict(dask.config.config)
    with pytest.raises(OSError, match="no cluster"), isolated({"own.key": 2}):
        raise OSError("no cluster")
    assert dict(dask.config.config) == before


@pytest.mark.parametrize("was_on", [True, False])
def test_no_garbage_is_collected_meanwhile(was_on):
    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        with uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() == was_on
    finally:
        (gc.enable if before else gc.disable)()


def test_nothing_is_collected_until_the_last_who_asked_for_it_is_done():
    import gc

    with uncollected():
        first = uncollected()
        with first:
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
