"""Whether the native eGeMAPS contours and functionals are openSMILE's, bit for bit, and how fast they are.

Run as ``python benchmarks/egemaps.py``; prints what docs/egemaps.md says.  The recordings lie in
``../shared/corpora``; ``SERPREP_BENCH_FILES=100`` takes fewer of them, evenly.
"""

import sys
from collections.abc import Iterable
from functools import lru_cache
from statistics import median

import numpy as np
import opensmile
from compare_2016 import CORPORA, N_CUTS, N_SHORT, SECONDS, SHORT, bits, cuts, recordings, tones
from native import seconds

from serprep.audio.decode import decode, read_bytes
from serprep.features import egemaps_v02
from serprep.progress import Progress
from serprep.testing.signals import RATE, SIGNALS, generated_signal


@lru_cache(maxsize=2)
def _smile(level: str) -> opensmile.Smile:
    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel[level])


def by_package(level: str, signal: np.ndarray) -> np.ndarray:
    """What the package returns at a level of the set, float32."""
    return np.asarray(_smile(level).process_signal(signal.copy(), RATE).to_numpy(), np.float32)


def compare(signals: Iterable[np.ndarray], n: int, what: str) -> None:
    """Print how many values there are and differ."""
    totals = np.zeros(4, int)
    with Progress(f"{what}, both engines", n, unit="signals") as progress:
        for signal in signals:
            pairs = (
                (egemaps_v02.functionals(signal), by_package("Functionals", signal)[0]),
                (egemaps_v02.contours(signal), by_package("LowLevelDescriptors", signal)),
            )
            totals += [value for a, b in pairs for value in (a.size, np.count_nonzero(bits(a) != bits(b)))]
            progress.add()
    print(f"| {what} | {n} | " + " | ".join(map(str, totals)) + " |", flush=True)


def generated(kind: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Signals of a kind: of every length, and short ones."""
    lengths = [*(int(RATE * seconds) for seconds in SECONDS), *rng.integers(*SHORT, N_SHORT).tolist()]
    return [generated_signal(kind, n, seed=seed) for seed, n in enumerate(lengths)]


def against_the_package() -> None:
    """Print milliseconds of both, and the median of the paired ratios."""
    for duration in (0.3, 1, 3, 10, 30):
        signal = generated_signal("cut speech", int(RATE * duration))
        egemaps_v02.functionals(signal)
        ours, theirs = [], []
        for _ in range(5 if duration >= 10 else 15):
            ours.append(seconds(lambda: egemaps_v02.functionals(signal)))  # noqa: B023 - called at once
            theirs.append(seconds(lambda: by_package("Functionals", signal)))  # noqa: B023
        ratio = median(b / a for a, b in zip(ours, theirs, strict=True))
        print(f"| {duration} | {1000 * median(ours):.1f} | {1000 * median(theirs):.0f} | {ratio:.1f} |")


def main() -> None:
    """All comparisons; ``speed`` as the only argument leaves them out."""
    if sys.argv[1:] != ["speed"]:
        rng = np.random.default_rng(0)
        print("| signals | number | functionals | differ | contour values | differ |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for kind in SIGNALS:
            signals = generated(kind, rng)
            compare(signals, len(signals), kind)
        compare(tones(rng), 5 * N_SHORT, "tones of any frequency")
        for name in ("emodb_first2s", "ravdess"):
            if (CORPORA / name).is_dir():
                paths = recordings(name)
                compare(cuts(paths, rng), N_CUTS, f"cuts of {name}")
                compare((decode(read_bytes(path)) for path in paths), len(paths), name)
    against_the_package()


if __name__ == "__main__":
    main()
