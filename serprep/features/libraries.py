"""Versions of the libraries that decide what features are."""

from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from importlib.metadata import PackageNotFoundError

import numpy as np


@lru_cache
def version(package: str) -> str:
    """Of an installed package, which stays the same while a process runs; to ask takes milliseconds."""
    return metadata.version(package)


def minor(text: str) -> str:
    """major.minor of a version.

    Examples
    --------
    >>> minor("1.26.4")
    '1.26'
    """
    return ".".join(text.split(".")[:2])


def decoder_libraries() -> dict[str, str]:
    """What decides the samples of a signal."""
    import soundfile
    import soxr

    return {"soxr": minor(soxr.__version__), "libsndfile": minor(soundfile.__libsndfile_version__)}


def native_libraries() -> dict[str, str]:
    """What decides values of the natively computed feature sets."""
    return {"numba": minor(version("numba")), "numpy": minor(np.__version__)}


@lru_cache(maxsize=1)
def library_versions() -> dict[str, str]:
    """Versions of everything that takes part in a build and is installed, for ``build.json``."""
    import soundfile

    names = ("dask", "h5py", "numba", "numpy", "opensmile", "pandas", "scipy", "soundfile", "soxr", "zarr")
    versions = {"serprep": version("serprep"), "libsndfile": soundfile.__libsndfile_version__}
    for name in names:
        with suppress(PackageNotFoundError):  # openSMILE may be left out
            versions[name] = version(name)
    return versions
