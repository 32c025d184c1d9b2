"""Proofs that take too long for a test; prints their results and writes them to docs/proofs.md.

Run as ``make prove`` (half an hour and more on two cores); the recordings lie in
``../shared/corpora``, and what needs them is left out, by name, where they are missing; so are
servers of S3 that are not installed.  It ends with a sentence: all proofs held, or which did not.  How close the
native functionals are goes to docs/compare_2016.md.
"""

import argparse
import hashlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median

import bucket
import chaos
import compare_2016
import faults
import fingerprint
import numpy as np
import psutil
import servers

from serprep.audio.decode import decode
from serprep.audio.guard import guard
from serprep.features.functionals import by_package, functionals
from serprep.features.logmel import log_mel
from serprep.pipeline.build import build
from serprep.recipe import Recipe, recipe_from

ROOT = Path(__file__).resolve().parents[1]
CORPORA = ROOT.parent / "shared" / "corpora"
LINES: list[str] = []


def say(line: str = "") -> None:
    """Print a line and keep it for the page."""
    print(line, flush=True)
    LINES.append(line)


@contextmanager
def peak_memory() -> Iterator[dict[str, float]]:
    """Largest resident size in MB while the block runs: of this process, and of its largest child."""
    found = {"main": 0.0, "child": 0.0}
    stop = threading.Event()

    def watch() -> None:
        me = psutil.Process()
        while not stop.wait(0.2):
            found["main"] = max(found["main"], me.memory_info().rss / 1e6)
            for child in me.children(recursive=True):
                try:
                    found["child"] = max(found["child"], child.memory_info().rss / 1e6)
                except psutil.Error:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        stop.set()
        watcher.join()


def digests(store: str) -> dict[str, str]:
    """SHA-256 of every file of a store."""
    root = Path(store)
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def ravdess(folder: Path) -> Recipe:
    """All 1440 files, all eight emotions, into an empty data set."""
    values = {"dataset": {"path": str(folder)}, "corpus": {"reader": "ravdess", "root": str(CORPORA / "ravdess")}}
    return recipe_from(values, folder=ROOT, name="ravdess")


def prove_identical_stores() -> None:
    """Cold builds with other numbers of workers and batch sizes: the same bytes."""
    say("## Same input, same bytes\n")
    say("Cold builds of all 1440 RAVDESS files, eight emotions, 30- and 50-frame segments and functionals:\n")
    say("| workers | batch | seconds | audio-seconds per second | peak main MB | peak worker MB | store |")
    say("| --- | --- | --- | --- | --- | --- | --- |")
    found = []
    for workers, batch in ((1, None), (2, None), (2, 7)):
        with tempfile.TemporaryDirectory() as scratch, peak_memory() as memory:
            result = build(ravdess(Path(scratch)), workers=workers, batch_size=batch)
            files = digests(result.store)
        found.append(files)
        whole = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]
        speed = result.audio_seconds / result.seconds
        say(
            f"| {workers} | {batch or 'default'} | {result.seconds:.1f} | {speed:.0f} "
            f"| {memory['main']:.0f} | {memory['child']:.0f} | `{whole}` ({len(files)} files) |"
        )
    same = all(files == found[0] for files in found)
    say(f"\nAll files bit-identical: **{'yes' if same else 'NO'}**.\n")
    if not same:
        sys.exit("stores differ")


def prove_functionals() -> None:
    """Every recording through the helper and through the package."""
    say("## Functionals are the package's\n")
    for name in ("ravdess", "emodb_first2s"):
        paths = sorted((CORPORA / name).rglob("*.flac"))
        differing = 0
        for path in paths:
            signal = decode(path.read_bytes())
            ours, theirs = functionals(signal), by_package(signal, 16_000)
            differing += ours.tobytes() != theirs.astype(np.float32).tobytes()
        say(f"- {name}: {len(paths)} recordings, {differing} differ in any bit of the 6373 values.")
        if differing:
            sys.exit("functionals differ from the package's")
    say()


