"""What files are, remembered, so that an unchanged corpus is recognised without reading it."""

import contextlib
import hashlib
import json
import os
import re
import time
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from serprep._json import load_json
from serprep.audio.signal import Recording
from serprep.cache.parts import Cache
from serprep.errors import CacheError
from serprep.manifest.look import look_at
from serprep.place.corpus import is_settled, one_name, stamp_of
from serprep.place.place import Place, at

_FORM = b"2\0"  # what an entry holds; memos of form 1 know estimates of durations, and are not read
_MEMO_HEAD = 65  # bytes of a digest and a line's end
_EVERY = 5.0  # seconds between savings


@dataclass
class Memo:
    """Remembers what files are, so that an unchanged corpus is recognised without reading it.

    Maps a path and what tells its content (`serprep.place.corpus.stamp_of`) to
    (duration, rate, digest, revised); what is not settled is not remembered.

    Parameters
    ----------
    cache : Cache
    root : Path
        The corpus folder.
    ignore : bool
        Hash everything again (``--rehash``).
    """

    cache: Cache
    root: Path
    ignore: bool = False
    n_read: int = 0  # files whose bytes were read
    n_new: int = 0  # those of them that are remembered now: very young ones are read again, and tell nothing
    _known: dict[str, str] = field(default_factory=dict, repr=False)  # name → JSON: decoded, it takes thrice the memory
    _new: bytearray = field(default_factory=lambda: bytearray(_MEMO_HEAD), repr=False)  # the file, with lines to add
    _next: float = field(default=0.0, repr=False)  # when to save again, by the monotonic clock
    _n_saved: int = field(default=0, repr=False)  # bytes of `_new` that are saved

    def __post_init__(self) -> None:
        self._next = time.monotonic() + _EVERY
        digest = hashlib.sha256(_FORM + os.fsencode(one_name(self.root))).hexdigest()
        self._name = f"memo/{digest[:32]}.txt"
        if not self.ignore:
            self._known = self._load()

    def _load(self) -> dict[str, str]:
        """What is known, also from an older cache that is only read."""
        old = self._read_file(at(self.cache.also)) if self.cache.also else {}
        return {**old, **self._read_file(self.cache.folder)}

    def _read_file(self, folder: Place) -> dict[str, str]:
        """What a file says: a SHA-256 of the rest, then lines of a name in hex, a tab, and JSON; later lines win."""
        try:
            data = folder.read(self._name)
            digest, _, lines = data.partition(b"\n")
            if hashlib.sha256(lines).hexdigest().encode() != digest:
                return {}
            folder.touch(self._name, 3600.0)  # what is used is not collected
            return dict(line.split("\t", 1) for line in lines.decode("ascii").splitlines())
        except (OSError, ValueError):
            return {}

    def _recall(self, name: str) -> list[Any]:
        try:
            entry = load_json(self._known.get(name, "[]"))
        except ValueError:
            return []
        return entry if isinstance(entry, list) else []

    def _remember(self, name: str, entry: list[Any]) -> None:
        self._new.extend(f"{name}\t{json.dumps(entry)}\n".encode("ascii"))  # at once: several threads look

    def look_at(self, path: Path) -> Recording:
        """Like `manifest.look_at`, sparing files that are known and unchanged."""
        stamp, name = stamp_of(path), os.fsencode(str(path.relative_to(self.root))).hex()
        if stamp is None:
            return self._read(path)
        known = self._recall(name)
        if known[: len(stamp)] == stamp and _is_recording(known[len(stamp) :]):
            return Recording(*known[len(stamp) :])
        recording = self._read(path)
        if is_settled(path, stamp):
            self.n_new += 1
            self._remember(name, [*stamp, *astuple(recording)])
        return recording

    def _read(self, path: Path) -> Recording:
        self.n_read += 1
        return look_at(path)

    def save_sometimes(self) -> None:
        """Keep what was learned, every few seconds: whoever stops a build goes on from there."""
        if time.monotonic() >= self._next:
            self._write(bytearray(self._new))

    def save(self) -> None:
        """Keep what was learned for the next build."""
        self._known, data, self._new = {}, self._new, bytearray(_MEMO_HEAD)
        self._write(data)

    def _write(self, data: bytearray) -> None:
        began = time.monotonic()
        self._next = began + _EVERY
        if len(data) == _MEMO_HEAD or len(data) == self._n_saved:
            return
        self._n_saved = len(data)
        others = self._load()  # also what another build has written meanwhile
        if others:
            for line in data[_MEMO_HEAD:].splitlines():
                others.pop(line.split(b"\t", 1)[0].decode("ascii"), None)
            for name, entry in others.items():
                data += f"{name}\t{entry}\n".encode("ascii")
        with memoryview(data) as view:
            digest = hashlib.sha256(view[_MEMO_HEAD:]).hexdigest()
        data[:_MEMO_HEAD] = f"{digest}\n".encode("ascii")
        with contextlib.suppress(CacheError):  # it only spares work; a finished data set may be read-only
            self.cache._write(self._name, data)
        self._next = time.monotonic() + max(_EVERY, 20 * (time.monotonic() - began))  # a long list: less often


def _is_recording(values: list[Any]) -> bool:
    """Whether these can be what `_remember` wrote of a recording."""
    if [type(value) for value in values] != [float, int, str, bool]:
        return False
    duration, rate, digest, _ = values
    return bool(0 <= duration < 1e9 and 0 < rate < 1 << 31 and re.fullmatch("[0-9a-f]{64}", digest))
