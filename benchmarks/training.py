"""Training: throughput against a straightforward implementation, and what loading costs.

Part of ``make bench``; alone, any of: ``python benchmarks/training.py throughput loading memory parts sharing svm``.

Features are random; lengths are those of IEMOCAP's turns where ``../shared/corpora`` has them, else drawn
with the same mean and spread.  Everything is measured in one run, ours and theirs in turn.
``SERPREP_BENCH_ROUNDS=5`` sets the rounds, ``SERPREP_BENCH_UTTERANCES=2560`` the utterances.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.utils.data import DataLoader, Dataset

from serprep.cache.parts import PLACE, Places, as_keys, key_of
from serprep.features.extract import Features, identities
from serprep.manifest.table import make_manifest
from serprep.processes import ENVIRONMENT
from serprep.recipe import TrainConfig
from serprep.store import zarr_store
from serprep.store.convert import convert
from serprep.store.layout import StoreConfig
from serprep.store.store import Store, open_store
from serprep.store.writer import Origins, attributes, plan_store, small_value
from serprep.systems import inputs_of
from serprep.utterance import Utterance
from serprep_models.crnn import n_flat
from serprep_models.examples import Stored
from serprep_models.loader import Batches, Loader
from serprep_models.standardise import CLIP, Moments
from serprep_models.system import Batch, SystemConfig
from serprep_models.systems.svm import Labelled, compare_svm
from serprep_models.train import _Training

ROOT = Path(__file__).resolve().parents[1]
TURNS = ROOT.parent / "shared" / "corpora" / "iemocap" / "turns.csv"
ROUNDS = int(os.environ.get("SERPREP_BENCH_ROUNDS", "5"))
UTTERANCES = int(os.environ.get("SERPREP_BENCH_UTTERANCES", "2560"))
SYSTEMS = ("plain-crnn", "hsf-crnn", "multi-crnn")
LABELS = ("angry", "happy", "neutral", "sad")
BATCH = 32


def lengths(n: int) -> list[int]:
    """Samples of `n` utterances at 16 kHz, drawn from IEMOCAP's."""
    rng = np.random.default_rng(0)
    if TURNS.is_file():
        with TURNS.open(encoding="utf-8", newline="") as file:
            known = [int(row["n_samples"]) for row in csv.DictReader(file) if row["n_samples"]]
        return [int(value) for value in rng.choice(known, n)]
    return [int(value) for value in 16_000 * np.clip(rng.lognormal(1.3, 0.65, n), 0.6, 34)]


def write_store(folder: Path, n: int) -> Store:
    """A store of random features, as `serprep build` lays it out."""
    rng = np.random.default_rng(1)
    features = Features()
    kinds = identities(features)
    samples = np.array(lengths(n))
    utterances = [
        Utterance(
            id=f"u{number:06d}",
            path=f"u{number:06d}.wav",
            speaker=f"s{number % 10}",
            emotion=LABELS[number % len(LABELS)],
            duration=n_samples / 16_000,
            sample_rate=16_000,
            audio_digest=f"{number:064x}",
        )
        for number, n_samples in enumerate(samples.tolist())
    ]
    tables = {kind: np.zeros(n, PLACE) for kind in kinds}
    for table in tables.values():
        table["n_samples"], table["n_rows"] = samples, 1 + (samples - 400) // 160
    keys = {
        kind: as_keys(key_of(row.audio_digest, None, None, identity) for row in utterances)
        for kind, identity in kinds.items()
    }
    origins = Origins(keys, {kind: Places((), table) for kind, table in tables.items()})
    plan = plan_store(make_manifest(utterances, {"corpus": "random"}), origins, features, StoreConfig())
    path = folder / "random.zarr"
    path.mkdir()
    zarr_store.create(path, plan.arrays, partial(small_value, plan))
    for array in plan.arrays:
        for first in range(0, array.shape[0], array.shard) if array.is_large else ():
            shape = (min(array.shard, array.shape[0] - first), *array.shape[1:])
            zarr_store.write_rows(str(path), array.name, first, rng.standard_normal(shape, np.float32))
    configurations = {"features": features.to_json(), "labels": list(LABELS)}
    about = attributes(plan, version="0" * 64, configurations=configurations, extractors={})
    zarr_store.seal(path, about)
    return open_store(path)