def prove_long_signal() -> None:
    """Thirty minutes of sound."""
    say("## Thirty minutes of sound\n")
    rng = np.random.default_rng(0)
    signal = guard(rng.normal(0, 0.1, 30 * 60 * 16_000).astype(np.float32), 16_000)
    with peak_memory() as memory:
        start = time.perf_counter()
        frames = log_mel(signal)
        logmel_seconds = time.perf_counter() - start
        start = time.perf_counter()
        values = functionals(signal)
        seconds = time.perf_counter() - start
    expected = 1 + (len(signal) - 400) // 160
    say(f"- log-mel: {len(frames)} frames (closed form: {expected}) in {logmel_seconds:.2f} s.")
    say(f"- functionals: {np.isfinite(values).sum()} finite values in {seconds:.1f} s, ")
    say(f"  the forked child took {memory['child']:.0f} MB at its peak.\n")


def prove_logmel_speed() -> None:
    """Median time of the log-mel frames of 4.5 s."""
    say("## Log-mel speed\n")
    rng = np.random.default_rng(0)
    signal = guard(rng.normal(0, 0.1, 72_000).astype(np.float32), 16_000)
    times = []
    for _ in range(300):
        start = time.perf_counter()
        log_mel(signal)
        times.append(time.perf_counter() - start)
    say(f"- 4.5 s of audio: median {1000 * median(times):.2f} ms, fastest {1000 * min(times):.2f} ms, one core.\n")


def prove_fingerprint() -> None:
    """Misses and false alarms of the audit's comparison by sound."""
    say("## Copies that the audit finds by their sound\n")
    for corpus in ("ravdess", "emodb_first2s"):
        say(f"{corpus}:\n")
        for line in fingerprint.measure(CORPORA / corpus):
            say(line)
        say()


def proofs(seeds: list[int], n_files: int) -> Iterator[tuple[str, str, Callable[[], None]]]:
    """Name of each proof, what it wants that is missing, and the proof; in order of cost."""
    recordings = "" if CORPORA.is_dir() else f"the recordings in {CORPORA}"
    yield "log-mel", "", prove_logmel_speed
    yield "long", "", prove_long_signal
    for name, proof in (
        ("flips", faults.flips),
        ("disk", faults.disk),
        ("kill", faults.kill),
        ("suspend", faults.suspend),
        ("kill-training", faults.kill_training),
    ):
        yield name, "", partial(proof, say)
    for server in servers.SERVERS:
        missing = servers.missing(server)
        yield f"bucket-{server}", missing, partial(bucket.race, say, rounds=10, server=server)
        chaotic = partial(chaos.chaos, say, seeds=seeds, n_files=n_files, server=server)
        yield f"chaos-{server}", recordings or missing, chaotic
    yield "fingerprint", recordings, prove_fingerprint
    yield "functionals", recordings, prove_functionals
    yield "compare_2016", recordings, compare_2016.write_page
    yield "identical", recordings, prove_identical_stores


def main() -> None:
    """All proofs, or some; the page is written where all were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the builds in chaos")
    parser.add_argument("--files", type=int, default=60, help="recordings of the builds in chaos")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="proofs; by default all")
    given = parser.parse_args()
    say("# What was proved, and with what result?\n")
    say("Written by `make prove`.\n")
    names = ("serprep", "numpy", "numba", "scipy", "opensmile", "zarr", "dask")
    say("Versions: " + ", ".join(f"{name} {version(name)}" for name in names) + f"; {psutil.cpu_count()} cores.\n")
    every = {name: (missing, proof) for name, missing, proof in proofs(given.seeds, given.files)}
    if unknown := set(given.only or ()) - every.keys():
        sys.exit(f"--only: {', '.join(sorted(unknown))}: expected some of {', '.join(every)}")
    chosen = {name: every[name] for name in given.only or every}
    failed: dict[str, str] = {}
    for name, (missing, proof) in chosen.items():
        if not missing:
            try:
                proof()
            except SystemExit as error:
                failed[name] = str(error)
                say(f"**{name}: {error}**\n")
    absent = {name: missing for name, (missing, _) in chosen.items() if missing}
    say("## All in all\n")
    for name, missing in absent.items():
        say(f"- {name} was left out for want of {missing}.")
    done = len(chosen) - len(absent)
    if failed:
        say(f"Of {done} proofs {len(failed)} failed: {', '.join(failed)}.")
    else:
        say(f"All {done} proofs held: {', '.join(name for name in chosen if name not in absent)}.")
    if not given.only:
        (ROOT / "docs" / "proofs.md").write_text("\n".join(LINES).rstrip() + "\n", encoding="utf-8")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
