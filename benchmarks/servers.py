"""S3 servers on this machine, for proofs: moto, which is a mock, and Ceph's radosgw, which people use in earnest.

Keys are "testing" and "testing", the region is "us-east-1".  radosgw and what it stands on come from Debian:
``apt-get install --no-install-recommends radosgw ceph-common ceph-mon ceph-osd``; all of it runs in one folder and
keeps its objects in memory.
"""

import re
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

KEY = "testing"
PATIENCE, STARTS = 90.0, 3  # seconds, times
# one request at a time: moto looks whether a condition holds and writes afterwards, so that two at once both win
MOTO = """
import sys, moto.server
run = moto.server.run_simple
moto.server.run_simple = lambda *words, **options: run(*words, **{**options, "threaded": False})
moto.server.main(sys.argv[1:])
"""
CEPH = """[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr2 = false
auth cluster required = none
auth service required = none
auth client required = none
run dir = {folder}
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
log file = {folder}/$name.log
mon cluster log file = {folder}/cluster.log
mon data avail warn = 0
mon data avail crit = 0
mon allow pool size one = true
mon max pg per osd = 1000
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
osd class dir = {classes}
osd data = {folder}/osd
memstore device bytes = 8589934592
mon data = {folder}/mon
keyring = {folder}/keyring
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw rados pool pg num min = 4
rgw enable usage log = false
rgw enable gc threads = false
rgw enable lc threads = false
rgw enable quota threads = false
"""


@contextmanager
def moto(folder: Path) -> Iterator[int]:
    """Port of a mock of S3."""
    log = folder / "moto.log"
    with log.open("wb") as file:
        command = [sys.executable, "-W", "ignore", "-c", MOTO, "-H", "127.0.0.1", "-p", "0"]
        with started(command, stdout=file, stderr=file):
            while not (said := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text(errors="replace"))):
                time.sleep(0.05)
            yield int(said[1])


@contextmanager
def radosgw(folder: Path) -> Iterator[int]:
    """Port of Ceph's gateway; on a busy machine its store now and then takes no requests, and is started again."""
    with ExitStack() as stack:
        for attempt in range(STARTS):
            try:
                port = stack.enter_context(_gateway(folder / f"ceph{attempt}"))
                break
            except (SystemExit, subprocess.TimeoutExpired):
                if attempt == STARTS - 1:
                    raise
        yield port


@contextmanager
def _gateway(folder: Path) -> Iterator[int]:
    """Port of the gateway before a monitor and one store of objects."""
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir(parents=True)
    (folder / "keyring").touch()
    (folder / "osd" / "keyring").touch()
    classes = next(Path("/usr/lib").rglob("rados-classes"))
    conf, monmap, fsid = folder / "ceph.conf", str(folder / "monmap"), str(uuid.uuid4())
    mon, port = free_port(), free_port()
    conf.write_text(CEPH.format(fsid=fsid, mon=mon, folder=folder, classes=classes, port=port), encoding="utf-8")

    def run(*command: str) -> str:
        done = subprocess.run(
            [command[0], "-c", str(conf), *command[1:]], capture_output=True, text=True, timeout=PATIENCE
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)}: exit {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout.strip()

    with ExitStack() as stack, (folder / "output").open("wb") as output:

        def start(*command: str) -> None:
            line = [command[0], "-c", str(conf), "-f", *command[1:]]
            stack.enter_context(started(line, stdout=output, stderr=output))

        run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v1:127.0.0.1:{mon}]", monmap)
        run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", str(folder / "keyring"))
        (folder / "mon" / "keyring").touch()
        start("ceph-mon", "-i", "a")
        disk = str(uuid.uuid4())
        number = run("ceph", "--connect-timeout", "60", "osd", "new", disk)
        run("ceph-osd", "-i", number, "--mkfs", "--osd-uuid", disk)
        start("ceph-osd", "-i", number)
        run("ceph", "osd", "crush", "add", f"osd.{number}", "1.0", "root=default", "host=localhost")
        run("radosgw-admin", "user", "create", "--uid", "lab", "--display-name", "lab", "--access-key", KEY,
            "--secret-key", KEY)  # fmt: skip
        start("radosgw", "-n", "client.rgw")
        waited = time.monotonic()
        while not _answers(port):
            if time.monotonic() - waited > PATIENCE:
                sys.exit(f"radosgw does not answer within {PATIENCE:.0f} s")
            time.sleep(0.1)
        yield port


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def started(command: list[str], **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is gone afterwards."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


SERVERS = {"moto": moto, "radosgw": radosgw}


def missing(name: str) -> str:
    """What a server wants that is not installed."""
    if name == "moto":
        return "" if find_spec("moto") else "moto, a mock of S3"
    return "" if all(map(shutil.which, ("radosgw", "ceph", "ceph-mon", "ceph-osd"))) else "Ceph's radosgw"