def stored(store: Store, system: str) -> Stored:
    """All utterances of the store, with statistics that are no constants."""
    sizes = {"short": 40, "long": 40, "functionals": 6373}
    statistics = {kind: Moments(np.full(n, 0.1), np.full(n, 1.1)) for kind, n in sizes.items()}
    return Stored(store, np.arange(len(store)), inputs_of(system, {}, Features()), statistics)


def table(title: str, rows: list[tuple[object, ...]], head: tuple[str, ...]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n\n| " + " | ".join(head) + " |\n| " + " | ".join("---" for _ in head) + " |")
    for row in rows:
        print("| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    sys.stdout.flush()


def seconds(run: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def processor(run: Callable[[], object]) -> float:
    """How much processor time a call takes."""
    start = time.process_time()
    run()
    return time.process_time() - start


# -- throughput against a straightforward implementation ---------------------------------


class Files(Dataset[dict[str, Any]]):
    """One .npy file per utterance and kind of feature, standardised before."""

    def __init__(self, folder: Path, n: int, kinds: tuple[str, ...], labels: Tensor) -> None:
        self.folder, self.n, self.kinds, self.labels = folder, n, kinds, labels

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> dict[str, Any]:
        arrays = {kind: torch.from_numpy(np.load(self.folder / f"{i}-{kind}.npy")) for kind in self.kinds}
        return {**arrays, "label": self.labels[i]}


def collate(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Utterances padded to the longest one of the batch."""
    batch: dict[str, Any] = {"label": torch.stack([entry["label"] for entry in entries])}
    for kind in entries[0].keys() - {"label"}:
        values = [entry[kind] for entry in entries]
        if kind == "functionals":
            batch[kind] = torch.stack(values)
        else:
            batch[kind] = nn.utils.rnn.pad_sequence(values, batch_first=True)  # (B, T, L, M)
            batch[f"n_{kind}"] = torch.tensor([len(value) for value in values])
    return batch


class PlainEncoder(nn.Module):
    """The paper's encoder as one would write it down."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 30, (40, 5)), nn.ReLU(), nn.MaxPool2d((1, 3), (1, 2)),
            nn.Conv2d(30, 30, (1, 3)), nn.ReLU(), nn.MaxPool2d((1, 3), (1, 2)), nn.Flatten(),
        )  # fmt: skip
        self.lstm = nn.LSTM(n_flat(length), 128, batch_first=True)

    def forward(self, x: Tensor, counts: Tensor) -> Tensor:
        b, t = x.shape[:2]
        out, _ = self.lstm(self.cnn(x.flatten(0, 1).transpose(1, 2)[:, None]).view(b, t, -1))
        real = (torch.arange(t) < counts[:, None])[:, :, None]
        highest = out.masked_fill(~real, -torch.inf).amax(1)
        mean = out.masked_fill(~real, 0).sum(1) / counts[:, None]
        return torch.cat([highest, mean, out.masked_fill(~real, torch.inf).amin(1)], 1)


class PlainSystem(nn.Module):
    """The three systems as one would write them down."""

    def __init__(self, system: str) -> None:
        super().__init__()

        def layers(*sizes: int) -> nn.Sequential:
            pairs = pairwise(sizes)
            return nn.Sequential(*[m for a, b in pairs for m in (nn.Linear(a, b), nn.Sigmoid())])

        self.system = system
        self.short = PlainEncoder(30)
        if system == "plain-crnn":
            self.fc, self.head = layers(384, 128, 32), nn.Linear(32, len(LABELS))
        elif system == "hsf-crnn":
            self.fc, self.other = layers(384, 128), layers(6373, 1024, 520, 128)
            self.head = nn.Sequential(layers(256, 32), nn.Linear(32, len(LABELS)))
        else:
            self.long, self.fc = PlainEncoder(50), layers(384, 128, 128)
            self.head = nn.Sequential(layers(512, 128), nn.Linear(128, len(LABELS)))

    def forward(self, batch: dict[str, Any]) -> Tensor:
        x = self.fc(self.short(batch["short"], batch["n_short"]))
        if self.system == "hsf-crnn":
            x = torch.cat([x, self.other(batch["functionals"])], 1)
        elif self.system == "multi-crnn":
            x = torch.cat([x, self.long(batch["long"], batch["n_long"])], 1)
        logits: Tensor = self.head(x)
        return logits


def throughput() -> None:
    """Utterances per second of a whole epoch, ours and theirs in turn."""
    how = TrainConfig(device="cpu", batch_size=BATCH)
    with tempfile.TemporaryDirectory() as scratch:
        store = write_store(Path(scratch), UTTERANCES)
        rows = []
        for system in SYSTEMS:
            examples = stored(store, system).load()
            for i in range(len(examples)):
                example = examples.batch(torch.tensor([i]))
                for name, values in example.inputs.items():
                    np.save(Path(scratch, f"{i}-{name}.npy"), (values if name in example.counts else values[0]).numpy())
            for threads in (1, 2):
                torch.set_num_threads(threads)
                config = SystemConfig.of(system, Features(), len(LABELS))
                ours = _Training(config, examples, how=how, seed=0)
                torch.manual_seed(0)
                theirs = PlainSystem(system)
                n_ours, n_theirs = (sum(p.numel() for p in m.parameters()) for m in (ours.system, theirs))
                assert n_ours == n_theirs
                adam = torch.optim.Adam(theirs.parameters(), lr=1e-3, foreach=False, fused=False)
                loss_of = nn.CrossEntropyLoss()
                files = Files(Path(scratch), len(examples), inputs_of(system, {}, Features()), examples.labels)
                loader = DataLoader(files, batch_size=BATCH, shuffle=True, collate_fn=collate)

                def ours_epoch(ours: _Training = ours) -> None:
                    for batch in ours.loader:
                        ours.step(batch)

                def theirs_epoch(
                    theirs: PlainSystem = theirs,
                    adam: torch.optim.Optimizer = adam,
                    loss_of: nn.Module = loss_of,
                    loader: DataLoader[Any] = loader,
                ) -> None:
                    for batch in loader:
                        loss = loss_of(theirs(batch), batch["label"])
                        adam.zero_grad()
                        loss.backward()
                        adam.step()

                ours_epoch(), theirs_epoch()
                times = [(seconds(ours_epoch), seconds(theirs_epoch)) for _ in range(ROUNDS)]
                fast, slow = (median(pair[i] for pair in times) for i in (0, 1))
                rows.append((system, threads, len(examples) / fast, len(examples) / slow, slow / fast))
    torch.set_num_threads(1)
    source = "IEMOCAP's lengths" if TURNS.is_file() else "drawn lengths"
    head = ("system", "threads", "ours, utterances/s", "straightforward, utterances/s", "ratio")
    table(f"Training throughput: {UTTERANCES} utterances of {source}, medians of {ROUNDS} epochs each", rows, head)


# -- loading ---------------------------------------------------------------------------


def loading() -> None:
    """Epochs of training from prepared tensors, from memory and streamed, in turn."""
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        zarr = write_store(Path(scratch), UTTERANCES)
        convert(zarr.path, Path(scratch) / "random.h5")
        hdf5 = open_store(Path(scratch) / "random.h5")
        for system in SYSTEMS:
            how = TrainConfig(device="cpu", batch_size=BATCH)
            source = stored(zarr, system)
            budget = int(source.n_bytes.sum()) // 2
            training = _Training(SystemConfig.of(system, Features(), len(LABELS)), source.load(), how=how, seed=0)
            ways: dict[str, Iterable[Batch]] = {
                "prepared": list(training.loader),
                "memory": training.loader,
                "zarr": Loader(Batches(source, batch_size=BATCH, memory_budget=budget)),
                "hdf5": Loader(Batches(stored(hdf5, system), batch_size=BATCH, memory_budget=budget)),
            }

            def epoch(batches: Iterable[Batch], training: _Training = training) -> None:
                for batch in batches:
                    training.step(batch)

            epoch(ways["memory"])
            times = {name: [] for name in ways}  # type: dict[str, list[float]]
            for _ in range(ROUNDS):
                for name, batches in ways.items():
                    times[name].append(seconds(lambda batches=batches: epoch(batches)))  # type: ignore[misc]
            middle = {name: median(times_of) for name, times_of in times.items()}
            ratios = [middle[name] / middle["prepared"] for name in ("memory", "zarr", "hdf5")]
            rows.append((system, f"{budget / 1e6:.0f}", f"{2 * budget / 1e6:.0f}", middle["prepared"], *ratios))
    head = ("system", "budget MB", "features MB", "prepared, s", "in memory", "streamed zarr", "streamed hdf5")
    table(f"An epoch as a multiple of the same on prepared tensors, medians of {ROUNDS}", rows, head)


def memory() -> None:
    """Peak memory of a streamed epoch in a process of its own, beyond what it had before."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        store = write_store(Path(scratch), 2 * UTTERANCES)
        for budget in (192, 384, 768):
            for system in SYSTEMS:
                words = [sys.executable, __file__, "stream", store.path, system, str(budget)]
                measured = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
                rows.append((system, budget, *measured))
    head = ("system", "budget MiB", "features MiB", "windows", "peak beyond before, MiB")
    table("Peak memory of streaming", rows, head)


def stream(path: str, system: str, budget: str) -> None:
    """One streamed epoch; prints its peak of resident memory beyond what the process had before."""
    source = stored(open_store(path), system)
    data = Batches(source, batch_size=BATCH, memory_budget=int(budget) << 20)
    n_windows = len(data.plan(0, 1))
    for batch in Batches(Stored(source.store, source.rows[:64], source.kinds, source.statistics), batch_size=BATCH):
        del batch  # libraries have set themselves up

    def resident(name: str) -> float:
        text = Path("/proc/self/status").read_text(encoding="ascii")
        return int(text.split(f"{name}:")[1].split()[0]) / 1024

    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before = resident("VmRSS")
    for batch in data:
        del batch
    peak = resident("VmHWM") - before
    print(json.dumps([f"{int(source.n_bytes.sum()) / 2**20:.0f}", n_windows, f"{peak:.0f}"]))


# -- parts -----------------------------------------------------------------------------


def sharing() -> None:
    """What experiments that shared more would save: a fold's reading, and the steps of three seeds at once."""
    torch.set_num_threads(1)
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as scratch:
        store = write_store(Path(scratch), UTTERANCES)
        for system in (*SYSTEMS, "linear", "mlp"):
            source = stored(store, system)
            config = SystemConfig.of(system, Features(), len(LABELS))
            training = _Training(config, source.load(), how=TrainConfig(device="cpu", batch_size=BATCH), seed=0)
            load = median(processor(source.load) for _ in range(ROUNDS))
            epoch = median(processor(lambda: [training.step(batch) for batch in training.loader]) for _ in range(3))  # noqa: B023
            rows.append((system, load, epoch, 100 * load / (load + 60 * epoch)))
    head = ("system", "read and standardise, s", "epoch, s", "% of 60 epochs")
    table(f"What a fold in memory would save, processor time, {UTTERANCES} utterances", rows, head)
    rows = []
    for width in (0, 128, 1024):
        one_by_one, at_once = _seeds(width)
        rows.append((width, 1000 * one_by_one, 1000 * at_once, at_once / one_by_one))
    head = ("hidden units", "one by one, ms", "at once, ms", "ratio")
    table(f"A step of three seeds on 6373 functionals, processor time, batches of {BATCH}", rows, head)


def _seeds(width: int) -> tuple[float, float]:
    """Seconds of a step of three networks, one after the other and vectorised."""
    sizes = (6373, width, len(LABELS)) if width else (6373, len(LABELS))
    networks = [
        nn.Sequential(*(layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU()))) for _ in range(3)
    ]
    x, labels = torch.randn(3, BATCH, sizes[0]), torch.randint(0, len(LABELS), (3, BATCH))
    weights, _ = stack_module_state(networks)  # type: ignore[no-untyped-call]

    def loss(own: dict[str, Tensor], x: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(functional_call(networks[0], own, (x,)), labels)

    gradients = vmap(grad(loss))

    def one_by_one() -> None:
        for network, own, wanted in zip(networks, x, labels, strict=True):
            network.zero_grad()
            nn.functional.cross_entropy(network(own), wanted).backward()

    ways = (lambda: [one_by_one() for _ in range(10)], lambda: [gradients(weights, x, labels) for _ in range(10)])
    times = [[processor(way) for way in ways] for _ in range(ROUNDS + 1)][1:]
    return median(first for first, _ in times) / 10, median(second for _, second in times) / 10


def parts() -> None:
    """Where a step's time goes: forward, backward, optimiser."""
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        store = write_store(Path(scratch), min(UTTERANCES, 640))
        for system in SYSTEMS:
            how = TrainConfig(device="cpu", batch_size=BATCH)
            training = _Training(
                SystemConfig.of(system, Features(), len(LABELS)), stored(store, system).load(), how=how, seed=0
            )
            times = []
            for batch in [batch for _ in range(3) for batch in training.loader]:
                marks = [time.perf_counter()]
                loss = training.loss_of(training.system(batch), batch.labels)
                marks.append(time.perf_counter())
                training.system.zero_grad(set_to_none=True)
                loss.backward()
                marks.append(time.perf_counter())
                training.optimiser.step()
                marks.append(time.perf_counter())
                times.append(1000 * np.diff(marks))
            rows.append(
                (system, *(float(value) for value in np.median(times, axis=0)), float(np.median(np.sum(times, 1))))
            )
    table(f"A step of {BATCH} utterances, one thread, ms", rows, ("system", "forward", "backward", "Adam", "all"))


# -- the linear SVM --------------------------------------------------------------------


def svm() -> None:
    """compare-svm of one fold of five at IEMOCAP's size, one thread: functionals of a few hundred factors and noise."""
    rng = np.random.default_rng(0)
    n, n_features, n_factors = 5531, 6373, 400
    labels, sessions = rng.choice(4, n, p=(0.2, 0.3, 0.31, 0.19)), rng.integers(0, 5, n)
    factors = rng.standard_normal((n, n_factors), np.float32) * (20 * np.arange(1, n_factors + 1) ** -0.6)
    factors[:, 20:60] += 0.8 * rng.standard_normal((4, 40))[labels]
    values = factors.astype("f4") @ rng.standard_normal((n_factors, n_features), np.float32) / 4
    values += 2 * rng.standard_normal(values.shape, np.float32)
    train, test = np.flatnonzero(sessions), np.flatnonzero(sessions == 0)
    values = Moments(values[train].mean(0, np.float64), values[train].std(0, np.float64)).apply(values, clip=CLIP)
    speakers = [f"{sessions[i]}{i % 2}" for i in train]
    learns = Labelled(values=values[train], labels=labels[train], speakers=speakers)
    with threadpool_limits(1):
        before, start = time.process_time(), time.perf_counter()
        machine = compare_svm(learns, n_labels=4, c=(1e-5, 1e-4, 1e-3))
        spent, took = time.process_time() - before, time.perf_counter() - start
    right = float((machine.probabilities(values[test]).argmax(1) == labels[test]).mean())
    rows = [(len(train), took, spent, 5 * spent / 2, 180, machine.choice["c"], right)]
    head = ("utterances", "s", "processor-seconds", "5 folds on 2 cores, s", "wanted, s", "C", "right")
    table("compare-svm, three C in five folds, then the machine", rows, head)


BENCHMARKS = {
    "throughput": throughput,
    "loading": loading,
    "memory": memory,
    "parts": parts,
    "sharing": sharing,
    "svm": svm,
}

if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ENVIRONMENT})
    if sys.argv[1:2] == ["stream"]:
        stream(*sys.argv[2:])
    else:
        for chosen in sys.argv[1:] or BENCHMARKS:
            BENCHMARKS[chosen]()
