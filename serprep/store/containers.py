"""The containers that there are; each loads its library where a store of its format is first met."""

from collections.abc import Iterator, Mapping

from serprep.forms import FORMS, form_of
from serprep.store.container import Container


def _zarr() -> Container:
    from serprep.store.zarr_store import ZARR

    return ZARR


def _hdf5() -> Container:
    from serprep.store.hdf5_store import HDF5

    return HDF5


_LOADERS = dict(zip((form.name for form in FORMS), (_zarr, _hdf5), strict=True))


class _Containers(Mapping[str, Container]):
    """Name of a format → its container."""

    def __getitem__(self, name: str) -> Container:
        return _LOADERS[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(_LOADERS)

    def __len__(self) -> int:
        return len(_LOADERS)


CONTAINERS = _Containers()


def container_of(place: str) -> Container:
    """The container of the store at a path or URL, by its suffix; a folder of any other name may be a Zarr store."""
    return CONTAINERS[(form_of(place) or FORMS[0]).name]
