"""The chunks of a PNG file that say how its pixels are to be read, checked before any decoder gets its bytes.

Source: PNG Specification (third edition), W3C.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from foldline.images.color_codes import other_colors
from foldline.images.errors import UnusableImageError
from foldline.images.jpeg import BROKEN_PROFILE

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bytes of an ICC profile; a larger one is cut, and so it is broken.
MOST_PROFILE = (1 << 22) + 1
# Chunks that touch no pixel and may grow when they are decompressed, for which Pillow would refuse the file.
TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
# White and primaries of sRGB, x and y of each, and its gamma, as cHRM and gAMA have them; and how far a file may be
# from them that means sRGB: rounded, or computed for another white.
CHROMATICITIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
GAMMA = 45455
CHROMATICITY_ROUNDING, GAMMA_ROUNDING = 1000, 1000


@dataclass(frozen=True)
class PngChunks:
    """What chunks of a file say.

    Attributes:
        exif: the EXIF block; b"" if there is none.
        profile: the ICC profile; b"" if there is none.
        colors: see `color_codes.other_colors`.
        has_other_gamma: the colors are not those of sRGB by the chunks gAMA and cHRM, which count if no other chunk
            says what the colors are.
    """

    exif: bytes = b""
    profile: bytes = b""
    colors: str = ""
    has_other_gamma: bool = False


def read_png_chunks(data: bytes) -> PngChunks:
    """Check the checksum of every chunk and the end mark, which Pillow does not, and read some of them.

    Raises:
        UnusableImageError: the file is truncated, or a checksum is wrong.
    """
    view = memoryview(data)
    kinds: set[bytes] = set()
    exif, profile, colors, other_gamma = b"", b"", "", False
    for kind, start, end in chunks_of(data):
        body = view[start + 8 : end - 4]
        if zlib.crc32(view[start + 4 : end - 4]) != struct.unpack(">I", view[end - 4 : end])[0]:
            raise UnusableImageError(f"damaged: the PNG chunk at byte {start} does not match its checksum")
        kinds.add(kind)
        if kind == b"eXIf":
            exif = bytes(body)
        elif kind == b"iCCP":
            profile = _profile(bytes(body))
        elif kind == b"cICP" and len(body) == 4:
            colors = other_colors(body[0], body[1], full_range=bool(body[3]))
        elif (kind == b"gAMA" and len(body) == 4) or (kind == b"cHRM" and len(body) == 32):
            other_gamma |= _is_other(struct.unpack(f">{len(body) // 4}I", body))
        elif kind == b"IEND":
            is_said = bool(kinds & {b"iCCP", b"sRGB", b"cICP"})
            return PngChunks(exif, profile, colors, other_gamma and not is_said)
    raise UnusableImageError("damaged: the PNG file is truncated")


def without_text(data: bytes) -> bytes:
    """A PNG file without the chunks that touch no pixel; the file itself if it has none."""
    texts = [(start, end) for kind, start, end in chunks_of(data) if kind in TEXTS]
    if not texts:
        return data
    ends = [0, *(end for _, end in texts)]
    starts = [*(start for start, _ in texts), len(data)]
    return b"".join(data[end:start] for end, start in zip(ends, starts, strict=True))


def chunks_of(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each complete chunk, up to the end mark."""
    start = len(SIGNATURE)
    while start + 12 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        if end > len(data):
            return
        kind = data[start + 4 : start + 8]
        yield kind, start, end
        if kind == b"IEND":
            return
        start = end


def _profile(chunk: bytes) -> bytes:
    """The ICC profile of a chunk: its name, the method of compression, and the compressed profile."""
    _, _, rest = chunk.partition(b"\0")
    try:
        return zlib.decompressobj().decompress(rest[1:], MOST_PROFILE) or BROKEN_PROFILE
    except zlib.error:
        return BROKEN_PROFILE


def _is_other(numbers: tuple[int, ...]) -> bool:
    """Whether a gamma or chromaticities are not those of sRGB."""
    if len(numbers) == 1:
        return abs(numbers[0] - GAMMA) > GAMMA_ROUNDING
    return any(
        abs(number - wanted) > CHROMATICITY_ROUNDING for number, wanted in zip(numbers, CHROMATICITIES, strict=True)
    )
