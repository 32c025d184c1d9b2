"""Recordings of every format, whole and not: their own samples, or refused with the true reason."""

import importlib.util
import io
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serprep.audio.decode import decode, decode_int16, probe, read_samples
from serprep.audio.signal import Signal
from serprep.errors import AudioError

RATE = 16_000
FAULTS = Path(__file__).resolve().parents[3] / "shared/faults/recordings"


def made_up(n=24_000, seed=0):
    """A glide with some noise, of codes of 16 bits."""
    t = np.arange(n) / RATE
    noise = np.random.default_rng(seed).standard_normal(n)
    return np.round((0.3 * np.sin(2 * np.pi * (140 * t + 90 * t**2)) + 0.01 * noise) * 32767).astype(np.int16)


CODES = made_up()
SAMPLES = CODES / 32768


def written(form, subtype="PCM_16", *, samples=CODES, rate=RATE, **options):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, subtype=subtype, **options)
    return file.getvalue()


def wav(codes=CODES, *, tag=1, bits=16, align=None, size=None, riff=None, before=b"", behind=b"", n_channels=1):
    """A wav by hand: what its header says may be wrong."""
    sound = np.asarray(codes).tobytes()
    align = bits // 8 * n_channels if align is None else align
    fmt = struct.pack("<HHIIHH", tag, n_channels, RATE, RATE * align, align, bits)
    chunks = before + b"fmt " + struct.pack("<I", len(fmt)) + fmt
    chunks += b"data" + struct.pack("<I", len(sound) if size is None else size) + sound + behind
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) if riff is None else riff) + b"WAVE" + chunks


def id3(n):
    """An ID3v2 tag with n bytes of content."""
    return b"ID3\3\0\0" + bytes((n >> shift) & 127 for shift in (21, 14, 7, 0)) + bytes(n)


def w64(tag, sound, bits, *, extensible=True, size=None):
    """A Wave64 by hand, as ffmpeg lays it."""
    guid = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    fmt = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, 1, RATE, RATE * bits // 8, bits // 8, bits)
    if extensible:
        fmt += struct.pack("<HHIH", 22, bits, 4, tag) + bytes.fromhex("000000001000800000aa00389b71")
    body = b"fmt " + guid + struct.pack("<Q", 24 + len(fmt)) + fmt
    body += b"data" + guid + struct.pack("<Q", 24 + len(sound) if size is None else size) + sound
    head = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000") + struct.pack("<Q", 40 + len(body))
    return head + b"wave" + guid + body


def rf64(*, size=48_000, magic=b"RF64"):
    """An RF64 by hand; `size` is what its ds64 announces."""
    fmt = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, size + 72, size, size // 2, 0)
    chunks = ds64 + b"fmt " + struct.pack("<I", 16) + fmt + b"data\xff\xff\xff\xff" + CODES.tobytes()
    return magic + b"\xff\xff\xff\xff" + b"WAVE" + chunks


def au(size):
    return b".snd" + struct.pack(">IIIII", 24, size, 3, RATE, 1) + CODES.astype(">i2").tobytes()


def caf(size):
    desc = struct.pack(">d4sIIIII", RATE, b"lpcm", 2, 2, 1, 1, 16)  # flag 2: little-endian
    sound = bytes(4) + CODES.tobytes()
    return b"caff\0\1\0\0desc" + struct.pack(">q", 32) + desc + b"data" + struct.pack(">q", size) + sound


def frames(data):
    """Where the frames of an MPEG-2 layer III stream of 16 kHz begin and end (ISO/IEC 13818-3, section 2.4.2.3)."""
    kilobits = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    found, place = [], 0
    while place < len(data):
        head = data[place : place + 4]
        assert head[0] == 0xFF and head[1] in (0xF2, 0xF3) and head[2] >> 2 & 3 == 2, (place, head)
        size = 72 * 1000 * kilobits[head[2] >> 4] // RATE + (head[2] >> 1 & 1)
        found.append((place, place + size))
        place += size
    return found


