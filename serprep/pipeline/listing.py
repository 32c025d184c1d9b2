"""A corpus folder → a manifest on this disk, and a folder held against one.

A recipe needs neither, as `gather` reads the corpus itself; a manifest is what people compare, review and commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serprep.corpora import read_corpus
from serprep.manifest.locate import locate
from serprep.manifest.look import Check, check_manifest, look
from serprep.manifest.select import spellings
from serprep.manifest.table import Manifest, make_manifest, read_manifest, write_manifest
from serprep.pipeline.gather import describe_corpus
from serprep.place.corpus import as_root
from serprep.progress import Progress
from serprep.ratings import write_ratings
from serprep.release import Recognition, recognise


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A manifest that is written, and what reader and recordings said."""

    manifest: Manifest
    path: Path  # of utterances.csv
    ratings: Path | None  # raters.jsonl, where the corpus tells what single raters said
    n_ratings: int
    unreadable: Mapping[str, str]  # path → why its recording cannot be read
    warnings: tuple[str, ...]
    release: Recognition | None  # None: no digests of published files are known


def list_corpus(
    reader: str,
    root: str | Path,
    folder: Path,
    *,
    options: Mapping[str, object] | None = None,
    samples: bool = True,
    quiet: bool = True,
) -> Listed:
    """Read a corpus, look at every recording, and write ``utterances.csv``, ``manifest.json`` and ratings.

    Parameters
    ----------
    reader : str
        A key of `CORPORA`.
    root : str or path
        Folder or URL of the corpus.
    folder : Path
        Where the manifest is written.
    options : mapping, optional
        What the reader takes, such as ``{"pattern": "{emotion}/{speaker}.wav"}``.
    samples : bool
        Decode recordings whose bytes are not the published ones, to compare their samples.
    quiet : bool
        Show no progress.

    Raises
    ------
    CorpusError
        If the corpus cannot be read, or none of its recordings is there.
    ManifestError
        If its rows make no manifest.
    """
    place = as_root(root)
    reading = read_corpus(reader, place, dict(options or {}))
    located = locate(reading.utterances, place)
    located.refuse_nothing(place)
    listed = make_manifest(located.utterances, describe_corpus(reading.corpus))
    n_files = len({row.path for row in listed.utterances})
    with Progress("reading recordings", n_files, unit="files", quiet=quiet) as progress:
        looked = look(listed, place, progress=progress.to)
    made = looked.manifest
    digests = {row.path: row.audio_digest for row in made.utterances}
    release = _recognised(made, digests, place, samples=samples, quiet=quiet)
    return Listed(
        manifest=made,
        path=write_manifest(made, folder),
        ratings=write_ratings(reading.ratings, folder),
        n_ratings=len(reading.ratings),
        unreadable=looked.reasons,
        warnings=(*reading.warnings, *located.warnings, *spellings(made), *looked.remarks),
        release=release,
    )


@dataclass(frozen=True, kw_only=True)
class Checked:
    """How a folder differs from a manifest."""

    comparison: Check
    warnings: tuple[str, ...]  # where recordings lie otherwise than the manifest spells it
    release: Recognition | None  # None: no digests of published files are known


def check_corpus(manifest: Path, root: str | Path, *, samples: bool = True, quiet: bool = True) -> Checked:
    """Compare the recordings below a folder with a manifest, and with the published release.

    Parameters
    ----------
    manifest : Path
        The folder of a manifest, or its CSV.
    root : str or path
        Folder or URL of the recordings.
    samples, quiet : bool
        As for `list_corpus`.

    Raises
    ------
    ManifestError
        If the manifest cannot be read, or there is no such folder.
    """
    expected, place = read_manifest(manifest), as_root(root)
    warnings: tuple[str, ...] = ()
    if place.is_dir():
        located = locate(expected.utterances, place)
        expected, warnings = make_manifest(located.utterances, expected.info), located.warnings
    n_files = len({row.path for row in expected.utterances})
    with Progress("hashing", n_files, unit="files", quiet=quiet) as progress:
        comparison = check_manifest(expected, place, progress=progress.to)
    release = _recognised(expected, comparison.digests, place, samples=samples, quiet=quiet)
    return Checked(comparison=comparison, warnings=warnings, release=release)


def _recognised(
    manifest: Manifest, digests: Mapping[str, str], root: Path, *, samples: bool, quiet: bool
) -> Recognition | None:
    """Recordings compared with the published ones, with progress; None where no digests of these are known."""
    reader, title = (str(manifest.info.get(name, "")) for name in ("reader", "corpus"))
    with Progress("comparing with the published release", len(digests), unit="files", quiet=quiet) as progress:
        return recognise(reader, title, digests, root, decode=samples, progress=progress.to)
