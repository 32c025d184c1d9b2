"""Reading a store against ``numpy.load`` of the same bytes: ``python benchmarks/reading.py [STORE.zarr]``.

Without a store, RAVDESS is built first.  All 30-frame
segments and functionals into memory, then 200 random utterances one by one, checksums verified; of each
the least of the rounds in processor-seconds of this process, since a busy machine adds to them and never
takes away.  The bucket is moto's on loopback, in this process, so its processor-seconds are in the row's;
of it 20 utterances are read one by one, not 200.
``SERPREP_BENCH_ROUNDS=7`` sets the rounds.
"""

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from serprep.store.convert import convert
from serprep.store.store import Store, open_store

ROUNDS = int(os.environ.get("SERPREP_BENCH_ROUNDS", "7"))
LENGTH = 30
TARGETS = {"zarr": ("2", "10"), "hdf5": ("3", "10")}  # of numpy.load, of memory-mapped arrays


def least(run: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of the processor, and by the clock, of the best round."""
    times = []
    for _ in range(ROUNDS + 1):
        spent, start = time.process_time(), time.perf_counter()
        run()
        times.append((1000 * (time.process_time() - spent), 1000 * (time.perf_counter() - start)))
    return min(spent for spent, _ in times[1:]), min(took for _, took in times[1:])


def whole(path: str) -> object:
    """All segments and functionals."""
    with open_store(path) as store:
        return store.read_segments(slice(None), LENGTH)[0], store.read_functionals(slice(None))


def single(path: str, few: list[int]) -> object:
    """Segments of some utterances, one by one."""
    with open_store(path) as store:
        return [store.segments(i, LENGTH) for i in few]


def compare(store: Store, scratch: Path) -> None:
    """Print the table."""
    segments, offsets = store.read_segments(slice(None), LENGTH)
    np.save(scratch / "segments.npy", segments)
    np.save(scratch / "functionals.npy", store.read_functionals(slice(None)))
    few = np.random.default_rng(0).permutation(len(store))[:200].tolist()
    convert(store.path, scratch / "store.h5")

    def mapped() -> object:
        values = np.load(scratch / "segments.npy", mmap_mode="r")
        return [np.array(values[offsets[i] : offsets[i + 1]]) for i in few]

    def loaded() -> object:
        return np.load(scratch / "segments.npy"), np.load(scratch / "functionals.npy")

    base = least(loaded), least(mapped)
    print(f"\n{len(store)} utterances, {segments.nbytes / 1e6:.0f} MB of segments\n")
    print("| what | whole: cpu ms | ms | × numpy.load | wanted | 200 random: cpu ms | ms | × mapped | wanted |")
    print("| --- |" + " ---: |" * 8)
    show("numpy", *base, *base, "", "")
    for name, path in (("zarr", store.path), ("hdf5", str(scratch / "store.h5"))):
        show(name, least(lambda: whole(path)), least(lambda: single(path, few)), *base, *TARGETS[name])  # noqa: B023
    url = bucket(store.path)
    show("zarr, S3 (20 random)", least(lambda: whole(url)), least(lambda: single(url, few[:20])), *base, "", "")


def show(
    name: str,
    all_: tuple[float, float],
    random: tuple[float, float],
    loaded: tuple[float, float],
    mapped: tuple[float, float],
    *wanted: str,
) -> None:
    """One row."""
    cells = (*(f"{value:.1f}" for value in all_), f"{all_[0] / loaded[0]:.2f}", wanted[0])
    cells += (*(f"{value:.1f}" for value in random), f"{random[0] / mapped[0]:.2f}", wanted[1])
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def bucket(path: str) -> str:
    """The URL of a copy of a store in a bucket of this process."""
    import fsspec
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}  # of the server above
    files = fsspec.filesystem("s3")
    files.mkdir("reading")
    files.put(path, f"reading/{Path(path).name}", recursive=True)
    return f"s3://reading/{Path(path).name}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        if not sys.argv[1:]:
            from bench import FILES, corpus, recipe

            from serprep.pipeline.build import build

            with corpus(FILES) as linked:
                compare(open_store(build(recipe(linked), workers=2).store), Path(folder))
        else:
            compare(open_store(sys.argv[1]), Path(folder))
