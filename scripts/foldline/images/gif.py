"""The blocks of a GIF file, which giflib decodes if there is one picture.

Source: GIF89a specification, CompuServe 1990.
"""

import struct

from foldline.images.errors import UnusableImageError
from foldline.images.raster import Raster, check_sides

SIGNATURES = (b"GIF87a", b"GIF89a")
IMAGE, EXTENSION, TRAILER = 0x2C, 0x21, 0x3B


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
    place, frames = 13 + _colors(flags), 0
    while data[place] != TRAILER:
        kind = data[place]
        if kind == IMAGE:
            left, top, columns, rows, flags = struct.unpack_from("<HHHHB", data, place + 1)
            check_sides(columns, rows, "a frame of a GIF")
            if left + columns > width or top + rows > height:
                raise UnusableImageError("damaged: a frame of the GIF file is larger than the picture")
            frames += 1
            place = _behind_blocks(data, place + 11 + _colors(flags))
        elif kind == EXTENSION:
            place = _behind_blocks(data, place + 2)
        else:
            raise UnusableImageError(f"damaged: byte {place} of the GIF file starts no block")
    if frames > 1:
        raise UnusableImageError(f"animated: {frames} frames; save one of them")
    if not frames:
        raise UnusableImageError("damaged: the GIF file has no picture")
    # Indices, colors with alpha and the picture (10.5 measured), and the file twice.
    return Raster("GIF", width, height, (3, 4), 8, 2 * len(data) + 12 * width * height)


def _colors(flags: int) -> int:
    """Bytes of the color table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _behind_blocks(data: bytes, place: int) -> int:
    """The byte behind some blocks of data, each with its length before it."""
    while data[place]:
        place += 1 + data[place]
    return place + 1
