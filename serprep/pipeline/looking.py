"""Recordings are looked at in a thread, so that features of those that are known can be computed meanwhile."""

import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType

from serprep.audio.signal import Recording
from serprep.cache.memo import Memo
from serprep.manifest.look import Looked, Read, look
from serprep.manifest.table import Manifest
from serprep.progress import Progress
from serprep.utterance import Utterances
from serprep.waits import saying

Part = tuple[Utterances, frozenset[str]]  # rows, and the digests of those that are decoded otherwise than before


class Looking:
    """Looks through the recordings of a manifest, those that the memo does not know; it is saved now and then.

    Parameters
    ----------
    manifest : Manifest
    root : Path
        What its paths are relative to.
    memo : Memo
    at_first_new : callable, optional
        Called from the first recording on that was not in the memo, now and then; without it nothing is handed out.
    quiet : bool
        Show no progress.
    """

    def __init__(
        self, manifest: Manifest, root: Path, memo: Memo, *, at_first_new: Callable[[], None] | None, quiet: bool
    ) -> None:
        self._manifest, self._root, self._memo, self._quiet = manifest, root, memo, quiet
        self._at_first_new = at_first_new
        self._known: SimpleQueue[tuple[Read, array[int]] | None] = SimpleQueue()  # places; None: that is all
        self._new: set[str] = set()  # digests of what was read and is not in the queue yet
        self._stopped = False
        self._looked: Looked | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Looking":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        with saying("recordings that are being read"):
            self._thread.join()

    def parts(self, least: int, ready: Callable[[], None]) -> Iterator[Part]:
        """Utterances of recordings that were new, as they become known, while more follow; the last are in the result.

        At first there are at least so many, and each time half of what was handed out before: whoever takes them looks
        for them in the whole cache. `ready` is waited for before.
        """
        known: array[int] = array("q")
        n_handed = 0
        while (some := self._known.get()) is not None:
            read, places = some
            known += places
            if len(known) < max(least, n_handed // 2):
                continue
            ready()
            with suppress(Empty):
                while (more := self._known.get_nowait()) is not None:
                    known += more[1]
                return
            rows = read.take(known)
            yield rows, frozenset(read.revised.intersection(rows.column("audio_digest")))
            n_handed += len(known)
            known = array("q")

    def result(self) -> Looked:
        """What all recordings are; what went wrong while they were looked at is raised."""
        self._thread.join()
        if self._error:
            raise self._error
        assert self._looked is not None
        return self._looked

    def _look(self) -> None:
        try:
            try:
                n_files = len(set(self._manifest.utterances.column("path")))
                with Progress("reading recordings", n_files, unit="files", quiet=self._quiet) as progress:

                    def done(n: int) -> None:
                        progress.to(n)
                        self._memo.save_sometimes()

                    tell = self._tell if self._at_first_new else None
                    self._looked = look(self._manifest, self._root, look_at=self._look_at, progress=done, tell=tell)
            finally:
                self._memo.save()
        except BaseException as error:
            self._error = error
        finally:
            self._known.put(None)

    def _look_at(self, path: Path) -> Recording:
        if self._stopped:
            raise _StoppedError
        n_read = self._memo.n_read
        recording = self._memo.look_at(path)
        if self._memo.n_read > n_read:  # perhaps another thread's: then the cache is asked once more than needed
            self._new.add(recording.digest)
        return recording

    def _tell(self, read: Read, places: range) -> None:
        """Hand on what is new, unless it is so young that the memo does not keep it: nobody has begun for that."""
        if not self._memo.n_new:
            self._new.clear()
            return
        assert self._at_first_new
        self._at_first_new()
        new = array("q", (place for place in places if read.digests[place] in self._new and read.is_usable(place)))
        self._new.clear()
        if new:
            self._known.put((read, new))


class _StoppedError(Exception):
    """Nobody waits for the rest."""
