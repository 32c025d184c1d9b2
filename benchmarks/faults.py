"""Builds that are killed, stores that are damaged, disks that fill up: proofs for docs/proofs.md.

Part of ``make prove``; alone: ``python benchmarks/faults.py [kill] [suspend] [training] [flip] [disk]``.
`SERPREP_SUSPEND` is for how many seconds builds are suspended; 60 is what the page shows.
"""

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from serprep.cache.parts import Cache
from serprep.errors import SerprepError
from serprep.testing import write_synthetic_corpus

os.environ["SERPREP_CACHE"] = ""  # each data set has its own, beside its stores: what is built is computed
PATTERN = "{emotion}/{speaker}_{text}_{take}.wav"
SERPREP = [sys.executable, "-c", "from serprep_cli.main import main; main()"]
Say = Callable[[str], None]


def write_recipe(folder: Path, container: str = "zarr") -> Path:
    """A recipe for the synthetic corpus in `folder`."""
    path = folder / "recipe.toml"
    path.write_text(
        f'[dataset]\npath = "stores"\n[corpus]\nreader = "pattern"\nroot = "corpus"\npattern = "{PATTERN}"\n'
        f'[store]\nformat = "{container}"\n',
        encoding="utf-8",
    )
    return path


def digests(store: Path) -> dict[str, str]:
    """SHA-256 of every file of a store."""
    files = [store] if store.is_file() else sorted(path for path in store.rglob("*") if path.is_file())
    return {path.relative_to(store.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run(folder: Path, *words: str) -> dict[str, object]:
    """A finished `serprep build`, as JSON."""
    command = [*SERPREP, "build", str(folder / "recipe.toml"), "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def victim(process: subprocess.Popen[bytes], kind: str) -> psutil.Process | None:
    """The main process, a Dask worker, or an openSMILE helper of it."""
    main = psutil.Process(process.pid)
    if kind == "main":
        return main
    children = main.children(recursive=True)
    if kind == "helper":
        fitting = [child for child in children if any("_opensmile_helper" in word for word in child.cmdline())]
    else:
        fitting = [child for child in children if any("serve(**" in word for word in child.cmdline())]
    return random.choice(fitting) if fitting else None


def cached(folder: Path) -> set[bytes]:
    """Keys of all finished parts."""
    cache = Cache(str(folder / "stores" / "cache"))
    keys: set[bytes] = set()
    for kind in ("logmel", "functionals"):
        for name in cache.folder.names(kind):
            keys |= set(cache._index(name))
    return keys


def kill(say: Say, rounds: int = 10) -> None:
    """SIGKILL to the main process, a worker, a helper, at a random moment; then resume."""
    say("## Killed at random moments\n")
    random.seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole"
        write_synthetic_corpus(whole / "corpus", n_speakers=10, n_texts=8)
        write_recipe(whole)
        started = time.perf_counter()
        expected = run(whole)
        length = time.perf_counter() - started
        reference = digests(Path(str(expected["store"])))
        say(f"{expected['n_utterances']} synthetic utterances; an undisturbed build takes {length:.1f} s.\n")
        say("| killed | after s | exit | utterances finished before | computed on resuming | same store |")
        say("| --- | --- | --- | --- | --- | --- |")
        for number in range(rounds):
            kind = ("main", "worker", "helper")[number % 3]
            folder = Path(scratch) / f"run{number}"
            folder.mkdir()
            (folder / "corpus").symlink_to(whole / "corpus")
            write_recipe(folder)
            process = subprocess.Popen(
                [*SERPREP, "build", str(folder / "recipe.toml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            wait = random.uniform(0.3, 0.95) * length
            time.sleep(wait)
            for _ in range(100):
                with contextlib.suppress(psutil.Error):
                    target = victim(process, kind)
                    if target is not None:
                        target.kill()
                        break
                time.sleep(0.02)
            status = process.wait()
            time.sleep(1.0)  # orphaned workers notice that they are alone
            before = len(cached(folder)) // 2
            visible = list((folder / "stores" / "versions").glob("[!.]*.zarr"))
            assert not visible or digests(visible[0]) == reference, "a half-written store is visible"
            result = run(folder)
            same = digests(Path(str(result["store"]))) == reference
            say(f"| {kind} | {wait:.1f} | {status} | {before} | {result['computed']} | {'yes' if same else 'NO'} |")
            unfinished = int(str(expected["n_utterances"])) - before
            if not same or int(str(result["computed"])) > unfinished:
                sys.exit("a killed build did not resume as it should")
    say("")


def suspend(say: Say, times: int = 5) -> None:
    """SIGSTOP to a whole build at random moments: workers, helpers and all; then it goes on."""
    seconds = float(os.environ.get("SERPREP_SUSPEND", "60"))
    say(f"## Suspended for {seconds:.0f} s at {times} random moments\n")
    say("| engine | utterances | undisturbed s | suspended at s | exit | quarantined | same store |")
    say("| --- | --- | --- | --- | --- | --- | --- |")
    rng = random.Random(0)
    for engine in ("opensmile", "native"):
        with tempfile.TemporaryDirectory() as scratch:
            whole, stopped = Path(scratch) / "whole", Path(scratch) / "stopped"
            write_synthetic_corpus(whole / "corpus", n_speakers=7, n_texts=4)
            for path in sorted((whole / "corpus").rglob("*.wav"))[100:]:
                path.unlink()
            stopped.mkdir()
            (stopped / "corpus").symlink_to(whole / "corpus")
            for folder in (whole, stopped):
                with write_recipe(folder).open("a", encoding="utf-8") as file:
                    file.write(f'[features.functionals]\nengine = "{engine}"\n')
            started = time.monotonic()
            expected = run(whole)
            length = time.monotonic() - started
            process = subprocess.Popen(
                [*SERPREP, "build", str(stopped / "recipe.toml"), "--json"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            moments = sorted(rng.uniform(0.1, 0.9) * length for _ in range(times))
            at = 0.0
            for moment in moments:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(moment - at)
                at = moment
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGSTOP)
                    time.sleep(seconds)
                    os.killpg(process.pid, signal.SIGCONT)
            output, _ = process.communicate(timeout=600)
            result = json.loads(output)
            same = digests(Path(result["store"])) == digests(Path(str(expected["store"])))
            words = ", ".join(f"{moment:.1f}" for moment in moments)
            say(
                f"| {engine} | {expected['n_utterances']} | {length:.1f} | {words} | {process.returncode} "
                f"| {result['quarantined']} | {'yes' if same else 'NO'} |"
            )
            if not same:
                sys.exit("a suspended build gave another store")
    say("")


TRAINING = """
import sys
from pathlib import Path
import numpy as np, torch
from safetensors.torch import save_file
from serprep.recipe import TrainConfig
from serprep.store.store import open_store
from serprep.systems import inputs_of
from serprep_models.system import SystemConfig
from serprep_models.examples import Stored
from serprep_models.standardise import training_statistics
from serprep_models.train import train
torch.set_num_threads(1)
store, folder, system = open_store(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
kinds, rows = inputs_of(system, {}, Features()), np.arange(len(store))
train_rows, dev_rows = rows[rows % 4 != 0], rows[rows % 4 == 0]
statistics = training_statistics(store, train_rows, kinds)
parts = [Stored(store, part, kinds, statistics) for part in (train_rows, dev_rows)]
if sys.argv[4] == "memory":
    parts = [part.load() for part in parts]
how = TrainConfig(epochs=8, batch_size=8, device="cpu", memory_budget=8)
config = SystemConfig.of(system, Features(), len(store.labels))
trained = train(config, parts[0], how=how, seed=0, dev=parts[1], folder=folder, save_every=0.3)
save_file(trained.system.state_dict(), folder / "weights.safetensors")
"""


def kill_training(say: Say, rounds: int = 5) -> None:
    """SIGKILL to a training at random moments; then resume, and compare the weights' bytes."""
    say("## Trainings killed at random moments\n")
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_synthetic_corpus(folder / "corpus", n_speakers=10, n_texts=8)
        write_recipe(folder)
        store = str(run(folder)["store"])
        say("| system | features | killed after s | of s | epochs done before | same weights, byte for byte |")
        say("| --- | --- | --- | --- | --- | --- |")
        for number in range(rounds):
            system = ("hsf-crnn", "multi-crnn", "plain-crnn")[number % 3]
            mode = ("streamed", "memory")[number % 2]
            whole, killed = folder / f"whole{number}", folder / f"killed{number}"
            started = time.perf_counter()
            for place in (whole, killed):
                place.mkdir()
            command = [sys.executable, "-c", TRAINING, store]
            subprocess.run([*command, whole, system, mode], check=True)
            length = time.perf_counter() - started
            process = subprocess.Popen([*command, killed, system, mode])
            while process.poll() is None and not (killed / "state.safetensors").is_file():
                time.sleep(0.01)
            wait = rng.uniform(0.0, 0.5) * length
            time.sleep(wait)
            process.kill()
            status = process.wait()
            before = len((killed / "history.jsonl").read_text(encoding="utf-8").splitlines())
            subprocess.run([*command, killed, system, mode], check=True)
            same = (whole / "weights.safetensors").read_bytes() == (killed / "weights.safetensors").read_bytes()
            word = f"first state + {wait:.1f}" if status else "finished before"
            say(f"| {system} | {mode} | {word} | {length:.1f} | {before} | {'yes' if same else 'NO'} |")
            if not same:
                sys.exit("a killed training did not resume as it should")
    say("")


def flips(say: Say, n: int = 200) -> None:
    """One bit flipped at random positions of a store; deleted, added, truncated and swapped files."""
    from serprep.store.verify import verify

    say("## Damage\n")
    say("| container | damage | trials | found by verify | restored by --repair |")
    say("| --- | --- | --- | --- | --- |")
    rng = random.Random(0)
    for container in ("zarr", "hdf5"):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            write_synthetic_corpus(folder / "corpus", n_speakers=4, n_texts=2)
            write_recipe(folder, container)
            store = Path(str(run(folder)["store"]))
            reference = digests(store)
            files = [store.parent / name for name in reference]
            writable(store)
            n_found = 0
            for _ in range(n):
                path = (
                    rng.choices(files, [file.stat().st_size for file in files])[0]
                    if rng.random() < 0.5
                    else rng.choice(files)
                )
                whole = path.read_bytes()
                place = rng.randrange(len(whole))
                path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << rng.randrange(8))]) + whole[place + 1 :])
                n_found += is_damaged(verify, store)
                path.write_bytes(whole)
            say(f"| {container} | one bit flipped | {n} | {n_found} | |")
            if n_found < n:
                sys.exit("damage was not found")
            for name, damage in DAMAGES.items():
                if container == "hdf5" and name in ("deleted file", "two files swapped"):
                    continue
                writable(store)
                damage(store, rng)
                noticed = is_damaged(verify, store)
                run(folder, "--repair")
                same = digests(store) == reference
                say(f"| {container} | {name} | 1 | {int(noticed)} | {'yes' if same else 'NO'} |")
                if not (noticed and same):
                    sys.exit("damage was not found, or not repaired")
    say("")


def is_damaged(verify: Callable[[str], object], store: Path) -> bool:
    """Whether verify finds something; anything but a clear answer is a failure."""
    try:
        return not getattr(verify(str(store)), "ok")  # noqa: B009
    except SerprepError:
        return True


def writable(store: Path) -> None:
    """Undo the read-only modes, as somebody who damages a store would."""
    for path in [store, *store.rglob("*")] if store.is_dir() else [store]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def arrays_of(store: Path) -> list[Path]:
    """Files of a store, the large ones first."""
    files = [store] if store.is_file() else [path for path in store.rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: (-path.stat().st_size, path.as_posix()))


def _delete(store: Path, rng: random.Random) -> None:
    rng.choice(arrays_of(store)[:5]).unlink()


def _add(store: Path, rng: random.Random) -> None:
    if store.is_dir():
        (store / "logmel" / "notes.txt").write_text("an added file", encoding="utf-8")
    else:
        with store.open("ab") as file:
            file.write(b"added")


def _truncate(store: Path, rng: random.Random) -> None:
    path = arrays_of(store)[0]
    os.truncate(path, path.stat().st_size // 2)


def _swap(store: Path, rng: random.Random) -> None:
    first, second = (store / "logmel" / length / "offsets" / "c" / "0" for length in ("30", "50"))
    shutil.copy(first, store.parent / ".swap")
    shutil.copy(second, first)
    shutil.move(store.parent / ".swap", second)


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "deleted file": _delete,
    "added file or bytes": _add,
    "truncated file": _truncate,
    "two files swapped": _swap,
}


def disk(say: Say) -> None:
    """A full disk and a read-only folder (needs root for the small tmpfs)."""
    say("## Full disk, read-only folder, cache removed in mid-build\n")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_synthetic_corpus(folder / "corpus", n_speakers=10, n_texts=8)
        write_recipe(folder)
        stores = folder / "stores"
        stores.mkdir()
        if (
            os.getuid() == 0
            and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", stores]).returncode == 0
        ):
            try:
                say(f"- full disk: {failing(folder)}")
                left = (
                    [path.name for path in (stores / "versions").glob("[!.]*")]
                    if (stores / "versions").exists()
                    else []
                )
                say(f"  visible under versions/: {left or 'nothing'}")
            finally:
                subprocess.run(["umount", stores], check=True)
        else:
            say("- full disk: left out, no tmpfs can be mounted here")
        process = subprocess.Popen(
            [*SERPREP, "build", str(folder / "recipe.toml")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        while process.poll() is None and not list((stores / "cache").glob("functionals/*")):
            time.sleep(0.05)
        shutil.rmtree(stores / "cache", ignore_errors=True)
        _, errors = process.communicate()
        say(f"- cache removed in mid-build: exit {process.returncode}; {last_line(errors) or 'no error'}")
        say(f"  the next build stores {run(folder)['n_utterances']} utterances")
    say("")


def failing(folder: Path) -> str:
    """How a build fails: exit status and the error line."""
    done = subprocess.run([*SERPREP, "build", str(folder / "recipe.toml")], capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return f"exit {done.returncode}; {last_line(done.stderr)}"


def last_line(text: str) -> str:
    """The last line, without paths of this run."""
    lines = text.strip().splitlines()
    return "`" + lines[-1].replace(tempfile.gettempdir(), "…") + "`" if lines else ""


PROOFS = {"kill": kill, "suspend": suspend, "training": kill_training, "flip": flips, "disk": disk}

if __name__ == "__main__":
    for chosen in sys.argv[1:] or PROOFS:
        PROOFS[chosen](print)
