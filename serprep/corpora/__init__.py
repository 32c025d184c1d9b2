"""Corpus folders → utterances, one file per corpus.

To add a corpus: copy ``_template.py``, add a line to `CORPORA`, a row to the
contract test and to ``docs/corpora.md``; or, in a package of your own, an entry point of the
group ``serprep.corpora``.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from serprep.audio.decode import SUFFIXES
from serprep.corpora import (
    audformat_db,
    compare,
    compare2018,
    crema_d,
    emodb,
    emovo,
    huggingface,
    iemocap,
    kaldi,
    meld,
    msp_improv,
    msp_podcast,
    pattern,
    ravdess,
    savee,
    table,
    tess,
    urdu,
)
from serprep.corpora.corpus import About, Corpus, Finding, Rating
from serprep.errors import CorpusError, first_ten, one_line
from serprep.place.corpus import unfollowed
from serprep.plugins import Registry
from serprep.text import did_you_mean
from serprep.utterance import Utterance, Utterances

CORPORA: dict[str, Corpus] = {
    "audformat": audformat_db.CORPUS,
    "compare": compare.CORPUS,
    "compare2018": compare2018.CORPUS,
    "crema_d": crema_d.CORPUS,
    "emodb": emodb.CORPUS,
    "emovo": emovo.CORPUS,
    "huggingface": huggingface.CORPUS,
    "iemocap": iemocap.CORPUS,
    "kaldi": kaldi.CORPUS,
    "meld": meld.CORPUS,
    "msp_improv": msp_improv.CORPUS,
    "msp_podcast": msp_podcast.CORPUS,
    "pattern": pattern.CORPUS,
    "ravdess": ravdess.CORPUS,
    "savee": savee.CORPUS,
    "table": table.CORPUS,
    "tess": tess.CORPUS,
    "urdu": urdu.CORPUS,
}

#: These, and those of packages installed beside serprep.
READERS = Registry(
    group="serprep.corpora",
    what="reader",
    own=CORPORA,
    base=Corpus,
    error=CorpusError,
    without="stores and manifests made with it are read, split and trained from",
)


@dataclass(frozen=True)
class Reading:
    """What a reader found."""

    corpus: Corpus
    utterances: Utterances
    warnings: tuple[str, ...]  # one line each
    ratings: tuple[Rating, ...] = ()  # of single raters, in the reader's order


def corpus_named(name: str) -> Corpus:
    """The corpus of that name.

    Raises
    ------
    CorpusError
        If there is none; the message lists the known ones.
    """
    return READERS[name]


def read_corpus(name: str, root: Path, options: Mapping[str, object] | None = None) -> Reading:
    """Read a corpus folder: names and label files only, no audio.

    Parameters
    ----------
    name : str
        One of `READERS`.
    root : Path
        The corpus folder.
    options : mapping
        What the reader takes besides: ``file`` and ``columns`` for "table",
        ``pattern`` for "pattern".

    Returns
    -------
    Reading
        Utterances in the reader's order, and warnings: counts that differ from
        the published ones, files that do not belong.

    Raises
    ------
    CorpusError
        If the folder is missing, holds nothing of that corpus, or a label file
        is not as documented.
    """
    corpus = known = corpus_named(name)
    given = dict(options or {})
    unknown = sorted(set(given) - set(corpus.options))
    if unknown:
        takes = f"it takes {', '.join(corpus.options)}" if corpus.options else "it takes none"
        meant = did_you_mean(unknown[0], corpus.options)
        raise CorpusError(f"reader {name!r} has no option {unknown[0]!r}; {takes}{meant}")
    missing = sorted(set(corpus.required) - set(given))
    if missing:
        raise CorpusError(f"reader {name!r} needs {missing[0]!r}: add it to [corpus] or to the command line")
    if not root.is_dir():
        raise CorpusError(f"{one_line(root)}: no such folder; expected the root of {corpus.title}")
    findings: list[Finding] = []
    ratings: list[Rating] = []
    told: list[About] = []

    def sifted() -> Iterator[Utterance]:
        for item in known.utterances(root, given):
            if isinstance(item, About):
                told.append(item)
            elif isinstance(item, Finding):
                findings.append(item)
            elif isinstance(item, Rating):
                ratings.append(item)
            elif not _is_utf8(item.path):
                findings.append(Finding("recordings whose names are not UTF-8 passed over: rename them", item.path))
            else:
                yield item

    utterances = Utterances(sifted())
    for about in told:
        corpus = replace(corpus, title=about.title, licence=about.licence, source=about.source)
    if not utterances:
        hint = first_ten(_counted(findings)) if findings else f"expected {corpus.layout}"
        raise CorpusError(f"{one_line(root)}: no utterance of {corpus.title} found; {hint}")
    findings += (Finding(f"{why}: passed over", path) for path, why in unfollowed(root, SUFFIXES))
    warnings = [*_counted(findings), *_count_warnings(corpus, utterances)]
    return Reading(corpus, utterances, tuple(warnings), tuple(ratings))


def _is_utf8(path: str) -> bool:
    """Whether a name can stand in a manifest; others come as lone surrogates."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _counted(findings: Sequence[Finding]) -> list[str]:
    """One line per kind of finding, with its number and the first example."""
    kinds: dict[str, list[str]] = {}
    for finding in findings:
        kinds.setdefault(finding.kind, []).append(finding.place)
    return [
        f"{len(places)} {kind}, such as {one_line(places[0])}" if len(places) > 1 else f"{kind}: {one_line(places[0])}"
        for kind, places in kinds.items()
    ]


def _count_warnings(corpus: Corpus, utterances: Utterances) -> list[str]:
    """Published counts against found ones, one line with both numbers."""
    warnings = []
    if corpus.n_utterances and len(utterances) != corpus.n_utterances:
        warnings.append(
            f"{len(utterances)} utterances found, {corpus.n_utterances} published ({corpus.title} {corpus.release})"
        )
    for column, counts in {"emotion": corpus.n_per_emotion, **corpus.n_per}.items():
        counted = Counter(utterances.column(column))
        off = [f"{value} {counted[value]}/{count}" for value, count in counts.items() if counted[value] != count]
        if off:
            shown = ", ".join(off[:12]) + (f" and {len(off) - 12} more" if len(off) > 12 else "")
            warnings.append(f"counts per {column} differ from the published ones (found/published): {shown}")
    for column, count in corpus.n_different.items():
        different = len(set(utterances.column(column)))
        if different != count:
            warnings.append(f"{different} different values of {column} found, {count} published")
    speakers = set(utterances.column("speaker"))
    if corpus.n_speakers and len(speakers) != corpus.n_speakers:
        warnings.append(f"{len(speakers)} speakers found, {corpus.n_speakers} published")
    return warnings
