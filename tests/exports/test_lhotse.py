import numpy as np
import pytest


def test_lhotse_reads_it(shop, monkeypatch):
    lhotse = pytest.importorskip("lhotse")
    folder = shop.export("lhotse", audio=True)
    monkeypatch.chdir(folder)  # paths of features are relative to it
    cuts = lhotse.CutSet.from_file(folder / "cuts.jsonl.gz").to_eager()
    assert sorted(cut.id for cut in cuts) == shop.store.ids
    for i, name in enumerate(shop.store.ids):
        cut = cuts[name]
        assert np.array_equal(cut.load_egemaps(), shop.vectors[i])
        assert np.array_equal(cut.load_logmel_30(), shop.segments[i])
        assert cut.supervisions[0].custom["emotion"] == shop.store.emotions[i]
        assert cut.supervisions[0].speaker == shop.store.speakers[i]
        assert tuple(cut.roles.values()) == shop.splits[3].utterances[name].roles
    assert (cuts["d"].start, cuts["d"].end, cuts["d"].recording.num_samples) == (0.75, 1.5, 24_000)
    assert cuts["d"].load_audio().shape == (1, 12_000)
    for number, fold in enumerate(shop.splits[3].folds):
        assert (folder / fold / "test.txt").read_text().splitlines() == shop.splits[3].ids(number, "test")
    assert len(lhotse.RecordingSet.from_file(folder / "recordings.jsonl.gz").to_eager()) == 5
    supervisions = lhotse.SupervisionSet.from_file(folder / "supervisions.jsonl.gz").to_eager()
    assert [s.start for s in supervisions if s.recording_id == "long.wav"] == [0.0, 0.75]
