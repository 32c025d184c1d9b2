"""Trained systems → probabilities of signals, and of features as a store holds them.

The features and statistics are exactly those of training; the checkpoint says which.
Several checkpoints (folds, seeds, systems) give the mean of their probabilities.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from serprep._typing import FloatArray, IntArray
from serprep.audio.guard import guard
from serprep.errors import AudioError, TrainError, one_line
from serprep.features.extract import Features, extract
from serprep.features.framing import cut_segments
from serprep.systems import is_row
from serprep_models.checkpoint import Checkpoint, checkpoints_below, read_checkpoint
from serprep_models.scores.calibration import Abstention, abstention, scaled
from serprep_models.standardise import CLIP, OwnMoments, Ranks, Standardiser, Statistics, moments, standardise
from serprep_models.system import Batch

#: Features of one utterance as a store would hold them, by the names of what is read.
Values = Mapping[str, FloatArray]


class Predictor:
    """Trained systems, ready to predict.

    Examples
    --------
    ::

        import serprep_models
        serprep_models.load("experiments/…/hsf-crnn/fold-01/seed-0").predict(signal, 16_000)
        # {'angry': 0.91, 'happy': 0.07, 'neutral': 0.01, 'sad': 0.01}

    Attributes
    ----------
    speaker : mapping, optional
        Statistics of the speaker who is enrolled; of transductive checkpoints.
    """

    def __init__(self, checkpoints: Sequence[Checkpoint], *, speaker: Statistics | None = None) -> None:
        if not checkpoints:
            raise TrainError("no checkpoint given; name at least one folder that `serprep train` wrote")
        first = checkpoints[0]
        for other in checkpoints[1:]:
            if other.scales != first.scales:
                raise TrainError(
                    f"checkpoints say different things, {_said(first)} and {_said(other)}; average those of one recipe"
                )
            if other.labels != first.labels:
                raise TrainError(
                    f"checkpoints have different labels, {one_line(list(first.labels))} and "
                    f"{one_line(list(other.labels))}; average those of one recipe"
                )
            if (other.features, other.segment_dtype) != (first.features, first.segment_dtype):
                raise TrainError("checkpoints were trained on different features; average those of one recipe")
            if other.standardisation != first.standardisation:
                raise TrainError(
                    f"checkpoints have different standardisation, {first.standardisation} and "
                    f"{other.standardisation}; average those of one recipe"
                )
        self.speaker = speaker
        self.standardisation = first.standardisation
        self.checkpoints = tuple(checkpoints)
        self.labels = first.labels
        self.scales = first.scales
        self.features: Features = first.features
        self.names = tuple(dict.fromkeys(name for each in checkpoints for name in each.config.shapes))

    @property
    def transductive(self) -> bool:
        """Whether features are standardised by statistics of their speaker."""
        return self.standardisation in ("speaker", "speaker-rank")

    def enrol(self, signals: Sequence[FloatArray], sample_rate: int) -> "Predictor":
        """A predictor for one speaker, known by some utterances without labels.

        Parameters
        ----------
        signals : sequence of ndarray
            As `predict` takes them; ten or more, of various emotions.
        sample_rate : int
            Hz.

        Raises
        ------
        TrainError
            If these checkpoints know nothing of speakers, or there are no signals.
        AudioError, FeatureError
            If a signal cannot be used.
        """
        return self.enrolled([self.values(self._guarded(each, sample_rate)) for each in signals])

    def enrolled(self, utterances: Sequence[Values]) -> "Predictor":
        """A predictor for the speaker of utterances whose features are given.

        Raises
        ------
        TrainError
            If there is none, or the checkpoint knows nothing of speakers.
        """
        self.check_enrolment(True)
        if not utterances:
            raise TrainError("no utterance to enrol the speaker with; give some, ten or more if you can")
        speaker: dict[str, Standardiser] = {}
        for name in self.names:
            blocks = [values[name] for values in utterances]
            ranked = self.standardisation == "speaker-rank" and is_row(name, self.features)
            speaker[name] = Ranks.of(np.concatenate(blocks)) if ranked else moments(blocks)
        return Predictor(self.checkpoints, speaker=speaker)

    def check_enrolment(self, given: bool) -> None:
        """Raise a TrainError unless a speaker is enrolled where, and only where, the checkpoints ask for it."""
        if given and not self.transductive:
            raise TrainError(
                f"the checkpoint was trained with standardisation {self.standardisation!r}, which knows nothing of "
                "speakers; leave the enrolment out"
            )
        if not given and self.transductive:
            raise TrainError(
                f"the checkpoint was trained with standardisation {self.standardisation!r}: give recordings of the "
                "speaker, without labels, with --enrol (in Python: load(…).enrol(signals, sample_rate))"
            )

    def predict(self, signal: FloatArray, sample_rate: int) -> dict[str, float]:
        """Probability of each label; of a system that says numbers, each on the scale that its recipe names.

        Parameters
        ----------
        signal : ndarray, shape (n_samples,) or (n_samples, n_channels)
            Amplitudes: floating point with full scale 1, or integers with the full scale of their type.
        sample_rate : int
            Hz.

        Returns
        -------
        dict of str to float
            Label → probability, in logit order; or name → number.

        Raises
        ------
        TrainError
            If a speaker must be enrolled first.
        AudioError, FeatureError
            If the signal cannot be used: no samples, NaN, too short, another full scale.
        """
        chances = self.said([self.values(self._guarded(signal, sample_rate))])[0]
        return dict(zip(self.labels, map(float, chances), strict=True))

    def _guarded(self, signal: FloatArray, sample_rate: int) -> FloatArray:
        """A caller's signal, guarded."""
        try:
            signal, rate = np.asarray(signal), int(sample_rate)
        except (TypeError, ValueError, OverflowError) as error:
            raise AudioError(f"{one_line(error)}; expected an array of samples and a rate in Hz") from None
        if signal.ndim == 2 and 0 < signal.shape[0] < signal.shape[1]:
            raise AudioError(
                f"{signal.shape[1]} channels of {signal.shape[0]} samples; expected (n_samples, n_channels)"
            )
        return guard(signal, rate, self.features.signal)

    def refuse_numbers(self, what: str) -> None:
        """Raise a TrainError if the system says numbers, for which something makes no sense."""
        if self.scales:
            raise TrainError(f"{what}, and the system says numbers ({one_line(', '.join(self.labels))})")

    def check_computable(self) -> None:
        """Raise a FeatureError if a kind of feature that is read here comes from a package that is not installed."""
        for kind in self.kinds:
            if kind in self.features.missing:
                self.features.missing[kind].extractor(self.features.configs[kind], self.features.signal)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of feature that the checkpoints read, whole or in segments."""
        segments = self.features.segments
        return tuple(dict.fromkeys(segments[name].of if name in segments else name for name in self.names))

    def values(self, signal: FloatArray) -> dict[str, FloatArray]:
        """Features of a guarded signal, as a store holds them."""
        segments = {name: self.features.segments[name] for name in self.names if name in self.features.segments}
        computed = extract(signal, self.features, self.kinds)
        dtype = self.checkpoints[0].segment_dtype
        return {
            name: cut_segments(computed[segments[name].of], segments[name]).astype(dtype)
            if name in segments
            else computed[name]
            for name in self.names
        }

    def abstention(self, threshold: float) -> Abstention:
        """What abstaining below a probability was worth, where the checkpoints were calibrated.

        Raises
        ------
        TrainError
            If they were not.
        """
        self.refuse_numbers("--abstain is for labels")
        calibrations = [each.calibration for each in self.checkpoints if each.calibration is not None]
        if len(calibrations) < len(self.checkpoints):
            raise TrainError(
                "the checkpoint's probabilities are not calibrated, so no threshold has an accuracy; train with "
                '[train] calibrate = "temperature", or leave --abstain out'
            )
        return abstention(calibrations, threshold)

    def said(
        self, utterances: Sequence[Values], *, rows: IntArray | None = None, known: Statistics | None = None
    ) -> FloatArray:
        """What `predict` says, shape (n, n_labels): probabilities, or numbers on the scales of the recipe."""
        given = self.probabilities(utterances, rows=rows, known=known)
        if not self.scales:
            return given
        low, high = np.array(list(self.scales.values()), np.float32).T
        return np.asarray(low + (high - low) * given, np.float32)

    def probabilities(
        self, utterances: Sequence[Values], *, rows: IntArray | None = None, known: Statistics | None = None
    ) -> FloatArray:
        """Mean probabilities over the checkpoints, shape (n, n_labels); of numbers, these from 0 to 1.

        Parameters
        ----------
        utterances : sequence of mapping
        rows : ndarray, optional
            Their rows in the store.
        known : mapping, optional
            Statistics of the speakers of that store.

        Raises
        ------
        TrainError
            If they are not finite.
        """
        speaker = known or self.speaker
        self.check_enrolment(speaker is not None)
        places = np.arange(len(utterances)) if rows is None else rows
        total = np.zeros((len(utterances), len(self.labels)))
        for each in self.checkpoints:
            statistics: Statistics = speaker or each.statistics
            inputs, counts = {}, {}
            for name in each.config.shapes:
                parts = [values[name] for values in utterances]
                sizes = np.array([len(part) for part in parts])
                standardiser, row = statistics.get(name, OwnMoments()), is_row(name, self.features)
                together, clip = np.concatenate(parts), CLIP if row else None
                own = standardise(standardiser, together, rows=places, counts=sizes, clip=clip)
                inputs[name] = torch.from_numpy(own)
                if not row:
                    counts[name] = torch.from_numpy(sizes)
            batch = Batch(inputs, counts, torch.full((len(utterances),), -1))
            with torch.inference_mode():
                given = each.system(batch)
                chances = (given if self.scales else torch.softmax(given, 1)).numpy()
            total += chances if each.calibration is None else scaled(chances, each.calibration.temperature)
        if not np.isfinite(total).all():
            raise TrainError("the probabilities are not finite: the weights are damaged; train again")
        return (total / len(self.checkpoints)).astype(np.float32)


def _said(checkpoint: Checkpoint) -> str:
    """What a system says, for a message."""
    ends = (f"{one_line(name)} from {low:g} to {high:g}" for name, (low, high) in checkpoint.scales.items())
    return ", ".join(ends) or "labels"


def load(checkpoint: Path | str | Sequence[Path | str], *, emotion: bool = False) -> Predictor:
    """A predictor from one checkpoint, or the mean of several.

    Parameters
    ----------
    checkpoint : path, or sequence of paths
        Folders that `serprep train` wrote, or folders above them: all checkpoints below are taken.
    emotion : bool
        Of systems that say numbers, take the labels that they learnt beside.

    Raises
    ------
    TrainError
        If one is damaged, or they do not belong together.
    """
    paths = [checkpoint] if isinstance(checkpoint, str | Path) else list(checkpoint)
    folders = [folder for path in paths for folder in checkpoints_below(Path(path))]
    return Predictor([read_checkpoint(folder, emotion=emotion) for folder in folders])
