from itertools import chain
from threading import Event

import pytest

from serprep.meanwhile import meanwhile


def test_it_is_done_again_and_again_until_the_block_ends():
    done = [Event() for _ in range(3)]
    times = chain(done, iter(Event, None))
    with meanwhile(lambda: next(times).set(), every=0.0):
        assert all(event.wait(300) for event in done)
    following = next(times)
    assert not following.is_set()  # and not once more


def test_an_error_in_the_block_ends_it_too():
    called = Event()
    with pytest.raises(KeyError, match="gone"), meanwhile(called.set, every=0.0):
        assert called.wait(300)
        raise KeyError("gone")
