"""Names of the 25 contours and the 88 functionals, by rule, in the set's order."""

from functools import lru_cache

SPECTRAL = (
    *("Loudness", "alphaRatio", "hammarbergIndex", "slope0-500", "slope500-1500", "spectralFlux"),
    *(f"mfcc{order}" for order in range(1, 5)),
)
PITCH = "F0semitoneFrom27.5Hz"
VOICE = (
    *("jitterLocal", "shimmerLocaldB", "HNRdBACF", "logRelF0-H1-H2", "logRelF0-H1-A3"),
    *(f"F{number}{what}" for number in (1, 2, 3) for what in ("frequency", "bandwidth", "amplitudeLogRelF0")),
)
COURSE = (
    *("amean", "stddevNorm", "percentile20.0", "percentile50.0", "percentile80.0", "pctlrange0-2"),
    *("meanRisingSlope", "stddevRisingSlope", "meanFallingSlope", "stddevFallingSlope"),
)
SPREAD = COURSE[:2]
WHOLE = (
    *("loudnessPeaksPerSec", "VoicedSegmentsPerSec", "MeanVoicedSegmentLengthSec", "StddevVoicedSegmentLengthSec"),
    *("MeanUnvoicedSegmentLength", "StddevUnvoicedSegmentLength", "equivalentSoundLevel_dBp"),
)


def contour_names() -> tuple[str, ...]:
    """Names of the 25 contours.

    Examples
    --------
    >>> len(contour_names()), contour_names()[0], contour_names()[-1]
    (25, 'Loudness_sma3', 'F3amplitudeLogRelF0_sma3nz')
    """
    return (*(f"{name}_sma3" for name in SPECTRAL), *(f"{name}_sma3nz" for name in (PITCH, *VOICE)))


@lru_cache(maxsize=1)
def functional_names() -> tuple[str, ...]:
    """Names of the 88 functionals.

    Examples
    --------
    >>> len(functional_names()), functional_names()[76]
    (88, 'alphaRatioUV_sma3nz_amean')
    """
    return (
        *_block((PITCH,), "_sma3nz", COURSE),
        *_block(("loudness",), "_sma3", COURSE),
        *_block(SPECTRAL[5:], "_sma3", SPREAD),
        *_block(VOICE, "_sma3nz", SPREAD),
        *_block(_marked(SPECTRAL[1:], "V"), "_sma3nz", SPREAD),
        *_block(_marked(SPECTRAL[1:6], "UV"), "_sma3nz", SPREAD[:1]),
        *WHOLE,
    )


def _marked(contours: tuple[str, ...], mark: str) -> tuple[str, ...]:
    """The mark of voiced or unvoiced frames stands before the frequencies of a slope."""
    return tuple(
        name.replace("slope", f"slope{mark}") if name.startswith("slope") else name + mark for name in contours
    )


def _block(contours: tuple[str, ...], suffix: str, functionals: tuple[str, ...]) -> list[str]:
    return [f"{contour}{suffix}_{name}" for contour in contours for name in functionals]
