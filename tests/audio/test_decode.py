"""Recordings → guarded signals."""

import csv
import hashlib
import io
import math
import os

import numpy as np
import pytest
import soundfile

from helpers.audio import RATE, load, noise, tone, write_codes
from serprep import remote
from serprep.audio.decode import Decoder, _Bytes, decode, decode_int16, digest_of, probe, read_bytes, read_samples
from serprep.audio.guard import PEAK
from serprep.audio.mpeg import first_frame, frame_at
from serprep.audio.signal import Probe, Signal
from serprep.errors import AudioError, CorpusError
from serprep.place.corpus import as_root


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_codes_of_a_wav_become_fractions_of_full_scale_below_the_peak(tmp_path, bits):
    full = 2 ** (bits - 1)
    codes = [0, 1, -1, full // 3, -full // 3, full - 1, -full]
    write_codes(tmp_path / "a.wav", codes, bits=bits)
    signal = load(tmp_path / "a.wav")
    assert signal.dtype == np.float32
    assert signal.tolist() == [min(code / full, 32767 / 32768) for code in codes]


@pytest.mark.parametrize("bits", [16, 24])
def test_codes_of_a_flac_become_fractions_of_full_scale_below_the_peak(tmp_path, bits):
    full = 2 ** (bits - 1)
    codes = np.array([0, 1, -1, full // 3, -full // 3, full - 1, -full])
    soundfile.write(tmp_path / "a.flac", (codes << (32 - bits)).astype(np.int32), RATE, subtype=f"PCM_{bits}")
    assert load(tmp_path / "a.flac").tolist() == [min(code / full, 32767 / 32768) for code in codes.tolist()]


def test_float_samples_beyond_full_scale_are_clipped_to_what_int16_holds(tmp_path):
    samples = np.array([0.0, 0.25, 1.0, 1.5, 15.0, -1.0, -1.5], np.float32)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    peak = 32767 / 32768
    assert load(tmp_path / "a.wav").tolist() == [0.0, 0.25, peak, peak, peak, -1.0, -1.0]


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3"])
def test_lossy_formats_give_the_tone_back(tmp_path, name):
    soundfile.write(tmp_path / name, tone(440), RATE)
    signal = load(tmp_path / name)
    assert len(signal) == 8000
    inside = slice(1600, 6400)
    error = signal[inside] - tone(440)[inside]
    assert np.sqrt(np.mean(error**2)) < 0.01  # 31 dB below the tone


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_a_tone_of_any_rate_is_the_same_tone_at_16_khz(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(440, rate=rate, seconds=0.4), rate, subtype="FLOAT")
    signal = load(tmp_path / "a.wav")
    assert len(signal) == 6400
    np.testing.assert_allclose(signal[800:-800], tone(440, seconds=0.4)[800:-800], atol=1e-4)


@pytest.mark.parametrize("frequency", [8_800, 9_000, 10_000, 15_000])
def test_what_16_khz_cannot_hold_is_removed_not_folded_back(tmp_path, frequency):
    soundfile.write(tmp_path / "a.wav", tone(frequency, rate=48_000), 48_000, subtype="FLOAT")
    left = np.abs(load(tmp_path / "a.wav")[800:-800]).max()
    assert left < 0.5 * 2**-20  # soxr's "HQ" is 20 bits; "MQ", 16 bits, leaves more


def test_decoding_goes_by_content_not_by_suffix(tmp_path):
    samples = noise(800)
    soundfile.write(tmp_path / "flac.wav", samples, RATE, format="FLAC")
    soundfile.write(tmp_path / "real.flac", samples, RATE)
    np.testing.assert_array_equal(load(tmp_path / "flac.wav"), load(tmp_path / "real.flac"))


def test_probe_reads_duration_and_rate_of_every_format(tmp_path):
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3"):
        soundfile.write(tmp_path / name, noise(11_025, n_channels=2), 44_100)
        assert probe(read_bytes(tmp_path / name)) == Probe(0.25, 44_100)


def test_digest_is_sha256():
    # FIPS 180-2, appendix B.1
    assert digest_of(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("folder", "pattern", "rate"), [("emodb_first2s", "wav/*.flac", 16_000), ("ravdess", "Actor_*/*.flac", 48_000)]
)
def test_real_recordings_decode_to_the_samples_their_providers_listed(corpora, folder, pattern, rate):
    with (corpora / folder / "PCM.tsv").open(encoding="utf-8", newline="") as file:
        listed = {row["path"].removesuffix(".wav"): row for row in csv.DictReader(file, delimiter="\t")}
    paths = sorted((corpora / folder).glob(pattern))[::60]
    assert paths
    for path in paths:
        row = listed[path.relative_to(corpora / folder).with_suffix("").as_posix()]
        if row["channels"] == "1":
            codes = load(path, config=Signal(sample_rate=rate)) * 32768
            assert hashlib.sha256(codes.astype("<i2").tobytes()).hexdigest() == row["sha256_of_int16_pcm"]


def test_the_stereo_recording_of_ravdess_becomes_the_mean_of_its_channels(corpora):
    path = corpora / "ravdess/Actor_01/03-01-02-01-01-02-01.flac"
    codes, rate = soundfile.read(path, dtype="int16")
    assert codes.shape[1] == 2
    expected = codes.astype(np.int64).sum(axis=1) / 2 / 32768
    np.testing.assert_array_equal(load(path, config=Signal(sample_rate=rate)), expected)


EXCERPTS = [
    (None, None),
    (0.0, 0.1),
    (0.1, 0.2),
    (0.25, None),
    (None, 0.125),
    (1.4 / RATE, 100.4 / RATE),
    (1.5 / RATE, 100.5 / RATE),
    (1.6 / RATE, 100.6 / RATE),
    (0.123456, 0.345678),
]


@pytest.mark.parametrize("name", ["ramp.wav", "ramp.flac"])
@pytest.mark.parametrize(("start", "end"), EXCERPTS)
def test_an_excerpt_of_a_ramp_counts_from_its_first_to_its_last_sample(tmp_path, name, start, end):
    soundfile.write(tmp_path / name, np.arange(8000, dtype=np.int16), RATE, subtype="PCM_16")
    first = 0 if start is None else math.floor(start * RATE + 0.5)
    last = 8000 if end is None else math.floor(end * RATE + 0.5)
    assert (load(tmp_path / name, start=start, end=end) * 32768).tolist() == list(range(first, last))


def test_excerpt_borders_round_half_up(tmp_path):
    write_codes(tmp_path / "ramp.wav", np.arange(100), bits=16, rate=1000)
    at_file_rate = Signal(sample_rate=1000)
    for start, end, first, last in [(0.0025, 0.0055, 3, 6), (0.0024, 0.0054, 2, 5), (0.0105, 0.0995, 11, 100)]:
        codes = load(tmp_path / "ramp.wav", start=start, end=end, config=at_file_rate) * 32768
        assert codes.tolist() == list(range(first, last))


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3"])
def test_an_excerpt_of_a_lossy_file_is_exactly_that_part_of_the_whole(tmp_path, name):
    soundfile.write(tmp_path / name, noise(16_000), RATE)
    whole = load(tmp_path / name)
    np.testing.assert_array_equal(load(tmp_path / name, start=0.301, end=0.7), whole[4816:11_200])


def test_an_excerpt_equals_a_file_that_was_cut_out_beforehand(tmp_path):
    samples = noise(44_100, n_channels=2)
    soundfile.write(tmp_path / "whole.flac", samples, 44_100, subtype="PCM_16")
    codes = soundfile.read(tmp_path / "whole.flac", dtype="int16")[0]
    start, end = 0.2345, 0.6789
    first, last = math.floor(start * 44_100 + 0.5), math.floor(end * 44_100 + 0.5)
    soundfile.write(tmp_path / "cut.wav", codes[first:last], 44_100, subtype="PCM_16")
    excerpt = load(tmp_path / "whole.flac", start=start, end=end)
    np.testing.assert_array_equal(excerpt, load(tmp_path / "cut.wav"))
    afterwards = load(tmp_path / "whole.flac")[round(start * RATE) :][: len(excerpt)]
    assert np.abs(excerpt - afterwards).max() > 1e-3  # cutting after resampling is something else


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (0.0, 0.51, r"excerpt ends at 0\.51 s, the file after 0\.500 s"),
        (0.2, 0.2, r"excerpt 0\.2 to 0\.2 s is empty"),
        (0.3, 0.2, r"excerpt 0\.3 to 0\.2 s is empty"),
        (0.5, None, r"excerpt 0\.5 to None s is empty"),
        (-0.1, 0.2, r"excerpt -0\.1 to 0\.2 s is empty"),
    ],
)
def test_impossible_excerpts_are_refused(tmp_path, start, end, message):
    soundfile.write(tmp_path / "a.wav", noise(8000), RATE)
    with pytest.raises(AudioError, match=message):
        load(tmp_path / "a.wav", start=start, end=end)


def encoded(tmp_path, name, samples=None):
    path = tmp_path / f"whole-{name}"
    soundfile.write(path, noise(8000) if samples is None else samples, RATE)
    return path.read_bytes()


def make_empty(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"")


def make_text(tmp_path):
    (tmp_path / "x.wav").write_text("It was the best of times. " * 50, encoding="utf-8")


def make_truncated_wav(tmp_path):
    data = encoded(tmp_path, "a.wav")
    assert len(data) == 44 + 16_000
    (tmp_path / "x.wav").write_bytes(data[:10_000])


def make_truncated_flac(tmp_path):
    data = encoded(tmp_path, "a.flac")
    (tmp_path / "x.wav").write_bytes(data[: len(data) // 2])


def make_truncated_mp3(tmp_path):
    data = encoded(tmp_path, "a.mp3")
    (tmp_path / "x.wav").write_bytes(data[: len(data) // 2])


def make_wav_without_samples(tmp_path):
    write_codes(tmp_path / "x.wav", [], bits=16)


def make_header_only(tmp_path):
    (tmp_path / "x.wav").write_bytes(encoded(tmp_path, "a.wav")[:20])


def make_folder(tmp_path):
    (tmp_path / "x.wav").mkdir()


def make_dangling_link(tmp_path):
    (tmp_path / "x.wav").symlink_to(tmp_path / "gone.wav")


def make_link_loop(tmp_path):
    (tmp_path / "x.wav").symlink_to(tmp_path / "x.wav")


def make_pipe(tmp_path):
    os.mkfifo(tmp_path / "x.wav")


def make_nothing(tmp_path):
    pass


def make_unreadable(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root reads every file")
    (tmp_path / "x.wav").write_bytes(encoded(tmp_path, "a.wav"))
    (tmp_path / "x.wav").chmod(0)


def make_flac_announcing(tmp_path, n_samples):
    """A flac of 8000 samples with another number in its header (RFC 9639, section 8.2)."""
    data = bytearray(encoded(tmp_path, "a.flac"))
    number = int.from_bytes(data[18:26], "big")  # its last 36 bits are the number of samples
    assert number % 2**36 == 8000
    data[18:26] = (number - 8000 + n_samples).to_bytes(8, "big")
    (tmp_path / "x.wav").write_bytes(data)


def make_streamed_flac(tmp_path):
    make_flac_announcing(tmp_path, 0)  # what an encoder leaves that writes to a pipe


def make_flac_without_its_end(tmp_path):
    make_flac_announcing(tmp_path, 9000)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_empty, r"file is empty \(0 bytes\)"),
        (make_text, "not a recording that can be decoded"),
        (make_truncated_wav, "truncated: its header announces 16000 bytes of sound, 9956 are there"),
        (make_truncated_flac, "damaged|truncated"),
        (make_truncated_mp3, r"truncated: its header announces 16 frames, \d are there"),
        (make_wav_without_samples, "no samples"),
        (make_header_only, "not a recording that can be decoded"),
        (make_folder, "a folder, not a recording"),
        (make_dangling_link, "dangling link: its target is missing"),
        (make_link_loop, "unreadable: "),
        (make_pipe, "not a regular file"),
        (make_nothing, "file is missing"),
        (make_unreadable, "permission denied"),
        (make_flac_without_its_end, "truncated|damaged"),
        (make_streamed_flac, "its header does not say how long it is"),
    ],
)
def test_what_is_no_recording_is_refused_with_one_line(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(AudioError, match=f"^({message})") as caught:
        load(tmp_path / "x.wav")
    assert "\n" not in str(caught.value)


def test_paths_that_cannot_be_files_are_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(AudioError, match="unreadable: "):
        read_bytes(tmp_path / "a.wav" / "b.wav")
    with pytest.raises(AudioError, match=r"unreadable: .*embedded null"):
        read_bytes(tmp_path / "a\0.wav")
    with pytest.raises(AudioError, match="unreadable: "):
        read_bytes(tmp_path / ("a" * 300))


def test_a_refused_folder_leaves_no_descriptor_open(tmp_path):
    try:
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count, no paths
    except FileNotFoundError:
        pytest.skip("no /proc to count descriptors in")
    for _ in range(20):
        with pytest.raises(AudioError, match="a folder"):
            read_bytes(tmp_path)
    assert len(os.listdir("/proc/self/fd")) < before + 10  # noqa: PTH208


@pytest.mark.parametrize("name", ["a\nb.wav", 'it\'s "it".wav', "Mädchen ß.wav", "語.wav", " .wav", "a,b;c\t.wav"])
def test_any_file_name_will_do(tmp_path, name):
    write_codes(tmp_path / name, [1, 2, 3], bits=16)
    assert (load(tmp_path / name) * 32768).tolist() == [1, 2, 3]


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_damaged_bytes_give_a_guarded_signal_or_an_audio_error_and_nothing_else(tmp_path, name):
    whole = encoded(tmp_path, name, noise(200))
    rng = np.random.default_rng(0)
    n_refused = 0
    for _ in range(200):
        data = bytearray(whole)
        for place in rng.integers(0, min(64, len(data)) if rng.random() < 0.7 else len(data), 2):
            data[place] = rng.integers(256)
        try:
            signal = decode(bytes(data))
        except AudioError:
            n_refused += 1
        else:
            assert signal.ndim == 1
            assert len(signal)
            assert signal.min() >= -1
            assert signal.max() <= PEAK
    assert 0 < n_refused < 200


def test_an_object_is_read_and_one_that_is_missing_is_a_bad_recording(tmp_path):
    remote.write(f"memory://{tmp_path.name}/a.wav", b"sound")
    root = as_root(f"memory://{tmp_path.name}")
    assert read_bytes(root / "a.wav") == b"sound"
    with pytest.raises(AudioError, match="file is missing"):
        read_bytes(root / "b.wav")


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (PermissionError(13, "access denied"), AudioError, "permission denied: make it readable"),
        (remote.Unreachable(5, "no answer (x)"), CorpusError, r"s3://lab/a\.wav: no answer \(x\)"),
    ],
)
def test_a_bucket_that_does_not_answer_is_not_the_recordings_fault(monkeypatch, raised, kind, message):
    def fail(url):
        raise raised

    monkeypatch.setattr(remote, "read", fail)
    with pytest.raises(kind, match=message):
        read_bytes(as_root("s3://lab/a.wav"))


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_int16_samples_are_the_very_ones(tmp_path, suffix, n_channels):
    samples = np.random.default_rng(3).integers(-(2**15), 2**15, (500, n_channels), dtype=np.int16)
    soundfile.write(tmp_path / f"x.{suffix}", samples, 8000, subtype="PCM_16")
    found, rate = decode_int16((tmp_path / f"x.{suffix}").read_bytes())
    assert found.dtype == np.int16 and rate == 8000
    np.testing.assert_array_equal(found, samples)


def test_samples_that_are_not_16_bit_are_refused(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.zeros(500), 8000, subtype="FLOAT")
    with pytest.raises(AudioError, match="its samples are FLOAT, not 16-bit"):
        decode_int16((tmp_path / "x.wav").read_bytes())


@pytest.mark.parametrize("offset", [-1, -(1 << 40), 1 << 80])
def test_bytes_are_not_looked_for_where_none_can_be(offset):
    data = _Bytes(b"0123")
    data.seek(2)
    assert data.seek(offset) == 2 and data.read() == b"23"


def test_what_looks_like_mpeg_audio_inside_a_flac_file_is_not():
    sound, files = 0.1 * np.random.default_rng(0).normal(size=4000), {}
    for form in ("FLAC", "MP3"):
        file = io.BytesIO()
        soundfile.write(file, sound, 16_000, format=form)
        files[form] = file.getvalue()
    flac, frames = files["FLAC"], files["MP3"]
    frames = frames[frame_at(frames, 0).size :]  # the first one counts the others
    block = b"\x02" + (len(frames) + 4).to_bytes(3, "big") + b"test" + frames  # of an application, after STREAMINFO
    mixed = flac[:42] + block + flac[42:]
    assert first_frame(mixed) is not None
    assert decode(mixed).tobytes() == decode(flac).tobytes()
    assert probe(mixed).duration == 0.25


@pytest.mark.parametrize(
    ("suffix", "format", "subtype"),
    [
        ("ogg", "OGG", "VORBIS"),
        ("opus", "OGG", "OPUS"),
        ("mp3", "MP3", None),
        ("flac", "FLAC", None),
        ("wav", "WAV", None),
    ],
)
@pytest.mark.parametrize("held", [1 << 22, 1000], ids=["held", "not held"])
@pytest.mark.parametrize("counted", [True, False])
def test_excerpts_of_an_open_recording_are_those_of_each_alone(
    tmp_path, monkeypatch, suffix, format, subtype, held, counted
):
    monkeypatch.setattr("serprep.audio.decode._HELD", held)
    monkeypatch.setattr("serprep.audio.decode._BLOCK", 700)
    soundfile.write(tmp_path / f"a.{suffix}", noise(3 * RATE, n_channels=2), RATE, format=format, subtype=subtype)
    data = (tmp_path / f"a.{suffix}").read_bytes()
    if not counted:
        if suffix != "mp3":
            pytest.skip("its header says how long it is")
        data = data[data.index(b"\xff\xf3", data.index(b"Xing")) :]  # without the frame that counts the others
    with soundfile.SoundFile(_Bytes(data)) as file:
        whole = file.read(dtype="float32", always_2d=True)
    times = np.random.default_rng(0).uniform(0, 2.5, 12).tolist()
    with Decoder(data) as decoder:
        for order in (sorted(times), times):  # in the order of their starts, and in any
            for start in order:
                first, last = math.floor(start * RATE + 0.5), math.floor((start + 0.4) * RATE + 0.5)
                found = decoder.read(start, start + 0.4)
                if counted:
                    np.testing.assert_array_equal(found, whole[first:last])
                np.testing.assert_array_equal(found, read_samples(data, start=start, end=start + 0.4)[0])
        assert len(decoder.read()) == decoder.n_samples


def test_each_sample_is_decoded_once_for_excerpts_in_order(tmp_path):
    soundfile.write(tmp_path / "a.ogg", noise(3 * RATE), RATE)
    decoder = Decoder((tmp_path / "a.ogg").read_bytes())
    passed, read = [], decoder.file.read

    class Counting:
        channels = 1

        def read(self, n, **settings):
            block = read(n, **settings)
            passed.append(len(block))
            return block

    decoder.file = Counting()
    for start, end in [(0.1, 0.5), (0.1, 0.3), (0.3, 0.9), (0.4, 0.6), (2.0, 2.5)]:
        assert len(decoder.read(start, end)) == round((end - start) * RATE)
    assert sum(passed) == 2.5 * RATE


def test_a_lack_of_memory_is_no_damage_of_the_recording(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", noise(100), RATE)
    with Decoder((tmp_path / "a.wav").read_bytes()) as decoder:
        monkeypatch.setattr(decoder, "block", lambda n: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError, match=r"^$"):
            decoder.read()
