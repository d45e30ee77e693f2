"""The markers of a JPEG file, read before any decoder gets its bytes, and a copy without bytes that hold no pixel.

Markers and warnings: ITU-T T.81, and `jdmarker.c` of libjpeg-turbo, which decides what the decoder sees.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from foldline.images.errors import UnusableImageError
from foldline.images.exif import UPRIGHT, exif_orientation, xmp_orientation

SOI, EOI, SOS, APP0, APP1, APP2, APP14 = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
# Markers without a length: TEM and the restarts.
BARE = (0x01, *range(0xD0, 0xD8))
# Bytes between two markers that may belong to nothing, if they do not repeat one value: programs that edit a file leave
# some at the end of a segment. A scan without its marker has more, but for tiny pictures, which lack a scan then.
MOST_JUNK = 32
HUFFMAN = (0xC0, 0xC1, 0xC2)
LOSSLESS = 0xC3
PROGRESSIVE = (0xC2, 0xCA)
ARITHMETIC = (0xC9, 0xCA)
# Frames that no decoder here reads.
FOREIGN = {
    0xC5: "hierarchical",
    0xC6: "hierarchical",
    0xC7: "hierarchical",
    0xCB: "lossless with arithmetic coding",
    0xCD: "hierarchical",
    0xCE: "hierarchical",
    0xCF: "hierarchical",
    0xF7: "JPEG-LS",
}
PROGRESSIVE = (0xC2, 0xCA)
RESTARTS = range(0xD0, 0xD8)
COEFFICIENTS = range(64)
FRAMES = (*HUFFMAN, LOSSLESS, *ARITHMETIC, *FOREIGN)
EXIF, XMP, ICC, JFIF = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"JFIF\0"
MULTI_PICTURE = b"MPF\0"
BROKEN_PROFILE = b"incomplete"
_END_OF_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")

JUNK, PADDING, BAD_ICC, REVISION, SAMPLING = (
    "bytes between JPEG markers",
    "padding behind JPEG data",
    "a broken ICC profile",
    "an unknown JFIF revision",
    "unusual JPEG chroma sampling",
)


@dataclass(frozen=True)
class JpegHeader:
    """What the markers before the first scan say.

    Attributes:
        frame: the marker of the frame, one of `HUFFMAN`, `LOSSLESS` or `ARITHMETIC`.
        precision: bits of a sample.
        width: pixels, as stored.
        height: pixels, as stored.
        sampling: horizontal and vertical factor of each component.
        orientation: EXIF orientation in 1..8.
        profile: the ICC profile; b"" if there is none, and `BROKEN_PROFILE` if a part of it is missing.
        in_scans: whether it is decoded only when all of it was read: progressive, or a scan for each component.
        more_images: whether previews or depth maps follow the image (Multi-Picture Format).
    """

    frame: int
    precision: int
    width: int
    height: int
    sampling: tuple[tuple[int, int], ...]
    orientation: int
    profile: bytes
    in_scans: bool
    more_images: bool


@dataclass(frozen=True)
class Segment:
    """A marker and its parameters: bytes `start` to `end` of the file; `junk` bytes before it belong to nothing."""

    marker: int
    start: int
    end: int
    junk: int


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Parse the markers up to the first scan.

    Raises:
        UnusableImageError: the file is truncated, has no frame, or a frame that cannot be decoded.
    """
    frame: Segment | None = None
    from_exif: int | None = None
    from_xmp: int | None = None
    profile, more_images = ProfileParts(), False
    for segment in segments(data, scans=False):
        if segment.marker in FRAMES:
            if frame is not None:
                raise UnusableImageError("damaged: the JPEG file has two frames")
            frame = segment
        body = data[segment.start + 4 : segment.end] if segment.marker in (APP1, APP2) else b""
        if body.startswith(EXIF):
            from_exif = from_exif or exif_orientation(body)
        elif body.startswith(XMP):
            from_xmp = from_xmp or xmp_orientation(body)
        elif body.startswith(ICC):
            profile.add(body)
        elif body.startswith(MULTI_PICTURE):
            more_images = True
    if frame is None:
        raise UnusableImageError("damaged: the JPEG file has no frame")
    # Data of a scan have no such bytes. From the end, where they are.
    if data.rfind(bytes((0xFF, EOI)), segment.start) < 0:
        raise UnusableImageError("damaged: the JPEG file is truncated")
    body = data[frame.start : frame.end]
    precision, width, height, sampling = _frame_facts(body)
    orientation = from_exif or from_xmp or UPRIGHT
    icc = profile.joined() or (BROKEN_PROFILE if profile.exists else b"")
    in_scans = body[1] in PROGRESSIVE or data[segment.start + 4 : segment.start + 5] != bytes([len(sampling)])
    return JpegHeader(body[1], precision, width, height, sampling, orientation, icc, in_scans, more_images)


