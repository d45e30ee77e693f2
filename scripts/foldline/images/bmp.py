"""The header of a BMP file; run-length compression is refused.

Source: Windows GDI, "Bitmap Header Types".
"""

import struct
from dataclasses import dataclass
from itertools import combinations

from foldline.images.errors import UnusableImageError
from foldline.images.raster import Raster, check_sides

SIGNATURES = (b"BM",)
# Bytes of the headers of OS/2 1.x, of Windows 3, with masks (two lengths), of OS/2 2.x, and of versions 4 and 5.
CORE, WINDOWS_3, OS2_2, LENGTHS = 12, 40, 64, (40, 52, 56, 64, 108, 124)
# Bytes of the header of a file, and of the headers that have masks of three colors, and of alpha beside them.
FILE_HEADER, WITH_MASKS, WITH_ALPHA = 14, 52, 56
RGB, BIT_FIELDS, ALPHA_BIT_FIELDS = 0, 3, 6
COMPRESSIONS = {1: "run lengths", 2: "run lengths", 4: "JPEG", 5: "PNG"}
OS2_COMPRESSIONS = {3: "Huffman", 4: "run lengths"}
BITS, PALETTE_BITS = (1, 2, 4, 8, 16, 24, 32), 8
# Masks of red, green and blue by the bits of a pixel in files that have none.
USUAL_MASKS = {16: (0x7C00, 0x3E0, 0x1F), 32: (0xFF0000, 0xFF00, 0xFF)}
# Most bits of a sample.
MOST_BITS = 16


@dataclass(frozen=True)
class Bitmap:
    """How the pixels of a file are stored; each number was checked against the others and the size of the file.

    Attributes:
        width: pixels.
        height: pixels.
        upward: whether the last row comes first.
        bits: bits of a pixel, one of `BITS`.
        start: where the pixels start.
        row_bytes: bytes of a row.
        palette: the colors of pixels of at most `PALETTE_BITS`, as blue, green and red.
        masks: bits of red, green and blue, and of alpha if there is any, in pixels of 16 and 32 bits.
        is_plain: whether pixels of 24 bits follow a header of Windows 3, so that any decoder reads the file.
    """

    width: int
    height: int
    upward: bool
    bits: int
    start: int
    row_bytes: int
    palette: tuple[bytes, ...] = ()
    masks: tuple[int, ...] = ()
    is_plain: bool = False


def read_bmp_header(data: bytes) -> Raster:
    """Parse the header of a file.

    Raises:
        UnusableImageError: the file is truncated, damaged, or compressed.
    """
    bitmap = parse_bmp(data)
    # The file twice, its rows, and pictures of 4 and 3 bytes a pixel.
    needed = 2 * len(data) + 12 * bitmap.width * bitmap.height
    return Raster("BMP", bitmap.width, bitmap.height, (1, 3, 4), 8, needed)


def parse_bmp(data: bytes) -> Bitmap:
    """Check the header of a file.

    Raises:
        UnusableImageError: see `read_bmp_header`.
    """
    try:
        return _parse(data)
    except struct.error as error:
        raise UnusableImageError("damaged: the BMP file is truncated") from error


def _parse(data: bytes) -> Bitmap:
    start, length = struct.unpack_from("<II", data, 10)
    size, used = 0, 0
    if length == CORE:
        width, height, planes, bits = struct.unpack_from("<HHHH", data, 18)
        compression = RGB
    elif length in LENGTHS:
        width, height, planes, bits, compression, size, _, _, used = struct.unpack_from("<iiHHIIiiI", data, 18)
    else:
        raise UnusableImageError(f"damaged: a BMP whose header has {length} bytes")
    upward, height = height > 0, abs(height)
    check_sides(width, height, "a BMP")
    has_masks = compression in (BIT_FIELDS, ALPHA_BIT_FIELDS) and length != OS2_2
    if compression != RGB and not has_masks:
        names = OS2_COMPRESSIONS if length == OS2_2 else COMPRESSIONS
        name = names.get(compression, f"number {compression}")
        raise UnusableImageError(f"a BMP with compression {name}; save it without compression, or as PNG")
    if planes != 1 or not bits or (has_masks and bits not in USUAL_MASKS):
        raise UnusableImageError(
            f"damaged: a BMP of {bits} bits per pixel in {planes} planes{' with masks' * has_masks}"
        )
    if bits not in BITS:
        raise UnusableImageError(f"a BMP of {bits} bits per pixel; save it with 24, or as PNG")
    row_bytes = (width * bits + 31) // 32 * 4
    if start < FILE_HEADER + length or start + row_bytes * height > len(data):
        raise UnusableImageError("damaged: the BMP file is truncated")
    is_plain = bits == 24 and (length, start) == (WINDOWS_3, 54) and size in (0, row_bytes * height)
    return Bitmap(
        *(width, height, upward, bits, start, row_bytes),
        palette=_palette(data, length, start, 2**bits, used) if bits <= PALETTE_BITS else (),
        masks=_masks(data, length, compression, bits) if bits in USUAL_MASKS else (),
        is_plain=is_plain,
    )


def _palette(data: bytes, length: int, start: int, most: int, used: int) -> tuple[bytes, ...]:
    """The colors between header and pixels: as many as the header says, or `most`."""
    first, step = FILE_HEADER + length, 3 if length == CORE else 4
    count = min(used or most, most, (start - first) // step)
    if not count:
        raise UnusableImageError("damaged: a BMP without the colors of its palette")
    return tuple(data[place : place + 3] for place in range(first, first + count * step, step))


def _masks(data: bytes, length: int, compression: int, bits: int) -> tuple[int, ...]:
    """Masks of red, green and blue, and of alpha if there is any.

    Raises:
        UnusableImageError: they cannot be masks of a pixel.
    """
    if compression == RGB:
        return USUAL_MASKS[bits]
    has_alpha = length >= WITH_ALPHA or (length < WITH_MASKS and compression == ALPHA_BIT_FIELDS)
    masks = struct.unpack_from(f"<{3 + has_alpha}I", data, FILE_HEADER + WINDOWS_3)
    masks = masks if has_alpha and masks[3] else masks[:3]
    # Ones without a gap are carried away if the lowest is added.
    has_gap = any(not mask or (mask + (mask & -mask)) & mask for mask in masks)
    overlap = any(first & second for first, second in combinations(masks, 2))
    if has_gap or overlap or max(masks) >= 1 << bits:
        raise UnusableImageError(
            f"a BMP of {bits} bits per pixel whose masks of the colors are {', '.join(f'{mask:#x}' for mask in masks)}"
            "; save it with 24, or as PNG"
        )
    if any(mask.bit_count() > MOST_BITS for mask in masks):
        raise UnusableImageError(f"a BMP with samples of more than {MOST_BITS} bits; save it with 24, or as PNG")
    return masks
