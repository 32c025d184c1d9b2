"""Speed and memory, side by side in one run, as medians and ratios.

Run as ``make bench``, or with numbers to run some: ``python benchmarks/bench.py 1 4``.

1  cold build of RAVDESS, natively and with openSMILE, against a hand-written loop
2  natively against ``process_files``
3  warm, relabelled, re-segmented and grown rebuilds as fractions of the cold build
4  functionals of 0.3 to 30 s against the package
6  peak memory of builds of 500, 5 000 and 50 000 synthetic utterances
7  where the time of one worker goes
8  the native functionals: one thread against the package, two threads, the first call
9  the floor: what a cold native build computes, in a loop of two processes that throws it away; processor-seconds too

``SERPREP_BENCH_FILES=200`` takes fewer recordings, ``SERPREP_BENCH_ROUNDS=5`` sets the rounds.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import native
import numpy as np
import psutil

from serprep.audio.decode import decode, digest_of, read_bytes
from serprep.audio.guard import guard
from serprep.cache.parts import Cache
from serprep.features.functionals import by_package, functionals
from serprep.features.logmel import log_mel
from serprep.pipeline.build import build
from serprep.recipe import Recipe, recipe_from

os.environ["SERPREP_CACHE"] = ""  # each data set has its own, beside its stores: what is built is computed
ROOT = Path(__file__).resolve().parents[1]
RAVDESS = ROOT.parent / "shared" / "corpora" / "ravdess"
ROUNDS = int(os.environ.get("SERPREP_BENCH_ROUNDS", "5"))
FILES = int(os.environ.get("SERPREP_BENCH_FILES", "1440"))


def seconds(run: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def table(title: str, rows: list[tuple[object, ...]], head: tuple[str, ...]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n\n| " + " | ".join(head) + " |\n| " + " | ".join("---" for _ in head) + " |")
    for row in rows:
        print("| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    sys.stdout.flush()


@contextmanager
def corpus(n: int) -> Iterator[Path]:
    """A folder with links to the first `n` RAVDESS recordings of every actor alike."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = sorted(RAVDESS.rglob("*.flac"), key=lambda path: (path.name[:17], path.parent.name))[:n]
        for path in paths:
            folder = Path(scratch) / "corpus" / path.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / path.name).symlink_to(path)
        yield Path(scratch)


def recipe(folder: Path, **more: dict[str, object]) -> Recipe:
    """A recipe for the linked recordings."""
    values: dict[str, dict[str, object]] = {
        "dataset": {"path": "stores"},
        "corpus": {"reader": "ravdess", "root": "corpus"},
    }
    return recipe_from({**values, **more}, folder=folder, name="ravdess")


# -- 1 and 2: cold builds -------------------------------------------------------------


def hand_loop(paths: list[str]) -> None:
    """What people write: read, resample, process_signal; the result is thrown away."""
    import opensmile
    import soundfile
    import soxr

    smile = opensmile.Smile(opensmile.FeatureSet.ComParE_2016, opensmile.FeatureLevel.Functionals)
    for path in paths:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        smile.process_signal(soxr.resample(samples.mean(axis=1), rate, 16_000, "HQ"), 16_000)


def two_processes(paths: list[str]) -> None:
    """The loop in two processes, each with every other recording."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(hand_loop, [paths[::2], paths[1::2]]))


def process_files(paths: list[str]) -> None:
    """The package's own way for many files, with two workers."""
    import opensmile

    smile = opensmile.Smile(
        opensmile.FeatureSet.ComParE_2016,
        opensmile.FeatureLevel.Functionals,
        sampling_rate=16_000,
        resample=True,
        mixdown=True,
        num_workers=2,
    )
    smile.process_files(paths)


def cold() -> None:
    """Benchmark 1."""
    with corpus(FILES) as folder:
        paths = [str(path) for path in sorted((folder / "corpus").rglob("*.flac"))]
        against("loop, 2 processes", lambda: two_processes(paths), folder, engines=("native", "opensmile"))


def files() -> None:
    """Benchmark 2."""
    with corpus(FILES) as folder:
        paths = [str(path) for path in sorted((folder / "corpus").rglob("*.flac"))]
        against("process_files", lambda: process_files(paths), folder, engines=("native",))


def against(name: str, run: Callable[[], object], folder: Path, *, engines: Sequence[str]) -> None:
    """Print cold builds by some engines beside something else, in turn."""
    times: dict[str, list[float]] = {f"serprep build, {engine}, 2 workers": [] for engine in engines}
    times[name] = []
    for _ in range(ROUNDS):
        for engine in engines:
            shutil.rmtree(folder / "stores", ignore_errors=True)
            asked = recipe(folder, features={"functionals": {"engine": engine}})
            times[f"serprep build, {engine}, 2 workers"].append(seconds(lambda: build(asked, workers=2)))  # noqa: B023
        times[name].append(seconds(run))
    rows = [
        (what, f"{median(all_):.1f}", f"{min(all_):.1f}–{max(all_):.1f}", median(all_) / median(times[name]))
        for what, all_ in times.items()
    ]
    table(f"Cold build of {FILES} recordings", rows, ("what", "median s", "range", f"of {name}"))


