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

    cache: str  # folder or URL that is written to
    token: str  # name of a file in it, which holds that name
    sample: str  # a recording, absolute
    digest: str  # its SHA-256
    features: Features
    identity: str  # of the extractors, as this process has them

    def __call__(self) -> str:
        """Why this process cannot be used as a worker; "" if it can."""
        try:
            if _identity(self.features) != self.identity:
                return "it has other libraries that decide features (see `libraries` in build.json); install the same"
            if self.sample:
                found = digest_of(read_bytes(as_root(self.sample)))
                if found != self.digest:
                    return f"{one_line(self.sample)} is another file there; let it see the same corpus"
        except AudioError as error:
            return f"it cannot read {one_line(self.sample)} ({error}); let it see the corpus at the same path"
        except SerprepError as error:
            return str(error)
        return self._shares()

    def _shares(self) -> str:
        """Why it does not write where this process does."""
        folder, beside = at(self.cache), f"{self.token}-{uuid.uuid4().hex[:8]}"
        remedy = "let it read and write the data set at the same path, or name a URL"
        try:
            for attempt in range(TRIES):
                with suppress(FileNotFoundError):
                    if folder.read(self.token) == self.token.encode():
                        break
                if attempt < TRIES - 1:
                    time.sleep(PAUSE)
            else:
                return f"it does not see what is written to {one_line(self.cache)}; {remedy}"
            folder.write(beside, b"")
            folder.remove(beside)
        except (OSError, SerprepError) as error:
            return f"it cannot use {one_line(self.cache)} ({getattr(error, 'strerror', None) or error}); {remedy}"
        return ""


def _identity(features: Features) -> str:
    return json.dumps(identities(features), sort_keys=True)


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
    folder, token = at(cache), f"probe-{uuid.uuid4().hex}"
    first: Any = rows[0] if len(rows) else None
    test = Places(
        cache,
        token,
        str(recipe.root / first.path) if first else "",
        first.audio_digest if first else "",
        recipe.features,
        _identity(recipe.features),
    )
    try:
        folder.write(token, token.encode())
    except OSError:  # whoever computes something says so; a finished data set may be read-only
        yield
        return
    try:
        with pool.admitting(test):
            yield
    finally:
        with suppress(OSError):
            folder.remove(token)
