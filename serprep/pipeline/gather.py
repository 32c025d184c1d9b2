"""Which utterances a recipe asks for, and whose audio can be read."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from serprep.columns import COLUMNS
from serprep.corpora import read_corpus
from serprep.errors import CorpusError, ManifestError, RecipeError, one_line
from serprep.files import read_regular
from serprep.manifest.locate import Located, locate
from serprep.manifest.marks import corrections, read_marks
from serprep.manifest.select import Selection, select, spellings
from serprep.manifest.table import Manifest, make_manifest, read_manifest
from serprep.recipe import Recipe
from serprep.text import not_text
from serprep.utterance import Utterance, Utterances

_APART = ("dialogue", "partner", "session")  # columns whose values mean nothing in another corpus


@dataclass(frozen=True, kw_only=True)
class Quarantined:
    """An utterance that is not in the store, and why."""

    id: str
    path: str
    reason: str


@dataclass(frozen=True)
class Asked(Selection):
    """The rows a recipe asks for, what it left out, and the reader's warnings."""

    warnings: tuple[str, ...] = field(default=())
    located: Located | None = None  # where the recordings lie
    root: Path = Path()  # the corpus folder; what lies at a URL is listed once


def gather(recipe: Recipe) -> Asked:
    """Read the recipe's corpus or manifest, or several, and select its rows; no audio is touched.

    Raises
    ------
    SerprepError
        If that cannot be read, or lacks a column that ``[train] groups`` names.
    """
    asked = _joined(recipe) if recipe.corpora else _read(recipe)
    known = asked.manifest.columns
    if missing := [name for name in recipe.train.groups if name not in {*known, *COLUMNS}]:
        raise RecipeError(f"[train] groups: no column {one_line(missing[0])!r}; the corpus has {', '.join(known)}")
    return asked


def _read(recipe: Recipe) -> Asked:
    """What is asked for of one corpus."""
    corpus, root = recipe.corpus, recipe.root
    warnings: tuple[str, ...] = ()
    if corpus.manifest:
        manifest = read_manifest(recipe.path(corpus.manifest))
        if not root.is_dir():
            raise CorpusError(f"{one_line(root)}: no such folder; expected the root of the manifest's recordings")
    else:
        reading = read_corpus(corpus.reader, root, corpus.reader_options)
        warnings = reading.warnings
        manifest = make_manifest(reading.utterances, describe_corpus(reading.corpus))
    exclude = _excluded(recipe) if corpus.exclude else []
    marks = read_marks(recipe.path(corpus.marks)) if corpus.marks else ()
    if n_corrected := len(corrections(marks)):
        told = f"{one_line(corpus.marks)}: {n_corrected} label{'s' if n_corrected > 1 else ''} corrected"
        warnings = (*warnings, told)
    chosen = select(manifest, emotions=corpus.emotions, exclude=exclude, marks=marks)
    located = locate(chosen.manifest.utterances, root)
    warnings = (*warnings, *located.warnings, *spellings(chosen.manifest), *_unlabelled(chosen.manifest))
    if located.utterances is not chosen.manifest.utterances:
        chosen = replace(chosen, manifest=make_manifest(located.utterances, manifest.info))
    return Asked(chosen.manifest, chosen.dropped, chosen.labels, warnings, located, root)


def _excluded(recipe: Recipe) -> list[str]:
    """The ids in a recipe's list of utterances to leave out."""
    place, expected = f"exclude = {recipe.corpus.exclude!r}", "expected utterance ids, one a line"
    try:
        data = read_regular(recipe.path(recipe.corpus.exclude))
        if why := not_text(data):
            raise ManifestError(f"{place} is {why}")
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ManifestError(f"{place}: {error.strerror}; {expected}") from None
    except UnicodeDecodeError as error:
        raise ManifestError(f"{place}: byte {error.start} is not UTF-8; {expected}") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _unlabelled(manifest: Manifest) -> list[str]:
    """That utterances are kept without a label, apart from a challenge's test part, which hides its own."""
    cells = zip(manifest.column("emotion"), manifest.column("partition"), strict=True)
    n = sum(not emotion and partition != "test" for emotion, partition in cells)
    all_of_them = f"{n} of {len(manifest.utterances)} utterances have no label"
    return [f"{all_of_them}: emotions are neither learnt from them nor scored on them"] if n else []