# -- 3: rebuilds ----------------------------------------------------------------------


def rebuilds() -> None:
    """Benchmark 3."""
    n_new = 10
    with corpus(FILES) as folder:
        first = recipe(folder)
        spent: dict[str, list[float]] = {}
        counts: dict[str, str] = {}

        def measure(name: str, what: Recipe) -> None:
            start = time.perf_counter()
            result = build(what, workers=2)
            spent.setdefault(name, []).append(time.perf_counter() - start)
            counts[name] = f"{result.computed} computed, {result.n_files_read} files read"

        names = sorted({path.stem.split("-")[2] for path in (folder / "corpus").rglob("*.flac")})
        for number in range(ROUNDS):
            if number == 0:
                measure("cold", first)
            measure("warm", first)
            words = {"01": "neutral", "02": "calm", "03": "happy", "04": "sad", "05": "angry"}
            words |= {"06": "fearful", "07": "disgust", "08": "surprised"}
            emotions = {words[code]: f"{words[code]}-{number}" for code in names}
            relabelled = {"reader": "ravdess", "root": "corpus", "emotions": emotions}
            measure("relabelled", recipe(folder, corpus=relabelled))
            segments = {"segments": {"short": {"length": 24 + number, "hop": 12}}}
            measure("other segment length", recipe(folder, features=segments))
            for new in range(n_new):
                samples, rate = audio_of(folder, new)
                name = f"03-01-05-02-01-0{number + 3}-{new + 1:02d}.wav"
                write_wav(folder / "corpus" / f"Actor_{new + 1:02d}" / name, samples * (0.9 - 0.01 * number), rate)
            time.sleep(2.1)  # files younger than two seconds are hashed again by the next build
            measure("10 files added", first)
        cold_seconds = spent["cold"][0]
        rows = [
            (name, f"{median(times):.2f}", median(times) / cold_seconds, counts[name]) for name, times in spent.items()
        ]
        table(f"Rebuilds of {FILES} recordings", rows, ("what", "median s", "of cold", "counts of the last"))


def audio_of(folder: Path, number: int) -> tuple[np.ndarray, int]:
    """Samples of one of the linked recordings."""
    import soundfile

    path = sorted((folder / "corpus").rglob("*.flac"))[number]
    samples, rate = soundfile.read(path, dtype="float32")
    return samples if samples.ndim == 1 else samples.mean(axis=1), rate


def write_wav(path: Path, samples: np.ndarray, rate: int) -> None:
    """A 16-bit recording."""
    import soundfile

    soundfile.write(path, samples, rate, subtype="PCM_16")


# -- 4: functionals -------------------------------------------------------------------


def extraction() -> None:
    """Benchmark 4."""
    rng = np.random.default_rng(0)
    rows = []
    for duration in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0):
        signal = guard(rng.normal(0, 0.1, int(16_000 * duration)).astype(np.float32), 16_000)
        functionals(signal, engine="opensmile")
        ours, theirs = [], []
        for _ in range(max(ROUNDS, 5 if duration > 5 else 31)):
            ours.append(seconds(lambda: functionals(signal, engine="opensmile")))  # noqa: B023 - called at once
            theirs.append(seconds(lambda: by_package(signal, 16_000)))  # noqa: B023
        ratio = median(b / a for a, b in zip(ours, theirs, strict=True))
        rows.append((duration, 1000 * median(ours), 1000 * median(theirs), ratio))
    table("Functionals", rows, ("seconds", "helper ms", "package ms", "package / helper"))


# -- 6: memory ------------------------------------------------------------------------


def memory() -> None:
    """Benchmark 6."""
    rows = []
    for n in (500, 5_000, 50_000):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            (folder / "corpus").mkdir()
            rng = np.random.default_rng(0)
            for i in range(n):
                write_wav(folder / "corpus" / f"s{i % 20}_{i}.wav", 0.1 * rng.normal(size=3200).astype("f4"), 16_000)
            values = {
                "dataset": {"path": "stores"},
                "corpus": {"reader": "pattern", "root": "corpus", "pattern": "{speaker}_{text}.wav"},
            }
            peaks = {"main": 0.0, "worker": 0.0}
            code = (
                "import json, sys; from pathlib import Path; from serprep.pipeline.build import build; "
                "from serprep.recipe import recipe_from\n"
                "if __name__ == '__main__':\n"
                "    build(recipe_from(json.loads(sys.argv[1]), folder=Path(sys.argv[2]), name='m'), workers=2)\n"
            )

            script = folder / "run.py"
            script.write_text(code, encoding="utf-8")
            start = time.perf_counter()
            process = subprocess.Popen([sys.executable, str(script), json.dumps(values), scratch])
            stop = threading.Event()
            while process.poll() is None:
                try:
                    me = psutil.Process(process.pid)
                    peaks["main"] = max(peaks["main"], me.memory_info().rss / 1e6)
                    for child in me.children(recursive=True):
                        peaks["worker"] = max(peaks["worker"], child.memory_info().rss / 1e6)
                except psutil.Error:
                    pass
                stop.wait(0.1)
            rows.append((n, f"{time.perf_counter() - start:.1f}", f"{peaks['main']:.0f}", f"{peaks['worker']:.0f}"))
    table("Peak memory", rows, ("utterances", "seconds", "main MB", "largest worker MB"))


