import numpy as np

from serprep.exports import source as module
from serprep.exports.source import Source


def test_batches_hold_a_bounded_number_of_bytes(shop, monkeypatch):
    size = shop.vectors[0].nbytes + shop.segments[0].nbytes
    monkeypatch.setattr(module, "BATCH_BYTES", 3 * size)
    done = []
    source = Source(shop.store, tick=done.append)
    tables = [shop.store.table("egemaps"), shop.store.table("logmel", 30)]
    batches = list(source.batches(tables))
    assert len(batches) > 1 and [i for batch in batches for i in batch.rows] == list(range(6)) and sum(done) == 6
    for name, expected in (("egemaps/values", shop.vectors), ("logmel/30/segments", shop.segments)):
        read = [values for batch in batches for values in batch.values[name]]
        assert all(np.array_equal(a, b) for a, b in zip(read, expected, strict=True))


def test_an_excerpt_is_cut_at_the_files_rate(shop):
    import io

    import soundfile

    suffix, data = Source(shop.store, audio=shop.root).recording(3)  # 0.75 to 1.5 s
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    whole, _ = soundfile.read(shop.root / "long.wav", dtype="float32")
    assert (suffix, rate) == ("wav", 16_000) and np.array_equal(samples, whole[12_000:24_000])


def test_a_store_says_units_and_meanings_of_its_columns(shop):
    names, units, texts = zip(*shop.store.meanings("egemaps"), strict=True)
    assert list(names) == shop.store.names("egemaps") and shop.store.meanings("logmel") == ()
    assert {units[names.index(f"F{n}frequency_sma3nz_amean")] for n in (1, 2, 3)} == {"Hz"}  # formants
    table = shop.store.to_xarray("egemaps")
    assert tuple(table.unit.values) == units and tuple(table.meaning.values) == texts
    assert float(table.sel(column=names[0])[1]) == shop.vectors[1][0]
