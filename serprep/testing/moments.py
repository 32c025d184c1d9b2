"""A kind of feature that costs next to nothing: four values of an utterance, for tests of everything around features.

A package that is installed beside serprep registers it, as `write_plugin` writes one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serprep._typing import FloatArray
from serprep.audio.signal import Signal
from serprep.features.kind import Extractor, Kind


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Configuration of ``[features.moments]``: none."""


class _Moments(Kind[Moments]):
    name = "moments"
    config = Moments
    shape = "row"
    revision = 1

    def names(self, config: Moments) -> tuple[str, ...]:
        """Names of the columns."""
        return "mean", "std", "least", "most"

    def extractor(self, config: Moments, signal: Signal) -> Extractor:
        """Mean, standard deviation, minimum and maximum of the samples."""

        def extract(samples: FloatArray) -> FloatArray:
            return np.array([samples.mean(), samples.std(), samples.min(), samples.max()], np.float32)

        return extract


MOMENTS = _Moments()


def write_plugin(folder: Path, name: str = "moments", where: str = "serprep.testing.moments:MOMENTS") -> None:
    """What `pip install` would leave of a package that registers a kind; on ``PYTHONPATH``, it is installed."""
    about = folder / f"serprep_{name}-1.0.dist-info"
    about.mkdir(parents=True)
    for file, text in {
        "METADATA": f"Metadata-Version: 2.1\nName: serprep-{name}\nVersion: 1.0\n",
        "entry_points.txt": f"[serprep.features]\n{name} = {where}\n",
        "RECORD": "",
    }.items():
        (about / file).write_text(text, encoding="utf-8")
