"""A store is known by its name before it is opened."""

from pathlib import Path

from serprep.forms import FORMS, form_of, stem_of
from serprep.store.containers import CONTAINERS

ROOT = Path(__file__).parents[1]


def test_every_form_has_its_container():
    assert [container.form for container in CONTAINERS.values()] == list(FORMS)
    for form in FORMS:
        assert form_of(f"s3://a/{'0' * 64}{form.suffix}") is form and stem_of(f"v/a.b{form.suffix}") == "v/a.b"
    assert form_of("versions/zarr") is form_of("a.zarr.html") is None