def _joined(recipe: Recipe) -> Asked:
    """What is asked for of several corpora; ids, and what tells speakers apart, begin with the corpus's name."""
    root = recipe.root
    alone = {corpus.name: _read(replace(recipe, corpus=corpus, corpora=())) for corpus in recipe.corpora}
    infos = [asked.manifest.info for asked in alone.values()]
    info = {
        key: "; ".join(dict.fromkeys(str(info[key]) for info in infos if info.get(key)))
        for key in dict.fromkeys(key for info in infos for key in info)
    }
    rows = (_named(row, name, root, asked.root) for name, asked in alone.items() for row in asked.manifest.utterances)
    manifest = make_manifest(rows, info)
    labels = tuple(dict.fromkeys(label for asked in alone.values() for label in asked.labels))
    if not any(corpus.emotions for corpus in recipe.corpora):
        labels = tuple(sorted(labels))
    located = [asked.located for asked in alone.values() if asked.located]
    warnings = [f"{one_line(name)}: {warning}" for name, asked in alone.items() for warning in asked.warnings]
    warnings += [
        f"{one_line(name)}: its own column 'corpus' is replaced by its name"
        for name, asked in alone.items()
        if "corpus" in asked.manifest.columns
    ]
    return Asked(
        manifest,
        {f"{name}: {why}": n for name, asked in alone.items() for why, n in asked.dropped.items()},
        labels,
        tuple(warnings),
        Located(
            manifest.utterances, (), sum(part.n_missing for part in located), sum(part.n_paths for part in located)
        ),
        root,
    )


def _named(row: Utterance, corpus: str, root: Path, own: Path) -> Utterance:
    """An utterance of one of several corpora, with its path from the folder that all lie in."""
    extra = {name: f"{corpus}/{value}" if name in _APART and value else value for name, value in row.extra.items()}
    return replace(
        row,
        id=f"{corpus}/{row.id}",
        speaker=f"{corpus}/{row.speaker}" if row.speaker else "",
        path=Path(os.path.relpath(own, root), row.path).as_posix(),
        extra={**extra, "corpus": corpus},
    )


def describe_corpus(corpus: Any) -> dict[str, object]:
    """What a manifest says about its corpus."""
    return {
        "corpus": corpus.title,
        "release": corpus.release,
        "licence": corpus.licence,
        "source": corpus.source,
        "reader": corpus.name,
        "reader_version": corpus.reader_version,
    }


def usable(asked: Manifest, looked: Manifest, reasons: Mapping[str, str]) -> tuple[Utterances, list[Quarantined]]:
    """Rows whose audio can be read, and the others with their reasons."""
    good: list[int] = []
    bad: list[Quarantined] = []
    before, after = (
        zip(*(some.utterances.column(name) for name in ("id", "path", "audio_digest")), strict=True)
        for some in (asked, looked)
    )
    pairs = zip(
        groupby(before, key=lambda row: row[0]),
        groupby(enumerate(after), key=lambda row: row[1][0]),
        strict=True,  # looking drops no id, and both are sorted
    )
    for (name, own), (_, read) in pairs:
        expected, rows = {path: digest for _, path, digest in own}, list(read)
        for number, (_, path, digest) in rows:
            wanted = expected.get(path)
            if path in reasons:
                reason = reasons[path]
            elif len(rows) > 1:
                reason = f"duplicate id: {len(rows)} different rows share it; make ids unique"
            elif wanted and wanted != digest:
                reason = (
                    "the recording is not the manifest's (other SHA-256); make the manifest again or restore the file"
                )
            else:
                good.append(number)
                continue
            bad.append(Quarantined(id=name, path=path, reason=reason))
    return looked.utterances.take(good), bad
