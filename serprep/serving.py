"""What a process of a local cluster does, and the settings of that cluster."""

import asyncio
import os
import sys
import threading
from contextlib import suppress

from serprep import contained
from serprep.isolation import isolated

LOCAL = {
    "distributed.scheduler.allowed-failures": 0,  # `Workers.run` tries again itself, alone
    "distributed.scheduler.worker-ttl": None,  # a suspended machine misses heartbeats
    "distributed.admin.log-format": "%(message)s",
    "distributed.admin.low-level-log-length": 10,  # else the last 1000 messages, with their batches
    "distributed.admin.tick.interval": "1s",  # fifty looks a second at the loop cost more than an idle worker may
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.diagnostics.nvml": False,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.terminate": False,
}


def serve(scratch: str, name: str) -> None:
    """Work for the scheduler that standard input names, until it, or whoever started this process, ends."""
    contained.alone = True

    async def work(address: str) -> None:
        async with Worker(
            address,
            nthreads=1,
            name=name,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            local_directory=scratch,
            memory_limit=0,
        ) as worker:
            await worker.finished()

    with isolated({**LOCAL, "temporary-directory": scratch}):
        from distributed import Worker

        address = sys.stdin.readline().strip()
        threading.Thread(target=_end_with_parent, daemon=True).start()
        if address:
            asyncio.run(work(address))
    os._exit(0)  # a thread that still computes must not keep it


def _end_with_parent() -> None:
    with suppress(OSError):
        while os.read(0, 1):
            pass
    os._exit(0)
