"""Whether the native eGeMAPS contours and functionals are openSMILE's, bit for bit, and how fast they are.

Run as ``python benchmarks/egemaps.py [compare|digests|speed|together|table …]``; without arguments all of them.
``compare`` prints the table of docs/egemaps.md.  The recordings lie in ``../shared/corpora``;
``SERPREP_BENCH_FILES=100`` takes fewer of everything, evenly.  With ``SERPREP_BENCH_PIECES=FOLDER`` what was
counted is kept there, 100 signals a piece, and not counted again; remove it when the engine has changed.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from statistics import median

import numpy as np
import opensmile
from compare_2016 import CORPORA, FILES, N_CUTS, N_SHORT, SECONDS, SHORT, bits, cuts, near, recordings, tones

from serprep.audio.decode import decode, read_bytes
from serprep.features import compare_2016, egemaps_v02
from serprep.features.sharing import sharing
from serprep.progress import Progress
from serprep.testing.signals import RATE, SIGNALS, generated_signal
from serprep.testing.voice import STYLES, synthetic_utterance

N_VOICES = 5000
PIECE = 100  # signals
PIECES = os.environ.get("SERPREP_BENCH_PIECES", "")
Make = Callable[[], np.ndarray]


@lru_cache(maxsize=2)
def _smile(level: str) -> opensmile.Smile:
    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel[level])


def by_package(level: str, signal: np.ndarray) -> np.ndarray:
    """What the package returns at a level of the set, float32."""
    return np.asarray(_smile(level).process_signal(signal.copy(), RATE).to_numpy(), np.float32)


def voice(number: int) -> np.ndarray:
    """One of 50 generated speakers, with another text and take each."""
    emotion = list(STYLES)[number % len(STYLES)]
    return synthetic_utterance(speaker=1 + number % 50, emotion=emotion, text=number // 7 % 40, take=number // 350)


def sets() -> dict[str, Sequence[Make]]:
    """What is compared: title → functions that make the signals."""
    rng = np.random.default_rng(0)
    makes: dict[str, Sequence[Make]] = {}
    for kind in SIGNALS:
        lengths = [*(int(RATE * seconds) for seconds in SECONDS), *rng.integers(*SHORT, N_SHORT).tolist()]
        makes[kind] = [partial(generated_signal, kind, n, seed=seed) for seed, n in enumerate(lengths)]
    makes["tones of any frequency"] = [partial(np.copy, signal) for signal in tones(rng)]
    makes["generated voices"] = [partial(voice, number) for number in range(min(N_VOICES, FILES * N_VOICES // 1440))]
    for name in ("emodb_first2s", "ravdess"):
        if (CORPORA / name).is_dir():
            paths = recordings(name)
            makes[f"cuts of {name}"] = [partial(np.copy, signal) for signal in cuts(paths, rng)][:N_CUTS]
            makes[name] = [partial(_recording, path) for path in paths]
    return makes


def _recording(path: Path) -> np.ndarray:
    return decode(read_bytes(path))


def count(signals: Sequence[Make]) -> np.ndarray:
    """Functionals, then contour values: how many there are, how many differ in a bit, beyond 1e-6, beyond 1e-3."""
    totals = np.zeros((2, 4), int)
    for make in signals:
        signal = make()
        pairs = (
            (egemaps_v02.functionals(signal), by_package("Functionals", signal)[0]),
            (egemaps_v02.contours(signal), by_package("LowLevelDescriptors", signal)),
        )
        for level, (a, b) in enumerate(pairs):
            beyond = (np.count_nonzero(~near(a, b, tolerance)) for tolerance in (1e-6, 1e-3))
            totals[level] += [a.size, np.count_nonzero(bits(a) != bits(b)), *beyond]
    return totals


def compare() -> None:
    """Print the table of all comparisons."""
    print("| signals | number | functionals | differ | 1e-6 | 1e-3 | contour values | differ | 1e-6 | 1e-3 |")
    print("| --- |" + " ---: |" * 9)
    for what, signals in sets().items():
        totals = np.zeros((2, 4), int)
        with Progress(f"{what}, both engines", len(signals), unit="signals") as progress:
            for first in range(0, len(signals), PIECE):
                piece = signals[first : first + PIECE]
                kept = Path(PIECES, f"{what.replace(' ', '-')}-{first}-{len(piece)}.json") if PIECES else None
                if kept and kept.is_file():
                    totals += json.loads(kept.read_text())
                else:
                    own = count(piece)
                    totals += own
                    if kept:
                        kept.parent.mkdir(parents=True, exist_ok=True)
                        kept.write_text(json.dumps(own.tolist()))
                progress.add(len(piece))
        print(f"| {what} | {len(signals)} | " + " | ".join(map(str, totals.ravel())) + " |", flush=True)


def digests() -> None:
    """Print SHA-256 of all values of both native sets: what a change of the engine must leave, in two checkouts."""
    print("| signals | number | eGeMAPS | its contours | ComParE 2016 | its contours |\n| --- |" + " ---: |" * 5)
    for what, signals in sets().items():
        each = [hashlib.sha256() for _ in range(4)]
        for make in signals:
            signal = make()
            for digest, compute in zip(
                each,
                (egemaps_v02.functionals, egemaps_v02.contours, compare_2016.functionals, compare_2016.lld),
                strict=True,
            ):
                digest.update(np.ascontiguousarray(compute(signal)).tobytes())
        print(
            f"| {what} | {len(signals)} | " + " | ".join(digest.hexdigest()[:16] for digest in each) + " |", flush=True
        )


def paired(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """Medians of processor time in ms, and of the paired ratios; on an idle machine that is time."""

    def spent(run: Callable[[], object]) -> float:
        start = time.process_time()
        run()
        return 1000 * (time.process_time() - start)

    ours(), theirs()
    pairs = [(spent(ours), spent(theirs)) for _ in range(rounds)]
    a, b = zip(*pairs, strict=True)
    return median(a), median(b), median(y / x for x, y in pairs)


def speed() -> None:
    """Print milliseconds of both engines, one thread, and the median of the paired ratios."""
    print("| seconds of audio | native, ms | package, ms | ratio |\n| ---: | ---: | ---: | ---: |")
    for duration in (0.3, 1, 3, 5, 10, 30):
        signal = generated_signal("cut speech", int(RATE * duration))
        native, package = partial(egemaps_v02.functionals, signal), partial(by_package, "Functionals", signal)
        ours, theirs, ratio = paired(native, package, 7 if duration >= 10 else 25)
        print(f"| {duration} | {ours:.1f} | {theirs:.0f} | {ratio:.1f} |", flush=True)


def together() -> None:
    """Print milliseconds of both sets together, as in a store that has both, and of each alone, added."""
    print("| seconds of audio | together, ms | each alone, ms | ratio |\n| ---: | ---: | ---: | ---: |")

    def both(signal: np.ndarray) -> None:
        compare_2016.functionals(signal)
        egemaps_v02.functionals(signal)

    def shared(signal: np.ndarray) -> None:
        with sharing():
            both(signal)

    for duration in (0.3, 1, 3, 10, 30):
        signal = generated_signal("cut speech", int(RATE * duration))
        at_once, alone, ratio = paired(partial(shared, signal), partial(both, signal), 9 if duration >= 10 else 25)
        print(f"| {duration} | {at_once:.1f} | {alone:.1f} | {ratio:.2f} |", flush=True)


def table() -> None:
    """Print seconds of ``serprep features`` on all of RAVDESS, first and again, and of the package's own loop."""
    paths = list(map(str, recordings("ravdess")))
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "SERPREP_CACHE": f"{folder}/cache"}
        words = [sys.executable, "-c", "from serprep_cli.main import main; main()", "features", *paths]
        for what in ("serprep features", "again, from the cache"):
            start = time.perf_counter()
            subprocess.run([*words, "-o", f"{folder}/x.csv"], env=environment, check=True, stderr=subprocess.DEVNULL)
            print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)
        start = time.perf_counter()
        smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals, num_workers=2)
        smile.process_files(paths).to_csv(f"{folder}/y.csv")
        print(f"opensmile.Smile(num_workers=2).process_files: {time.perf_counter() - start:.1f} s", flush=True)


def main() -> None:
    """What the arguments name, or everything."""
    parts = {part.__name__: part for part in (compare, digests, speed, together, table)}
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
