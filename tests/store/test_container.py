"""What containers have in common."""

import hashlib

import numpy as np

from serprep.place.place import at
from serprep.store.container import as_text, digest_of


def test_a_digest_is_that_of_the_bytes_here_and_at_a_url(tmp_path, monkeypatch):
    monkeypatch.setattr("serprep.store.container.READING", 3)
    data = bytes(range(10))
    for place in (at(tmp_path), at(f"memory://{tmp_path.name}")):
        place.write("a", data)
        assert digest_of(place.path("a")) == hashlib.sha256(data).hexdigest()


def test_texts_are_str():
    assert as_text(np.array(["ü", ""], object)) == ["ü", ""] == as_text(np.array(["ü", ""], np.dtypes.StringDType()))
