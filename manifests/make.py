"""Make the published manifests and splits, and the digests that serprep ships, from checksum tables.

    python manifests/make.py FACTS [NAME…]

FACTS is a folder with ``<name>_originals.tsv`` (columns ``path`` or ``file``, ``sha256``, and
``approx_duration_s`` where known), and where samples are known ``<name>_samples.tsv`` (``path``,
``sample_rate``, ``channels``, ``frames``, ``sha256_of_int16_pcm``). No recording is needed: empty
files of the published names are read by the corpus's own reader.
"""

import csv
import gzip
import io
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from serprep.corpora import CORPORA, read_corpus
from serprep.files import write_whole
from serprep.manifest.table import Manifest, make_manifest, read_manifest, write_manifest
from serprep.pipeline.gather import describe_corpus
from serprep.release import LENGTH
from serprep.split import SplitConfig, make_split, write_split

KEPT = ("gender", "text", "intensity", "repetition")  # columns besides those of every manifest
HERE = Path(__file__).resolve().parent
RELEASES = HERE.parent / "serprep" / "releases"
#: Corpus → folder of its recordings, and its canonical splits.
SPLITS = {
    "crema_d": ("AudioWAV/", {"actors-5-folds": SplitConfig(protocol="group-k-fold", folds=5)}),
    "emodb": ("wav/", {"leave-one-speaker-out": SplitConfig()}),
    "ravdess": ("", {"actors-6-folds": SplitConfig(protocol="group-k-fold", folds=6)}),
}


@dataclass(frozen=True, kw_only=True)
class Original:
    """What is known of one published file."""

    path: str
    digest: str  # SHA-256 of its bytes
    duration: float | None = None  # seconds
    sample_rate: int | None = None  # Hz
    samples: tuple[str, ...] = ()  # channels, frames and SHA-256 of the 16-bit samples


def from_facts(name: str, facts: Path) -> list[Original]:
    """The originals of a corpus, from its checksum tables."""
    samples = {row["path"]: row for row in _table(facts / f"{name}_samples.tsv")}
    originals = []
    for row in _table(facts / f"{name}_originals.tsv"):
        path = row.get("path") or SPLITS[name][0] + row["file"]
        duration = float(row["approx_duration_s"]) if row.get("approx_duration_s") else None
        original = Original(path=path, digest=row["sha256"], duration=duration)
        if path in samples:
            known = samples[path]
            rate, n_samples = int(known["sample_rate"]), int(known["frames"])
            about = (known["channels"], known["frames"], known["sha256_of_int16_pcm"])
            original = replace(original, duration=n_samples / rate, sample_rate=rate, samples=about)
        originals.append(original)
    return originals


def from_manifest(name: str, folder: Path) -> list[Original]:
    """The same originals, from what `make` wrote."""
    samples = {row["id"]: tuple(row.values())[1:] for row in _table(folder / name / "samples.csv", ",")}
    return [
        Original(
            path=row.path,
            digest=row.audio_digest,
            duration=row.duration,
            sample_rate=row.sample_rate,
            samples=samples.get(row.id, ()),
        )
        for row in read_manifest(folder / name).utterances
    ]


def _table(path: Path, delimiter: str = "\t") -> list[dict[str, str]]:
    if not path.is_file():
        return []
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")), delimiter=delimiter))


def read_names(name: str, paths: Iterable[str]) -> Manifest:
    """What the corpus's reader makes of files of these names."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        for table in (HERE / name).glob("VideoDemographics.csv"):
            (root / table.name).write_bytes(table.read_bytes())
        return make_manifest(read_corpus(name, root).utterances, describe_corpus(CORPORA[name]))


def make(name: str, originals: list[Original], *, folder: Path, releases: Path) -> None:
    """Write ``folder/name`` and ``releases/name.tsv.gz``."""
    by_path = {original.path: original for original in originals}
    named = read_names(name, by_path)
    rows = []
    for row in named.utterances:
        known = by_path[row.path]
        extra = {column: value for column, value in row.extra.items() if column in KEPT}
        about = {"duration": known.duration, "sample_rate": known.sample_rate, "audio_digest": known.digest}
        rows.append(replace(row, extra=extra, **about))
    manifest = make_manifest(rows, named.info)
    write_manifest(manifest, folder / name)
    for label, config in SPLITS[name][1].items():
        write_split(make_split(manifest, config), folder / name / "splits" / f"{label}.json")
    samples = {row.id: by_path[row.path].samples for row in manifest.utterances if by_path[row.path].samples}
    if samples:
        lines = ["id,n_channels,n_samples,samples_digest", *(",".join((key, *row)) for key, row in samples.items())]
        write_whole(folder / name / "samples.csv", ("\n".join(lines) + "\n").encode())
    short = [
        f"{row.id}\t{row.audio_digest[:LENGTH]}\t{samples[row.id][-1][:LENGTH] if row.id in samples else ''}"
        for row in manifest.utterances
    ]
    text = "\n".join(["id\tbytes\tsamples", *short]) + "\n"
    write_whole(releases / f"{name}.tsv.gz", gzip.compress(text.encode(), mtime=0))


def main(facts: str, *names: str) -> None:
    """Make some, or all of them."""
    for name in names or sorted(set(SPLITS) & set(CORPORA)):
        make(name, from_facts(name, Path(facts)), folder=HERE, releases=RELEASES)


if __name__ == "__main__":
    main(*sys.argv[1:])
