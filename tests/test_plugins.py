from importlib.metadata import EntryPoint

import pytest

from serprep.errors import SerprepError
from serprep.plugins import distribution, load, plugged


def test_entry_points_are_listed_by_name():
    found = plugged("console_scripts")
    assert list(found) == sorted(found)
    assert found["serprep"].value == "serprep_cli.main:main"
    assert distribution(found["serprep"]).startswith("serprep ")


def test_what_cannot_be_imported_is_one_line_that_names_its_package():
    entry = EntryPoint("centroid", "no_such_module:CENTROID", "serprep.features")
    with pytest.raises(SerprepError, match=r"serprep.features 'centroid' of the package unknown cannot be loaded") as e:
        load(entry)
    assert "\n" not in str(e.value) and "no_such_module" in str(e.value)
