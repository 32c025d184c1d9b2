"""How close the native functionals come to openSMILE's: writes the tables of docs/compare_2016.md.

Run as part of ``make prove``, or as ``python benchmarks/compare_2016.py``; the recordings lie in
``../shared/corpora``.  ``SERPREP_BENCH_FILES=100`` takes fewer of them, evenly; the page says how many.
"""

import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from serprep.audio.decode import decode, read_bytes
from serprep.features import compare_2016
from serprep.features.compare_2016 import names
from serprep.features.functionals import by_package
from serprep.progress import Progress
from serprep.testing.signals import SIGNALS, generated_signal

ROOT = Path(__file__).resolve().parents[1]
CORPORA = ROOT.parent / "shared" / "corpora"
PAGE = ROOT / "docs" / "compare_2016.md"
FILES = int(os.environ.get("SERPREP_BENCH_FILES", "1440"))  # fewer are taken evenly
HEAD = "## What was measured?"
TOLERANCES = (1e-6, 1e-4, 1e-3)
SECONDS = (0.06, 0.1, 0.15, 0.21, 0.3, 0.5, 1, 3, 10, 30, 120)

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


def both(signals: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Functionals natively and by the package, shape (n, 6373) each."""
    ours = np.stack([compare_2016.functionals(signal) for signal in signals])
    theirs = np.stack([by_package(signal, 16_000)[0] for signal in signals])
    return ours, theirs.astype(np.float32)


def recordings(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Functionals of a corpus, decoded and resampled as a build does it."""
    paths = sorted((CORPORA / name).rglob("*.flac"))
    paths = paths[:: -(-len(paths) // FILES)]
    rows = []
    with Progress(f"{name}, both engines", len(paths), unit="files") as progress:
        for path in paths:
            rows.append(both([decode(read_bytes(path))]))
            progress.add()
    ours, theirs = (np.concatenate(blocks) for blocks in zip(*rows, strict=True))
    return ours, theirs


def near(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> np.ndarray:
    """Which values are within the relative tolerance, or 1e-6 of the feature's standard deviation."""
    allowed = np.maximum(tolerance * np.abs(theirs), 1e-6 * theirs.std(axis=0))
    return np.asarray(np.abs(ours.astype(float) - theirs) <= allowed)


def share(values: np.ndarray) -> str:
    """Per cent; 100 only if it is all of them."""
    return "100" if values.all() else f"{min(100 * values.mean(), 99.9999):.4f}"


def table(ours: np.ndarray, theirs: np.ndarray, say: Callable[[str], None]) -> None:
    """Shares by family and by group."""
    say("| values | number | equal | " + " | ".join(f"within {t:g}" for t in TOLERANCES) + " |")
    say("| --- |" + " ---: |" * (2 + len(TOLERANCES)))
    sets = {"all": np.full(ours.shape[1], True)}
    sets |= {name: columns(chosen, functional=True) for name, chosen in FAMILIES.items()}
    sets |= {name: columns(chosen, functional=False) for name, chosen in GROUPS.items()}
    equal = ours == theirs
    within = [near(ours, theirs, tolerance) for tolerance in TOLERANCES]
    for name, chosen in sets.items():
        cells = [share(values[:, chosen]) for values in (equal, *within)]
        say(f"| {name} | {chosen.sum() * len(ours)} | " + " | ".join(cells) + " |")
    worst = within[-1].mean(axis=1).min()
    differing = ~equal
    say(f"\nOf {ours.size} values {differing.sum()} differ, in {differing.any(axis=1).sum()} files; ")
    say(f"the file with the least share within 1e-3 has {100 * worst:.4f} %; ")
    say(f"NaN or infinite: {int((~np.isfinite(ours)).sum())}.\n")


def generated(say: Callable[[str], None]) -> None:
    """Signals of every kind and of 60 ms to 2 minutes."""
    say("### Generated signals, 60 ms to 2 minutes\n")
    say("| signal | values | equal | within 1e-3 | largest relative difference | NaN or infinite |")
    say("| --- |" + " ---: |" * 5)
    for kind in SIGNALS:
        signals = [generated_signal(kind, int(16_000 * seconds), seed=i) for i, seconds in enumerate(SECONDS)]
        ours, theirs = both(signals)
        difference = np.abs(ours.astype(float) - theirs)
        relative = np.divide(difference, np.abs(theirs), out=np.where(difference > 0, np.inf, 0.0), where=theirs != 0)
        equal = ours == theirs
        cells = (kind, ours.size, share(equal), share(relative <= 1e-3), f"{relative.max():.1g}")
        say("| " + " | ".join(map(str, cells)) + f" | {int((~np.isfinite(ours)).sum())} |")
    say("")


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
        ours, theirs = recordings(name)
        say(f"### {title}, {len(ours)} recordings\n")
        table(ours, theirs, say)
    before = PAGE.read_text(encoding="utf-8").split(HEAD)[0]
    PAGE.write_text(before + HEAD + "\n\n" + "\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return lines


if __name__ == "__main__":
    write_page()
