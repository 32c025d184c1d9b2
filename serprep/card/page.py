"""A store or a manifest, and what is known beside it → the card."""

import contextlib
from pathlib import Path

import numpy as np
from markupsafe import Markup

from serprep._typing import FloatArray
from serprep.audio.levels import PROBLEMS, problems_of
from serprep.cache.parts import Cache
from serprep.card import rows as counted
from serprep.card.beside import Beside, beside_of
from serprep.card.heard import Heard, hear, rms_db
from serprep.card.outliers import find_outliers, how_far
from serprep.card.rows import Rows, alike, rows_of
from serprep.card.sides import look_at_split
from serprep.corpora import READERS
from serprep.corpora.corpus import Corpus
from serprep.errors import SerprepError
from serprep.manifest.table import Manifest
from serprep.pages import render
from serprep.pages.picture import picture, spectrogram
from serprep.pages.player import player
from serprep.pages.plot import bar, histogram
from serprep.split import ROLES, Split
from serprep.store.frames import picture_of
from serprep.store.store import Store

HERE = Path(__file__).parent
MOST = 30  # rows of a list; the rest is counted
MOST_SPEAKERS = 200  # rows of the map of classes and speakers
_UNSTATED = (
    "Nothing is stated for this corpus. Before use, check how the emotion was elicited (acted, induced or "
    "spontaneous), whether the speakers consented to this use, and whom they represent."
)


def make_card(
    source: Store | Manifest,
    *,
    split: Split | None = None,
    split_note: str = "",
    cache: Cache | None = None,
    audio: Path | None = None,
    with_sound: int = 0,
    facts: str = "",
) -> bytes:
    """The card of a store or a manifest, as a page.

    Parameters
    ----------
    source : Store or Manifest
    split : Split, optional
        Shown with who is where, and audited.
    split_note : str
        Why there is none.
    cache : Cache, optional
        Where levels of the recordings are kept; default: the data set's.
    audio : Path, optional
        Folder of the recordings, for players.
    with_sound : int
        How many recordings are put into the page.
    facts : str
        A digest of what the card was made of, noted in it.

    Examples
    --------
    >>> from serprep import Utterance, make_manifest
    >>> b"<h1>" in make_card(make_manifest([Utterance(id="a", path="a.wav", emotion="sad")]))
    True
    """
    rows = rows_of(source)
    store = source if isinstance(source, Store) else None
    info = store.attributes["provenance"]["corpus"] if store else dict(source.info)  # type: ignore[union-attr]
    corpus = _corpus(str(info.get("reader", "")))
    beside = beside_of(store, cache) if store else Beside()
    heard, far = (hear(store), how_far(store)) if store else (None, None)
    outliers = find_outliers(rows, levels=beside.levels, heard=heard, far=far)
    examples = _examples(store, heard, audio=audio, n_sounds=with_sound) if store and heard else []
    speakers, classes, table = counted.crossed(rows)
    title = str(info.get("corpus") or beside.build.get("dataset") or "Data set")
    values = {
        "facts": facts,
        "name": title,
        "dataset": beside.build.get("dataset", ""),
        "info": info,
        "corpus": corpus,
        "use": (corpus.use if corpus else "") or _UNSTATED,
        "store": store,
        "digest": "" if store else source.digest,  # type: ignore[union-attr]
        "beside": beside,
        "rows": rows,
        "n_speakers": len(rows.speakers),
        "shares": _shares(rows),
        "speakers": speakers,
        "classes": classes,
        "table": table,
        "most": int(table.max()) if table.size else 1,
        "MOST_SPEAKERS": MOST_SPEAKERS,
        "MOST": MOST,
        "durations": histogram(rows.seconds.tolist(), label="duration", unit="s"),
        "formats": counted.formats(rows),
        "quality": _quality(beside.levels, heard),
        "problems": _problems(beside, rows),
        "heard": heard,
        "pictures": _pictures(heard) if heard else [],
        "examples": examples,
        "same_bytes": [[rows.ids[i] for i in group] for group in rows.repeated()],
        "same_sound": _same_sound(rows, heard),
        "outliers": outliers,
        "sides": look_at_split(split, store.manifest() if store else source) if split else None,  # type: ignore[arg-type]
        "split_note": split_note,
        "ROLES": ROLES,
        "bar": bar,
    }
    page = render(HERE / "card.html.j2", values, title=f"{title} · data card")
    return page.encode("utf-8", "replace")  # file names may hold bytes that are no UTF-8


