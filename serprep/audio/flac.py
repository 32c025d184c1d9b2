"""FLAC: whether its header counts the samples that its frames hold (RFC 9639, sections 8.2 and 9.1)."""

from serprep.errors import AudioError

_INFO = slice(8, 42)  # STREAMINFO: the first block of metadata, of 34 bytes
_SIZES = (0, 192, 576, 1152, 2304, 4608, 0, 0, *(256 << i for i in range(8)))  # samples of a frame, by their code
_FAR = 1 << 17  # bytes: no frame is so long
_SYNC = b"\xff\xf8", b"\xff\xf9"  # how a frame begins, of a size that is fixed or varies
_TRIED = 8  # what looks like a frame, by a checksum of its own: bytes that are made to would be walked for minutes


def refuse_miscount(data: bytes) -> None:
    """Raise if the last frame ends behind the sample that the header calls the last: no decoder would read on.

    Nothing is raised where the header says nothing, or no whole frame ends the file; where it says more than is there
    the decoder tells.
    """
    info = data[_INFO]
    announced = int.from_bytes(info[13:18], "big") & (1 << 36) - 1
    if len(info) < 34 or not announced:
        return
    least, n_tried = max(42, len(data) - _FAR), 0
    places = {sync: data.rfind(sync, least) for sync in _SYNC}
    while n_tried < _TRIED and (place := max(places.values())) >= 0:
        sync = data[place : place + 2]
        places[sync] = data.rfind(sync, least, place + 1)
        there = _end(data[place : place + 16].ljust(16, b"\0"), size=int.from_bytes(info[:2], "big"))
        if there == announced:
            return
        n_tried += there > announced
        if there > announced and not _rest(data[place:], 16, 0x8005):
            raise AudioError(f"its header announces {announced} samples, {there} are there; encode it again")


def _end(head: bytes, *, size: int) -> int:
    """The sample behind the frame that begins with these bytes; 0 where none does."""
    if head[3] & 1:
        return 0
    n_more = max(0, 7 - (head[4] ^ 0xFF).bit_length())  # bytes of a number as in UTF-8
    number = head[4] & (0x3F >> n_more if n_more else 0x7F)
    for byte in head[5 : 5 + n_more]:
        number = number << 6 | byte & 0x3F
    place = 5 + n_more
    code, rate = head[2] >> 4, head[2] & 15
    n_samples = _SIZES[code]
    if code in (6, 7):
        n_samples = int.from_bytes(head[place : place + code - 5], "big") + 1
        place += code - 5
    place += {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if not n_samples or _rest(head[: place + 1], 8, 0x07):
        return 0
    return (number if head[1] & 1 else number * size) + n_samples


def _rest(data: bytes, width: int, polynomial: int) -> int:
    """The checksum of bytes that end with theirs: 0 where it is right."""
    top, rest = 1 << width, 0
    for byte in data:
        rest ^= byte << width - 8
        for _ in range(8):
            rest = rest << 1 ^ (polynomial | top if rest << 1 & top else 0)
    return rest
