"""Name → content of everything that is computed for the page, whoever hands it out."""

import threading
from functools import cached_property
from typing import Any

import numpy as np

from serprep.browse.detail import detail
from serprep.browse.listing import about, listing
from serprep.browse.page import answer
from serprep.browse.plane import UMAP, Plane, maps_of, neighbours_of, places_of, plane_of, row_kinds
from serprep.browse.sound import sound_of
from serprep.browse.subject import Subject
from serprep.errors import StoreError

FIRST = 100  # rows of the first view


class Content:
    """What the page asks for; each thing is computed when it is first asked for, maps beside everything else."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._lock = threading.RLock()
        self._drawing = threading.Lock()  # UMAP takes minutes, in which utterances are shown
        self._maps: dict[int, bytes] = {}
        self._planes: dict[str, Plane] = {}

    @cached_property
    def corpus(self) -> bytes:
        """Title, labels, systems."""
        return answer("corpus", about(self.subject))

    @cached_property
    def first(self) -> bytes:
        """The first rows of the table, which are seen while the others are read."""
        return answer("first", listing(self.subject, most=FIRST))

    @cached_property
    def rows(self) -> bytes:
        """The table."""
        return answer("rows", listing(self.subject))

    def map(self, number: int) -> bytes | None:
        """Where each utterance lies on the map of that number, or why that is not known; None where there is none."""
        store = self.subject.store
        maps = maps_of(store)
        if number >= len(maps):
            return None
        kind, way = maps[number]
        with self._drawing:
            if number not in self._maps:
                self._maps[number] = answer(f"map/{number}", self._places(kind, way))
            return self._maps[number]

    def _places(self, kind: str, way: str) -> dict[str, Any]:
        store, plane = self.subject.store, self._plane(kind)
        try:
            places = neighbours_of(store, kind) if way == UMAP else places_of(store, kind, plane)
        except StoreError as error:
            return {"error": str(error)}
        return {
            "way": way,
            "x": np.round(places[:, 0], 3).tolist(),
            "y": np.round(places[:, 1], 3).tolist(),
            "shares": plane.shares,
            "n_sample": plane.n_sample,
        }

    def utterance(self, number: int) -> bytes | None:
        """Everything about one utterance; None where there is none."""
        if number >= len(self.subject):
            return None
        with self._lock:
            planes = {kind: self._plane(kind) for kind in row_kinds(self.subject.store)}
            return answer(f"utterance/{number}", detail(self.subject, number, planes))

    def wav(self, number: int, *, matched: bool) -> bytes | None:
        """The sound of an utterance; None where there is none.

        Raises
        ------
        AudioError
            If there is none to play.
        """
        return sound_of(self.subject, number).wav(matched=matched) if number < len(self.subject) else None

    def _plane(self, kind: str) -> Plane:
        with self._lock:
            if kind not in self._planes:
                self._planes[kind] = plane_of(self.subject.store, kind)
            return self._planes[kind]
