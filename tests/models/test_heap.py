"""Freed memory is kept for the next step, and given back afterwards."""

import platform
import resource
import subprocess
import sys

import pytest

PAGE = resource.getpagesize()
STEPS = """
import resource, sys
from contextlib import nullcontext
from serprep_models.heap import kept

def step():
    for n in (3, 60, 10):
        bytearray(n << 20)

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with kept():
    step()
    print(faults())
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another")
def test_the_second_step_takes_no_new_page() -> None:
    within, after = map(int, subprocess.check_output([sys.executable, "-c", STEPS], timeout=300).split())
    assert within < 100
    assert after >= (60 << 20) // PAGE
