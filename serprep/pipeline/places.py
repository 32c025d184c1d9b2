"""Whether a worker of somebody's scheduler sees the corpus and the data set that this process sees."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from serprep.audio.decode import digest_of, read_bytes
from serprep.errors import AudioError, SerprepError, one_line
from serprep.features.extract import Features, identities
from serprep.parallel import Workers
from serprep.place.corpus import as_root
from serprep.place.place import at
from serprep.recipe import Recipe
from serprep.utterance import Utterances

TRIES, PAUSE = 10, 0.5  # times and seconds: what is written elsewhere may take a while to be seen


@dataclass(frozen=True)
class Places:
    """What a worker must be able to do; called there, it says why it is not."""

    written: tuple[str, ...]  # folders or URLs that are written to: of cache and stores
    token: str  # name of a file in each, which holds that name
    sample: str  # a recording, absolute
    digest: str  # its SHA-256
    features: Features
    identity: str  # of the extractors, as this process has them

    def __call__(self) -> str:
        """Why this process cannot be used as a worker; "" if it can."""
        try:
            if other := _other(self.identity, _identity(self.features)):
                return f"it has other libraries that decide features ({other}); install the same"
            if self.sample:
                digest = digest_of(read_bytes(as_root(self.sample)))
                if digest != self.digest:
                    return f"{one_line(self.sample)} is another file there; let it see the same corpus"
        except AudioError as error:
            return f"it cannot read {one_line(self.sample)} ({error}); let it see the corpus at the same path"
        except SerprepError as error:
            return str(error)
        return next(filter(None, map(self._shares, self.written)), "")

    def _shares(self, place: str) -> str:
        """Why it does not write where this process does."""
        folder, beside = at(place), _token()
        remedy = "let it read and write the data set at the same path, or name a URL"
        try:
            for attempt in range(TRIES):
                with suppress(FileNotFoundError):
                    if folder.read(self.token) == self.token.encode():
                        break
                if attempt < TRIES - 1:
                    time.sleep(PAUSE)
            else:
                return f"it does not see what is written to {one_line(place)}; {remedy}"
            folder.write(beside, b"")
            folder.remove(beside)
        except (OSError, SerprepError) as error:
            return f"it cannot use {one_line(place)} ({getattr(error, 'strerror', None) or error}); {remedy}"
        return ""


def _token() -> str:
    """A name that nobody else has, and that `gc` removes where somebody was killed before doing so."""
    return f".probe-{uuid.uuid4().hex}.tmp"


def _identity(features: Features) -> str:
    return json.dumps(identities(features), sort_keys=True)


def _other(here: str, there: str) -> str:
    """What differs between two identities, such as ``functionals: library``; "" if nothing does."""
    mine, other = json.loads(here), json.loads(there)
    for kind in mine:
        own, theirs = mine[kind]["extractor"], other.get(kind, {}).get("extractor", {})
        names = sorted(name for name in {**own, **theirs} if own.get(name) != theirs.get(name))
        if names:
            return one_line(
                f"{kind}: " + ", ".join(f"{name} {theirs.get(name)}, here {own.get(name)}" for name in names)
            )
    return "" if mine == other else "signal"


@contextmanager
def shared(recipe: Recipe, rows: Utterances, *, cache: str, pool: Workers) -> Iterator[None]:
    """While the block runs, use only workers that see what this process sees; local ones do.

    Parameters
    ----------
    recipe : Recipe
    rows : Utterances
        What is built; its first recording is the one that workers must read.
    cache : str
        Where features are kept.
    pool : Workers
    """
    if not getattr(pool, "scheduler", None):
        yield
        return
    token = _token()
    folders = [at(place) for place in dict.fromkeys((cache, f"{recipe.dataset_path}/versions"))]
    first: Any = rows[0] if len(rows) else None
    test = Places(
        tuple(folder.root for folder in folders),
        token,
        str(recipe.root / first.path) if first else "",
        first.audio_digest if first else "",
        recipe.features,
        _identity(recipe.features),
    )
    try:
        for folder in folders:
            folder.write(token, token.encode())
    except OSError:  # whoever computes something says so; a finished data set may be read-only
        yield
        return
    try:
        with pool.members.admitting(test):
            yield
    finally:
        for folder in folders:
            with suppress(OSError):
                folder.remove(token)
