"""Whether the native functionals and contours are openSMILE's, bit for bit: writes the tables of docs/compare_2016.md.

Run as part of ``make prove``, or as ``python benchmarks/compare_2016.py``; the recordings lie in
``../shared/corpora``.  ``SERPREP_BENCH_FILES=100`` takes fewer of them, evenly, and fewer short signals; the page
says how many.  Bits are compared, so that -0.0 is not 0.0.
"""

import os
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import opensmile

from serprep.audio.decode import decode, read_bytes
from serprep.features.compare_2016 import names
from serprep.features.compare_2016.blocks import functionals_of
from serprep.features.compare_2016.contours import contours_of, delta, smooth
from serprep.progress import Progress
from serprep.testing.signals import RATE, SIGNALS, generated_signal

ROOT = Path(__file__).resolve().parents[1]
CORPORA = ROOT.parent / "shared" / "corpora"
PAGE = ROOT / "docs" / "compare_2016.md"
FILES = int(os.environ.get("SERPREP_BENCH_FILES", "1440"))  # fewer are taken evenly
HEAD = "## What was measured?"
TOLERANCES = (1e-6, 1e-4, 1e-3)
SECONDS = (0.06, 0.1, 0.15, 0.21, 0.3, 0.5, 1, 3, 10, 30, 120)
SHORT = (960, 2400)  # samples, 60 to 150 ms
N_SHORT = min(40, FILES)  # of each kind
N_CUTS = min(500, FILES)  # of each corpus

FAMILIES = {
    "extremes": names.EXTREMES,
    "percentiles": names.PERCENTILES,
    "moments": names.MOMENTS,
    "means": ("amean", "flatness", "posamean", "rqmean", "nnz"),
    "times": names.TIMES,
    "segments": names.SEGMENTS,
    "regression": names.REGRESSION,
    "peaks": names.PEAKS,
    "LPC": names.LPC,
}
GROUPS = {
    "F0 and voicing": names.VOICE[:2],
    "jitter, shimmer, HNR": names.VOICE[2:],
    "energy and zero crossings": names.ENERGY,
    "RASTA bands": ("audSpec_Rfilt",),
    "spectral descriptors": ("pcm_fftMag",),
    "MFCC": ("mfcc",),
}


def columns(chosen: tuple[str, ...], *, functional: bool) -> np.ndarray:
    """Which of the 6373 belong to functionals, or contours, of these names."""
    if functional:
        return np.array([name.rsplit("_", 1)[1] in chosen for name in names.functional_names()])
    return np.array([name.startswith(chosen) for name in names.functional_names()])


class Compared(NamedTuple):
    """Functionals of both engines, shape (n, 6373), and how many values of contours there are and differ."""

    ours: np.ndarray
    theirs: np.ndarray
    n_contour_values: int
    n_contours_differ: int  # in any bit


@lru_cache(maxsize=3)
def _smile(level: str) -> opensmile.Smile:
    return opensmile.Smile(opensmile.FeatureSet.ComParE_2016, opensmile.FeatureLevel[level])


def by_package(level: str, signal: np.ndarray) -> np.ndarray:
    """What the package returns at a level of the set, float32."""
    return np.asarray(_smile(level).process_signal(signal.copy(), RATE).to_numpy(), np.float32)


def bits(values: np.ndarray) -> np.ndarray:
    """Single-precision values as integers."""
    return np.ascontiguousarray(values, np.float32).view(np.uint32)


def both(signals: Iterable[np.ndarray], n: int, what: str) -> Compared:
    """`n` signals by both engines: contours, deltas and functionals."""
    ours, theirs, n_values, n_differ = [], [], 0, 0
    with Progress(f"{what}, both engines", n, unit="signals") as progress:
        for signal in signals:
            made = contours_of(signal)
            ours.append(functionals_of(made))
            theirs.append(by_package("Functionals", signal)[0])
            n_short = made.spectrum.shape[1]
            spectral = smooth(made.spectrum, n_short, np.full(len(made.spectrum), n_short))
            plain = (made.voice, made.energy, spectral)
            deltas = (made.voice_delta, made.energy_delta, delta(spectral, n_short))
            for level, groups, more in (("LowLevelDescriptors", plain, 1), ("LowLevelDescriptors_Deltas", deltas, 3)):
                printed = np.concatenate([group[:, : made.n_frames + more] for group in groups]).T
                expected = by_package(level, signal)
                n_values += printed.size
                n_differ += np.count_nonzero(bits(printed) != bits(expected))
            progress.add()
    return Compared(np.stack(ours), np.stack(theirs), n_values, n_differ)


