"""Synthetic emotional speech, for demonstrations and tests that need no recordings.

A source-filter synthesiser [1]_: a train of glottal pulses and two noises drive vocal-tract resonances.
What comes out are mono signals, float32, amplitudes in [-0.95, 0.95], 0.9 to 1.8 s long.
Times are seconds, frequencies hertz, pitch intervals semitones, levels decibels re full scale.

A *speaker* has an F0, a vocal-tract length and a readiness to show emotion; odd speakers are male-like, even
ones female-like. A *text* is a row of 4 to 6 consonant-vowel syllables with accents. An *emotion* moves the
cues the literature names [2]_ [3]_: pitch, its range and course, rate, intensity, spectral tilt, formants,
breathiness, jitter. A *take* is one rendering, with its own chance deviation in each cue, wide enough for
emotions to overlap. This is no model of real emotional speech: a score on it says that the software runs.

Every random number comes from a generator seeded by what it belongs to, so an utterance does not depend on
what else is written: same arguments, same bytes (for one numpy version on one kind of machine).

References
----------
.. [1] G. Fant, *Acoustic Theory of Speech Production*, Mouton, 1960; resonators after D. H. Klatt, "Software
   for a cascade/parallel formant synthesizer", JASA 67, 1980.
.. [2] I. R. Murray and J. L. Arnott, "Toward the simulation of emotion in synthetic speech", JASA 93, 1993.
.. [3] K. R. Scherer, "Vocal communication of emotion", Speech Communication 40, 2003.
"""

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from serprep._typing import DoubleArray, FloatArray

__all__ = ["Voice", "synthetic_utterance", "synthetic_voice", "write_synthetic_corpus"]

Response = NDArray[np.complex128]  # (n_frames, n_bins)


class Voice(NamedTuple):
    """What all utterances of one synthetic speaker share."""

    f0: float  # Hz, mean of neutral speech
    formant_scale: float  # 1 is an adult man's vocal tract, larger a shorter one
    expressivity: float  # 1 follows `STYLES`, 0 is always neutral


class Style(NamedTuple):
    """How an emotion sounds, in units such that halfway between two styles sounds halfway."""

    pitch: float  # mean F0, semitones above the speaker's own
    accent: float  # standard deviation of the syllables' pitch, semitones
    fall: float  # drop of pitch within a syllable, semitones; negative rises
    course: float  # rise of pitch over the utterance, semitones; negative falls
    rate: float  # syllables per second
    level: float  # root mean square, dB re full scale
    cutoff: float  # where the source's spectrum bends, octaves above 1 kHz; high is a flat tilt
    formants: float  # shift of all formants, semitones; spread lips raise them
    breath: float  # aspiration noise, dB re voice
    jitter: float  # standard deviation of one cycle's F0, per cent


class Syllables(NamedTuple):
    """One rendering of a text, a row per syllable."""

    starts: DoubleArray  # s
    lengths: DoubleArray  # s
    accents: DoubleArray  # mean 0, standard deviation 1
    loudness: DoubleArray  # amplitude, around 1
    consonants: DoubleArray  # rows of `CONSONANTS`
    vowels: DoubleArray  # rows of `VOWELS`

    def knots(self, *fractions: float | DoubleArray) -> DoubleArray:
        """Times in s of these fractions of each syllable, in order."""
        return np.column_stack([self.starts + self.lengths * fraction for fraction in fractions]).ravel()


# Directions after Scherer (2003) and Murray & Arnott (1993), table 1; a breathy sad voice after Gobl &
# Ní Chasaide (2003), Speech Communication 40; raised formants of smiles after Tartter (1980), Perception &
# Psychophysics 27. Sizes are ours.
STYLES = {
    "angry": Style(3.5, 2.2, 4.0, -3.0, 5.3, -17.0, 3.0, -0.3, -29.0, 2.4),
    "happy": Style(5.5, 3.2, -1.5, 2.0, 5.0, -22.0, 2.0, 1.4, -18.0, 0.6),
    "neutral": Style(0.0, 1.5, 1.0, -3.0, 4.7, -23.0, 1.6, 0.0, -28.0, 0.8),
    "sad": Style(-2.0, 0.7, 0.5, -3.5, 4.0, -30.0, 0.3, -0.3, -13.0, 1.6),
}
# Standard deviation between takes, set so that a linear classifier of mean and deviation of log-mel energies
# reaches about 80 % unweighted accuracy on unseen speakers: neither chance nor certainty.
SPREAD = Style(0.9, 0.3, 0.8, 1.2, 0.3, 1.4, 0.25, 0.2, 2.2, 0.2)

