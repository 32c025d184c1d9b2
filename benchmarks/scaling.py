"""Time and memory of every command by the number of utterances, for docs/scaling.md.

    python benchmarks/scaling.py [N ...] [--folder DIR] [--filled] [--only COMMAND ...]
    python benchmarks/scaling.py --plot    # docs/scaling.svg, from the table of docs/scaling.md

The corpus is synthetic: recordings of noise, a thousand excerpts of 25 ms in each, a speaker for every fifty,
and the kind of feature that costs least (`serprep.testing.moments`, four values per utterance).  Every line of the
table is a process of its own: seconds, processor-seconds with those of its children, and the largest resident set (MB)
of the process itself and of its largest child.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

EXCERPTS, PER_SPEAKER = 1000, 50
SECONDS, RATE = 0.025, 16_000
EMOTIONS = ("angry", "happy", "neutral", "sad")
SERPREP = [sys.executable, "-c", "from serprep_cli.main import main; main()"]
RECIPE = """
[dataset]
name = "scale"
path = "set"
[corpus]
manifest = "manifest/utterances.csv"
root = "corpus"
exclude = "exclude.txt"
[features.moments]
[features.logmel]
enabled = false
[features.functionals]
enabled = false
[split]
protocol = "group-k-fold"
folds = 5
"""


def write_corpus(folder: Path, n: int) -> None:
    """Recordings, and the manifest of their excerpts."""
    import numpy as np
    import soundfile

    from serprep.manifest.table import make_manifest, write_manifest
    from serprep.utterance import Utterance

    (folder / "corpus").mkdir()
    rng = np.random.default_rng(0)
    for number in range(-(-n // EXCERPTS)):
        noise = rng.integers(-3000, 3000, int(EXCERPTS * SECONDS * RATE), np.int16)
        soundfile.write(folder / "corpus" / f"{number:05}.wav", noise, RATE, subtype="PCM_16")

    def rows() -> Iterator[Utterance]:
        for i in range(n):
            number, place = divmod(i, EXCERPTS)
            yield Utterance(
                id=f"{number:05}-{place:03}",
                path=f"{number:05}.wav",
                start=place * 25 / 1000,
                end=(place + 1) * 25 / 1000,
                speaker=f"s{i // PER_SPEAKER:05}",
                emotion=EMOTIONS[i % 4],
                extra={"gender": "fm"[i // PER_SPEAKER % 2], "text": f"sentence {i % 97}"},
            )

    write_manifest(make_manifest(rows()), folder / "manifest")
    (folder / "exclude.txt").write_text("", encoding="utf-8")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")


# -- what has no command: a process each ---------------------------------------------------


def fill(folder: Path) -> None:
    """Features into the cache, sixty-four utterances a part, as workers would leave them."""
    import numpy as np
    import soundfile

    from serprep.audio.decode import digest_of
    from serprep.cache.levels import keep_levels, level_key
    from serprep.cache.parts import Cache, key_of
    from serprep.features.extract import identities
    from serprep.recipe import read_recipe

    features, cache = read_recipe(folder / "recipe.toml").features, Cache(str(folder / "set" / "cache"))
    identity = identities(features)["moments"]
    for path in sorted((folder / "corpus").iterdir()):
        digest, n = digest_of(path.read_bytes()), int(SECONDS * RATE)
        samples = soundfile.read(path, dtype="float32")[0].reshape(-1, n)
        values = np.stack([samples.mean(1), samples.std(1), samples.min(1), samples.max(1)], axis=1)
        levels = np.zeros((len(values), 5), np.float32) + np.float32(0.05)
        times = [(place * 25 / 1000, (place + 1) * 25 / 1000) for place in range(len(values))]
        for first in range(0, len(values), 64):
            some = range(first, min(first + 64, len(values)))
            keys = [key_of(digest, *times[i], identity) for i in some]
            cache.write("moments", keys, [values[i : i + 1] for i in some], [n] * len(keys))
            keep_levels(cache, [(level_key(digest, *times[i]), levels[i]) for i in some])


def read(folder: Path) -> None:
    """The manifest."""
    from serprep.manifest.table import read_manifest

    read_manifest(folder / "manifest")


def opened(folder: Path) -> None:
    """The store: its table, and the features of one utterance."""
    from serprep.store.store import open_store

    store = open_store(folder / "set")
    print(len(store.ids), len(set(store.emotions)), store.values("moments", len(store) // 2))


def epoch(folder: Path) -> None:
    """An epoch of the loader, streamed in shuffled batches."""
    import numpy as np

    from serprep.store.store import open_store
    from serprep_models.examples import Stored
    from serprep_models.loader import Batches, Loader
    from serprep_models.standardise import training_statistics

    store = open_store(folder / "set")
    rows = np.arange(len(store))
    stored = Stored(store, rows, ("moments",), training_statistics(store, rows, ("moments",)))
    loader = Loader(Batches(stored, batch_size=256, memory_budget=64 << 20))
    print(sum(len(batch.labels) for batch in loader))


STAGES: dict[str, Callable[[Path], None]] = {
    "fill the cache": fill,
    "read a manifest": read,
    "open a store": opened,
    "loader, one epoch": epoch,
}


def commands(folder: Path, *, filled: bool) -> Iterator[tuple[str, list[str]]]:
    """Name and command of each line of the table, in order."""

    def own(name: str) -> tuple[str, list[str]]:
        return name, [sys.executable, __file__, "--stage", name, "--folder", str(folder)]

    recipe, split = str(folder / "recipe.toml"), str(folder / "split.json")
    manifest, data = str(folder / "manifest"), str(folder / "set")
    options = ["--folds", "5", "-o", split]
    yield own("read a manifest")
    yield "split", [*SERPREP, "split", manifest, "--protocol", "group-k-fold", *options]
    yield "audit", [*SERPREP, "audit", manifest, split]
    if filled:
        yield own("fill the cache")
    yield f"build, all {'in the cache' if filled else 'computed'}", [*SERPREP, "build", recipe, "--json"]
    yield "build, nothing to do", [*SERPREP, "build", recipe, "--json"]
    (folder / "exclude.txt").write_text("00000-000\n", encoding="utf-8")
    yield "build, another version", [*SERPREP, "build", recipe, "--json"]
    yield own("open a store")
    yield "info", [*SERPREP, "info", data]
    yield "log", [*SERPREP, "log", data]
    versions = sorted(path.name for path in (folder / "set" / "versions").glob("*.zarr"))
    yield "diff", [*SERPREP, "diff", *(str(folder / "set" / "versions" / name) for name in versions[:2])]
    yield "gc", [*SERPREP, "gc", data]
    yield "verify", [*SERPREP, "verify", data]
    yield own("loader, one epoch")


def measured(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run a command; what it took."""
    began = time.monotonic()
    memory: dict[int, float] = {}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            for pid in (process.pid, *_children(process.pid)):
                with suppress(OSError, IndexError):
                    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
                    memory[pid] = int(status.partition("VmHWM:")[2].split()[0]) / 1000
            time.sleep(0.02)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    if process.returncode not in (0, 3):
        print(f"{' '.join(command)}: exit {process.returncode}\n{text[-2000:]}", file=sys.stderr)
    main = memory.pop(process.pid, 0.0)
    return {
        "seconds": round(time.monotonic() - began, 2),
        "processor": round(usage.ru_utime + usage.ru_stime, 2),
        "main": round(main),
        "child": round(max(memory.values(), default=0.0)),
        "exit": process.returncode,
    }


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(word) for word in text.split()]
    return []