@pytest.fixture(scope="module")
def mp3():
    return written("MP3", "MPEG_LAYER_III")


@pytest.fixture(scope="module")
def bare(mp3):
    """The same MP3 without the frame that says how long it is: its first frame is loud, the rest is not."""
    quiet = np.concatenate([made_up(8000) * 2, made_up(40_000) // 400])
    data = written("MP3", "MPEG_LAYER_III", samples=quiet, compression_level=0.5, bitrate_mode="VARIABLE")
    return data[frames(data)[0][1] :]


def xing(data, *, n_frames=None, n_bytes=None):
    """The MP3 with other counts in its first frame."""
    at = max(data.find(b"Xing"), data.find(b"Info"))
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    assert flags & 3 == 3
    counts = [int.from_bytes(data[at + 8 + 4 * i : at + 12 + 4 * i], "big") for i in range(2)]
    counts = [n_frames if n_frames is not None else counts[0], n_bytes if n_bytes is not None else counts[1]]
    return data[: at + 8] + struct.pack(">II", *counts) + data[at + 16 :]


# -- the recordings that serprep got wrong ---------------------------------------------

RIGHT = {  # name → seconds, rms
    "no_xing_vbr.mp3": ((1.5, 1.59), 0.1465),
    "no_xing_noisy_start.mp3": ((2.0, 2.09), None),
    "no_xing_cbr.mp3": ((1.5, 1.59), 0.1465),
    "float_w64.wav": ((1.5, 1.5), 0.1465),
    "id3_before_riff.wav": ((1.5, 1.5), 0.1465),
    "int32_of_int16_values.wav": ((1.5, 1.5), 0.1465 / 65536),
    "inverted_stereo.flac": ((1.5, 1.5), 0.0),
    "silence.flac": ((1.5, 1.5), 0.0),
    "data_size_0.wav": ((1.5, 1.5), 0.1465),
    "gsm.wav": ((1.5, 1.53), None),
    "reference.wav": ((1.5, 1.5), 0.1465),
}
REFUSED = {
    "rf64_cut.wav": "truncated: its header announces 48000 bytes of sound, 23943 are there",
    "aiff_cut.aiff": "truncated: its header announces 48000 bytes of sound, 23973 are there",
    "vorbis_cut.ogg": "truncated: its last page of Ogg has 3247 bytes more than the file",
    "opus_cut.ogg": "truncated: its last page of Ogg has 994 bytes more than the file",
    "float_of_int16_scale.wav": r"the largest sample is 10820\.7; expected a full scale of 1: divide",
    "lfs_pointer.wav": "not a recording that can be decoded: a Git LFS pointer: run git lfs pull",
    "web_page.wav": "not a recording that can be decoded: an HTML page: the download failed",
    "aac_named.wav": "not a recording that can be decoded: AAC in MP4: convert it to wav or flac, such as ffmpeg",
}


@pytest.fixture(scope="module")
def faults():
    if not FAULTS.is_dir():
        pytest.skip("shared/faults is not here")
    return FAULTS


def test_every_recording_that_went_wrong_has_its_row(faults):
    assert {path.name for path in faults.iterdir()} == set(RIGHT) | set(REFUSED)


@pytest.mark.parametrize("name", RIGHT)
def test_recordings_that_went_wrong_are_right(faults, name):
    data = (faults / name).read_bytes()
    (shortest, longest), rms = RIGHT[name]
    found = probe(data)
    signal = decode(data)
    assert shortest <= found.duration <= longest
    assert len(signal) == round(found.duration * RATE)
    if rms is not None:
        assert np.sqrt(np.mean(signal.astype(float) ** 2)) == pytest.approx(rms, rel=0.08, abs=1e-12)
    samples, rate = read_samples(data)
    first, last = round(0.3 * rate), round(0.7 * rate)
    np.testing.assert_array_equal(read_samples(data, start=0.3, end=0.7)[0], samples[first:last])


@pytest.mark.parametrize("name", REFUSED)
def test_recordings_that_went_wrong_are_refused_for_what_they_are(faults, name):
    data = (faults / name).read_bytes()
    for read in (probe, decode):
        with pytest.raises(AudioError, match="^" + REFUSED[name]) as caught:
            read(data)
        assert "\n" not in str(caught.value)


# -- their siblings --------------------------------------------------------------------

FLOATS = (SAMPLES.astype("<f4")).tobytes()
TAGGED = {form: id3(3000) + written(form) for form in ("WAV", "FLAC", "AIFF", "AU", "CAF")}
PLAIN = {
    "wav": wav(),
    "wav of size 0": wav(size=0, riff=0),
    "wav of size 0xffffffff": wav(size=0xFFFFFFFF, riff=0xFFFFFFFF),
    "wav with RIFF size 0": wav(riff=0),
    "wav with RIFF size 100": wav(riff=100),
    "wav with a chunk behind": wav(behind=b"LIST" + struct.pack("<I", 4000) + bytes(4000)),
    "wav with a tag behind": wav(behind=b"TAG" + bytes(range(125))),
    "wav with zeros behind": wav(behind=bytes(9000)),
    "wav with blocks of 0 bytes": wav(align=0),
    "extensible wav": written("WAVEX"),
    "24 bits": wav(np.frombuffer((CODES.astype("<i4") << 8).tobytes(), "u1").reshape(-1, 4)[:, :3], bits=24),
    "32 bits": wav(CODES.astype("<i4") << 16, bits=32),
    "RIFX": written("WAV", endian="BIG"),
    "RF64": rf64(),
    "BW64": rf64(magic=b"BW64"),
    "RF64 of unknown length": rf64(size=0),
    "W64": w64(1, CODES.tobytes(), 16, extensible=False),
    "extensible W64": w64(1, CODES.tobytes(), 16),
    "W64 of floats": w64(3, FLOATS, 32),
    "W64 of doubles": w64(3, SAMPLES.astype("<f8").tobytes(), 64),
    "W64 of floats and unknown length": w64(3, FLOATS, 32, size=0),
    "AIFF": written("AIFF"),
    "AIFC, little-endian": written("AIFF", endian="LITTLE"),
    "AIFC of floats": written("AIFF", "FLOAT", samples=SAMPLES),
    "AU": au(48_000),
    "AU of unknown length": au(0xFFFFFFFF),
    "AU of size 0": au(0),
    "AU, little-endian": written("AU", endian="LITTLE"),
    "CAF": caf(48_004),
    "CAF to the end": caf(-1),
    "NIST": written("NIST"),
    "AVR": written("AVR"),
    "16SV": written("SVX"),
    "16SV with bytes behind": written("SVX") + bytes(range(200)),
    "FLAC": written("FLAC"),
    **{f"{form} behind a tag": data for form, data in TAGGED.items()},
    "wav behind two tags": id3(10) + id3(2000) + wav(),
    "wav behind a long tag": id3(200_000) + wav(),
}


@pytest.mark.parametrize("name", PLAIN)
def test_samples_are_the_written_ones_whatever_the_header_says(name):
    found = probe(PLAIN[name])
    assert (found.duration, found.sample_rate) == (1.5, RATE)
    samples, rate = read_samples(PLAIN[name])
    assert rate == RATE
    np.testing.assert_array_equal(samples[:, 0], SAMPLES.astype(np.float32))
    np.testing.assert_array_equal(read_samples(PLAIN[name], start=0.25, end=0.5)[0], samples[4000:8000])


TAILS = (
    bytes(range(250)),
    bytes(300),
    b"TAG" + bytes(125),
    b"LIST\x10\0\0\0INFOISFT\4\0\0\0abc\0",
    b"ANNO\0\0\0\4abcd",
)


TO_THE_END = re.compile("size 0|unknown length|to the end|behind")  # all that is there, or more is there already


@pytest.mark.parametrize("name", [name for name in PLAIN if not TO_THE_END.search(name)])
def test_what_lies_behind_the_announced_sound_is_no_sound(name):
    for tail in TAILS:
        samples = read_samples(PLAIN[name] + tail)[0]
        np.testing.assert_array_equal(samples[:, 0], SAMPLES.astype(np.float32), str(tail))


def test_a_sphere_header_without_its_last_line_is_refused():
    with pytest.raises(AudioError, match=r"its NIST SPHERE header does not end \(no line end_head\)"):
        decode(written("NIST").replace(b"end_head", b"end_hea_"))


CUT = {form: written(form) for form in ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "NIST", "AVR", "SVX", "CAF")}
CUT |= {"RIFX": written("WAV", endian="BIG"), "AIFC": written("AIFF", endian="LITTLE"), "BW64": rf64(magic=b"BW64")}
CUT |= {f"AIFC {codec}": written("AIFF", codec) for codec in ("FLOAT", "ULAW", "IMA_ADPCM")}
CUT |= {f"AU {codec}": written("AU", codec) for codec in ("FLOAT", "ALAW", "G721_32")}
CUT |= {f"WAV {codec}": written("WAV", codec) for codec in ("IMA_ADPCM", "MS_ADPCM", "GSM610")}
CUT |= {"W64 of floats": w64(3, FLOATS, 32), "RIFF behind a tag": id3(5000) + wav()}


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("name", CUT)
def test_a_cut_recording_is_refused_with_what_is_announced_and_what_is_there(name, share):
    data = CUT[name][: int(len(CUT[name]) * share)]
    for read in (probe, decode):
        with pytest.raises(AudioError, match=r"^truncated: its header announces \d+ bytes of sound, \d+ are there$"):
            read(data)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("form", [("OGG", "VORBIS"), ("OGG", "OPUS"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")])
def test_a_cut_compressed_recording_is_refused(form, share):
    long = np.tile(CODES, 3)
    data = written(*form, samples=long)
    assert len(decode(data)) == len(long)
    with pytest.raises(AudioError, match=r"^(truncated|damaged|not a recording that can be decoded: unknown error)"):
        decode(data[: int(len(data) * share)])


def pages(data):
    """Where the pages of an Ogg stream begin (RFC 3533, section 6)."""
    found = []
    place = 0
    while place < len(data):
        found.append(place)
        place += 27 + data[place + 26] + sum(data[place + 27 : place + 27 + data[place + 26]])
    return [*found, len(data)]


@pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])
def test_ogg_whose_last_pages_are_missing_is_cut_though_every_page_is_whole(codec):
    data = written("OGG", codec, samples=np.tile(CODES, 4))
    borders = pages(data)
    for last in range(3, len(borders) - 1):
        with pytest.raises(AudioError, match="truncated: no page ends the stream of Ogg"):
            decode(data[: borders[last]])
    with pytest.raises(AudioError, match="damaged: pages of Ogg are missing before byte"):
        decode(data[: borders[2]] + data[borders[3] :])
    with pytest.raises(AudioError, match="it holds several streams of Ogg"):
        decode(data + data)
    with pytest.raises(AudioError, match="damaged: the page of Ogg at byte 0 has another checksum"):
        decode(data[:40] + bytes([data[40] ^ 1]) + data[41:])
    assert len(decode(data + bytes(100))) == 4 * len(CODES)


# -- MPEG audio ------------------------------------------------------------------------


def test_an_mp3_without_a_count_is_decoded_to_its_end(bare):
    n = len(frames(bare)) * 576
    with soundfile.SoundFile(io.BytesIO(bare)) as file:
        assert file.frames < n  # what is only estimated
    found = probe(bare)
    assert found.duration == n / RATE and found.revised
    samples = read_samples(bare)[0]
    assert len(samples) == len(decode(bare)) == n
    np.testing.assert_array_equal(read_samples(bare, start=2.0)[0], samples[32_000:])
    tail = samples[12_000:]
    assert 0 < np.sqrt(np.mean(tail**2)) < 0.01  # quiet, and there


@pytest.mark.parametrize("behind", [b"TAG" + bytes(125), b"TAG+" + bytes(223) + b"TAG" + bytes(125), bytes(500)])
def test_tags_around_an_mp3_are_not_sound(bare, behind):
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 32 + 20, 1, 0x20000000) + bytes(8) + bytes(20)
    for data in (id3(700) + bare, bare + behind, id3(10) + id3(700) + bare + ape + behind):
        np.testing.assert_array_equal(read_samples(data)[0], read_samples(bare)[0])


def test_mp3s_in_a_row_are_one_recording(mp3, bare):
    borders = frames(mp3)
    n = len(borders) - 1
    for data, n_frames in ((mp3 + mp3, 2 * n), (mp3 + id3(300) + mp3, 2 * n), (bare + mp3, len(frames(bare)) + n)):
        found = probe(data)
        assert found.duration == n_frames * 576 / RATE and found.revised
        assert len(read_samples(data)[0]) == n_frames * 576


def test_a_wrong_count_does_not_shorten_a_whole_mp3(mp3):
    n = len(frames(mp3)) - 1
    assert len(decode(mp3)) == len(CODES) and not probe(mp3).revised
    for count in (0, 1, 5, n - 1, n + 1, 2**31):
        assert len(read_samples(xing(mp3, n_frames=count))[0]) == n * 576
    with pytest.raises(AudioError, match=f"truncated: its header announces {n + 1} frames, {n} are there"):
        decode(xing(mp3, n_frames=n + 1, n_bytes=len(mp3) + 400))


def test_a_cut_mp3_is_refused_with_or_without_a_count(mp3, bare):
    borders = frames(mp3)
    n = len(borders) - 1
    with pytest.raises(AudioError, match=f"truncated: its header announces {n} frames, {n - 3} are there"):
        probe(mp3[: borders[-3][0]])
    with pytest.raises(AudioError, match="truncated: its last frame has 30 bytes more than the file"):
        probe(bare[:-30])


def test_damage_between_the_frames_of_an_mp3_is_told(bare):
    start, end = frames(bare)[20]
    with pytest.raises(AudioError, match=f"damaged: {end - start} bytes from byte {start} on are no MPEG audio"):
        decode(bare[:start] + b"x" * (end - start) + bare[end:])


def test_mp3_in_a_wav_is_decoded_to_its_end(bare):
    data = wav(np.frombuffer(bare, np.uint8), tag=0x55, bits=0, align=1)
    np.testing.assert_array_equal(read_samples(data)[0], read_samples(bare)[0])


# -- headers that cannot be right ------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (wav(size=24_000), "its header announces 24000 bytes of sound, and 24000 more lie behind them"),
        (wav(CODES.astype("<i4") << 16, bits=24, align=4), "1 channels of 24 bits in blocks of 4 bytes, expected 3"),
        (wav(CODES.astype("<i4") << 8, bits=24, align=4), "where in a block the bits lie is not said"),
        (wav(align=4), "1 channels of 16 bits in blocks of 4 bytes, expected 2"),
        (written("PVF"), "PVF: serprep cannot tell whether all of it is there; convert it"),
        (written("IRCAM"), "IRCAM: serprep cannot tell"),
        (written("MAT5"), "a MATLAB file: serprep cannot tell"),
        (written("VOC"), "VOC: serprep cannot tell"),
        (written("NIST").replace(b"pcm", b"pcm,embedded-shorten-v2.00", 1), "NIST SPHERE with 'pcm,embedded-shorten"),
    ],
)
def test_a_header_that_cannot_be_right_is_refused(data, message):
    with pytest.raises(AudioError, match=message):
        decode(data)