# F1 to F3 of men (Peterson & Barney 1952): heed, head, had, father, ball, who, hud, heard.
VOWELS = np.array(
    [
        [270.0, 530, 660, 730, 570, 300, 640, 490],
        [2290.0, 1840, 1720, 1090, 840, 870, 1190, 1350],
        [3010.0, 2480, 2410, 2440, 2410, 2240, 2390, 1690],
    ]
).T
# F1 to F3 at the constriction; voicing; frication: amplitude, centre (Hz), start (fraction of the syllable).
CONSONANTS = np.array(
    [
        [250.0, 900, 2200, 0.0, 0.3, 1000, 0.24],  # p
        [250.0, 1800, 2700, 0.0, 0.5, 4200, 0.24],  # t
        [250.0, 2000, 2300, 0.0, 0.5, 2000, 0.22],  # k
        [300.0, 1700, 2600, 0.0, 0.3, 5500, 0.02],  # s
        [300.0, 1900, 2500, 0.0, 0.3, 3000, 0.02],  # sh
        [300.0, 1500, 2500, 0.3, 0.1, 5000, 0.02],  # z
        [250.0, 1000, 2200, 0.4, 0.0, 1000, 0.02],  # m
        [250.0, 1600, 2600, 0.4, 0.0, 1000, 0.02],  # n
        [350.0, 1200, 2700, 0.6, 0.0, 1000, 0.02],  # l
    ]
)
UPPER_FORMANTS = (3500.0, 4500.0)  # Hz, a man's F4 and F5, which stay put
BANDWIDTHS = (70.0, 90.0, 130.0, 200.0, 300.0)  # Hz, F1 to F5
SILENCE = 0.1  # s, before and after the speech
ROOM_NOISE = 10 ** (-70 / 20)  # root mean square: pauses are quiet, not digital zero
PEAK = 0.95

README = """\
SYNTHETIC SPEECH

Every recording in this folder is SYNTHETIC: computed by serprep (write_synthetic_corpus, seed {seed}).
There is no human voice in it. A score on it says that software runs, not how well it recognises emotion.

Files: emotion/speaker_text_take.wav, {sample_rate} Hz, mono, 16-bit PCM.
Emotions: {emotions}.
Speakers: {n_speakers} (odd: male-like, even: female-like). Texts: {n_texts}. Takes: {n_takes}.

Dedicated to the public domain, CC0 1.0: https://creativecommons.org/publicdomain/zero/1.0/
"""


def synthetic_voice(speaker: int, *, seed: int = 0) -> Voice:
    """The voice of a speaker: about 115 Hz if `speaker` is odd, about 205 Hz if even, ± 2 semitones.

    Parameters
    ----------
    speaker, seed : int
        Non-negative.

    Returns
    -------
    Voice

    Examples
    --------
    >>> synthetic_voice(1).f0 < 150 < synthetic_voice(2).f0
    True
    """
    rng = np.random.default_rng([seed, zlib.crc32(b"voice"), speaker])
    f0, formant_scale = (115.0, 1.0) if speaker % 2 else (205.0, 1.17)
    return Voice(
        f0=f0 * 2 ** (rng.uniform(-2, 2) / 12),
        formant_scale=formant_scale * rng.uniform(0.96, 1.04),
        expressivity=rng.uniform(0.7, 1.2),
    )


