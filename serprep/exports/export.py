"""A store → a folder in another program's form, whole or not at all."""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path

from serprep.errors import SerprepError, StoreError, one_line
from serprep.exports import FORMS
from serprep.exports.source import Source
from serprep.files import discard
from serprep.place.corpus import as_root
from serprep.place.place import at
from serprep.progress import Progress
from serprep.split.bind import bind
from serprep.split.file import read_split, write_split
from serprep.store.store import open_store
from serprep.version import refuse_inside


@dataclass(frozen=True)
class Exported:
    """What was written."""

    form: str
    folder: str
    version: str
    n_utterances: int
    n_files: int
    bytes: int
    n_dropped: int  # rows of the split that the store does not have


def export(
    store: str | Path,
    destination: str | Path,
    *,
    form: str,
    split: Path | None = None,
    audio: str | Path | None = None,
    quiet: bool = True,
) -> Exported:
    """Write a store in another form.

    Parameters
    ----------
    store : str or path
        As for `open_store`.
    destination : str or path
        A folder that does not exist.
    form : str
        One of `FORMS`.
    split : Path, optional
        A split file; the roles of its folds are exported, too.
    audio : str or path, optional
        The corpus's folder; its recordings are exported, or named, too.
    quiet : bool
        Show no progress.

    Raises
    ------
    SerprepError
        If the form is unknown or writes no stores, the destination is there, the split is of
        other utterances, or a recording is another one.
    """
    exporter, opened = FORMS[form], open_store(store)
    final = _new_folder(destination)
    bound = bind(read_split(split), opened.manifest()) if split else None
    root = as_root(audio, base=Path.cwd()) if audio is not None else None  # what names recordings is read elsewhere
    if root is not None and not root.is_dir():
        raise SerprepError(f"{one_line(root)}: no such folder; expected the recordings of the store")
    beside = final.with_name(f".{final.name[:48]}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        beside.mkdir(parents=True)
        with opened, Progress(f"exporting to {form}", len(opened), quiet=quiet) as progress:
            source = Source(opened, bound, root, progress.add)
            if bound:
                write_split(bound.split, beside / "split.json")
            about = json.dumps(source.about, indent=1, ensure_ascii=False, allow_nan=False)
            (beside / "serprep.json").write_text(about + "\n", encoding="utf-8")
            exporter.write(source, beside)
        _new_folder(destination)  # it took a while
        beside.rename(final)
    except OSError as error:
        raise StoreError(
            f"{one_line(destination)}: {error.strerror or one_line(error)}; free space or make its folder writable"
        ) from None
    finally:
        discard(beside)
    sizes = [path.stat().st_size for path in final.rglob("*") if path.is_file()]
    n_dropped = bound.n_dropped if bound else 0
    return Exported(form, str(final), opened.version, len(opened), len(sizes), sum(sizes), n_dropped)


def _new_folder(destination: str | Path) -> Path:
    """The absolute path of a folder that is to be made.

    Raises
    ------
    StoreError
        If there is something, it lies in a store or a data set, or it is not on this machine.
    """
    place = at(destination)
    if not place.direct():
        raise StoreError(f"{one_line(destination)}: an export is written to a folder on this machine; name one")
    refuse_inside(str(destination))
    if place.holds():
        raise StoreError(
            f"{one_line(destination)}: it exists; nothing is overwritten: remove it or choose another name"
        )
    return Path(place.path())