@pytest.mark.parametrize("form", ["WAV", "AIFF", "AU", "W64", "CAF"])
@pytest.mark.parametrize("scale", [32_768, 2.0**23, 127 * 3])
def test_floats_of_another_scale_are_refused_and_told_how_to_mend_it(form, scale):
    data = written(form, "FLOAT", samples=(SAMPLES * scale).astype(np.float32))
    for read in (probe, decode):
        with pytest.raises(AudioError, match="expected a full scale of 1: divide samples of 16 bits by 32768"):
            read(data)


@pytest.mark.parametrize(
    ("form", "codec"),
    [("WAV", "GSM610"), ("W64", "GSM610"), ("AIFF", "GSM610"), ("AU", "G721_32"), ("AU", "G723_24"), ("WAV", "G721_32")]
    + [("WAV", f"NMS_ADPCM_{bits}") for bits in (16, 24, 32)]
    + [("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("CAF", "ALAC_16"), ("WAV", "ULAW"), ("OGG", "OPUS")],
)
def test_an_excerpt_is_that_part_of_the_whole_with_every_codec(form, codec):
    data = written(form, codec, rate=8000)
    whole = decode(data, config=Signal(sample_rate=8000))
    for start, end in ((0.0, 0.1), (0.301, 0.7), (1.0, 2.9)):
        part = decode(data, start=start, end=end, config=Signal(sample_rate=8000))
        np.testing.assert_array_equal(part, whole[round(start * 8000) : round(end * 8000)])


@pytest.mark.parametrize("late", [0.00005, 0.0005, 0.00099])
def test_an_end_that_rounding_put_behind_the_file_is_the_files(late):
    np.testing.assert_array_equal(decode(wav(), start=1.0, end=1.5 + late), decode(wav(), start=1.0))


def test_an_end_more_than_a_millisecond_behind_the_file_is_an_error():
    with pytest.raises(AudioError, match=r"excerpt ends at 1\.5012 s, the file after 1\.500 s"):
        decode(wav(), start=1.0, end=1.5012)


def test_16_bit_samples_are_read_through_the_same_checks():
    assert np.array_equal(decode_int16(TAGGED["WAV"])[0][:, 0], CODES)
    with pytest.raises(AudioError, match="truncated: its header announces 48000 bytes of sound, 956 are there"):
        decode_int16(wav()[:1000])


# -- against ffmpeg --------------------------------------------------------------------

FFMPEG = {
    "vbr.mp3": ("-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "0"),
    "xing.mp3": ("-c:a", "libmp3lame", "-q:a", "4"),
    "layer2.mp2": ("-c:a", "mp2", "-ar", "32000"),
    "float.w64": ("-c:a", "pcm_f32le"),
    "a.aiff": ("-c:a", "pcm_s24be"),
    "a.caf": ("-c:a", "pcm_f32le"),
    "a.ogg": ("-c:a", "libvorbis"),
    "rf64.wav": ("-rf64", "always"),
}


@pytest.mark.parametrize("name", FFMPEG)
def test_ffmpeg_decodes_the_same_samples(tmp_path, name):
    if not shutil.which("ffmpeg"):
        pytest.skip("no ffmpeg")
    (tmp_path / "in.wav").write_bytes(wav())
    run = ["ffmpeg", "-v", "error", "-y", "-i", tmp_path / "in.wav", *FFMPEG[name], tmp_path / name]
    if subprocess.run(run, capture_output=True, check=False).returncode:
        pytest.skip("this ffmpeg does not write it")
    run = ["ffmpeg", "-v", "error", "-i", tmp_path / name, "-f", "f32le", "-c:a", "pcm_f32le", "-"]
    expected = np.frombuffer(subprocess.run(run, capture_output=True, check=True).stdout, "<f4")
    samples = read_samples((tmp_path / name).read_bytes())[0]
    assert samples.shape == (len(expected), 1)
    np.testing.assert_allclose(samples[:, 0], expected, atol=5e-5)


def test_mutated_recordings_are_read_or_refused_in_one_line():
    spec = importlib.util.spec_from_file_location("fuzz", Path(__file__).resolve().parents[2] / "benchmarks/fuzz.py")
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    results = [fuzz.listen(data) for _, data in fuzz.cases(270, seed=7)]
    n_refused = sum(isinstance(result, str) for result in results)
    assert 100 < n_refused < 250