def synthetic_utterance(
    *, speaker: int, emotion: str, text: int = 0, take: int = 0, sample_rate: int = 16_000, seed: int = 0
) -> FloatArray:
    """A synthetic, voice-like utterance, 0.9 to 1.8 s long.

    Parameters
    ----------
    speaker, text, take, seed : int
        Non-negative; the module's docstring says what each decides.
    emotion : str
        A key of `STYLES`, or any other name: its cues are then derived from the name.
    sample_rate : int
        Hz, at least 8000.

    Returns
    -------
    ndarray, shape (n_samples,), float32
        Amplitudes in [-0.95, 0.95].

    Raises
    ------
    ValueError
        If `sample_rate` is below 8000.

    Examples
    --------
    >>> signal = synthetic_utterance(speaker=1, emotion="happy")
    >>> signal.dtype.name, 0.9 <= len(signal) / 16_000 <= 1.8
    ('float32', True)
    """
    if sample_rate < 8000:
        raise ValueError(f"sample_rate {sample_rate}: formants need at least 8000 Hz")
    rng = np.random.default_rng([seed, speaker, zlib.crc32(emotion.encode()), text, take])
    voice = synthetic_voice(speaker, seed=seed)
    style = _render_style(emotion, expressivity=voice.expressivity, rng=rng)
    text_rng = np.random.default_rng([seed, zlib.crc32(b"text"), text])
    syllables = _render_text(text_rng, rate=style.rate, rng=rng)
    scale = voice.formant_scale * 2 ** (style.formants / 12)

    end = syllables.starts[-1] + syllables.lengths[-1] + SILENCE
    n_samples, hop_length = round(end * sample_rate), round(0.01 * sample_rate)
    times = np.arange(n_samples) / sample_rate
    frame_times = np.arange(2 + n_samples // hop_length) * hop_length / sample_rate
    voicing, frication = _envelopes(times, syllables)

    f0 = voice.f0 * 2 ** (_pitch(times, syllables, style=style) / 12)
    source = voicing * _glottal_source(f0, style, sample_rate=sample_rate, rng=rng)
    tract = _tract(frame_times, syllables, scale=scale, sample_rate=sample_rate)
    pole = np.exp(-2 * np.pi * 1000 * 2**style.cutoff / sample_rate)
    tract *= (1 - pole) / (1 - pole * _unit_delay(sample_rate))  # the pulse's return phase: a real pole
    voiced = _filter(source, tract, hop_length=hop_length)

    current = np.searchsorted(syllables.starts[1:], frame_times, side="right")
    centre = syllables.consonants[current, 5] * scale
    mouth = _resonance(centre, 1200.0, sample_rate=sample_rate)
    mouth /= np.abs(mouth).max(axis=1, keepdims=True)
    hiss = frication * np.diff(rng.normal(size=n_samples), prepend=0.0)
    speech = voiced / np.sqrt(np.mean(voiced**2)) + _filter(hiss, mouth, hop_length=hop_length)

    signal = 10 ** (style.level / 20) * speech + ROOM_NOISE * rng.normal(size=n_samples)
    return np.asarray(PEAK * np.tanh(signal / PEAK), dtype=np.float32)  # bends rare peaks, never clips


def write_synthetic_corpus(
    root: Path | str,
    *,
    n_speakers: int = 8,
    emotions: Iterable[str] = ("angry", "happy", "neutral", "sad"),
    n_texts: int = 4,
    n_takes: int = 1,
    sample_rate: int = 16_000,
    seed: int = 0,
) -> list[Path]:
    """Paths of a synthetic corpus, written as ``root/angry/synth01_t01_1.wav`` and so on.

    A ``README.txt`` in `root` says that nothing in it is human.

    Parameters
    ----------
    root : path
        Made if missing; files of the same name are replaced.
    n_speakers, n_texts, n_takes : int
        Each counts from 1; every combination is written.
    emotions : iterable of str
        Labels, which become folder names.
    sample_rate : int
        Hz, at least 8000.
    seed : int
        Non-negative; same seed, same bytes.

    Returns
    -------
    list of Path
        16-bit PCM files, by emotion, speaker, text, take.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root:
    ...     [path.name for path in write_synthetic_corpus(root, n_speakers=1, emotions=["sad"], n_texts=2)]
    ['synth01_t01_1.wav', 'synth01_t02_1.wav']
    """
    root, emotions = Path(root), tuple(emotions)
    counts = {"n_speakers": n_speakers, "n_texts": n_texts, "n_takes": n_takes}
    readme = README.format(**counts, emotions=", ".join(emotions), sample_rate=sample_rate, seed=seed)
    root.mkdir(parents=True, exist_ok=True)
    (root / "README.txt").write_text(readme, encoding="utf-8", newline="\n")  # first: no sound without it
    paths = []
    for emotion in emotions:
        (root / emotion).mkdir(exist_ok=True)
        for index in np.ndindex(n_speakers, n_texts, n_takes):
            speaker, text, take = (number + 1 for number in index)
            path = root / emotion / f"synth{speaker:02}_t{text:02}_{take}.wav"
            signal = synthetic_utterance(
                speaker=speaker, emotion=emotion, text=text, take=take, sample_rate=sample_rate, seed=seed
            )
            soundfile.write(path, signal, sample_rate, subtype="PCM_16")
            paths.append(path)
    return paths


def _render_style(emotion: str, *, expressivity: float, rng: np.random.Generator) -> Style:
    """One take's style: neutral, plus this speaker's share of the emotion, plus chance."""
    known = np.array(list(STYLES.values()))
    # An unknown emotion lies anywhere between the extremes of the known ones; crc32 is stable, hash() is not.
    named = np.random.default_rng(zlib.crc32(emotion.encode())).uniform(known.min(axis=0), known.max(axis=0))
    target, neutral = np.array(STYLES.get(emotion, named)), np.array(STYLES["neutral"])
    degree = expressivity * rng.uniform(0.7, 1.2)
    style = Style(*rng.normal(neutral + degree * (target - neutral), SPREAD).tolist())
    return style._replace(accent=max(style.accent, 0.3), jitter=max(style.jitter, 0.2))


def _render_text(text_rng: np.random.Generator, *, rate: float, rng: np.random.Generator) -> Syllables:
    """One take's syllables: sounds and accents from the text, timing and some emphasis by chance."""
    n_syllables = int(text_rng.integers(4, 7))
    accents = text_rng.normal(size=n_syllables) + rng.normal(scale=0.7, size=n_syllables)
    shares = rng.uniform(0.8, 1.2, size=n_syllables)
    shares[-1] *= 1.3  # final lengthening
    lengths = shares / shares.sum() * np.clip(n_syllables / rate, 0.72, 1.55)  # keeps the promised duration
    return Syllables(
        starts=SILENCE + np.cumsum(lengths) - lengths,
        lengths=lengths,
        accents=(accents - accents.mean()) / accents.std(),
        loudness=10 ** (rng.normal(scale=1.5, size=n_syllables) / 20),
        consonants=CONSONANTS[text_rng.integers(len(CONSONANTS), size=n_syllables)],
        vowels=VOWELS[text_rng.integers(len(VOWELS), size=n_syllables)],
    )


def _pitch(times: DoubleArray, syllables: Syllables, *, style: Style) -> DoubleArray:
    """Semitones above the speaker's F0: mean, course, accents, and a slope in each vowel."""
    course = style.course * np.linspace(-0.5, 0.5, len(syllables.starts))
    middle = style.pitch + course + style.accent * syllables.accents
    targets = middle[:, None] + style.fall * np.array([0.5, -0.5])
    return np.interp(times, syllables.knots(0.35, 0.95), targets.ravel())


def _envelopes(times: DoubleArray, syllables: Syllables) -> tuple[DoubleArray, DoubleArray]:
    """Amplitudes of voice and of frication."""
    held, friction, onset = syllables.consonants[:, [3, 4, 6]].T
    zeros, ones = np.zeros_like(held), np.ones_like(held)
    voice = np.column_stack([0.5 * held, held, held, ones, 0.9 * ones, 0.5 * held])
    voice[[0, -1], [0, -1]] = 0.0  # from and to silence
    voice *= syllables.loudness[:, None]
    noise = np.column_stack([zeros, friction, friction, zeros])
    return (
        np.interp(times, syllables.knots(0.0, 0.05, 0.28, 0.42, 0.8, 0.99), voice.ravel()),
        np.interp(times, syllables.knots(onset, onset + 0.03, 0.28, 0.36), noise.ravel()),
    )


def _glottal_source(f0: DoubleArray, style: Style, *, sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    """Derivative of the glottal flow, unit power, plus aspiration.

    Differencing the sampled flow, rather than sampling its derivative, keeps aliasing low.
    """
    cycle = (np.cumsum(f0) / sample_rate).astype(np.intp)
    jitter = style.jitter / 100 * rng.normal(size=cycle[-1] + 1)
    position = np.cumsum(f0 * (1 + jitter[cycle])) / sample_rate
    cycle, phase = position.astype(np.intp), position % 1.0
    shimmer = 10 ** (0.25 * style.jitter * rng.normal(size=cycle[-1] + 1) / 20)  # a quarter dB per per cent
    opening, closing = 0.40, 0.16  # fractions of a cycle: Rosenberg (1971), JASA 49, pulse C
    rise = 0.5 - 0.5 * np.cos(np.pi * phase / opening)
    fall = np.cos(0.5 * np.pi * np.clip((phase - opening) / closing, 0, 1))
    flow = shimmer[cycle] * np.where(phase < opening, rise, fall)
    pulses = np.diff(flow, prepend=0.0)
    hiss = np.diff(rng.normal(size=len(f0)), prepend=0.0) * (0.3 + flow)  # most through an open glottis
    return np.asarray(pulses / np.sqrt(np.mean(pulses**2)) + 10 ** (style.breath / 20) * hiss)


def _tract(times: DoubleArray, syllables: Syllables, *, scale: float, sample_rate: int) -> Response:
    """Five formants in cascade, gliding from sound to sound."""
    held, vowels = syllables.consonants[:, :3], syllables.vowels
    targets = np.stack([held, held, vowels, vowels], axis=1).reshape(-1, 3)
    knots = syllables.knots(0.05, 0.28, 0.5, 0.85)
    tracks = [np.interp(times, knots, target) for target in targets.T]
    tracks += [np.full_like(times, formant) for formant in UPPER_FORMANTS]
    response = _resonance(scale * tracks[0], BANDWIDTHS[0], sample_rate=sample_rate)
    for track, bandwidth in zip(tracks[1:], BANDWIDTHS[1:], strict=True):
        response *= _resonance(scale * track, bandwidth, sample_rate=sample_rate)
    return response


def _resonance(centre: DoubleArray, bandwidth: float, *, sample_rate: int) -> Response:
    """Klatt's (1980) digital resonator, gain 1 at 0 Hz, for a centre in Hz per frame."""
    delay = _unit_delay(sample_rate)
    radius = np.exp(-np.pi * bandwidth / sample_rate)
    angle = 2 * np.pi * np.minimum(centre / sample_rate, 0.48)  # stay below the Nyquist frequency
    feedback = (2 * radius * np.cos(angle))[:, None]
    return np.asarray((1 - feedback + radius**2) / (1 - feedback * delay + (radius * delay) ** 2))


def _unit_delay(sample_rate: int) -> NDArray[np.complex128]:
    """1/z on the bins of an FFT that holds a 20 ms frame and at least 40 ms of ringing."""
    n_fft = 1 << int(0.06 * sample_rate).bit_length()
    return np.asarray(np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft))


def _filter(source: DoubleArray, response: Response, *, hop_length: int) -> DoubleArray:
    """The source through one response per frame, by overlap-add of Hann frames two hops long."""
    n_frames, n_fft = len(response), 2 * (response.shape[1] - 1)
    from scipy.signal import get_window  # a second of start-up, and only who makes a voice needs it

    padded = np.pad(source, (hop_length, 2 * hop_length))  # frame t is centred on sample t * hop_length
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop_length)[::hop_length]
    windowed = frames * get_window("hann", 2 * hop_length)  # periodic: overlapping halves add to one
    pieces = np.fft.irfft(np.fft.rfft(windowed, n_fft) * response, n_fft)
    total = np.zeros(n_frames * hop_length + n_fft)
    for start, piece in zip(range(0, n_frames * hop_length, hop_length), pieces, strict=True):
        total[start : start + n_fft] += piece
    return total[hop_length : hop_length + len(source)]
