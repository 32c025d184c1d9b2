import threading

import numpy as np
import pytest

from serprep.features import sharing as shared
from serprep.features.extract import Features, extract
from serprep.features.sharing import is_shared, once, sharing
from serprep.testing.signals import generated_signal


@pytest.fixture
def counted():
    calls = []

    @once
    def total(array, factor=1):
        calls.append(factor)
        return factor * array.sum()

    return total, calls


def test_the_same_array_is_computed_once_inside_and_always_outside(counted):
    total, calls = counted
    array = np.arange(4)
    assert (total(array), total(array)) == (6, 6) and len(calls) == 2
    with sharing():
        assert (total(array), total(array), total(array.copy())) == (6, 6, 6) and len(calls) == 4
        assert (total(array, 2), total(array, 2)) == (12, 12) and len(calls) == 5
        assert is_shared()
    array[0] = 10
    assert total(array) == 16 and not is_shared()


def test_nothing_is_remembered_after_an_error_or_by_another_thread(counted):
    total, calls = counted
    array = np.arange(4)
    with pytest.raises(ZeroDivisionError, match="division"), sharing():
        total(array)
        other = threading.Thread(target=lambda: total(array))
        other.start()
        other.join()
        assert len(calls) == 2
        1 / 0  # noqa: B018
    assert not is_shared()


def test_kinds_together_have_the_values_of_each_alone(monkeypatch):
    from serprep.features.compare_2016 import LLD, pitch
    from serprep.features.egemaps_v02.kind import Config
    from serprep.features.functionals import Functionals

    signal = generated_signal("cut speech", 8000, seed=3)
    names = ("functionals", "lld", "egemaps")
    features = Features(
        logmel=None, functionals=Functionals(engine="native"), lld=LLD(enabled=True), egemaps=Config(level="lld")
    )
    alone = {name: extract(signal, features, (name,))[name] for name in names}
    calls, candidates = [], pitch._candidates
    monkeypatch.setattr(pitch, "_candidates", lambda *arguments: calls.append(1) or candidates(*arguments))
    together = extract(signal, features, names)
    assert len(calls) == 1 and not shared.is_shared()
    for name in names:
        assert together[name].tobytes() == alone[name].tobytes()
