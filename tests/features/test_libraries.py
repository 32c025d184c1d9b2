from importlib.metadata import version

import soundfile

from serprep.features.libraries import decoder_libraries, library_versions, minor, native_libraries


def test_only_major_and_minor_of_libraries_decide_values():
    assert native_libraries() == {name: minor(version(name)) for name in ("numba", "numpy")}
    assert decoder_libraries()["libsndfile"] == minor(soundfile.__libsndfile_version__)


def test_library_versions_are_the_installed_ones():
    for name, found in library_versions().items():
        if name != "libsndfile":
            assert found == version(name)
