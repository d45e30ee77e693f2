"""Decode BMP files: those of 24 bits with imagecodecs, others here."""

import imagecodecs
import numpy as np
import numpy.typing as npt

from foldline.images.bmp import PALETTE_BITS, Bitmap, parse_bmp
from foldline.images.errors import beyond_palette
from foldline.images.raster_decoding import decoded
from foldline.images.samples import bands, on_black


def bmp_pixels(data: bytes) -> npt.NDArray[np.uint8]:
    """Gray or RGB pixels of a file, (height, width, 1 or 3); gray if its palette is.

    Raises:
        UnusableImageError: the file is damaged.
    """
    bitmap = parse_bmp(data)
    if bitmap.is_plain:
        return decoded(imagecodecs.bmp_decode, data).astype(np.uint8, copy=False)
    shape = (bitmap.height, bitmap.row_bytes)
    rows = np.frombuffer(data, np.uint8, shape[0] * shape[1], bitmap.start).reshape(shape)
    rows = rows[::-1] if bitmap.upward else rows
    if bitmap.bits <= PALETTE_BITS:
        return _colors(rows, bitmap)
    if bitmap.bits == 24:
        # Blue comes first.
        return rows[:, : 3 * bitmap.width].reshape(bitmap.height, bitmap.width, 3)[:, :, ::-1].copy()
    return _masked(rows, bitmap)


def _colors(rows: npt.NDArray[np.uint8], bitmap: Bitmap) -> npt.NDArray[np.uint8]:
    """The colors of a palette."""
    palette = np.frombuffer(b"".join(bitmap.palette), np.uint8).reshape(-1, 3)[:, ::-1]
    if (palette == palette[:, :1]).all():
        palette = palette[:, :1]
    shifts = np.arange(8 - bitmap.bits, -1, -bitmap.bits, dtype=np.uint8)
    out = np.empty((bitmap.height, bitmap.width, palette.shape[1]), np.uint8)
    for part in bands(out):
        numbers = (rows[part, :, None] >> shifts) & np.uint8(2**bitmap.bits - 1)
        numbers = numbers.reshape(len(numbers), -1)[:, : bitmap.width]
        if int(numbers.max()) >= len(palette):
            raise beyond_palette(int(numbers.max()), len(palette))
        out[part] = palette[numbers]
    return out


def _masked(rows: npt.NDArray[np.uint8], bitmap: Bitmap) -> npt.NDArray[np.uint8]:
    """Samples of which each is in some bits of a pixel, composited on black."""
    values = rows.view(f"<u{bitmap.bits // 8}")[:, : bitmap.width]
    out = np.empty((*values.shape, len(bitmap.masks)), np.uint8)
    for channel, mask in enumerate(bitmap.masks):
        shift = (mask & -mask).bit_length() - 1
        full = mask >> shift
        table = ((np.arange(full + 1) * 510 + full) // (2 * full)).astype(np.uint8)
        for part in bands(values):
            out[part, :, channel] = table[(values[part] & mask) >> shift]
    return on_black(out, 255, 255) if len(bitmap.masks) > 3 else out
