"""The containers that there are."""

from serprep.forms import form_of
from serprep.store.container import Container
from serprep.store.hdf5_store import HDF5
from serprep.store.zarr_store import ZARR

CONTAINERS: dict[str, Container] = {container.form.name: container for container in (ZARR, HDF5)}


def container_of(place: str) -> Container:
    """The container of the store at a path or URL, by its suffix; a folder of any other name may be a Zarr store."""
    form = form_of(place)
    return CONTAINERS[form.name] if form else ZARR