def _corpus(reader: str) -> Corpus | None:
    """The corpus whose reader made a manifest, where it is known here."""
    with contextlib.suppress(SerprepError):
        return READERS[reader]
    return None


def _shares(rows: Rows) -> list[tuple[str, list[counted.Share]]]:
    """Tables of utterances and hours: per class, gender, group and speaker."""
    groups = sorted(rows.groups, key=lambda name: name != "gender")
    tables = [("class", counted.shares(rows, "emotion", rows.labels))]
    tables += [(name, counted.shares(rows, name)) for name in groups]
    if len(rows.speakers) <= MOST_SPEAKERS:
        tables.append(("speaker", counted.shares(rows, "speaker")))
    return tables


def _quality(levels: FloatArray | None, heard: Heard | None) -> list[tuple[str, Markup]]:
    """Histograms of what recordings are like."""
    charts = []
    if levels is not None:
        charts += [
            ("Level", histogram(rms_db(levels[:, 1]).tolist(), label="root mean square", unit="dB")),
            ("Peak", histogram(rms_db(levels[:, 0]).tolist(), label="largest amplitude", unit="dB")),
        ]
    if heard is not None:
        charts += [
            ("Silence", histogram((100 * heard.quiet).tolist(), label="30 dB below the loudest moment", unit="%")),
            ("Bandwidth", histogram((heard.bandwidth / 1000).tolist(), label="highest frequency", unit="kHz")),
        ]
    return charts


def _problems(beside: Beside, rows: Rows) -> list[tuple[str, int, list[str]]]:
    """What is wrong with levels: what, how many, which ids first."""
    if beside.levels is None:
        return []
    known = np.nan_to_num(beside.levels, nan=0.5)
    which = {PROBLEMS[name]: mask for name, mask in problems_of(known).items()}
    rms = np.maximum(known[:, 1], 1e-6)
    which["DC: a constant offset of more than a tenth of the level"] = np.abs(known[:, 2]) > 0.1 * rms
    absent = np.isnan(beside.levels[:, 0])
    affected = [(name, np.flatnonzero(mask & ~absent)) for name, mask in which.items()]
    return [(name, len(at), [rows.ids[i] for i in at[:5]]) for name, at in affected]


def _same_sound(rows: Rows, heard: Heard | None) -> list[list[str]]:
    """Groups of utterances whose frames are equal although their bytes or times differ."""
    if heard is None:
        return []
    same = {frozenset(group) for group in rows.repeated()}
    return [[rows.ids[i] for i in group] for group in alike(heard.digests) if frozenset(group) not in same]


def _pictures(heard: Heard) -> list[tuple[str, Markup, Markup]]:
    """Per class its mean picture, and how it differs from the mean of all classes."""
    if not heard.pictures:
        return []
    means = np.stack(list(heard.pictures.values()))
    low, high = (float(np.percentile(means, q)) for q in (1, 99.5))
    common = means.mean(axis=0)
    reach = max(1e-6, float(np.abs(means - common).max()))
    return [
        (
            name,
            picture(mean, says=f"mean log-mel picture of {name}", low=low, high=high),
            picture(mean - common, says=f"{name} less the mean of all classes", low=-reach, high=reach, signed=True),
        )
        for name, mean in heard.pictures.items()
    ]


def _examples(
    store: Store, heard: Heard, *, audio: Path | None, n_sounds: int
) -> list[tuple[str, list[tuple[str, str, Markup, Markup]]]]:
    """Per class a typical and an untypical utterance: what, id, spectrogram, player."""
    emotions = np.array(store.emotions, object)
    manifest = store.manifest().utterances if n_sounds and audio else None
    examples = []
    for label in store.labels:
        at = np.flatnonzero((emotions == label) & np.isfinite(heard.distance))
        if not len(at):
            continue
        order = at[np.argsort(heard.distance[at], kind="stable")].tolist()
        two = [("typical", order[0]), *([("untypical", order[-1])] if len(order) > 1 else [])]
        shown = []
        for what, i in two:
            frames = picture_of(store, i)
            if frames is None:
                continue
            name = store.ids[i]
            image = spectrogram(frames, says=f"spectrogram of {name}, {what} of {label}")
            sound = Markup("")
            if manifest is not None and audio and n_sounds:
                sound = player(manifest[i], audio)
                n_sounds -= bool(sound)
            shown.append((what, name, image, sound))
        examples.append((label, shown))
    return examples
