"""What an export reads: a store, the roles of its utterances, and their recordings where they are asked for.

Memory holds one batch of utterances, `BATCH_BYTES` of features at most, whatever the size of the store.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from serprep._typing import AnyArray, IntArray
from serprep.errors import AudioError, CorpusError, one_line
from serprep.split.bind import Bound
from serprep.store.layout import Table
from serprep.store.store import Store

BATCH_BYTES = 16 << 20
BATCH_ROWS = 512
WORDS = ("text", "sentence", "transcript")  # columns that may hold what is said
TEXTS = ("id", "path", "speaker", "emotion", "partition", "audio_digest")


@dataclass(frozen=True)
class Batch:
    """Consecutive utterances and their features."""

    first: int
    last: int
    values: Mapping[str, Sequence[AnyArray]]  # table → per utterance (n_columns,), or rows that begin with their number

    @property
    def rows(self) -> range:
        """Their numbers in the store."""
        return range(self.first, self.last)


@dataclass(frozen=True)
class Source:
    """A store to be exported.

    Attributes
    ----------
    store : Store
    bound : Bound or None
        The split, as it applies to the store.
    audio : Path or None
        The corpus's folder, where recordings are to be exported, too.
    tick : callable
        Told of utterances that are done.
    """

    store: Store
    bound: Bound | None = None
    audio: Path | None = None
    tick: Callable[[int], object] = lambda _: None

    def __len__(self) -> int:
        return len(self.store)

    @cached_property
    def about(self) -> dict[str, Any]:
        """What every form must carry: version, licences, labels, extractors, configuration and split."""
        own = self.store.attributes
        split = self.bound.split if self.bound else None
        return {
            "version": self.store.version,
            "seal": self.store.seal,
            "n_utterances": len(self.store),
            "corpus": own["provenance"]["corpus"],
            "licences": own["licences"],
            "labels": list(self.store.labels),
            "extractors": own["provenance"]["extractors"],
            "configurations": own["configurations"],
            "split": split
            and {
                "protocol": split.protocol,
                "group": split.group,
                "seed": split.seed,
                "folds": list(split.folds),
                "digest": split.digest,
                "rows_digest": split.rows_digest,
            },
        }

    @property
    def title(self) -> str:
        """The corpus and the version in a few words."""
        return f"{self.about['corpus'].get('corpus') or 'corpus'} {self.store.version[:12]}"

    @property
    def licence(self) -> str:
        """Of the recordings."""
        return str(self.about["corpus"].get("licence") or "unknown")

    # -- tables ----------------------------------------------------------------------

    @property
    def row_tables(self) -> list[Table]:
        """Tables with one vector per utterance."""
        return [table for table in self.store.tables if table.per_utterance]

    @staticmethod
    def name_of(table: Table) -> str:
        """What a table is called outside: its group, as one word."""
        return table.group.replace("/", "_")

    def column_names(self, table: Table) -> list[str]:
        """Names of a vector's values; numbered where the store has none."""
        names = self.store.names(table.kind) if table.names else range(table.row[-1])
        return [str(name) if table.names else f"{table.kind}_{name}" for name in names]

    def batches(self, tables: Sequence[Table] | None = None) -> Iterator[Batch]:
        """All utterances in order, with their features of some tables, by default all."""
        chosen = self.store.tables if tables is None else tables
        for first, last in pairwise(self._cuts(chosen)):
            values = {}
            for table in chosen:
                rows, offsets = self.store.read_table(table, slice(first, last))
                values[table.name] = (
                    list(rows) if table.per_utterance else [rows[a:b] for a, b in pairwise(offsets.tolist())]
                )
            yield Batch(first, last, values)
            self.tick(last - first)

    def _cuts(self, tables: Sequence[Table]) -> list[int]:
        """Where batches begin, and the end."""
        n = len(self.store)
        ends = np.zeros(n + 1)
        for table in tables:
            ends += self.store.table_offsets(table) * float(np.prod(table.row) * np.dtype(table.dtype).itemsize)
        cuts = [0]
        while cuts[-1] < n:
            fits = int(np.searchsorted(ends, ends[cuts[-1]] + BATCH_BYTES, side="right")) - 1
            cuts.append(min(n, max(cuts[-1] + 1, min(fits, cuts[-1] + BATCH_ROWS))))
        return cuts

    # -- utterances ------------------------------------------------------------------

    def record(self, i: int) -> dict[str, Any]:
        """The columns of an utterance as JSON holds them: text, numbers, None where there is none."""
        cells = {name: self.store.column(name)[i] for name in self.store.columns}
        return {name: None if value != value else value for name, value in cells.items()}

    def words(self, i: int) -> str:
        """What is said, or the corpus's code of it; "" where the corpus does not tell."""
        return next((str(self.store.column(name)[i]) for name in WORDS if name in self.store.columns), "")

    # -- roles -----------------------------------------------------------------------

    @property
    def folds(self) -> tuple[str, ...]:
        """Names of the folds; () without a split."""
        return self.bound.split.folds if self.bound else ()

    def roles(self, i: int) -> tuple[str, ...]:
        """Role of an utterance in each fold; "" where it has none."""
        return self.bound.roles[i] if self.bound else ()

    @cached_property
    def patterns(self) -> dict[tuple[str, ...], IntArray]:
        """Roles in all folds → the utterances that have them: those that every fold has together."""
        rows: dict[tuple[str, ...], list[int]] = {}
        for i in range(len(self)):
            rows.setdefault(self.roles(i), []).append(i)
        return {roles: np.asarray(rows[roles]) for roles in sorted(rows)}

    # -- recordings ------------------------------------------------------------------

    def file_bytes(self, i: int) -> bytes:
        """The file that an utterance lies in.

        Raises
        ------
        CorpusError
            If it is missing, or not the one that the store was made from.
        """
        from serprep.audio.decode import digest_of, read_bytes

        assert self.audio is not None
        path = self.audio / self.store.column("path")[i]
        try:
            data = read_bytes(path)
        except AudioError as error:
            raise CorpusError(f"{one_line(path)}: {error}; name the folder that the store was built from") from None
        if digest_of(data) != self.store.column("audio_digest")[i]:
            raise CorpusError(
                f"{one_line(path)}: another recording than the store was made from; "
                "name the folder that it was built from, or export without --audio"
            )
        return data

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Path and bytes of each recording, once however many excerpts it has; none where none are asked for.

        Raises
        ------
        CorpusError
            As `file_bytes`.
        """
        if self.audio is not None:
            for path, i in {path: i for i, path in enumerate(self.store.column("path"))}.items():
                yield path, self.file_bytes(i)

    def recording(self, i: int) -> tuple[str, bytes]:
        """Suffix and bytes of an utterance's recording: the file as it is, or an excerpt as WAV in float32.

        Raises
        ------
        CorpusError
            As `file_bytes`.
        """
        data = self.file_bytes(i)
        if not self.is_excerpt(i):
            return PurePosixPath(self.store.column("path")[i]).suffix.lower().lstrip(".") or "wav", data
        import soundfile

        from serprep.audio.decode import read_samples

        start, end = (None if value != value else value for value in self._times(i))
        samples, rate = read_samples(data, start=start, end=end)
        cut = io.BytesIO()
        soundfile.write(cut, samples, rate, format="WAV", subtype="FLOAT")
        return "wav", cut.getvalue()

    def _times(self, i: int) -> tuple[float, float]:
        return self.store.column("start")[i], self.store.column("end")[i]

    def is_excerpt(self, i: int) -> bool:
        """Whether an utterance is a part of its file."""
        return any(value == value for value in self._times(i))
