"""Mutated tags, reports, memos, parts, failures, Zarr metadata and HDF5 files: what does serprep make of them?

    python benchmarks/fuzz_stores.py [MUTATIONS PER KIND, default 2000] [SEED]

Every mutation is opened, listed, verified and built over.  Allowed is a StoreError (or another
error of serprep) of one line, or the very values that the whole file gives; `verify` must find
whatever changed a byte of a store.  `tests/store/test_fuzz.py` runs a slice of it.
"""

import collections
import hashlib
import json
import os
import random
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from serprep.cache.memo import Memo
from serprep.cache.parts import Cache
from serprep.dataset.garbage import gc
from serprep.dataset.log import log
from serprep.errors import SerprepError
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store import zarr_store
from serprep.store.store import Store, open_store
from serprep.store.verify import verify
from serprep.version import latest, tags, versions

ODD = [
    b"[" * 100_000,
    b'{"a":' * 20_000,
    b"\\ud800",
    b"9" * 5000,
    b"NaN",
    b"1e999",
    b"-1",
    b"null",
    b"\xff\xfe\x00",
    b"\0" * 64,
    b"../../..",
    b'"' * 3,
    b"true",
    b"\x1b[2J",
]


class Inline:
    """Workers that are this process."""

    n_workers, scheduler = 1, None

    def run(self, function: Callable, items: list, *, once: bool = False) -> Iterator:
        """As of `serprep.parallel.Workers`."""
        return ((number, function(item)) for number, item in enumerate(items))


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Other bytes than `data`: flipped, cut, repeated, or with something odd inside."""
    while True:
        new = bytearray(data)
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(7)
        if kind == 0:
            for _ in range(rng.choice((1, 1, 1, 8))):
                if new:
                    new[rng.randrange(len(new))] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del new[place:]
        elif kind == 2:
            del new[place : place + rng.randrange(1, 100)]
        elif kind == 3:
            new[place:place] = rng.choice(ODD)
        elif kind == 4:
            new[place : place + rng.randrange(1, 40)] = rng.choice(ODD)
        elif kind == 5:
            new[place : place + 8] = rng.choice((b"\xff" * 8, b"\0" * 8, b"\0\0\0\0\0\0\0\x80", b"\xff" * 7 + b"\x7f"))
        else:
            new = bytearray(rng.choice(ODD))
        if new != data:
            return bytes(new)


def made(root: Path) -> tuple[Path, dict[str, Path]]:
    """A data set of one version in both containers with a tag, a cache and a failure → the files of each kind."""
    (root / "corpus").mkdir(parents=True)
    for i in range(3):
        soundfile.write(root / "corpus" / f"{i}.wav", 0.1 * np.random.default_rng(i).normal(size=8000), 16_000)
    (root / "corpus" / "labels.csv").write_text("path,emotion\n0.wav,sad\n1.wav,angry\n2.wav,sad\n")
    then = time.time() - 3600
    for path in (root / "corpus").iterdir():
        os.utime(path, (then, then))
    for container in ("hdf5", "zarr"):
        store = Path(build(asked(root, container), pool=Inline()).store)
    data = root / "data"
    (data / "tags").mkdir()
    (data / "tags" / "v1").write_text(f"{store.stem}\n")
    Cache(str(data / "cache")).write_failures({bytes([7] * 32): "silent"})
    for path in [data, *data.rglob("*")]:
        path.chmod(0o700)
    memo = Memo(Cache(str(data / "cache")), root / "corpus")
    for i in range(3):
        memo._remember(f"{i}.wav".encode().hex(), [1, 2, 3, 4, 0.5, 16_000, "0" * 64])
    memo.save()
    return data, {
        "tag": data / "tags" / "v1",
        "build.json": data / "versions" / f"{store.stem}.build.json",
        "memo": next((data / "cache" / "memo").iterdir()),
        "part": next((data / "cache" / "logmel").iterdir()),
        "failures": next((data / "cache" / "failures").iterdir()),
        "zarr root": store / "zarr.json",
        "zarr array": store / "logmel" / "30" / "segments" / "zarr.json",
        "zarr chunk": store / "utterances" / "emotion" / "c" / "0",
        "zarr shard": store / "logmel" / "30" / "segments" / "c" / "0" / "0" / "0",
        "hdf5": store.with_suffix(".h5"),
    }


def asked(root: Path, container: str, dataset: str = "data") -> object:
    """The recipe of the data set."""
    values = {
        "dataset": {"path": str(root / dataset)},
        "corpus": {"reader": "table", "root": str(root / "corpus"), "file": "labels.csv"},
        "features": {"functionals": {"enabled": False}},
        "store": {"format": container},
    }
    return recipe_from(values, folder=root, name="x")


def contents(place: Path) -> list:
    """Everything that a store gives."""
    with Store(str(place)) as store:
        parts = [store.version, store.labels, json.dumps(store.attributes["configurations"], sort_keys=True)]
        parts += [store.column(name) for name in store.columns if name not in ("start", "end")]
        return [*parts, store.read_segments(slice(None), 30)[0].tobytes(), store.keys("logmel/30").tobytes()]


def fuzz(root: Path, n: int, seed: int, kinds: list[str] | None = None) -> dict[str, collections.Counter]:
    """How `n` mutations of each kind of file were taken; an AssertionError or another bug ends it."""
    data, files = made(root)
    wanted = {kind: contents(files[kind] if kind == "hdf5" else files["zarr root"].parent) for kind in files}
    rows = Cache(str(data / "cache"))
    keys = Store(str(files["hdf5"])).keys("logmel/30")
    right = [block.tobytes() for block in rows.read(rows.find("logmel", keys))]
    counts: dict[str, collections.Counter] = {}
    for kind in kinds or [*files, *FORGED]:
        forged = kind.endswith(" forged")
        path, rng, count = files[kind.removesuffix(" forged")], random.Random(f"{seed} {kind}"), collections.Counter()
        whole = path.read_bytes()
        for _ in range(n):
            path.unlink(missing_ok=True)  # HDF5 knows an open file by its inode
            path.write_bytes(forge(kind, whole, rng) if forged else mutate(whole, rng))
            began = time.monotonic()
            try:
                if forged:
                    said = forged_one(kind, root, data, path, keys)
                else:
                    said = damaged(kind, root, data, path, wanted[kind], keys, right)
            except SerprepError as error:
                assert all(len(line) < 1500 and line.isprintable() for line in str(error).split("\n")), repr(error)
                said = "refused"
            assert time.monotonic() - began < 60, f"{kind}: took {time.monotonic() - began:.0f} s"
            count[said] += 1
        path.unlink(missing_ok=True)
        path.write_bytes(whole)
        counts[kind] = count
    return counts


FORGED = ("memo forged", "part forged", "zarr root forged", "zarr array forged")


def forge(kind: str, data: bytes, rng: random.Random) -> bytes:
    """A mutation with right digests, as somebody who means harm would write it."""
    if kind == "memo forged":
        lines = mutate(data[65:], rng)
        return hashlib.sha256(lines).hexdigest().encode() + b"\n" + lines
    if kind == "part forged":
        n = 48 + 3 * 52 + 8
        new = mutate(data[:16] + data[48:n], rng).ljust(n - 32, b"\0")[: n - 32]
        return b"SERPART1" + new[8:16] + hashlib.sha256(b"SERPART1" + new[8:]).digest() + new[16:] + data[n:]
    return mutate(data, rng)


def forged_one(kind: str, root: Path, data: Path, path: Path, keys: np.ndarray) -> str:
    """What becomes of what was forged: it may say anything that is possible, and break nothing."""
    cache = Cache(str(data / "cache"))
    if kind == "memo forged":
        memo = Memo(cache, root / "corpus")
        for i in range(3):
            memo.look_at(root / "corpus" / f"{i}.wav")
        return "read"
    if kind == "part forged":
        cache.read(cache.find("logmel", keys))
        return "read"
    store = data / "versions" / f"{open_store_stem(data)}.zarr"
    sealed = (store / "zarr.json").read_bytes() if kind == "zarr array forged" else b""
    try:
        if kind == "zarr root forged":
            text = path.read_bytes().decode("utf-8", "replace")
            seal = re.search('"seal": "([0-9a-f]{64})"', text)
            text = text.replace(seal[1], "0" * 64) if seal else text
            digest = hashlib.sha256(text.encode()).hexdigest()
            path.write_bytes(text.replace("0" * 64, digest, 1).encode())
        else:
            about = json.loads(sealed)["attributes"]
            zarr_store.seal(store, {name: about[name] for name in about if name not in ("files", "seal")})
        verify(str(store))
        contents(store)
        open_store(store).manifest()
        return "read"
    finally:
        if sealed:
            (store / "zarr.json").write_bytes(sealed)


def damaged(kind: str, root: Path, data: Path, path: Path, wanted: list, keys: np.ndarray, right: list[bytes]) -> str:
    """What becomes of one mutation, read in every way there is."""
    if kind in ("tag", "build.json"):
        assert latest(str(data), versions(str(data)))
        notes = [entry.note for entry in log(data)]
        names = tags(str(data))
        if kind == "tag":
            assert len(open_store(f"{data}@v1")) == 3 and names["v1"] == open_store(data).version
            gc(data)
            return "same"
        return "noticed" if any(notes) else "same"
    if kind in ("memo", "failures"):
        cache = Cache(str(data / "cache"))
        memo = Memo(cache, root / "corpus")
        digests = [memo.look_at(root / "corpus" / f"{i}.wav").digest for i in range(3)]
        assert len(set(digests)) == 3 and "0" * 64 not in digests, "a forged memory was believed"
        failures = cache.failures()
        return "same" if failures == {bytes([7] * 32): "silent"} and memo._known else "forgotten"
    if kind == "part":
        cache = Cache(str(data / "cache"))
        places = cache.find("logmel", keys)
        if not places.cached.all():
            return "not there"
        assert [block.tobytes() for block in cache.read(places)] == right
        return "same"
    place = path if kind == "hdf5" else data / "versions" / f"{open_store_stem(data)}.zarr"
    assert verify(str(place)).problems, f"{kind}: verify finds it whole"
    assert contents(place) == wanted, f"{kind}: other values were read"
    return "same"


def open_store_stem(data: Path) -> str:
    """The version of the only store."""
    return versions(str(data))[0].removeprefix("versions/").rsplit(".", 1)[0]


def main() -> None:
    """Run it, and print the counts."""
    os.environ["SERPREP_CACHE"] = ""
    n, seed = (int(word) for word in [*sys.argv[1:], "2000", "0"][:2]) if len(sys.argv) != 2 else (int(sys.argv[1]), 0)
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))  # whoever believes a length ends here
    folder = Path(tempfile.mkdtemp(prefix="serprep-fuzz-"))
    began = time.monotonic()
    try:
        for kind, count in fuzz(folder / "set", n, seed).items():
            words = ", ".join(f"{number} {said}" for said, number in count.most_common())
            print(f"{kind:<18} {n}: {words}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{time.monotonic() - began:.0f} s, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB at most")


if __name__ == "__main__":
    main()
