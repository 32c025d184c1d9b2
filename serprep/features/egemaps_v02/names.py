"""Names, units and meanings of the 25 contours and the 88 functionals, by rule, in the set's order."""

from functools import lru_cache

from serprep.features.kind import Meaning

SPECTRAL = (
    Meaning("Loudness", "", "loudness: mean of the auditory spectrum"),
    Meaning("alphaRatio", "dB", "level of 1 to 5 kHz over that of 0 to 1 kHz"),
    Meaning("hammarbergIndex", "dB", "highest level of 0 to 2 kHz over that of 2 to 5 kHz"),
    Meaning("slope0-500", "dB/Hz", "slope of the spectrum from 0 to 500 Hz"),
    Meaning("slope500-1500", "dB/Hz", "slope of the spectrum from 500 to 1500 Hz"),
    Meaning("spectralFlux", "", "change of the magnitude spectrum from frame to frame"),
    *(Meaning(f"mfcc{order}", "", f"mel-frequency cepstral coefficient {order}") for order in range(1, 5)),
)
PITCH = Meaning("F0semitoneFrom27.5Hz", "semitone", "pitch over 27.5 Hz")
VOICE = (
    Meaning("jitterLocal", "", "change from period to period over the mean period"),
    Meaning("shimmerLocaldB", "dB", "change of the amplitude from period to period"),
    Meaning("HNRdBACF", "dB", "harmonics over noise, by autocorrelation"),
    Meaning("logRelF0-H1-H2", "dB", "level of the partial at 2 F0 over that at 3 F0"),
    Meaning("logRelF0-H1-A3", "dB", "level of the partial at 2 F0 over that near formant 3"),
    *(
        Meaning(f"F{number}{what}", unit, text.format(number))
        for number in (1, 2, 3)
        for what, unit, text in (
            ("frequency", "Hz", "centre of formant {}"),
            ("bandwidth", "Hz", "bandwidth of formant {}"),
            ("amplitudeLogRelF0", "dB", "level of the partial near formant {} over that at F0; -201 unvoiced"),
        )
    ),
)
SPREAD = (("amean", "{}", "mean"), ("stddevNorm", "", "standard deviation over mean"))
COURSE = (
    *SPREAD,
    *((f"percentile{percent}.0", "{}", f"percentile {percent}") for percent in (20, 50, 80)),
    ("pctlrange0-2", "{}", "percentile 80 less percentile 20"),
    *(
        (f"{short}{kind.title()}Slope", "{}/s", f"{long} of the {kind} slopes")
        for kind in ("rising", "falling")
        for short, long in (("mean", "mean"), ("stddev", "standard deviation"))
    ),
)
WHOLE = (
    Meaning("loudnessPeaksPerSec", "1/s", "peaks of loudness per second"),
    Meaning("VoicedSegmentsPerSec", "1/s", "voiced stretches per second"),
    Meaning("MeanVoicedSegmentLengthSec", "s", "mean length of voiced stretches"),
    Meaning("StddevVoicedSegmentLengthSec", "s", "standard deviation of the length of voiced stretches"),
    Meaning("MeanUnvoicedSegmentLength", "s", "mean length of unvoiced stretches"),
    Meaning("StddevUnvoicedSegmentLength", "s", "standard deviation of the length of unvoiced stretches"),
    Meaning("equivalentSoundLevel_dBp", "dB", "level of the mean power over full scale"),
)


def contour_names() -> tuple[str, ...]:
    """Names of the 25 contours.

    Examples
    --------
    >>> len(contour_names()), contour_names()[0], contour_names()[-1]
    (25, 'Loudness_sma3', 'F3amplitudeLogRelF0_sma3nz')
    """
    return tuple(meaning.name for meaning in contour_meanings())


def functional_names() -> tuple[str, ...]:
    """Names of the 88 functionals.

    Examples
    --------
    >>> len(functional_names()), functional_names()[76]
    (88, 'alphaRatioUV_sma3nz_amean')
    """
    return tuple(meaning.name for meaning in functional_meanings())


def contour_meanings() -> tuple[Meaning, ...]:
    """Name, unit and meaning of the 25 contours."""
    spectral = (contour._replace(name=f"{contour.name}_sma3") for contour in SPECTRAL)
    return (*spectral, *(contour._replace(name=f"{contour.name}_sma3nz") for contour in (PITCH, *VOICE)))


@lru_cache(maxsize=1)
def functional_meanings() -> tuple[Meaning, ...]:
    """Name, unit and meaning of the 88 functionals.

    Examples
    --------
    >>> functional_meanings()[6][1:]
    ('semitone/s', 'mean of the rising slopes of pitch over 27.5 Hz')
    """
    loudness = SPECTRAL[0]._replace(name="loudness")
    return (
        *_block((PITCH,), "_sma3nz", COURSE),
        *_block((loudness,), "_sma3", COURSE),
        *_block(SPECTRAL[5:], "_sma3", SPREAD),
        *_block(VOICE, "_sma3nz", SPREAD),
        *_block(_marked(SPECTRAL[1:], "V", "voiced"), "_sma3nz", SPREAD),
        *_block(_marked(SPECTRAL[1:6], "UV", "unvoiced"), "_sma3nz", SPREAD[:1]),
        *WHOLE,
    )


def _marked(contours: tuple[Meaning, ...], mark: str, frames: str) -> tuple[Meaning, ...]:
    """The mark of voiced or unvoiced frames stands before the frequencies of a slope."""
    marked = []
    for name, unit, text in contours:
        name = name.replace("slope", f"slope{mark}") if name.startswith("slope") else name + mark
        marked.append(Meaning(name, unit, f"{text}, {frames} frames"))
    return tuple(marked)


def _block(contours: tuple[Meaning, ...], suffix: str, functionals: tuple[tuple[str, str, str], ...]) -> list[Meaning]:
    return [
        Meaning(
            f"{contour.name}{suffix}_{name}",
            contour.unit if unit == "{}" else unit.format(contour.unit or "1"),
            f"{text} of {contour.text}",
        )
        for contour in contours
        for name, unit, text in functionals
    ]