def recordings(name: str) -> list[Path]:
    """Recordings of a corpus, all or fewer."""
    paths = sorted((CORPORA / name).rglob("*.flac"))
    return paths[:: -(-len(paths) // FILES)]


def cuts(paths: list[Path], rng: np.random.Generator) -> Iterable[np.ndarray]:
    """Stretches of 60 to 200 ms anywhere in recordings."""
    for path in (paths[int(i)] for i in rng.integers(0, len(paths), N_CUTS)):
        signal = decode(read_bytes(path))
        n = int(rng.integers(960, 3200))
        start = int(rng.integers(0, len(signal) - n))
        yield signal[start : start + n]


def tones(rng: np.random.Generator) -> Iterable[np.ndarray]:
    """Of any frequency, level and phase, 60 ms to 1 s."""
    for _ in range(5 * N_SHORT):
        frequency, level = np.exp(rng.uniform(np.log((30, 1e-4)), np.log((7900, 0.99))))
        t = np.arange(int(rng.integers(960, RATE))) / RATE
        yield (level * np.sin(2 * np.pi * frequency * t + rng.uniform(0, 6))).astype(np.float32)


def near(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> np.ndarray:
    """Which values are within the relative tolerance, or 1e-6 of the feature's standard deviation."""
    allowed = np.maximum(tolerance * np.abs(theirs), 1e-6 * theirs.std(axis=0))
    return np.asarray(np.abs(ours.astype(float) - theirs) <= allowed)


def share(values: np.ndarray) -> str:
    """Per cent; 100 only if it is all of them."""
    return "100" if values.all() else f"{min(100 * values.mean(), 99.9999):.4f}"


def summary(compared: Compared, say: Callable[[str], None]) -> None:
    """How many values differ, and how."""
    ours, theirs = compared.ours, compared.theirs
    differ = bits(ours) != bits(theirs)
    say(f"\nOf {ours.size} functionals {differ.sum()} differ, in {differ.any(axis=1).sum()} signals, ")
    say(f"{(differ & (ours == theirs)).sum()} of them only in the sign of zero; ")
    say(f"of {compared.n_contour_values} values of contours and deltas {compared.n_contours_differ} differ. ")
    infinite = [np.count_nonzero(~np.isfinite(values)) for values in (ours, theirs)]
    say(f"Not finite: {infinite[0]} natively, {infinite[1]} there.\n")


def table(compared: Compared, say: Callable[[str], None]) -> None:
    """Shares by family and by group."""
    ours, theirs = compared.ours, compared.theirs
    say("| values | number | equal | " + " | ".join(f"within {t:g}" for t in TOLERANCES) + " |")
    say("| --- |" + " ---: |" * (2 + len(TOLERANCES)))
    sets = {"all": np.full(ours.shape[1], True)}
    sets |= {name: columns(chosen, functional=True) for name, chosen in FAMILIES.items()}
    sets |= {name: columns(chosen, functional=False) for name, chosen in GROUPS.items()}
    equal = bits(ours) == bits(theirs)
    within = [near(ours, theirs, tolerance) for tolerance in TOLERANCES]
    for name, chosen in sets.items():
        cells = [share(values[:, chosen]) for values in (equal, *within)]
        say(f"| {name} | {chosen.sum() * len(ours)} | " + " | ".join(cells) + " |")


def generated(say: Callable[[str], None]) -> None:
    """Signals of every kind and of 60 ms to 2 minutes, cuts of recordings, and tones."""
    say("### Generated signals, and cuts of recordings\n")
    say(f"Of each kind one signal of {', '.join(f'{seconds:g}' for seconds in SECONDS)} s each ")
    say(f"and {N_SHORT} of 60 to 150 ms; tones have any frequency, level and phase and take 60 ms to 1 s; ")
    say("cuts take 60 to 200 ms.\n")
    say("| signals | number | functionals | differ | contour values | differ | largest relative difference |")
    say("| --- |" + " ---: |" * 6)
    rng = np.random.default_rng(0)
    sets: dict[str, tuple[int, Iterable[np.ndarray]]] = {}
    for kind in SIGNALS:
        lengths = [*(int(RATE * seconds) for seconds in SECONDS), *rng.integers(*SHORT, N_SHORT).tolist()]
        sets[kind] = len(lengths), [generated_signal(kind, n, seed=seed) for seed, n in enumerate(lengths)]
    sets["tones of any frequency"] = 5 * N_SHORT, tones(rng)
    for name in ("emodb_first2s", "ravdess"):
        if (CORPORA / name).is_dir():
            sets[f"cuts of {name}"] = N_CUTS, cuts(recordings(name), rng)
    found = []
    for kind, (n, signals) in sets.items():
        compared = both(signals, n, kind)
        ours, theirs = compared.ours, compared.theirs
        same = bits(ours) == bits(theirs)  # also where both are not a number
        difference = np.abs(np.where(same, 0, ours.astype(float) - theirs))
        other = (theirs != 0) & ~same
        relative = np.divide(difference, np.abs(theirs), out=np.where(difference > 0, np.inf, 0.0), where=other)
        cells = (kind, n, ours.size, np.count_nonzero(~same))
        say("| " + " | ".join(map(str, (*cells, *compared[2:]))) + f" | {relative.max():.1g} |")
        found.append(compared)
    ours, theirs, *counts = zip(*found, strict=True)
    summary(Compared(np.concatenate(ours), np.concatenate(theirs), *map(sum, counts)), say)


def write_page() -> list[str]:
    """Measure, and write the last section of the page; returns its lines."""
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    used = ", ".join(f"{name} {version(name)}" for name in ("opensmile", "numba", "numpy"))
    say(f"Written by `make prove` (`python benchmarks/compare_2016.py`), with {used}, ")
    say(f"Python {sys.version.split()[0]}; shares are per cent, and equal means to the bit.\n")
    generated(say)
    for name, title in (("emodb_first2s", "EmoDB, first two seconds"), ("ravdess", "RAVDESS")):
        if not (CORPORA / name).is_dir():
            say(f"{title}: left out for want of recordings.\n")
            continue
        paths = recordings(name)
        say(f"### {title}, {len(paths)} recordings\n")
        compared = both((decode(read_bytes(path)) for path in paths), len(paths), name)
        table(compared, say)
        summary(compared, say)
    before = PAGE.read_text(encoding="utf-8").split(HEAD)[0]
    PAGE.write_text(before + HEAD + "\n\n" + "\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return lines


if __name__ == "__main__":
    write_page()
