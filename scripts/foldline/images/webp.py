"""The header of a WebP file, because Pillow allocates the canvas of the file when it opens one.

Source: RFC 9649.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from foldline.images.errors import UnusableImageError
from foldline.images.exif import UPRIGHT, exif_orientation, xmp_orientation

ANIMATED = 2  # bit of the flags of the chunk VP8X


@dataclass(frozen=True)
class WebpHeader:
    """Size in pixels, EXIF orientation in 1..8, the number of frames, and the ICC profile."""

    width: int
    height: int
    orientation: int
    frames: int
    profile: bytes


def is_webp(data: bytes) -> bool:
    """Whether the file starts like a WebP file."""
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def read_webp_header(data: bytes) -> WebpHeader:
    """Parse the chunks of a file.

    Raises:
        UnusableImageError: the file is truncated or has no picture.
    """
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise UnusableImageError("damaged: the WebP file is truncated")
    size: tuple[int, int] | None = None
    frames, orientation, profile = 0, None, b""
    for kind, start, end in _chunks(data):
        body = data[start : min(end, start + 10)]
        if kind == b"VP8X" and len(body) == 10:
            size = _number(body[4:7]) + 1, _number(body[7:10]) + 1
        elif kind == b"VP8 " and len(body) == 10:
            size = size or (_number(body[6:8]) & 0x3FFF, _number(body[8:10]) & 0x3FFF)
        elif kind == b"VP8L" and len(body) >= 5:
            bits = _number(body[1:5])
            size = size or ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        elif kind == b"EXIF":
            orientation = orientation or exif_orientation(data[start:end])
        elif kind == b"XMP ":
            orientation = orientation or xmp_orientation(data[start:end])
        elif kind == b"ICCP":
            profile = profile or data[start:end]
        frames += kind in (b"ANMF", b"VP8 ", b"VP8L")
    if size is None or not min(size) or not frames:
        raise UnusableImageError("damaged: the WebP file has no picture")
    return WebpHeader(*size, orientation or UPRIGHT, frames, profile)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the body of each chunk."""
    start = 12
    while start + 8 <= len(data):
        end = start + 8 + _number(data[start + 4 : start + 8])
        if end > len(data):
            raise UnusableImageError("damaged: the WebP file is truncated")
        yield data[start : start + 4], start + 8, end
        start = end + end % 2


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
