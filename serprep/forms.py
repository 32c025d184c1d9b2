"""What a store's name tells: the containers' names, suffixes, and the files that are written last.

The objects that write and read them are in `serprep.store.container`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """How stores of one container are named."""

    name: str  # in ``[store] format``
    suffix: str
    mark: str  # the file in it that is written last; "": the store is one file


FORMS = (Form("zarr", ".zarr", "zarr.json"), Form("hdf5", ".h5", ""))  # the first is taken if a version is there twice
SUFFIXES = tuple(form.suffix for form in FORMS)


def form_of(name: str) -> Form | None:
    """The form of a store of that name, path or URL; None if it cannot be one's.

    Examples
    --------
    >>> form_of("s3://lab/a.zarr/").name, form_of("a.wav")
    ('zarr', None)
    """
    return next((form for form in FORMS if name.rstrip("/").endswith(form.suffix)), None)


def stem_of(name: str) -> str:
    """A store's name without its suffix.

    Examples
    --------
    >>> stem_of("versions/0a1b.zarr")
    'versions/0a1b'
    """
    return name.rsplit(".", 1)[0]