def measure(n: int, folder: Path, *, filled: bool, only: tuple[str, ...]) -> None:
    """Print a row per command."""
    from serprep.testing.moments import write_plugin

    write_plugin(folder / "plugin")
    paths = [str(folder / "plugin"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "SERPREP_CACHE": "", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    write_corpus(folder, n)
    for name, command in commands(folder, filled=filled):
        if only and not name.startswith(only):
            continue
        figures = measured(command, environment)
        row = [n, name, *figures.values()]
        print(
            f"| {' | '.join(map(str, row[:-1]))} |" + (f" exit {figures['exit']}" * (figures["exit"] != 0)), flush=True
        )
    files = [path for path in (folder / "set").rglob("*") if path.is_file()]
    n_bytes = sum(path.stat().st_size for path in files)
    print(json.dumps({"utterances": n, "files of the data set": len(files), "bytes": n_bytes}), flush=True)


def plot(page: Path) -> None:
    """Processor-seconds and memory against utterances, of the first table of a page, beside it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    lines = page.read_text(encoding="utf-8").partition("| command |")[2].partition("\n\n")[0].splitlines()
    sizes = [int(cell.replace(" ", "")) for cell in lines[0].split("|") if cell.replace(" ", "").isdigit()]
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    panels = figure.subplots(1, 2)
    for number, line in enumerate(lines[2:]):
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        for panel, unit in zip(panels, ("s", "MB"), strict=True):
            found = [(n, re.search(rf"([\d.]+) {unit}", cell)) for n, cell in zip(sizes, cells, strict=False)]
            points = [(n, float(value[1])) for n, value in found if value]
            style = {"marker": "os^Dv"[number % 5], "color": f"C{number % 10}", "linestyle": "-:"[number // 10]}
            panel.plot(*zip(*points, strict=True), label=name.partition(" (")[0], **style)
    for panel, title in zip(panels, ("processor-seconds", "peak memory of the command, MB"), strict=True):
        panel.set(xscale="log", yscale="log", xlabel="utterances", title=title)
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.grid(alpha=0.3)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right", fontsize="small", frameon=False)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "serprep"}):  # text stays text
        figure.savefig(page.with_suffix(".svg"), metadata={"Date": None})


def main() -> None:
    """The table, or what a process of its own does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--filled", action="store_true", help="do not compute features: write them into the cache")
    parser.add_argument("--only", nargs="+", metavar="COMMAND", help="first words of the lines wanted")
    parser.add_argument("--plot", action="store_true", help="draw the table of docs/scaling.md")
    parser.add_argument("--stage", choices=STAGES)
    given = parser.parse_args()
    if given.plot:
        plot(Path(__file__).resolve().parents[1] / "docs" / "scaling.md")
        return
    if given.stage:
        STAGES[given.stage](given.folder)
        return
    print("| utterances | command | s | processor-s | main MB | child MB | exit |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for n in given.numbers:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            measure(n, Path(folder), filled=given.filled, only=tuple(given.only or ()))


if __name__ == "__main__":
    main()
