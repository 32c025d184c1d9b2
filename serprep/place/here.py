"""A place on this machine's disk, or one that is mounted like one."""

import contextlib
import io
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from serprep.errors import one_line
from serprep.files import discard, make_read_only, open_regular, refuse_store, remove_tree, write_whole
from serprep.place.place import Answer, Entry, Item, Place, Stage


def _entry(state: os.stat_result) -> Entry:
    is_folder = stat.S_ISDIR(state.st_mode)
    size = int(state.st_blocks) * 512 if hasattr(state, "st_blocks") else state.st_size
    content = (state.st_dev, state.st_ino)
    return Entry(0 if is_folder else size, state.st_mtime, content, 1 if is_folder else state.st_nlink)


def _is_mine(state: os.stat_result) -> bool:
    """Whether this user owns a file, or is the super-user."""
    return not hasattr(os, "geteuid") or os.geteuid() in (0, state.st_uid)


def _may_change(folder: Path) -> bool:
    """Whether names in a folder can be removed, if need be after its permissions are changed."""
    try:
        return os.access(folder, os.W_OK | os.X_OK) or _is_mine(folder.stat())
    except OSError:  # gone
        return True


class Here(Place):
    """A local folder or file."""

    tells_use = links = True

    def _at(self, name: str = "") -> Path:
        return Path(self.root, name)

    def path(self, name: str = "") -> str:
        """The absolute path."""
        return os.path.realpath(self._at(name))

    def direct(self, name: str = "") -> str:
        """The path as it is."""
        return str(self._at(name))

    def exists(self, name: str = "") -> bool:
        """Whether there is a file."""
        return self._at(name).is_file()

    def holds(self, name: str = "") -> bool:
        """Whether there is anything, also a link that leads nowhere."""
        with contextlib.suppress(FileNotFoundError):
            self._at(name).lstat()
            return True
        return False

    def is_whole(self, name: str, mark: str) -> bool:
        """Whether it is there: it was renamed when it was finished."""
        return self._at(name).exists()

    def entries(self, folder: str = "") -> dict[str, bool]:
        """What lies in a folder."""
        try:
            with os.scandir(self._at(folder)) as entries:
                return {entry.name: entry.is_file() for entry in entries}
        except FileNotFoundError:
            return {}

    def below(self, name: str = "") -> dict[str, Entry]:
        """Files, folders and links; what vanishes meanwhile is passed over."""
        top, entries, folders = self._at(name), {}, [""]
        with contextlib.suppress(OSError):
            entries[""] = _entry(top.lstat())
        while folders:
            folder = folders.pop()
            with contextlib.suppress(OSError), os.scandir(top / folder) as inside:
                for own in inside if folder or not top.is_symlink() else ():
                    with contextlib.suppress(OSError):
                        is_folder = own.is_dir(follow_symlinks=False)
                        relative = folder + own.name + "/" * is_folder
                        entries[relative] = _entry(os.lstat(own.path))
                        folders += [relative] if is_folder else []
        return entries

    def now(self, *, write: bool) -> float:
        """The earlier of this machine's time and that of the machine whose clock dates files there.

        A clock that runs ahead would make everything look old.
        """
        probe = self._at(f".clock.{uuid.uuid4().hex[:12]}.tmp")
        with contextlib.suppress(OSError):
            if write:
                try:
                    probe.touch()
                    return min(time.time(), probe.stat().st_mtime)
                finally:
                    probe.unlink(missing_ok=True)
        return time.time()

    def read(self, name: str = "", start: int = 0, end: int | None = None) -> bytes:
        """Bytes of a file."""
        with open_regular(self._at(name)) as file:
            size = os.fstat(file.fileno()).st_size  # else Python makes room for whatever is asked for
            start = max(0, size + start) if start < 0 else start
            file.seek(start)
            return file.read() if end is None else file.read(max(0, min(end, size) - start))

    def open(self, name: str = "") -> BinaryIO:
        """The file itself."""
        return io.BufferedReader(open_regular(self._at(name)))

    def each(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """One after the other."""
        return map(function, items)

    def refuse_store(self) -> None:
        """Raise a StoreError in a store, also where links lead into one."""
        refuse_store(self.root)

    def above(self) -> Iterator["Here"]:
        """Folders that it really lies in, the nearest first."""
        return (Here(str(path)) for path in Path(os.path.realpath(self.root)).parents)

    def unwritable(self) -> str:
        """Why nothing can be written; nobody's home is made."""
        folder = self._at()
        if folder.parent.name == ".cache" and not folder.parent.parent.is_dir():
            return f"{one_line(folder.parent.parent)} is not there"
        self.refuse_store()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return error.strerror or type(error).__name__
        return "" if os.access(folder, os.W_OK | os.X_OK) else "it is read-only"

    def write(self, name: str, data: bytes | bytearray) -> None:
        """Write beside, then rename."""
        write_whole(self._at(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """Link a whole file to the name: unlike a rename, that never replaces."""
        path = self._at(name)
        beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
        write_whole(beside, data)
        try:
            os.link(beside, path)
        except FileExistsError:
            with contextlib.suppress(PermissionError):  # what cannot be read is another's
                return self.read(name) == data
            return False
        except OSError:  # no hard links here
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        return True

    def exchange(self, name: str, data: bytes, before: bytes) -> bool:
        """Look, then write: a folder knows nothing better."""
        same = self.read(name) == before
        if same:
            self.write(name, data)
        return same

    def cautions(self) -> list[str]:
        """Nothing."""
        return []

    def touch(self, name: str, every: float) -> None:
        """Set the time of the last change, which nothing else sets: files never change."""
        path = self._at(name)
        with contextlib.suppress(OSError):
            if abs(time.time() - path.stat().st_mtime) > every:
                os.utime(path)

    def copy(self, name: str, target: str) -> None:
        """A hard link, or a copy where there are none."""
        self._at(target).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(self._at(name), self._at(target))
        except OSError:
            shutil.copy(self._at(name), self._at(target))

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._at(name).unlink(missing_ok=True)

    def removable(self, name: str) -> bool:
        """Whether it lies in folders, and has only such in it, that are this user's or can be written."""
        path = self._at(name)
        with contextlib.suppress(OSError):
            parent = path.parent.stat()
            if parent.st_mode & stat.S_ISVTX and not (_is_mine(parent) or _is_mine(path.lstat())):
                return False
        return all(map(_may_change, [path.parent, *(Path(folder) for folder, _, _ in os.walk(path))]))

    def remove_all(self, names: Iterable[str]) -> None:
        """Remove files and folders, links and not what they lead to."""
        for path in map(self._at, names):
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def stage(self, name: str, mark: str, *, replace: bool) -> Iterator[Stage]:
        """A hidden name beside the final one."""
        final = self._at(name)
        beside = final.with_name(f".{final.stem[:16]}.{uuid.uuid4().hex[:12]}.tmp")
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield Stage(beside, str(beside))
        finally:
            discard(beside)

    def publish(self, stage: Stage, name: str, mark: str, *, changed: bool, quiet: bool) -> None:
        """Rename, read-only; another process that was faster with the same is success."""
        final = self._at(name)
        make_read_only(stage.here)
        if final.exists() and changed:
            aside = final.with_name(f".damaged.{uuid.uuid4().hex[:12]}.tmp")
            final.rename(aside)
            stage.here.rename(final)
            discard(aside)
        elif not final.exists():
            try:
                stage.here.rename(final)
            except OSError:
                if not final.exists():
                    raise

    def withdraw(self, name: str, mark: str, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Rename, then remove."""
        gone = f"{name.rpartition('/')[0]}/.{Path(name).stem[:16]}.{uuid.uuid4().hex[:12]}.tmp"
        try:
            self._at(name).rename(self._at(gone))
        except FileNotFoundError:  # somebody else was faster
            return
        if unless():
            self._at(gone).rename(self._at(name))
        else:
            self.remove_all([gone])

    def growing(self, name: str) -> str:
        """In a hidden folder beside it."""
        path = PurePosixPath(name)
        return str(path.parent / f".{path.stem[:16]}.growing.tmp" / path.name)

    def settle(self, name: str) -> None:
        """Rename, read-only; another process that was faster with the same is success."""
        grown, final = self._at(self.growing(name)), self._at(name)
        make_read_only(grown)
        try:
            grown.rename(final)
        except OSError:
            if not final.exists():
                raise
        discard(grown.parent)

    @contextlib.contextmanager
    def new_file(self) -> Iterator[Path]:
        """The path itself."""
        yield self._at()
