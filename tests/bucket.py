"""A bucket on this machine: moto's S3 server in a process of its own, whose log tells every request."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Bucket:
    """A bucket of its own, and what was asked of it."""

    def __init__(self, endpoint: str, log: Path, name: str) -> None:
        import s3fs

        self.endpoint, self.name, self._log, self._seen = endpoint, name, log, 0
        self.url = f"s3://{name}"
        self.files = s3fs.S3FileSystem(use_listings_cache=False)
        self.files.mkdir(name)

    def upload(self, folder: Path, prefix: str) -> None:
        """Copy a local folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.files.pipe_file(f"{self.name}/{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def requests(self) -> list[str]:
        """``METHOD /bucket/key`` of every request since the last call."""
        time.sleep(0.05)
        found = re.findall(r'"(?:\x1b\[\d+m)*([A-Z]+ /\S*) HTTP', self._log.read_text(errors="replace"))  # some are coloured
        new, self._seen = found[self._seen :], len(found)
        return new


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, Path]]:
    """The address of a running server, and its log."""
    log = folder / "moto.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=file,
            stderr=file,
            env={**os.environ, **KEYS},
        )
    try:
        for _ in range(600):
            found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text(errors="replace"))
            if found:
                break
            if process.poll() is not None:
                raise RuntimeError(log.read_text(errors="replace"))
            time.sleep(0.1)
        assert found, "the server did not start"
        yield found[0], log
    finally:
        process.kill()
        process.wait()
