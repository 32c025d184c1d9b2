"""Names of the 65 descriptors and the 6373 functionals, by rule, in the set's order."""

from functools import lru_cache

VOICE = ("F0final", "voicingFinalUnclipped", "jitterLocal", "jitterDDP", "shimmerLocal", "logHNR")
ENERGY = ("audspec_lengthL1norm", "audspecRasta_lengthL1norm", "pcm_RMSenergy", "pcm_zcr")
SPECTRAL = (
    *(f"audSpec_Rfilt[{band}]" for band in range(26)),
    *(
        f"pcm_fftMag_{name}"
        for name in (
            *("fband250-650", "fband1000-4000"),
            *(f"spectralRollOff{share}.0" for share in (25, 50, 75, 90)),
            *("spectralFlux", "spectralCentroid", "spectralEntropy", "spectralVariance", "spectralSkewness"),
            *("spectralKurtosis", "spectralSlope", "psySharpness", "spectralHarmonicity"),
        )
    ),
    *(f"mfcc[{order}]" for order in range(1, 15)),
)
EXTREMES = ("range", "maxPos", "minPos")
PERCENTILES = (
    *("quartile1", "quartile2", "quartile3", "iqr1-2", "iqr2-3", "iqr1-3"),
    *("percentile1.0", "percentile99.0", "pctlrange0-1"),
)
MOMENTS = ("stddev", "skewness", "kurtosis")
SEGMENTS = ("meanSegLen", "maxSegLen", "minSegLen", "segLenStddev")
TIMES = ("upleveltime25", "upleveltime50", "upleveltime75", "upleveltime90", "risetime", "leftctime")
LPC = ("lpgain", "lpc0", "lpc1", "lpc2", "lpc3", "lpc4")
REGRESSION = ("linregc1", "linregc2", "linregerrQ", "qregc1", "qregc2", "qregc3", "qregerrQ", "centroid")
PEAKS = (
    *("meanPeakDist", "peakDistStddev", "peakRangeAbs", "peakRangeRel", "peakMeanAbs", "peakMeanMeanDist"),
    *("peakMeanRel", "minRangeRel", "meanRisingSlope", "stddevRisingSlope"),
    *("meanFallingSlope", "stddevFallingSlope"),
)
SHAPE = (*EXTREMES, *PERCENTILES, *MOMENTS, *SEGMENTS, *TIMES, *LPC)  # 31
VOICED = (
    *("amean", "flatness", "posamean", "rqmean"),
    *(*EXTREMES, *REGRESSION, *PERCENTILES, *MOMENTS, *TIMES, *LPC),
)  # 39
COURSE = ("amean", "flatness", "rqmean", *PEAKS, *REGRESSION)  # 23
CHANGE = ("flatness", "posamean", "rqmean", *PEAKS)  # 15
RUNS = ("nnz", *SEGMENTS)  # 5


def contour_names(*, delta: bool = False) -> tuple[str, ...]:
    """Names of the 65 contours.

    Examples
    --------
    >>> contour_names()[0], contour_names(delta=True)[-1]
    ('F0final_sma', 'mfcc_sma_de[14]')
    """
    return _with_suffix((*VOICE, *ENERGY, *SPECTRAL), "_sma_de" if delta else "_sma")


@lru_cache(maxsize=1)
def functional_names() -> tuple[str, ...]:
    """Names of the 6373 functionals.

    Examples
    --------
    >>> len(functional_names()), functional_names()[0]
    (6373, 'audspec_lengthL1norm_sma_range')
    """
    both = ("_sma", "_sma_de")
    return (
        *_block(ENERGY, both, SHAPE),
        *_block(SPECTRAL, both, SHAPE),
        *_block(VOICE, both, VOICED),
        *(f"F0final_sma_ff0_{name}" for name in RUNS),
        *_block((*ENERGY, *SPECTRAL), both[:1], COURSE),
        *_block((*ENERGY, *SPECTRAL), both[1:], CHANGE),
    )


def _with_suffix(contours: tuple[str, ...], suffix: str) -> tuple[str, ...]:
    parts = [name.partition("[") for name in contours]
    return tuple(f"{base}{suffix}{bracket}{index}" for base, bracket, index in parts)


def _block(contours: tuple[str, ...], suffixes: tuple[str, ...], functionals: tuple[str, ...]) -> list[str]:
    return [
        f"{contour}_{name}" for suffix in suffixes for contour in _with_suffix(contours, suffix) for name in functionals
    ]
