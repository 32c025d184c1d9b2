"""Peak memory of one recording, by its length: log-mel alone, native functionals, native eGeMAPS, openSMILE's.

    python benchmarks/memory.py [SECONDS ...]

Each figure is the largest resident set (MB) of a process that extracts one generated recording, 16 kHz mono FLAC of
16 bits, or of one that it starts, and its own processor-seconds; it writes nothing but its cache.  "8 × silence" are
eight channels of silence of 10 minutes at 48 kHz, a FLAC of some hundred kB.
"""

import contextlib
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import soundfile

from serprep.meanwhile import meanwhile

LENGTHS = (10, 600, 3600, 18_000)  # seconds
FEATURES = {
    "log-mel": {"functionals": {"enabled": False}},
    "native": {},
    "eGeMAPS": {"functionals": {"enabled": False}, "egemaps": {"enabled": True}},
    "openSMILE": {"functionals": {"engine": "opensmile"}},
}


def main() -> None:
    """Print a row per length, or do what a process of its own does."""
    if sys.argv[1:2] == ["--one"]:
        measure(Path(sys.argv[2]), sys.argv[3])
        return
    print("| recording | " + " | ".join(FEATURES) + " |\n| --- |" + " ---: |" * len(FEATURES))
    with tempfile.TemporaryDirectory() as folder:
        for seconds in [int(word) for word in sys.argv[1:]] or LENGTHS:
            write(path := Path(folder, f"{seconds}.flac"), seconds)
            row(f"{seconds} s", path)
        write(path := Path(folder, "silence.flac"), 600, rate=48_000, n_channels=8)
        row("8 × silence", path)


def row(name: str, path: Path) -> None:
    """Measure each set of features in a process of its own, and print."""
    cells = []
    for features in FEATURES:
        command = [sys.executable, __file__, "--one", str(path), features]
        done = subprocess.run(command, capture_output=True, text=True)
        cells.append(done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1])
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def write(path: Path, seconds: int, *, rate: int = 16_000, n_channels: int = 1) -> None:
    """Noise that comes and goes, or silence where there are several channels."""
    rng = np.random.default_rng(0)
    loud = np.abs(np.sin(np.arange(rate) * (np.pi / rate)))
    with soundfile.SoundFile(path, "w", rate, n_channels, subtype="PCM_16") as file:
        for _ in range(seconds):
            sound = 0.1 * loud * rng.standard_normal(rate) if n_channels == 1 else np.zeros((rate, n_channels))
            file.write(sound)


def measure(path: Path, features: str) -> None:
    """Extract one recording as a worker does."""
    from serprep.manifest.look import look_at
    from serprep.pipeline.extract import Batch, Item, extract_batch, failure_key
    from serprep.recipe import recipe_from

    corpus = {"reader": "pattern", "root": str(path.parent), "pattern": "{emotion}.flac"}
    recipe = recipe_from({"corpus": corpus, "features": FEATURES[features]}, folder=path.parent, name="memory")
    seen = look_at(path)
    keys = {kind: kind.encode().ljust(32) for kind in recipe.features.kinds}
    item = Item(str(path), None, None, seen.digest, seen.duration, keys, failure_key(keys))
    began, largest = time.process_time(), [0]

    def watch() -> None:
        """openSMILE runs in processes that are nobody's to wait for: they are looked at while they live."""
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                largest.append(child.memory_info().rss)

    with tempfile.TemporaryDirectory() as cache, meanwhile(watch, every=0.05):
        receipt = extract_batch(Batch((item,), recipe.features, cache))
    if receipt.failures or receipt.unread:
        print(next(iter({**receipt.failures, **receipt.unread}.values())))
        return
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{max(own << 10, *largest) / 2**20:.0f} ({time.process_time() - began:.1f} s)")


if __name__ == "__main__":
    main()
