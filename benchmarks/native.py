"""The native functionals against the ``opensmile`` package: one thread, paired; then two threads.

Run as ``python benchmarks/native.py``, or as part of ``make bench``.  Speech is synthetic.  Medians of
``SERPREP_BENCH_ROUNDS`` (5, or more for short signals).
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from serprep.features import compare_2016
from serprep.features.functionals import by_package
from serprep.testing.signals import generated_signal

ROUNDS = int(os.environ.get("SERPREP_BENCH_ROUNDS", "5"))


def seconds(run: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def against_the_package() -> list[tuple[object, ...]]:
    """Seconds of audio, ms natively, ms by the package, median of the paired ratios."""
    rows = []
    for duration in (0.3, 1, 2, 3, 5, 10, 30):
        signal = generated_signal("cut speech", int(16_000 * duration))
        compare_2016.functionals(signal)
        ours, theirs = [], []
        for _ in range(max(ROUNDS, 5 if duration >= 10 else 15)):
            ours.append(seconds(lambda: compare_2016.functionals(signal)))  # noqa: B023 - called at once
            theirs.append(seconds(lambda: by_package(signal, 16_000)))  # noqa: B023
        ratio = median(b / a for a, b in zip(ours, theirs, strict=True))
        rows.append((duration, 1000 * median(ours), 1000 * median(theirs), ratio))
    return rows


def threads() -> float:
    """How many times faster two threads are than one."""
    signals = [generated_signal("cut speech", 48_000, seed=seed) for seed in range(8)] * 5
    ratios = []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            single = seconds(lambda: [compare_2016.functionals(signal) for signal in signals])
            double = seconds(lambda: list(pool.map(compare_2016.functionals, signals)))
            ratios.append(single / double)
    return median(ratios)


def first_call() -> float:
    """Seconds of import and first call in a fresh process whose compiled code is on disk."""
    code = (
        "import time; import numpy as np; t = time.perf_counter(); from serprep.features import compare_2016; "
        "compare_2016.functionals(np.zeros(16_000, np.float32)); print(time.perf_counter() - t)"
    )
    compare_2016.prepare()
    run = [sys.executable, "-c", code]
    return median(float(subprocess.run(run, capture_output=True, check=True, text=True).stdout) for _ in range(5))


if __name__ == "__main__":
    print(f"first call of a process: {first_call():.2f} s")
    for duration, ours, theirs, ratio in against_the_package():
        print(f"{duration:5} s: native {ours:7.2f} ms, package {theirs:7.1f} ms, ratio {ratio:.1f}")
    print(f"two threads: {threads():.2f} times one")
