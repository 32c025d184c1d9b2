"""A build on a cluster and a bucket that fail all the time: a proof for docs/proofs.md.

One scheduler and three workers, as processes in folders of their own; an S3 server behind a
proxy that answers with errors, resets, half bodies and delays; a worker killed and started again
every few seconds; three recordings that crash, hang and eat memory.  What comes out must be the
store of a calm build without these three.

Alone: ``python benchmarks/chaos.py [--seeds N…] [--files N] [--every S] [--only CLASS…] [--plain] [--server NAME]``.
"""

import argparse
import contextlib
import http.client
import json
import math
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from servers import SERVERS, free_port, started

from serprep.testing.moments import write_plugin

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"
SERPREP = [sys.executable, "-c", "from serprep_cli.main import main; main()"]
EVERY = 5.0  # seconds between kills
LIMIT = 3600.0  # seconds that a build may take
MEMORY = 256  # MiB that a recording may cost
TROUBLES = {"error": 0.05, "reset": 0.02, "truncation": 0.01, "delay": 0.05}  # per answer
DELAY = 3.0  # seconds
FAULTS = ("kills", "proxy", "poisons")
POISONS = {"crash": "crashes", "hang": "hangs", "memory": "memory"}  # what a recording does → a word of the reason
PLAIN = "[features.functionals]\nenabled = false\n"
PLUGIN = """
import os, signal
from dataclasses import dataclass
import numpy as np
from serprep.features.kind import Kind

@dataclass(frozen=True, kw_only=True)
class Poison:
    crash: str = ""
    hang: str = ""
    memory: str = ""

class _Poison(Kind[Poison]):
    name = "poison"
    config = Poison
    shape = "row"
    revision = 1
    wants = "utterance"
    patience = 0.1

    def names(self, config):
        return "mean", "std", "least", "most"

    def extractor(self, config, signal_):
        def extract(samples, utterance):
            if utterance == config.crash:
                os.kill(os.getpid(), signal.SIGSEGV)
            while utterance == config.hang:
                pass
            if utterance == config.memory:
                kept = [bytearray(b"x") * (64 << 20) for _ in range(64)]
            return np.array([samples.mean(), samples.std(), samples.min(), samples.max()], np.float32)
        return extract

POISON = _Poison()
"""


