"""One labelled unit of a corpus: a whole file, or some seconds of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """What a corpus says about one utterance; nothing here needs its audio.

    Parameters
    ----------
    id : str
        Unique in the corpus.
    path : str
        Relative to the corpus root, with ``/``.
    start, end : float or None
        Seconds in the file; None for a whole file.
    speaker : str
        Who really speaks; "" where the corpus does not tell.
    emotion : str
        The corpus's own word or code; "" where there is no label.
    partition : str
        The corpus's own ("train", "devel", "test"); "" where it has none.
    extra : mapping of str to str
        Group columns in the corpus's order: session, dialogue, text, gender …
    duration : float or None
        Seconds of this utterance; None until its audio was looked at, or unreadable.
    sample_rate : int or None
        Hz, of the file.
    audio_digest : str
        SHA-256 of the whole file's bytes, hex; "" until it was hashed.
    """

    id: str
    path: str
    start: float | None = None
    end: float | None = None
    speaker: str = ""
    emotion: str = ""
    partition: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    duration: float | None = None
    sample_rate: int | None = None
    audio_digest: str = ""
