"""The page as a folder of files, to be opened or put on a web server."""

import secrets
from collections.abc import Callable
from pathlib import Path

from serprep.browse.content import Content
from serprep.browse.page import FILES, file, index, policy
from serprep.browse.plane import maps_of
from serprep.browse.subject import Subject
from serprep.errors import AudioError, StoreError, one_line
from serprep.files import write_whole


def export(subject: Subject, folder: Path, *, progress: Callable[[int], object] = lambda done: None) -> int:
    """Write the page, its data, and recordings where the subject has them; returns how many recordings.

    ``index.html`` is written last: a folder with it is whole.

    Raises
    ------
    StoreError
        If the folder holds anything.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{one_line(folder)} is there already; name a folder that is new or empty")
    content, nonce, n_sounds = Content(subject), secrets.token_urlsafe(16), 0

    def write(name: str, data: bytes | None) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, data or b"")

    for name in FILES:
        write(name, file(name))
    write("data/corpus.js", content.corpus)
    write("data/first.js", content.first)
    write("data/rows.js", content.rows)
    for number in range(len(maps_of(subject.store))):
        write(f"data/map/{number}.js", content.map(number))
    for number in range(len(subject)):
        write(f"data/utterance/{number}.js", content.utterance(number))
        if subject.audio is not None:
            try:
                write(f"audio/{number}.wav", content.wav(number, matched=False))
                write(f"matched/{number}.wav", content.wav(number, matched=True))
                n_sounds += 1
            except AudioError:  # the page says why
                pass
        progress(number + 1)
    write("index.html", index(nonce, meta=policy(nonce, source="'self' file:")))
    return n_sounds
