"""One recipe here, on a cluster, and on a cluster from and to a bucket: the same store and weights, and what it costs.

One scheduler and three workers are processes in folders of their own; the bucket is that of an S3 server on this
machine.  Costs are processor-seconds of the command and its workers, in turn, since the clock of a busy machine says
nothing.

Alone: ``python benchmarks/places.py [--files N] [--rounds N] [--server NAME] [--train]``.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psutil
from chaos import CORPORA, SERPREP, Cluster, digests, fetched, upload
from servers import KEY, SERVERS

TRAIN = """
[corpus.emotions]
angry = "angry"
sad = "sad"
[split]
protocol = "group-k-fold"
folds = 2
[train]
systems = ["plain-crnn"]
seeds = [0]
epochs = 1
"""


def write_recipe(folder: Path, *, root: str, dataset: str, train: bool) -> Path:
    """Log-mel and native functionals of all recordings."""
    folder.mkdir(parents=True, exist_ok=True)
    text = (
        f'[dataset]\nname = "places"\npath = "{dataset}"\n'
        f'[corpus]\nreader = "ravdess"\nroot = "{root}"\n{TRAIN * train}'
    )
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    return folder / "recipe.toml"


def processor(processes: "list[subprocess.Popen[bytes]]") -> float:
    """Seconds that processes and what they started used until now."""
    return sum(sum(psutil.Process(process.pid).cpu_times()[:4]) for process in processes)


def spent(environment: dict[str, str], *words: str, cluster: Cluster | None) -> float:
    """Processor-seconds of a command, and of the cluster meanwhile."""
    processes = [*cluster.workers, cluster.scheduler] if cluster else []
    before, where = processor(processes), ("--scheduler", cluster.address) if cluster else ("--workers", "3")
    command = subprocess.Popen([*SERPREP, *words, *where], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(command.pid, 0)
    command.returncode = os.waitstatus_to_exitcode(status)
    if command.returncode:
        sys.exit(f"{' '.join(words)}: exit {command.returncode}")
    return usage.ru_utime + usage.ru_stime + processor(processes) - before


def weights(files: Mapping[str, str]) -> list[str]:
    """Digests of the weights among files."""
    return sorted(digest for name, digest in files.items() if name.endswith("/weights.safetensors"))


def main() -> None:
    """All places in turn, round by round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1440, help="recordings of RAVDESS")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--server", choices=SERVERS, default="moto")
    parser.add_argument("--train", action="store_true", help="`serprep run` with a system, once")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        files = sorted((CORPORA / "ravdess").rglob("*.flac"))
        files = files[:: max(1, len(files) // given.files)][: given.files]
        for path in files:
            copy = folder / "corpus" / path.relative_to(CORPORA / "ravdess")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        port = stack.enter_context(SERVERS[given.server](folder))
        endpoint = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            "SERPREP_CACHE": "",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": endpoint,
            "OMP_NUM_THREADS": "1",
        }
        upload(folder / "corpus", endpoint, environment)
        cluster = Cluster(folder, environment)
        stack.callback(cluster.close)
        action = "run" if given.train else "build"
        costs: dict[str, list[float]] = {}
        stores: dict[str, tuple[str, dict[str, str]]] = {}
        made: list[list[str]] = []
        for turn in range(1 if given.train else given.rounds):
            for name, root, dataset, around in (
                ("here, 3 processes", str(folder / "corpus"), str(folder / f"here{turn}"), None),
                ("cluster", str(folder / "corpus"), str(folder / f"there{turn}"), cluster),
                ("cluster and bucket", "s3://lab/corpus", f"s3://lab/set{turn}", cluster),
            ):
                recipe = write_recipe(folder / f"{name}{turn}", root=root, dataset=dataset, train=given.train)
                seconds = spent(environment, action, str(recipe), cluster=around)
                costs.setdefault(name, []).append(seconds)
                url = dataset.startswith("s3:")
                everything = fetched(dataset, endpoint, environment) if url else digests(Path(dataset))
                kept = {
                    at: digest for at, digest in everything.items() if at.startswith("versions/") and ".zarr/" in at
                }
                stores[f"{name} {turn}"] = next(iter(kept)).split("/")[1], kept
                made.append(weights(everything | digests(recipe.parent)))
                print(name, turn, round(seconds, 1), file=sys.stderr, flush=True)
        versions = {json.dumps(store, sort_keys=True) for store in stores.values()}
        print(f"{len(files)} recordings, log-mel and native functionals; `serprep {action}`.\n")
        print("| where | processor-s, median | against here |")
        print("| --- | ---: | ---: |")
        here = costs["here, 3 processes"]
        for name, several in costs.items():
            ratio = median(a / b for a, b in zip(several, here, strict=True))
            print(f"| {name} | {median(several):.1f} | {100 * (ratio - 1):+.1f} % |")
        same = len(versions) == 1
        print(f"\nAll {len(stores)} stores have the same version and bytes: {'yes' if same else 'NO'}.")
        if given.train:
            same = same and bool(made[0]) and all(own == made[0] for own in made)
            print(f"{len(made[0])} files of weights at each place, the same: {'yes' if same else 'NO'}.")
        if not same:
            sys.exit("stores or weights differ")


if __name__ == "__main__":
    main()