def _frame_facts(frame: bytes) -> tuple[int, int, int, tuple[tuple[int, int], ...]]:
    """Precision, width, height and sampling that a frame has."""
    marker = frame[1]
    if marker in FOREIGN:
        raise UnusableImageError(f"a JPEG file that is {FOREIGN[marker]}; save it as baseline JPEG or as PNG")
    if len(frame) < 10 or len(frame) != 10 + 3 * frame[9]:
        raise UnusableImageError("damaged: the JPEG frame has a wrong length")
    precision, height, width, count = struct.unpack(">BHHB", frame[4:10])
    factors = tuple((pair >> 4, pair & 15) for pair in frame[11::3])
    if not width or not height:
        raise UnusableImageError(f"damaged: a JPEG of {width} x {height} pixels")
    if count not in (1, 3, 4):
        raise UnusableImageError(f"a JPEG of {count} components; save it as RGB or gray")
    if any(not 1 <= factor <= 4 for pair in factors for factor in pair):
        raise UnusableImageError("damaged: the JPEG frame has wrong sampling factors")
    if marker == LOSSLESS and set(factors) != {(1, 1)}:
        raise UnusableImageError("a lossless JPEG with chroma subsampling; save it as PNG")
    allowed: Sequence[int] = range(2, 17) if marker == LOSSLESS else (8, 12) if marker in HUFFMAN[1:] else (8,)
    if precision not in allowed:
        raise UnusableImageError(f"a JPEG of {precision} bits per sample; save it as PNG")
    if precision != 8 and count == 4:
        raise UnusableImageError(f"a JPEG of {precision} bits with 4 components; save it as RGB")
    return precision, width, height, factors


class ProfileParts:
    """The parts of an ICC profile, in APP2 segments that are numbered from 1."""

    def __init__(self) -> None:
        """No parts yet."""
        self._parts: dict[int, bytes] = {}
        self._counts: set[int] = set()

    def add(self, body: bytes) -> None:
        """Add the body of a segment that starts with `ICC`."""
        number, count = (*body[len(ICC) : len(ICC) + 2], 0, 0)[:2]
        self._counts.add(count if number not in self._parts else 0)
        self._parts[number] = body[len(ICC) + 2 :]

    @property
    def exists(self) -> bool:
        """Whether there is a part."""
        return bool(self._parts)

    def joined(self) -> bytes:
        """The profile; b"" if a part is missing, repeated or beyond the count."""
        numbers = sorted(self._parts)
        complete = self._counts == {len(numbers)} and numbers == list(range(1, len(numbers) + 1))
        return b"".join(self._parts[number] for number in numbers) if complete else b""


def segments(data: bytes, *, scans: bool = True) -> Iterator[Segment]:
    """Yield the segments of a file until EOI.

    Args:
        data: the bytes of the file.
        scans: include each scan in its SOS; else end with the first SOS, without its scan.

    Raises:
        UnusableImageError: the file is truncated.
    """
    end = 2
    while True:
        start, junk = end, 0
        while (start := data.find(b"\xff", start)) >= 0:
            after = start + 1
            while data[after : after + 1] == b"\xff":
                after += 1
            if data[after : after + 1] != b"\0":
                break
            start = after + 1
        if start < 0 or after >= len(data):
            raise UnusableImageError("damaged: the JPEG file is truncated")
        junk, marker, start = start - end, data[after], after - 1
        end = after + 1
        if marker not in (SOI, EOI, *BARE):
            length = int.from_bytes(data[end : end + 2], "big")
            end += max(length, 2)
            if length < 2 or end > len(data):
                raise UnusableImageError("damaged: the JPEG file is truncated, or a marker has a wrong length")
        if marker == SOS and scans:
            match = _END_OF_SCAN.search(data, end)
            if match is None:
                raise UnusableImageError("damaged: the JPEG file is truncated")
            end = match.start()
        yield Segment(marker, start, end, junk)
        if marker == EOI or (marker == SOS and not scans):
            return


