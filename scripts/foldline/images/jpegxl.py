"""The header of a JPEG XL file or code stream, which libjxl decodes.

Source: ISO/IEC 18181-1, as libjxl reads it (`headers.cc`, `image_metadata.cc`).
"""

from foldline.images.boxes import boxes
from foldline.images.color_codes import other_colors
from foldline.images.errors import UnusableImageError
from foldline.images.raster import Raster, check_sides

CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
CODE_STREAM = b"\xff\x0a"
SIGNATURES = (CONTAINER, CODE_STREAM)
# Width by height, by the number in the header.
RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
# Numbers of color spaces, and of colors that the file defines itself.
RGB, GRAY, CUSTOM = 0, 1, 2
# Measured: 15 with four channels of 16 bits. Frames of 32 bits that refer to one another need more.
BYTES_PER_PIXEL = 40


class _Bits:
    """Numbers of bits, the lowest bit of a byte first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._place, self._count = int.from_bytes(data, "little"), 0, 8 * len(data)

    def __call__(self, count: int) -> int:
        if self._place + count > self._count:
            raise UnusableImageError("damaged: the JPEG XL file is truncated")
        value = self._value >> self._place & ((1 << count) - 1)
        self._place += count
        return value

    def one_of(self, *forms: tuple[int, int]) -> int:
        """A number in one of four forms: what is added, and how many bits it has."""
        base, count = forms[self(2)]
        return base + self(count)


def read_jpegxl_header(data: bytes) -> Raster:
    """Parse the size and the kind of the samples.

    Raises:
        UnusableImageError: the file is truncated or animated, or has samples that gray or RGB pictures have not.
    """
    bits = _Bits(_code_stream(data)[2:256])
    width, height = _size(bits)
    check_sides(width, height, "a JPEG XL image")
    depth, orientation, extra, colors = 8, 1, 0, ""
    if not bits(1):
        if bits(1):
            orientation = 1 + bits(3)
            if bits(1):
                _size(bits)
            if bits(1):
                raise UnusableImageError("a JPEG XL image with a preview; save it without")
            if bits(1):
                raise UnusableImageError("animated; save one of its frames")
        depth = _depth(bits)
        bits(1)
        extra = bits.one_of((0, 0), (1, 0), (2, 4), (1, 12))
        if extra > 1 or (extra and not _is_alpha(bits)):
            raise UnusableImageError(
                "a JPEG XL image with channels beside its colors and one straight alpha; save it without"
            )
        bits(1)
        colors = _colors(bits)
    # The decoder turns the picture upright.
    width, height = (width, height) if orientation < 5 else (height, width)
    channels = (2, 4) if extra else (1, 3)
    needed = 2 * len(data) + BYTES_PER_PIXEL * width * height
    return Raster("JXL", width, height, channels, depth, needed, colors=colors)


def _depth(bits: _Bits) -> int:
    """Bits of the samples."""
    if bits(1):
        raise UnusableImageError("a JPEG XL image with float samples; save it with 8 or 16 bits")
    depth = bits.one_of((8, 0), (10, 0), (12, 0), (1, 6))
    if depth > 16:
        raise UnusableImageError(f"a JPEG XL image of {depth} bits; save it with 8 or 16 bits")
    return depth


def _is_alpha(bits: _Bits) -> bool:
    """Whether an extra channel is alpha by which the colors are not multiplied."""
    if bits(1):
        return True
    kind = _enum(bits)
    _depth(bits)
    bits.one_of((0, 0), (3, 0), (4, 0), (1, 3))
    bits(8 * bits.one_of((0, 0), (0, 4), (16, 5), (48, 10)))
    return kind == 0 and not bits(1)


def _colors(bits: _Bits) -> str:
    """See `color_codes.other_colors`."""
    if bits(1):
        return ""
    if bits(1):
        return "those of a profile that cannot be read"
    space = _enum(bits)
    if space == GRAY:
        return ""
    white = _enum(bits)
    if space != RGB or white == CUSTOM:
        return "unusual"
    primaries = _enum(bits)
    if primaries == CUSTOM:
        return "unusual"
    transfer = 2 if bits(1) else _enum(bits)
    return other_colors(primaries, transfer)


def _enum(bits: _Bits) -> int:
    return bits.one_of((0, 0), (1, 0), (2, 4), (18, 6))


def _code_stream(data: bytes) -> bytes:
    """The start of the code stream of a file."""
    if not data.startswith(CONTAINER):
        return data
    for box in boxes(data):
        start = box.start + 4 if box.kind == b"jxlp" else box.start
        if box.kind in (b"jxlc", b"jxlp"):
            stream = data[start : box.end]
            if not stream.startswith(CODE_STREAM):
                raise UnusableImageError("damaged: the JPEG XL file has no code stream")
            return stream
    raise UnusableImageError("damaged: the JPEG XL file has no code stream")


def _size(bits: _Bits) -> tuple[int, int]:
    """Width and height of a size header."""
    small = bits(1)

    def side() -> int:
        return (bits(5) + 1) * 8 if small else bits.one_of((1, 9), (1, 13), (1, 18), (1, 30))

    height = side()
    ratio = bits(3)
    if not ratio:
        return side(), height
    across, down = RATIOS[ratio]
    return height * across // down, height
