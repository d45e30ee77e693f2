"""The blocks of a GIF file, which giflib decodes if there is one picture.

Source: GIF89a specification, CompuServe 1990.
"""

import struct
from collections.abc import Iterator

from foldline.images.errors import UnusableImageError
from foldline.images.raster import Raster, check_sides

SIGNATURES = (b"GIF87a", b"GIF89a")
IMAGE, EXTENSION, TRAILER = 0x2C, 0x21, 0x3B
# The extension that says which color is transparent; the flag of a picture that is interlaced; and all grays.
CONTROL, INTERLACED = 0xF9, 0x40
GRAYS = bytes(gray for gray in range(256) for _ in range(3))


def read_gif_header(data: bytes) -> Raster:
    """Parse the blocks of a file.

    Raises:
        UnusableImageError: the file is truncated or animated, or has no picture.
    """
    try:
        return _parse(data)
    except (struct.error, IndexError) as error:
        raise UnusableImageError("damaged: the GIF file is truncated") from error


def _parse(data: bytes) -> Raster:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    check_sides(width, height, "a GIF")
    frames = 0
    for kind, place in _blocks(data):
        if kind != IMAGE:
            continue
        left, top, columns, rows, of_frame = struct.unpack_from("<HHHHB", data, place + 1)
        check_sides(columns, rows, "a frame of a GIF")
        if left + columns > width or top + rows > height:
            raise UnusableImageError("damaged: a frame of the GIF file is larger than the picture")
        if not _colors(flags) and not _colors(of_frame):
            raise UnusableImageError("a GIF without a palette; save it as PNG")
        frames += 1
    if frames > 1:
        raise UnusableImageError(f"animated: {frames} frames; save one of them")
    if not frames:
        raise UnusableImageError("damaged: the GIF file has no picture")
    # Indices, colors with alpha and the picture (10.5 measured), and the file twice.
    return Raster("GIF", width, height, (3, 4), 8, 2 * len(data) + 12 * width * height)


def numbers_of_colors(data: bytes) -> tuple[bytes, int, int | None]:
    """What tells whether a pixel of a file with one picture has a color.

    Returns:
        The file with gray n as color n, b"" if no pixel can lack a color; the colors of its palette; and the number
        that means transparency, which may be beyond them.
    """
    flags, transparent = data[10], None
    for kind, place in _blocks(data):
        if kind == IMAGE:
            break
        if data[place + 1] == CONTROL and data[place + 3] & 1:
            transparent = data[place + 6]
    of_frame = data[place + 9]
    colors = (_colors(of_frame) or _colors(flags)) // 3
    start = place + 10 + _colors(of_frame)
    # The bits of a number.
    if 1 << data[start] <= colors:
        return b"", colors, transparent
    screen = data[:10] + bytes([0xF7, 0, 0]) + GRAYS
    return screen + data[place : place + 9] + bytes([of_frame & INTERLACED]) + data[start:], colors, transparent


def _blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Kind and place of each picture and extension.

    Raises:
        UnusableImageError: there is something else.
        IndexError: the file is truncated.
    """
    place = 13 + _colors(data[10])
    while data[place] != TRAILER:
        kind = data[place]
        if kind not in (IMAGE, EXTENSION):
            raise UnusableImageError(f"damaged: byte {place} of the GIF file starts no block")
        yield kind, place
        place = _behind_blocks(data, place + (11 + _colors(data[place + 9]) if kind == IMAGE else 2))


def _colors(flags: int) -> int:
    """Bytes of the color table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _behind_blocks(data: bytes, place: int) -> int:
    """The byte behind some blocks of data, each with its length before it."""
    while data[place]:
        place += 1 + data[place]
    return place + 1
