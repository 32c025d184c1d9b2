"""Is this copy the published release?  Recordings are compared with published digests.

``releases/<reader>.tsv.gz`` holds, per published file, its id and the first 16 bytes
(hex) of two SHA-256: of the file's bytes, and of its 16-bit samples, interleaved, least
significant byte first, where those are known.  ``manifests/make.py`` writes it.
"""

import gzip
import hashlib
import os
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

from serprep.audio.decode import decode_int16, read_bytes
from serprep.errors import AudioError, one_line

LOSSY = (".mp3", ".ogg")
LENGTH = 32  # hexadecimal digits of a digest that are kept


@dataclass(frozen=True)
class Published:
    """Shortened digests of one published file; `samples` is "" where it is not known."""

    bytes: str
    samples: str


def published(reader: str) -> dict[str, Published]:
    """The published files of a corpus by id; {} where none are known."""
    table = files("serprep").joinpath("releases", f"{reader}.tsv.gz")
    if not reader.isidentifier() or not table.is_file():  # a manifest may name anything
        return {}
    lines = gzip.decompress(table.read_bytes()).decode().splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return {name: Published(whole, samples) for name, whole, samples in rows}


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """How many files of a folder are those of the published release."""

    title: str  # of the corpus
    n_published: int
    same: int  # byte for byte
    same_samples: int  # other bytes, such as FLAC, that decode to the published samples
    different: tuple[str, ...]  # paths of all others
    lossy: tuple[str, ...]  # MP3 and Ogg, which cannot be compared: the digests are of the wav files
    n_missing: int  # published files that are not there
    decoded: bool  # whether files with other bytes were decoded

    @property
    def n_files(self) -> int:
        """Files compared."""
        return self.same + self.same_samples + len(self.different) + len(self.lossy)

    def as_dict(self) -> dict[str, object]:
        """For JSON: counts, the paths that differ, and the sentence."""
        return {
            **asdict(self),
            "different": list(self.different),
            "lossy": list(self.lossy),
            "n_files": self.n_files,
            "sentence": self.sentence,
        }

    @property
    def sentence(self) -> str:
        """One line for people."""
        n, n_different, facts = self.n_files, len(self.different), []
        if self.lossy:
            facts.append(
                f"{len(self.lossy)} of {n} files are MP3 or Ogg and were not compared: serprep has digests of the "
                f"wav files of {self.title}, and none of another release"
            )
        if n_different == n and self.decoded:
            facts.append(f"{n} of {n} files differ: not the published recordings of {self.title}")
        elif n_different:
            how = "" if self.decoded else " in bytes (their samples were not compared)"
            such = f"such as {one_line(self.different[0])}"
            facts.append(f"{n_different} of {n} files differ from the published {self.title}{how}, {such}")
        if self.same:
            facts.append(f"{self.same} of {n} files are the published {self.title}")
        if self.same_samples:
            facts.append(
                f"{self.same_samples} of {n} files: the samples of the published {self.title}, in another file"
            )
        if self.n_missing:
            facts.append(f"{self.n_missing} of {self.n_published} published files are not here")
        return "; ".join(facts)


def recognise(
    reader: str,
    title: str,
    digests: Mapping[str, str],
    root: Path,
    *,
    decode: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Recognition | None:
    """Compare a folder's recordings with the published ones of the same name.

    Parameters
    ----------
    reader : str
        A key of `CORPORA`.
    title : str
        What the corpus is called.
    digests : mapping of str to str
        Relative path → SHA-256 of the file's bytes, hex, or "" if it is unreadable.
    root : Path
        The corpus folder.
    decode : bool
        Whether files with other bytes are decoded, to compare their samples.
    progress : callable
        Called with the number of files done.

    Returns
    -------
    Recognition or None
        None where no digests of that corpus are known, or there are no files.
    """
    known = published(reader)
    if not known or not digests:
        return None

    def kind_of(path: str) -> str:
        expected = known.get(PurePosixPath(path).stem)
        if expected is None or not digests[path]:
            return "different"
        if digests[path][:LENGTH] == expected.bytes:
            return "same"
        if path.lower().endswith(LOSSY):
            return "lossy"
        return "same_samples" if decode and _same_samples(root / path, expected) else "different"

    kinds: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=min(16, 2 * (os.cpu_count() or 1))) as pool:
        for path, kind in zip(digests, pool.map(kind_of, digests), strict=True):
            kinds[path] = kind
            if progress:
                progress(len(kinds))
    counts = Counter(kinds.values())
    return Recognition(
        title=title,
        n_published=len(known),
        same=counts["same"],
        same_samples=counts["same_samples"],
        different=tuple(path for path, kind in kinds.items() if kind == "different"),
        lossy=tuple(path for path, kind in kinds.items() if kind == "lossy"),
        n_missing=len(known.keys() - {PurePosixPath(path).stem for path in digests}),
        decoded=decode,
    )


def _same_samples(path: Path, expected: Published) -> bool:
    """Whether a file decodes to the published samples, known by themselves or inside a plain wav."""
    try:
        samples, sample_rate = decode_int16(read_bytes(path))
    except AudioError:
        return False
    data = samples.astype("<i2").tobytes()
    n_channels = samples.shape[1]
    header = struct.pack(
        "<4sI8sIHHIIHH4sI",
        *(b"RIFF", 36 + len(data), b"WAVEfmt ", 16, 1, n_channels),
        *(sample_rate, 2 * n_channels * sample_rate, 2 * n_channels, 16, b"data", len(data)),
    )
    return expected.samples == _short(data) or expected.bytes == _short(header + data)


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:LENGTH]