def without_harmless(data: bytes, complaint: str) -> tuple[bytes, tuple[str, ...]]:
    """Copy a JPEG file without the bytes that hold no pixel: libjpeg warns of them as it warns of damage.

    Args:
        data: the file.
        complaint: what the decoder said of it.

    Returns:
        The copy, and what it lacks: of `JUNK`, `PADDING`, `BAD_ICC` and `REVISION`. The copy has new bytes only if
        that is not empty.

    Raises:
        UnusableImageError: the file is truncated, or bytes between its markers are a part of it.
    """
    parts, lacks = [data[:2]], set()
    found = list(segments(data))
    check_junk(data, found)
    profile = ProfileParts()
    for segment in found:
        if is_profile(data, segment):
            profile.add(data[segment.start + 4 : segment.end])
    broken_profile = not profile.joined()
    match = _EXTRANEOUS.search(complaint)
    for segment, following in zip(found, [*found[1:], None], strict=True):
        piece = data[segment.start : segment.end]
        if segment.junk:
            lacks.add(JUNK)
        if broken_profile and is_profile(data, segment):
            lacks.add(BAD_ICC)
            continue
        if segment.marker == APP0 and piece[4:9] == JFIF and len(piece) > 9 and piece[9] not in (1, 2):
            lacks.add(REVISION)
            piece = piece[:9] + b"\x01" + piece[10:]
        if match and following and segment.marker == SOS and following.marker == int(match[2], 16):
            shorter = _without_padding(piece, int(match[1]))
            if shorter != piece:
                lacks.add(PADDING)
                piece = shorter
        parts.append(piece)
    return b"".join(parts), tuple(sorted(lacks))


def check_junk(data: bytes, found: Sequence[Segment]) -> None:
    """Refuse a file of which bytes between markers may be a segment or a scan that lost its own marker.

    Args:
        data: the file.
        found: all its segments.

    Raises:
        UnusableImageError: these bytes are many or have the form of a segment, or the file lacks a scan.
    """
    junk = [data[segment.start - segment.junk : segment.start] for segment in found if segment.junk]
    for piece in junk:
        is_segment = len(piece) >= 4 and int.from_bytes(piece[2:4], "big") == len(piece) - 2
        if is_segment or (len(piece) > MOST_JUNK and len(set(piece)) > 1):
            raise UnusableImageError(
                f"damaged: {len(piece)} bytes between the markers of the JPEG file, which may be a part of the picture"
            )
    if junk and (any(segment.marker in RESTARTS for segment in found) or not _is_complete(data, found)):
        raise UnusableImageError("damaged: the JPEG file lacks a scan, and has bytes between its markers")


def _is_complete(data: bytes, found: Sequence[Segment]) -> bool:
    """Whether the scans have all bits of all coefficients of all components, by their headers (G.1.1.1)."""
    frame = next((segment for segment in found if segment.marker in FRAMES), None)
    if frame is None:
        return False
    missing = {(name, number) for name in data[frame.start + 10 : frame.end : 3] for number in COEFFICIENTS}
    for segment in found:
        if segment.marker == SOS:
            end = segment.start + 5 + 2 * data[segment.start + 4]
            numbers: Sequence[int] = COEFFICIENTS
            if frame.marker in PROGRESSIVE:
                first, last, bits = data[end : end + 3]
                # Bits that another scan has.
                numbers = () if bits & 15 else range(first, last + 1)
            missing -= {(name, number) for name in data[segment.start + 5 : end : 2] for number in numbers}
    return not missing


def is_profile(data: bytes, segment: Segment) -> bool:
    """Whether a segment is a part of an ICC profile."""
    return segment.marker == APP2 and data.startswith(ICC, segment.start + 4)


def _without_padding(scan: bytes, count: int) -> bytes:
    """Remove `count` bytes at the end of a scan if they repeat one value; data that a decoder lost do not."""
    tail = scan[-max(count, 2) :]
    repeats = len(set(tail)) == 1 or scan[-count:] == b"\0"
    return scan[:-count] if repeats else scan
