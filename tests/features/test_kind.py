import pytest

from serprep.audio.signal import Signal
from serprep.features.kind import Kind


def test_a_kind_demands_nothing_unless_it_says_so():
    class Any(Kind[None]):
        name, config, shape, revision = "any", type(None), "row", 1

        def names(self, config):
            return ("one",)

        def extractor(self, config, signal):
            return lambda signal: signal[:1]

    kind = Any()
    assert kind.enabled(None) and kind.whole and not kind.on_by_default and not kind.named_at_top
    assert kind.shortest(None, Signal()) == 1 and kind.sample_rate(None) is None and kind.n_rows(10, None) is None
    assert kind.licence(None) == "" and kind.identity(None) == kind.version_identity(None) == {}
    assert kind.extractor_name(None) == "serprep.any" and kind.extractor_revision(None) == 1


def test_a_kind_without_names_or_an_extractor_cannot_be_made():
    class Bare(Kind[None]):
        name, config, shape, revision = "bare", type(None), "row", 1

    with pytest.raises(TypeError, match=r"abstract methods '?extractor'?, '?names"):
        Bare()
