"""What a build computes is counted, over all its parts."""

from types import SimpleNamespace

from serprep.pipeline import computing
from serprep.pipeline.extract import Computed
from serprep.utterance import Utterance, Utterances


def test_parts_share_their_failures_and_are_recomputed_once(monkeypatch) -> None:
    calls = []

    def compute(rows, features, *, failed, recompute, retry, quiet, revised, batch_size, **_):
        calls.append((len(rows), features, dict(failed), recompute, retry, quiet, set(revised), batch_size))
        failed[b"key"] = "it hangs"
        return Computed(rows, None, [], len(rows), 1.5)

    monkeypatch.setattr(computing, "compute_features", compute)
    options = computing.Options(
        batch_size=7, on_bad_audio="fail", retry=True, repair=False, recompute=True, quiet=False
    )
    recipe = SimpleNamespace(features="features", root="root")
    compute_some = computing.Computing(recipe, "cache", "pool", options)
    rows = Utterances([Utterance(id="a", path="a.wav"), Utterance(id="b", path="b.wav")])
    compute_some(rows.take([0]), {"d"})
    compute_some(rows, ())
    assert calls == [
        (1, "features", {}, True, True, False, {"d"}, 7),
        (2, "features", {b"key": "it hangs"}, False, True, False, set(), 7),
    ]
    assert (compute_some.n, compute_some.seconds) == (3, 3.0)
