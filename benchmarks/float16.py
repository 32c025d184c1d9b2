"""What float16 segments lose: rounding errors of the log-mel frames of real recordings.

    python benchmarks/float16.py ravdess ../shared/corpora/ravdess emodb ../shared/corpora/emodb_first2s

Arguments are pairs of a reader and a root.  Every frame of every readable utterance is
computed with the default configuration and rounded; one row per corpus is printed, as in
docs/store.md.  Errors are in the unit of the values, natural logarithms of power;
"of σ" relates a band's error to that band's standard deviation over all frames, and the
worst band is shown.
"""

import sys
from pathlib import Path

import numpy as np

from serprep.audio.decode import decode, read_bytes
from serprep.corpora import read_corpus
from serprep.errors import AudioError, FeatureError
from serprep.features.extract import Features
from serprep.features.logmel import log_mel


def main(arguments: list[str]) -> None:
    """Print the table."""
    print("| corpus | utterances | frames | values | max error | rms error | max error of σ | rms error of σ |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for reader, root in zip(arguments[::2], arguments[1::2], strict=True):
        print(row(reader, Path(root)), flush=True)


def row(reader: str, root: Path) -> str:
    """The corpus's row of the table."""
    features = Features()
    shape = (features.logmel.n_mels,)
    n, n_utterances, low, high = 0, 0, np.inf, -np.inf
    total, squares, errors, largest = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for utterance in read_corpus(reader, root, {}).utterances:
        try:
            data = read_bytes(root / utterance.path)
            signal = decode(data, start=utterance.start, end=utterance.end, config=features.signal)
            frames = log_mel(signal, features.logmel)
        except (AudioError, FeatureError):
            continue
        values = frames.astype(np.float64)
        error = np.abs(frames.astype(np.float16).astype(np.float64) - values)
        n, n_utterances = n + len(values), n_utterances + 1
        low, high = min(low, values.min()), max(high, values.max())
        total, squares = total + values.sum(axis=0), squares + (values**2).sum(axis=0)
        errors, largest = errors + (error**2).sum(axis=0), np.maximum(largest, error.max(axis=0))
    deviation = np.sqrt(squares / n - (total / n) ** 2)
    rms = np.sqrt(errors / n)
    numbers = [
        largest.max(),
        np.sqrt(errors.sum() / n / len(errors)),
        (largest / deviation).max(),
        (rms / deviation).max(),
    ]
    shown = " | ".join(f"{number:.5f}" for number in numbers)
    return f"| {reader} | {n_utterances} | {n} | {low:.1f} to {high:.1f} | {shown} |"


if __name__ == "__main__":
    main(sys.argv[1:])
