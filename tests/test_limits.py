"""What a machine refuses becomes one line with the limit and the remedy."""

import errno
import resource

import pytest

from serprep.limits import refusal


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        ("OSError: [Errno 24] Too many open files", "ulimit -n"),
        (MemoryError(), "out of memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory"),
        (RuntimeError("can't start new thread"), "no further process or thread"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "no further process or thread"),
        (OSError(errno.ENOSPC, "No space left on device"), "make room"),
    ],
)
def test_limits_are_recognised_also_behind_other_errors(error, says):
    assert says in refusal(error)
    assert "\n" not in refusal(error)
    if isinstance(error, BaseException):
        try:
            try:
                raise error
            except BaseException as cause:
                raise ValueError("the cluster did not start") from cause
        except ValueError as outer:
            assert refusal(outer) == refusal(error)


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.EACCES, "Permission denied"), KeyError("memory"), ""])
def test_other_errors_are_left_alone(error):
    assert refusal(error) == ""


def test_the_limit_is_named(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (32, 32))
    assert "the limit is 32 (ulimit -n)" in refusal(OSError(errno.EMFILE, "Too many open files"))