# -- 7: where the time goes ------------------------------------------------------------


def profile() -> None:
    """Benchmark 7."""
    paths = sorted(RAVDESS.rglob("*.flac"))[: min(FILES, 240)]
    spent = dict.fromkeys(
        ("read and hash", "decode, mix, resample", "log-mel", "functionals", "write to the cache"), 0.0
    )
    with tempfile.TemporaryDirectory() as scratch:
        cache = Cache(scratch)
        functionals(np.zeros(1600, np.float32))  # compiled code is loaded
        for number, path in enumerate(paths):
            marks = [time.perf_counter()]
            data = read_bytes(path)
            digest_of(data)
            marks.append(time.perf_counter())
            signal = decode(data)
            marks.append(time.perf_counter())
            frames = log_mel(signal)
            marks.append(time.perf_counter())
            values = functionals(signal)
            marks.append(time.perf_counter())
            cache.write("logmel", [number.to_bytes(32, "big")], [frames], [len(signal)])
            cache.write("functionals", [number.to_bytes(32, "big")], [values[None]], [len(signal)])
            marks.append(time.perf_counter())
            for name, start, end in zip(spent, marks, marks[1:], strict=False):
                spent[name] += end - start
    whole = sum(spent.values())
    rows = [(name, 1000 * value / len(paths), f"{100 * value / whole:.1f}") for name, value in spent.items()]
    table(f"Where the time goes: {len(paths)} recordings, one process", rows, ("what", "ms per recording", "share %"))


# -- 8: the native functionals -----------------------------------------------------------


def engines() -> None:
    """Benchmark 8."""
    print(f"\nfirst call of a process: {native.first_call():.2f} s; two threads: {native.threads():.2f} times one")
    head = ("seconds", "native ms", "package ms", "package / native")
    table("Native functionals", native.against_the_package(), head)


# -- 9: the floor ------------------------------------------------------------------------


BUILD = "from serprep_cli.main import main; main()"


def floor_loop(paths: list[str]) -> None:
    """Decode, mix, resample, log-mel and native functionals, thrown away."""
    for path in paths:
        signal = decode(read_bytes(Path(path)))
        log_mel(signal)
        functionals(signal)


def floor() -> None:
    """Benchmark 9: each run is a process of its own, as a user's first."""
    with corpus(FILES) as folder:
        paths = [str(path) for path in sorted((folder / "corpus").rglob("*.flac"))]
        (folder / "paths.json").write_text(json.dumps(paths), encoding="utf-8")
        asked = '[dataset]\npath = "stores"\n[corpus]\nreader = "ravdess"\nroot = "corpus"\n'
        (folder / "recipe.toml").write_text(asked, encoding="utf-8")
        commands = {
            "floor loop, 2 processes": [sys.executable, __file__, "--floor", str(folder / "paths.json")],
            "serprep build, 2 workers": [
                sys.executable,
                "-c",
                BUILD,
                "build",
                str(folder / "recipe.toml"),
                "--workers",
                "2",
            ],
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                shutil.rmtree(folder / "stores", ignore_errors=True)
                before = os.times()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                after = os.times()
                spent = after.children_user + after.children_system - before.children_user - before.children_system
                times[name].append((after.elapsed - before.elapsed, spent))
        least = [median(column) for column in zip(*times["floor loop, 2 processes"], strict=True)]
        rows: list[tuple[object, ...]] = []
        for name, pairs in times.items():
            wall, spent = (median(column) for column in zip(*pairs, strict=True))
            rows.append((name, f"{wall:.1f}", f"{spent:.1f}", wall / least[0], spent / least[1]))
        head = ("what", "median s", "processor-seconds", "of the floor, s", "of the floor, processor")
        table(f"The floor of a cold native build of {len(paths)} recordings", rows, head)


BENCHMARKS = {
    "7": profile,
    "8": engines,
    "9": floor,
    "1": cold,
    "2": files,
    "3": rebuilds,
    "4": extraction,
    "6": memory,
}

if __name__ == "__main__" and sys.argv[1:2] == ["--floor"]:
    paths = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(floor_loop, [paths[::2], paths[1::2]]))
elif __name__ == "__main__":
    for chosen in sys.argv[1:] or BENCHMARKS:
        BENCHMARKS[chosen]()