@contextmanager
def proxy(port: int, seed: int, troubles: Mapping[str, float]) -> Iterator[tuple[str, "Counter[str]"]]:
    """Endpoint of a server before that at `port` which makes trouble, and how much it made."""
    rng, counts, lock = random.Random(seed), Counter[str](), threading.Lock()
    weights = {"": 1 - sum(troubles.values()), **troubles}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *words: Any) -> None:
            """Nothing."""

        def answer(self) -> None:
            with lock:
                trouble = rng.choices(list(weights), list(weights.values()))[0]
                status, lost = rng.choice((500, 503)), rng.random() < 0.5
                counts["requests"] += 1
                counts[trouble] += trouble != ""
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if trouble == "error":
                self.reply(status, {}, b"")
                return
            if trouble == "delay":
                time.sleep(DELAY)
            if trouble != "reset" or lost:  # in half of the cases it was done, and nobody is told
                upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in ("expect", "connection"):
                        upstream.putheader(name, value)
                upstream.endheaders(body or None)
                response = upstream.getresponse()
                data = response.read()
                upstream.close()
            if trouble == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            self.reply(response.status, dict(response.headers), data, half=trouble == "truncation")

        def reply(self, status: int, headers: dict[str, str], data: bytes, *, half: bool = False) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = headers.get("Content-Length", str(len(data))) if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", length)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(b"" if self.command == "HEAD" else data[: len(data) // 2] if half else data)
            self.close_connection = self.close_connection or half

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, *words: Any) -> None:
            """Clients that were reset go."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", counts
    finally:
        server.shutdown()
        server.server_close()


class Cluster:
    """A scheduler and workers, each a process in a folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], n: int = 3) -> None:
        self.folder, self.environment, self.kills = folder, environment, 0
        self.address = f"tcp://127.0.0.1:{free_port()}"
        port = self.address.rpartition(":")[2]
        options = ("--host", "127.0.0.1", "--port", port, "--dashboard-address", "127.0.0.1:0")
        self.scheduler = self._start("dask_scheduler", *options, name="scheduler")
        self.workers = [self._worker(number) for number in range(n)]

    def _start(self, program: str, *words: str, name: str) -> "subprocess.Popen[bytes]":
        place = self.folder / name
        place.mkdir(exist_ok=True)
        with (place / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{program}", *words],
                cwd=place,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,  # as many shares of a busy machine's time
            )

    def _worker(self, number: int) -> "subprocess.Popen[bytes]":
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
        return self._start("dask_worker", self.address, *options, name=f"worker{number}")

    @contextmanager
    def killing(self, seed: int, every: float) -> Iterator[None]:
        """Kill a worker every few seconds, and start again what has ended, as a nanny would."""
        rng, over = random.Random(seed), threading.Event()

        def kill() -> None:
            due = time.monotonic() + every
            while not over.wait(0.5):
                if time.monotonic() >= due:
                    due += every
                    rng.choice(self.workers).kill()
                    self.kills += 1
                for number, worker in enumerate(self.workers):
                    if worker.poll() is not None:
                        self.workers[number] = self._worker(number)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            yield
        finally:
            over.set()
            killer.join()

    def close(self) -> None:
        """End all."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


def write_recipe(folder: Path, about: "Corpus", *, root: str, dataset: str, poisoned: bool) -> Path:
    """All recordings; the poisoned ones left out, or not."""
    (folder / "exclude.txt").write_text("\n".join(about.poison.values()) + "\n", encoding="utf-8")
    kinds = "".join(f'{name} = "{utterance}"\n' for name, utterance in about.poison.items())
    path = folder / "recipe.toml"
    path.write_text(
        f'[dataset]\nname = "ravdess"\npath = "{dataset}"\n[corpus]\nreader = "ravdess"\nroot = "{root}"\n'
        + ("" if poisoned else 'exclude = "exclude.txt"\n')
        + f"[features.poison]\n{kinds}{about.more}",
        encoding="utf-8",
    )
    return path


@dataclass(frozen=True)
class Corpus:
    """Recordings in a folder and at an S3 server, which of them poison, and what a calm build makes of the others."""

    port: int  # of the server
    environment: dict[str, str]
    poison: dict[str, str]  # what it does → id of a recording
    more: str  # of a recipe
    calm: dict[str, str]  # file of the store → MD5


@contextmanager
def prepared(n_files: int, *, plain: bool, server: str) -> Iterator[tuple[Path, Corpus]]:
    """A folder to work in, and a corpus that was built calmly."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_plugin(folder / "plugin", "poison", "serprep_poison:POISON")
        (folder / "plugin" / "serprep_poison.py").write_text(PLUGIN, encoding="utf-8")
        files = sorted((CORPORA / "ravdess").rglob("*.flac"))[:n_files]
        for path in files:
            copy = folder / "corpus" / path.relative_to(CORPORA / "ravdess")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(folder / "plugin"), os.environ.get("PYTHONPATH")))),
            "SERPREP_CACHE": "",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "OMP_NUM_THREADS": "1",
        }
        ids = [path.stem for path in files[:: max(1, n_files // 3)][:3]]
        poison = dict(zip(POISONS, ids, strict=True))
        about = Corpus(stack.enter_context(SERVERS[server](folder)), environment, poison, PLAIN * plain, {})
        upload(folder / "corpus", f"http://127.0.0.1:{about.port}", environment)
        recipe = write_recipe(folder, about, root="corpus", dataset="calm", poisoned=False)
        calm = built(recipe, environment)
        yield folder, replace(about, calm=digests(Path(str(calm["store"]))))


def chaos(
    say: Callable[[str], None],
    *,
    seeds: Collection[int],
    n_files: int,
    every: float = EVERY,
    faults: Collection[str] = FAULTS,
    plain: bool = False,
    server: str = "moto",
) -> None:
    """Builds in chaos, one for each seed, against a calm one."""
    say(f"## A cluster and a bucket in chaos ({n_files} recordings of RAVDESS)\n")
    troubles = TROUBLES if "proxy" in faults else {}
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in troubles.items()) or "none"
    killed = f"killed every {every:.0f} s" if "kills" in faults else "killed never"
    say(f"Of the answers of the S3 server ({server}): {shares}; a worker of three {killed}.\n")
    say("| seed | s | requests | troubles | workers killed | retries told | quarantined | same store |")
    say("| --- | --- | --- | --- | --- | --- | --- | --- |")
    wrong = 0
    with prepared(n_files, plain=plain, server=server) as (folder, about):
        for seed in seeds:
            place = folder / f"seed{seed}"
            place.mkdir()
            with proxy(about.port, seed, troubles) as (endpoint, counts):
                around = about.environment | {"AWS_ENDPOINT_URL": endpoint}
                dataset = f"s3://lab/seed{seed}"
                recipe = write_recipe(
                    place, about, root="s3://lab/corpus", dataset=dataset, poisoned="poisons" in faults
                )
                cluster = Cluster(place, around)
                began = time.monotonic()
                try:
                    with cluster.killing(seed, every if "kills" in faults else math.inf):
                        result = built(recipe, around, "--scheduler", cluster.address)
                finally:
                    cluster.close()
                seconds = time.monotonic() - began
            reasons = {entry["id"]: entry["reason"] for entry in result["reasons"]}
            expected = about.poison if "poisons" in faults else {}
            right = reasons.keys() == set(expected.values()) and all(
                POISONS[name] in reasons[id_] for name, id_ in expected.items()
            )
            made = fetched(str(result["store"]), f"http://127.0.0.1:{about.port}", about.environment)
            wrong += not right or made != about.calm
            say(
                f"| {seed} | {seconds:.0f} | {counts['requests']} "
                f"| {', '.join(f'{name} {counts[name]}' for name in troubles)} | {cluster.kills} "
                f"| {sum(result['retries'].values())} "
                f"| {f'these {len(expected)}' if right else reasons} | {'yes' if made == about.calm else 'NO'} |"
            )
    say(f"\nOf {len(seeds)} builds {len(seeds) - wrong} ended with these quarantined and the calm build's store.\n")
    if wrong:
        sys.exit("a build in chaos gave another store, or other recordings are quarantined")


def built(recipe: Path, environment: dict[str, str], *words: str, limit: float = LIMIT) -> dict[str, Any]:
    """What `serprep build --json` says; what it says meanwhile, with the second, on standard error."""
    command = [*SERPREP, "build", str(recipe), "--json", "--memory-per-worker", str(MEMORY), *words]
    began = time.monotonic()
    lines = deque[str](maxlen=20)
    with started(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        timer = threading.Timer(limit, process.kill)
        timer.start()
        for line in map(bytes.decode, process.stderr or ()):
            lines.append(line)
            print(f"{time.monotonic() - began:6.1f} s: {line}", end="", file=sys.stderr, flush=True)
        said, _ = process.communicate()
        timer.cancel()
    seconds = time.monotonic() - began
    if process.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)}: exit {process.returncode} after {seconds:.0f} s\n{''.join(lines)}")
    return dict(json.loads(said))


def digests(store: Path) -> dict[str, str]:
    """MD5 of every file, which S3 calls its ETag."""
    import hashlib

    return {
        path.relative_to(store).as_posix(): hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in store.rglob("*")
        if path.is_file()
    }


def _files(endpoint: str, environment: dict[str, str]) -> Any:
    import s3fs

    keys = {"key": environment["AWS_ACCESS_KEY_ID"], "secret": environment["AWS_SECRET_ACCESS_KEY"]}
    return s3fs.S3FileSystem(endpoint_url=endpoint, use_listings_cache=False, skip_instance_cache=True, **keys)


def upload(folder: Path, endpoint: str, environment: dict[str, str]) -> None:
    """A corpus into a new bucket."""
    files = _files(endpoint, environment)
    files.mkdir("lab")
    for path in folder.rglob("*"):
        if path.is_file():
            files.pipe_file(f"lab/corpus/{path.relative_to(folder).as_posix()}", path.read_bytes())


def fetched(store: str, endpoint: str, environment: dict[str, str]) -> dict[str, str]:
    """MD5 of every object of a store."""
    root = store.removeprefix("s3://")
    found = _files(endpoint, environment).find(root, detail=True)
    return {name.removeprefix(f"{root}/"): entry["ETag"].strip('"') for name, entry in found.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--every", type=float, default=EVERY, help="seconds between kills")
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=FAULTS, help="faults; by default all")
    parser.add_argument("--plain", action="store_true", help="without functionals, which are most of the work")
    parser.add_argument("--server", choices=SERVERS, default="moto")
    given = parser.parse_args()
    chaos(
        print,
        seeds=given.seeds,
        n_files=given.files,
        every=given.every,
        faults=given.only,
        plain=given.plain,
        server=given.server,
    )
