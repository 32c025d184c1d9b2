"""A signal → arrays: log-mel frames, segments, functionals; or values by name (`egemaps`, `named`)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serprep._typing import FloatArray

__all__ = ["egemaps", "named"]


def named(
    samples: "FloatArray", sample_rate: int = 16_000, *, feature_set: str, level: str = ""
) -> "dict[str, float] | dict[str, FloatArray]":
    """A feature set's values of some samples, by name.

    Parameters
    ----------
    samples : ndarray, shape (n_samples,) or (n_samples, n_channels)
        Amplitudes: floating point with full scale 1, or integers with the full scale of their type.
    sample_rate : int
        Hz; other rates than the set's are resampled.
    feature_set, level : str
        As ``serprep features`` takes them, such as "compare_2016" and "lld".

    Returns
    -------
    dict
        Name → number; or → contour, ndarray of shape (n_rows,), float32.

    Raises
    ------
    SerprepError
        If there is no such set, or the samples cannot be used, such as fewer than 60 ms.

    Examples
    --------
    >>> import numpy as np
    >>> named(np.zeros(16_000, np.float32), feature_set="logmel")["mel_0"].shape
    (98,)
    """
    from serprep.audio.guard import guard
    from serprep.features.extract import extract, only
    from serprep.features.kinds import set_of

    kind, config = set_of(feature_set, level)
    features = only(kind, config)
    rows = extract(guard(samples, sample_rate, features.signal), features, (kind.name,))[kind.name]
    columns = rows[0].tolist() if kind.shape_of(config) == "row" else rows.T
    return dict(zip(kind.names(config), columns, strict=True))


def egemaps(
    samples: "FloatArray", sample_rate: int = 16_000, *, level: str = "functionals"
) -> "dict[str, float] | dict[str, FloatArray]":
    """The 88 functionals of eGeMAPSv02 by name, or its 25 contours at level "lld"; otherwise as `named`.

    Examples
    --------
    >>> import numpy as np
    >>> tone = 0.5 * np.sin(2 * np.pi * 200 * np.arange(16_000) / 16_000)
    >>> round(egemaps(tone)["F0semitoneFrom27.5Hz_sma3nz_amean"])  # 12 * log2(200 / 27.5)
    34
    """
    return named(samples, sample_rate, feature_set="egemaps", level=level)
