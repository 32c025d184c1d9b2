"""The registry; what every container promises is in `test_contract.py`."""

import pytest

from serprep.store.containers import CONTAINERS, container_of


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_store_is_read_by_the_container_of_its_suffix(name):
    container = CONTAINERS[name]
    assert container.form.name == name
    assert container_of(f"a/b{container.form.suffix}") is container_of(f"s3://a/b{container.form.suffix}/") is container


def test_a_folder_of_another_name_is_taken_for_the_default():
    assert container_of("a/.0123.tmp") is next(iter(CONTAINERS.values()))
