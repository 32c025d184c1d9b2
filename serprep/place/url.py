"""A place at a URL, through `serprep.remote`; everything that object storage does differently is here."""

import contextlib
import errno
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from serprep import remote
from serprep.files import in_store
from serprep.forms import form_of
from serprep.place.place import Answer, Entry, Item, Place, Stage, claim_on
from serprep.processes import scratch
from serprep.progress import Progress

_AT_A_TIME = 16  # requests


class Url(Place):
    """A prefix of names in an object store, or one object."""

    tells_use = links = False

    def path(self, name: str = "") -> str:
        """The URL."""
        return f"{self.root}/{name}" if name else self.root

    def direct(self, name: str = "") -> str:
        """None."""
        return ""

    def exists(self, name: str = "") -> bool:
        """Whether there is an object."""
        return remote.info(self.path(name)) is not None

    def holds(self, name: str = "") -> bool:
        """Whether there is an object, or something below."""
        return self.exists(name) or bool(self.entries(name))

    def is_whole(self, name: str, mark: str) -> bool:
        """Whether the object is there that is written last."""
        return self.exists(f"{name}/{mark}" if mark else name)

    def entries(self, folder: str = "") -> dict[str, bool]:
        """What lies below a prefix, up to the next ``/``."""
        return {name: kind == "file" for name, kind in remote.entries(self.path(folder)).items()}

    def below(self, name: str = "") -> dict[str, Entry]:
        """All objects of that prefix, or the one of that name."""
        url = self.path(name)
        entries = remote.listing(url)
        if not entries and (own := remote.info(url)) is not None:
            entries = {"": own}
        return {name: Entry(int(entry["size"]), remote.modified(entry), (url, name)) for name, entry in entries.items()}

    def now(self, *, write: bool) -> float:
        """This machine's time."""
        return time.time()

    def read(self, name: str = "", start: int = 0, end: int | None = None) -> bytes:
        """Bytes of an object."""
        return remote.read(self.path(name), start, end)

    def open(self, name: str = "") -> BinaryIO:
        """An object as a file."""
        return cast(BinaryIO, remote.ObjectFile(self.path(name)))

    def each(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Several at a time, each in a thread."""
        with ThreadPoolExecutor(max_workers=_AT_A_TIME) as threads:
            yield from threads.map(function, items)

    def refuse_store(self) -> None:
        """Raise a StoreError in a store, at each prefix that is named like one."""
        for place in (self, *self.above()):
            form = form_of(place.root.rpartition("/")[2])
            with contextlib.suppress(OSError):  # what does not answer says so when it is written
                if form and place.exists(form.mark):
                    raise in_store(self.root, "" if place is self else place.root)

    def above(self) -> Iterator["Url"]:
        """Those whose prefixes begin it; the bucket's last."""
        scheme, _, rest = self.root.partition("://")
        parts = rest.split("/")
        for n in range(len(parts) - 1, 0, -1):
            yield Url(f"{scheme}://{'/'.join(parts[:n])}")

    def unwritable(self) -> str:
        """Not known before it is tried."""
        return ""

    def write(self, name: str, data: bytes | bytearray) -> None:
        """Write an object."""
        remote.write(self.path(name), bytes(data))

    def create(self, name: str, data: bytes) -> bool:
        """Write an object unless there is one, where the store can."""
        return remote.create(self.path(name), data)

    def exchange(self, name: str, data: bytes, before: bytes) -> bool:
        """Write an object unless it has changed, where the store can."""
        return remote.replace(self.path(name), data, before=before)

    def cautions(self) -> list[str]:
        """Whether it has no conditional writes."""
        return [line] if (line := remote.unconditional(self.path("x"))) else []

    def touch(self, name: str, every: float) -> None:
        """Nothing: an object's time is that of its writing."""

    def copy(self, name: str, target: str) -> None:
        """A copy that the object store makes."""
        remote.copy(self.path(name), self.path(target))

    def remove(self, name: str) -> None:
        """Remove an object."""
        remote.remove(self.path(name))

    def removable(self, name: str) -> bool:
        """A store of objects tells nobody before."""
        return True

    def remove_all(self, names: Iterable[str]) -> None:
        """Remove objects, and all that lie below such a name."""
        below = [f"{name}/{file}".rstrip("/") for name in names for file in self.below(name)]
        for _ in self.each(self.remove, below):
            pass

    @contextlib.contextmanager
    def stage(self, name: str, mark: str, *, replace: bool) -> Iterator[Stage]:
        """Workers write where it will be; without the mark it is none yet, or from now on no more."""
        if replace and mark:
            self.remove(f"{name}/{mark}")
        with scratch() as folder:
            yield Stage(folder / "store", self.path(name))

    def publish(self, stage: Stage, name: str, mark: str, *, changed: bool, quiet: bool) -> None:
        """Upload what lies here, the mark last: before that, it is none."""
        url, here = self.path(name), stage.here
        if here.is_file():
            remote.upload(url, here)
        if not here.is_dir():
            return
        own = sorted(path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file())
        own.remove(mark)
        with Progress("uploading", len(own) + 1, unit="files", quiet=quiet) as progress:
            for _ in self.each(lambda file: remote.upload(f"{url}/{file}", here / file), own):
                progress.add()
            if not remote.create(f"{url}/{mark}", (here / mark).read_bytes()):
                reason = "another build wrote it meanwhile, with other bytes; build again with --repair"
                raise OSError(errno.EEXIST, reason, url)
            progress.add()

    def withdraw(self, name: str, mark: str, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Remove the mark first: from then on it is none.  What has none is seen until it is gone."""
        claim = claim_on(name)  # of two who restore and remove, a torn one would stay
        if not self.create(claim, uuid.uuid4().bytes):
            return
        try:
            data = self.read(f"{name}/{mark}") if mark else b""
            if mark:
                self.remove(f"{name}/{mark}")
            if not unless():
                self.remove_all([name])
            elif mark:
                self.write(f"{name}/{mark}", data)
        except FileNotFoundError:  # somebody else was faster
            pass
        finally:
            self.remove(claim)

    def growing(self, name: str) -> str:
        """Itself: without the mark it is none yet."""
        return name

    def settle(self, name: str) -> None:
        """Nothing: the mark was written last."""

    @contextlib.contextmanager
    def new_file(self) -> Iterator[Path]:
        """A file here that is uploaded in the end."""
        with scratch() as folder:
            path = folder / PurePosixPath(self.root).name
            yield path
            remote.upload(self.root, path)
