"""Files that are no recordings are named; `tests/audio/test_recordings.py` has whole ones."""

import gzip
import io
import zipfile

import pytest

from serprep.audio.decode import decode
from serprep.audio.foreign import name_foreign, name_rare
from serprep.errors import AudioError


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.wav", b"sound")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (zipped(), "a zip archive: unpack it"),
        (gzip.compress(b"RIFF", mtime=0), "a gzip file: unpack it"),
        (b"\0\0\0\x18ftypisom\0\0\2\0mp4a", "AAC in MP4: convert it"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x84webm", r"WebM: convert it"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x88matroska", "Matroska: convert it"),
        (b"#!AMR\n<\x91", "AMR: convert it"),
        (b"0&\xb2u\x8ef\xcf\x11\xa6\xd9", r"WMA \(ASF\): convert it"),
        (b"\xff\xf1\x60\x40\x10\x1f\xfc\xde", r"AAC \(ADTS\): convert it"),
        (b"\x0b\x77\xfe\x95\x14\x40\x43\xe0", "AC-3: convert it"),  # bsid 8
        (b"\x0b\x77\x01\x7f\x34\x87\x13\xe0", "E-AC-3: convert it"),  # bsid 16
        (b"\x7f\xfe\x80\x01\xfc\x3c", "DTS: convert it"),
        (b"\x01\xa8\x0c\x66\xf8\x72\x6f\xba", "Dolby TrueHD: convert it"),
        (b"\x56\xe1\x28\x20\0\x11", r"AAC \(LOAS\): convert it"),
        (b"#!AMR-WB\n\x04", "AMR: convert it"),
        (b"DSD \x1c\0\0\0", "DSD: convert it"),
        (b"\x80\0\0\x20\x03\x12\x04" + bytes(23) + b"(c)CRI", "ADX: convert it"),
        (b"\x0e\xbf\x46\x22G" + (bytes(191) + b"G") * 2, "an MPEG transport stream: convert it"),
        (b"G" + (bytes(187) + b"G") * 2, "an MPEG transport stream: convert it"),
        (b"qoaf\0\0\xbb\x80", "QOA: convert it"),
        (b"\x9c\xfd\x0f\x8d\xfe\xb5", "Format not recognised; convert it to wav or flac"),
        (b'{"message": "not found"}', "a JSON document: the download failed"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document: the download failed"),
        (b"\n <HTML><body>Sign in</body></HTML>", "an HTML page: the download failed"),
        (b"/annex/objects/SHA256E-s1--0.wav\n", "a git-annex pointer: run git annex get"),
        (bytes(5000), "5000 bytes, all zero: the copy failed"),
        (b"RIFF\0\0\0\0AVI LIST", "RIFF of type 'AVI ', not WAVE"),
        (b"plain words\n", "a text file: fetch the recording again"),
    ],
)
def test_what_is_no_recording_is_named_with_the_remedy(data, name):
    with pytest.raises(AudioError, match=f"^not a recording that can be decoded: {name}"):
        decode(data)


def test_what_nobody_knows_has_no_name():
    assert name_foreign(bytes(range(128, 256))) == ""
    assert name_rare("WAV") == "" and name_rare("PVF")
