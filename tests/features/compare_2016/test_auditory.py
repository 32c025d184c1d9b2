import numpy as np

from serprep.features.compare_2016.auditory import bank, loudness_of, rasta_in_place


def test_weights_are_the_published_ones():
    _, _, loudness = bank()
    np.testing.assert_allclose(loudness[[0, 12, 18, 25]], [2.0277807e-3, 1.8138347, 3.1341820, 0.20665112], rtol=1e-7)


def test_bands_are_triangles_on_the_mel_scale():
    rng = np.random.default_rng(0)
    power = rng.uniform(0, 1, (4, 257)).astype(np.float32)
    bands = loudness_of(power)[0]
    mel = 1127 * np.log(1 + 31.25 * np.arange(257) / 700)
    edges = np.linspace(1127 * np.log(1 + 20 / 700), 1127 * np.log(1 + 8000 / 700), 28)
    rising = (mel - edges[:-2, None]) / (edges[1] - edges[0])
    weights = np.maximum(0, np.minimum(rising, 2 - rising))
    weights[:, [0, 1, 256]] = 0  # the bins left out
    np.testing.assert_allclose(bands, power @ weights.T, rtol=2e-5)


def test_digital_silence_is_the_equal_loudness_curve():
    bands, loudness = loudness_of(np.zeros((9, 257), np.float32))
    rows = bands.T.copy()
    rasta_loudness = rasta_in_place(rows)
    rasta = rows.T
    curve = bank()[2].astype(float) ** 0.33
    np.testing.assert_allclose(rasta, np.broadcast_to(curve, (9, 26)), rtol=1e-6)
    np.testing.assert_allclose(rasta[:, :3], np.broadcast_to([0.129216, 0.272048, 0.419528], (9, 3)), rtol=1e-5)
    np.testing.assert_allclose(rasta_loudness, 0.988341, rtol=1e-6)
    np.testing.assert_allclose(loudness, 0.001034, atol=5e-7)
    assert not bands.any()


def test_a_step_in_level_decays_with_the_pole():
    power = np.full((400, 257), 1e-3, np.float32)
    power[200:] *= 100
    rows = loudness_of(power)[0].T.copy()
    rasta_in_place(rows)
    rasta = np.log(rows[10].astype(float)) / 0.33 - np.log(float(bank()[2][10]))
    decay = rasta[205:230] / rasta[204:229]  # the five taps have seen the step by then
    np.testing.assert_allclose(decay, 1 - np.sin(2 * np.pi * 0.01), rtol=1e-3)
    np.testing.assert_allclose(rasta[[199, 399]], 0, atol=1e-4)
