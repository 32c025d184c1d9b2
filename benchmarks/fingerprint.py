"""How often the audit's fingerprint misses a copy, and how often it takes two recordings for one.

Run as ``python benchmarks/fingerprint.py [FOLDER [N]]``; ``make prove`` runs it too.
N recordings (240) are drawn, and eight kinds of copies are made of each; all recordings
of the folder and all copies are then compared each with each, as an audit does.  A copy
that is not matched with its original is a miss; a match of two different recordings,
copies or not, is a false alarm.  RAVDESS, where the threshold was chosen, is hard: 24
actors say two sentences in many ways, each twice.  EmoDB was not looked at for it.
"""

import io
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
import soxr

from serprep.audio.decode import decode
from serprep.audio.guard import guard
from serprep.audit.fingerprint import THRESHOLD, Fingerprint, compare, fingerprint

ROOT = Path(__file__).resolve().parents[1]
Array = np.ndarray


def encoded(signal: Array, rate: int, kind: str) -> Array:
    """Through a lossy format and back."""
    file = io.BytesIO()
    soundfile.write(file, signal, rate, format=kind)
    return decode(file.getvalue())


def trimmed(signal: Array, rate: int, rng: np.random.Generator) -> Array:
    """Up to 0.3 s less at head and tail."""
    head, tail = (rng.uniform(0, 0.3, 2) * rate).astype(int)
    return signal[head : len(signal) - tail]


def noisy(signal: Array, rng: np.random.Generator) -> Array:
    """White noise 30 dB below."""
    noise = rng.standard_normal(len(signal)) * np.sqrt(np.mean(signal**2)) * 10 ** (-30 / 20)
    return (signal + noise).astype(np.float32)


def gained(signal: Array, decibels: float) -> Array:
    """Louder or softer; what exceeds full scale is clipped later, as everywhere."""
    return (signal * 10 ** (decibels / 20)).astype(np.float32)


#: Kind of copy → a copy of a signal of some rate.
COPIES: dict[str, Callable[[Array, int, np.random.Generator], Array]] = {
    "MP3": lambda x, rate, rng: encoded(x, rate, "MP3"),
    "Ogg Vorbis": lambda x, rate, rng: encoded(x, rate, "OGG"),
    "3 to 20 dB softer": lambda x, rate, rng: guard(gained(x, -rng.uniform(3, 20)), rate),
    "3 to 12 dB louder, clipped": lambda x, rate, rng: guard(gained(x, rng.uniform(3, 12)), rate),
    "trimmed by up to 0.3 s at head and tail": lambda x, rate, rng: guard(trimmed(x, rate, rng), rate),
    "8 kHz and back": lambda x, rate, rng: guard(soxr.resample(soxr.resample(x, rate, 8000), 8000, rate), rate),
    "noise 30 dB below": lambda x, rate, rng: guard(noisy(x, rng), rate),
    "trimmed, up to 12 dB softer, noise, MP3": lambda x, rate, rng: encoded(
        noisy(gained(trimmed(x, rate, rng), -rng.uniform(0, 12)), rng), rate, "MP3"
    ),
}


def copies_of(path: Path, seed: int) -> list[Fingerprint | None]:
    """One fingerprint per kind of copy."""
    signal, rate = soundfile.read(path, dtype="float32", always_2d=True)
    rng = np.random.default_rng(seed)
    return [fingerprint(make(signal.mean(axis=1), rate, rng)) for make in COPIES.values()]


def measure(corpus: Path, n: int = 240) -> list[str]:
    """Lines of a table of misses, and of false alarms."""
    paths = sorted(corpus.rglob("*.flac"))
    drawn = sorted(np.random.default_rng(0).permutation(len(paths))[:n].tolist())
    with ThreadPoolExecutor(2) as pool:
        started = time.monotonic()
        prints = list(pool.map(lambda path: fingerprint(decode(path.read_bytes())), paths))
        reading = time.monotonic() - started
        copies = [copied for some in pool.map(lambda i: copies_of(paths[i], i), drawn) for copied in some]
    source = [*range(len(paths)), *np.repeat(drawn, len(COPIES)).tolist()]
    started = time.monotonic()
    alone, _ = compare(prints)
    comparing = time.monotonic() - started
    everything, _ = compare([*prints, *copies], threshold=0.0)
    likeness = {(match.first, match.second): match.likeness for match in everything}
    lines = ["| copy | copies | missed | least likeness | median |", "| --- | --- | --- | --- | --- |"]
    for kind, name in enumerate(COPIES):
        of_kind = range(len(paths) + kind, len(source), len(COPIES))
        alike = np.array([likeness.get((source[place], place), 0.0) for place in of_kind])
        missed = int((alike < THRESHOLD).sum())
        lines.append(f"| {name} | {len(alike)} | {missed} | {alike.min():.3f} | {np.median(alike):.3f} |")
    strangers = [match for match in everything if source[match.first] != source[match.second]]
    names = [path.stem for path in paths]
    twins = [f"{names[match.first]} = {names[match.second]}" for match in alone]
    same = {(match.first, match.second) for match in alone if match.likeness == 1}
    wrong = [m for m in strangers if m.likeness >= THRESHOLD and _pair(source, m.first, m.second) not in same]
    worst = max((m.likeness for m in strangers if _pair(source, m.first, m.second) not in same), default=0.0)
    n_originals, n_all = len(paths) * (len(paths) - 1) // 2, len(source) * (len(source) - 1) // 2
    n_wrong = sum(m.second < len(paths) for m in wrong)
    return [
        *lines,
        "",
        f"- threshold: {THRESHOLD}; false alarms: {n_wrong} in {n_originals} pairs of the {len(paths)} recordings, "
        f"{len(wrong)} in {n_all} pairs with all copies; the most alike strangers have {worst:.3f}.",
        f"- matched among the recordings themselves: {', '.join(twins) or 'none'}.",
        f"- reading {len(paths)} recordings took {reading:.1f} s, comparing each with each {comparing:.2f} s; "
        f"{sum(kept.levels.nbytes + 8 * len(kept.words) for kept in prints if kept) / len(prints) / 1e3:.1f} kB each.",
    ]


def _pair(source: list[int], first: int, second: int) -> tuple[int, int]:
    return min(source[first], source[second]), max(source[first], source[second])


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "corpora" / "ravdess"
    print("\n".join(measure(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 240)))
