"""Files that are no recordings serprep reads, named by their first bytes, with what to do about them."""

from serprep.audio.mpeg import frame_at

CONVERT = "convert it to wav or flac, such as ffmpeg -i NAME NAME.wav"
_UNPACK = "unpack it"
_FAILED = "the download failed; fetch the recording again"

_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (  # offset, bytes, name, remedy
    (0, b"version https://git-lfs.github.com/spec/", "a Git LFS pointer", "run git lfs pull"),
    (0, b"/annex/objects/", "a git-annex pointer", "run git annex get"),
    (0, b"PK\x03\x04", "a zip archive", _UNPACK),
    (0, b"PK\x05\x06", "an empty zip archive", _FAILED),
    (0, b"\x1f\x8b", "a gzip file", _UNPACK),
    (0, b"BZh", "a bzip2 file", _UNPACK),
    (0, b"\xfd7zXZ\0", "an xz file", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a rar archive", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"0&\xb2u\x8ef\xcf\x11", "WMA (ASF)", CONVERT),
    (0, b"#!AMR", "AMR", CONVERT),
    (0, b"ADIF", "AAC (ADIF)", CONVERT),
    (0, b"\x77\x0b", "AC-3", CONVERT),  # in the other byte order
    (0, b"\x7f\xfe\x80\x01", "DTS", CONVERT),
    (0, b"\xfe\x7f\x01\x80", "DTS", CONVERT),
    (0, b"\x1f\xff\xe8\0", "DTS", CONVERT),
    (0, b"\xff\x1f\0\xe8", "DTS", CONVERT),
    (0, b"dX %", "DTS", CONVERT),
    (4, b"\xf8\x72\x6f\xba", "Dolby TrueHD", CONVERT),
    (4, b"\xf8\x72\x6f\xbb", "MLP", CONVERT),
    (0, b"\x72\xf8\x1f\x4e", "S/PDIF", CONVERT),
    (0, b"#!iLBC", "iLBC", CONVERT),
    (0, b"\xc0\xde\xc2", "Codec 2", CONVERT),
    (0, b"qoaf", "QOA", CONVERT),
    (0, b"OFR ", "OptimFROG", CONVERT),
    (0, b"ea3\x03", "ATRAC (OMA)", CONVERT),
    (0, b"EA3", "ATRAC (OMA)", CONVERT),
    (0, b".ra\xfd", "RealAudio", CONVERT),
    (0, b".SoX", "SoX's own format", CONVERT),
    (0, b"XoS.", "SoX's own format", CONVERT),
    (0, b"nut/multimedia container", "NUT", CONVERT),
    (0, b"\x06\x0e\x2b\x34", "MXF", CONVERT),
    (0, b"\xb7\xd8\0 7I\xda\x11", "a recording of Windows television (WTV)", CONVERT),
    (0, b"FLV\x01", "Flash video", CONVERT),
    (0, b".RMF", "RealMedia", CONVERT),
    (0, b"\0\0\x01\xba", "an MPEG video", CONVERT),
    (0, b"MAC ", "Monkey's Audio", CONVERT),
    (0, b"wvpk", "WavPack", CONVERT),
    (0, b"TTA1", "True Audio", CONVERT),
    (0, b"tBaK", "TAK", CONVERT),
    (0, b"MPCK", "Musepack", CONVERT),
    (0, b"MP+", "Musepack", CONVERT),
    (0, b"DSD ", "DSD", CONVERT),
    (0, b"FRM8", "DSD", CONVERT),
    (0, b"ajkg", "Shorten", CONVERT),
    (0, b"#!SILK", "SILK", CONVERT),
    (0, b"\x02#!SILK", "SILK", CONVERT),
    (0, b"MThd", "a MIDI file, which holds notes and no sound", "take it out of the corpus"),
    (0, b"\0\x05\x16\x07", "macOS metadata (AppleDouble)", "delete it; the recording lies beside it, without ._"),
    (0, b"%PDF", "a PDF document", "take it out of the corpus"),
    (0, b"\x89PNG", "a PNG picture", "take it out of the corpus"),
    (0, b"\xff\xd8\xff", "a JPEG picture", "take it out of the corpus"),
    (0, b"GIF8", "a GIF picture", "take it out of the corpus"),
    (0, b"\x89HDF", "an HDF5 file", "take it out of the corpus"),
    (0, b"\x93NUMPY", "a NumPy array", "write its samples as wav or flac"),
    (0, b"SQLite format 3", "an SQLite database", "take it out of the corpus"),
)
_FORMATS = {  # of libsndfile, whose headers do not say, or not reliably, how much sound there is
    "IRCAM": "IRCAM",
    "MAT4": "a MATLAB file",
    "MAT5": "a MATLAB file",
    "MPC2K": "Akai MPC 2k",
    "PAF": "Ensoniq PARIS",
    "PVF": "PVF",
    "SD2": "Sound Designer II",
    "VOC": "VOC",
    "WVE": "Psion WVE",
    "XI": "a FastTracker instrument",
}


def name_foreign(data: bytes) -> str:
    """What a file is that serprep does not decode, and the remedy; "" if nothing is known of it.

    Examples
    --------
    >>> name_foreign(b"<!DOCTYPE html><html>")
    'an HTML page: the download failed; fetch the recording again'
    """
    for offset, magic, name, remedy in _MAGIC:
        if data.startswith(magic, offset):
            return f"{name}: {remedy}"
    if data[4:8] in (b"ftyp", b"moov", b"mdat"):
        codec = next((name for code, name in _IN_MP4.items() if code in data), "a codec that serprep does not read")
        return f"{codec} in MP4: {CONVERT}"
    if data.startswith(b"\x1aE\xdf\xa3"):
        return f"{'WebM' if b'webm' in data[:64] else 'Matroska'}: {CONVERT}"
    if data[:4] == b"RIFF" and data[8:12] != b"WAVE":
        return f"RIFF of type {data[8:12].decode('latin-1')!r}, not WAVE: {CONVERT}"
    if len(data) > 6 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0 and frame_at(data, 0) is None:
        return f"AAC (ADTS): {CONVERT}"
    if data[:2] == b"\x0bw":
        enhanced = data[5:6] >= b"\x58"  # bsid, 5 bits, is above 10
        return f"{'E-AC-3' if enhanced else 'AC-3'}: {CONVERT}"
    if data[:1] == b"V" and data[1:2] >= b"\xe0":
        return f"AAC (LOAS): {CONVERT}"
    if data[:2] == b"\x80\0" and b"(c)CRI" in data[:4096]:
        return f"ADX: {CONVERT}"
    if {data[:376:188] + data[376:377], data[4:580:192]} & {b"GG", b"GGG"}:
        return f"an MPEG transport stream: {CONVERT}"
    if not data.strip(b"\0"):
        return f"{len(data)} bytes, all zero: the copy failed; fetch the recording again"
    return _name_text(data[:4096])


_IN_MP4 = {b"mp4a": "AAC", b"alac": "ALAC", b"samr": "AMR", b"sawb": "AMR", b"Opus": "Opus", b"fLaC": "FLAC"}


def _name_text(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or (text[:1] == b"<" and b"<html" in text):
        return f"an HTML page: {_FAILED}"
    if text.startswith((b"<?xml", b"<error")) or (text[:1] == b"<" and text[1:2].isalpha()):
        return f"an XML document: {_FAILED}"
    if text[:1] in (b"{", b"[") and all(byte >= 32 or byte in b"\t\r\n" for byte in text):
        return f"a JSON document: {_FAILED}"
    if text.startswith(b"http/1."):
        return f"an answer of a web server: {_FAILED}"
    try:
        words = head[: len(head) - 4 if len(head) > 100 else None].decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return "a text file: fetch the recording again" if all(c.isprintable() or c in "\t\r\n" for c in words) else ""


def name_rare(file_format: str) -> str:
    """Why a format of libsndfile is not taken; "" if it is."""
    name = _FORMATS.get(file_format, "")
    return f"{name}: serprep cannot tell whether all of it is there; {CONVERT}" if name else ""
