"""The header of a BMP file; run-length compression is refused.

Source: Windows GDI, "Bitmap Header Types".
"""

import struct

from foldline.images.errors import UnusableImageError
from foldline.images.raster import Raster, check_sides

SIGNATURES = (b"BM",)
# Bytes of the headers of OS/2 1.x, of Windows 3, with masks (two lengths), of OS/2 2.x, and of versions 4 and 5.
CORE, LENGTHS = 12, (40, 52, 56, 64, 108, 124)
RGB, BIT_FIELDS, ALPHA_BIT_FIELDS = 0, 3, 6
COMPRESSIONS = {1: "run lengths", 2: "run lengths", 4: "JPEG", 5: "PNG"}
BITS = (1, 4, 8, 16, 24, 32)


def read_bmp_header(data: bytes) -> Raster:
    """Parse the header of a file.

    Raises:
        UnusableImageError: the file is truncated, damaged, or compressed.
    """
    try:
        start, length = struct.unpack_from("<II", data, 10)
        if length == CORE:
            width, height, planes, bits = struct.unpack_from("<HHHH", data, 18)
            compression = RGB
        elif length in LENGTHS:
            width, height, planes, bits, compression = struct.unpack_from("<iiHHI", data, 18)
        else:
            raise UnusableImageError(f"damaged: a BMP whose header has {length} bytes")
    except struct.error as error:
        raise UnusableImageError("damaged: the BMP file is truncated") from error
    height = abs(height)
    check_sides(width, height, "a BMP")
    if compression not in (RGB, BIT_FIELDS, ALPHA_BIT_FIELDS):
        name = COMPRESSIONS.get(compression, f"number {compression}")
        raise UnusableImageError(f"a BMP with compression {name}; save it without compression, or as PNG")
    if planes != 1 or bits not in BITS:
        raise UnusableImageError(f"damaged: a BMP of {bits} bits per pixel in {planes} planes")
    line = (width * bits + 31) // 32 * 4
    if start < 14 + length or start + line * height > len(data):
        raise UnusableImageError("damaged: the BMP file is truncated")
    # The file twice, for Pillow reads it from a stream; its palette picture, one of 4 bytes a pixel, and one of 8 bits.
    needed = 2 * len(data) + 12 * width * height
    return Raster("BMP", width, height, (1, 3, 4), 8, needed, is_plain=bits == 24 and compression == RGB)
