"""Decode the samples of a TIFF page: every sample of every pixel, or an error.

Each decoder gets the size of its result beforehand, so that a small file cannot fill the memory.
"""

import imagecodecs
import numpy as np
import numpy.typing as npt

from foldline.images.errors import UnusableImageError, damaged, range_problem
from foldline.images.jpeg import LOSSLESS, read_jpeg_header
from foldline.images.jpeg_decoding import (
    COLOR_SPACES,
    deep_samples,
    embedded_colors,
    says_rgb,
    strict_samples,
    with_colors,
)
from foldline.images.options import ImageOptions
from foldline.images.picture import Peak, Picture
from foldline.images.samples import Samples, bright_sample, check_range, on_black, scaled_to_8_bit
from foldline.images.tiff import (
    CMYK,
    COLORS,
    DEFLATE,
    FAX,
    FLOAT,
    JPEG,
    LZMA,
    LZW,
    NONE,
    PACKBITS,
    PALETTE,
    SIGNED,
    STRAIGHT,
    UNSIGNED,
    WHITE_IS_ZERO,
    YCBCR,
    ZSTD,
    TiffPage,
)
from foldline.images.tiff_lzw import lzw_samples

# Names of functions of imagecodecs, see `raster_decoding.CODECS`.
DECOMPRESS = {
    LZW: "lzw_decode",
    PACKBITS: "packbits_decode",
    LZMA: "lzma_decode",
    **dict.fromkeys(DEFLATE, "deflate_decode"),
    **dict.fromkeys(ZSTD, "zstd_decode"),
}
LETTERS = {UNSIGNED: "u", SIGNED: "i", FLOAT: "f"}


def decode_page(data: bytes, page: TiffPage, options: ImageOptions) -> Picture:
    """Decode a page to gray, RGB or CMYK pixels of 8 bits, as stored, not upright.

    Raises:
        UnusableImageError: the page is damaged, or has samples that a gray or RGB picture has not.
    """
    white = white_of(page, options)
    samples, oddities = read_samples(data, page)
    deep = page.bits > 8
    peak = Peak(bright_sample(samples[:, :, : COLORS[page.photometric]]), white) if deep else None
    return Picture.whole(_colors(samples, page, white), oddities=oddities, peak=peak)


def white_of(page: TiffPage, options: ImageOptions) -> float:
    """The sample that becomes white.

    Raises:
        UnusableImageError: the samples have no full range.
    """
    if options.white is not None and page.bits > 8 and page.photometric != PALETTE:
        return options.white
    if page.unranged:
        raise UnusableImageError(range_problem(page.unranged))
    return float(2**page.bits - 1)


def _colors(samples: Samples, page: TiffPage, white: float) -> npt.NDArray[np.uint8]:
    """Gray, RGB or CMYK pixels, composited on black."""
    full = 2**page.bits - 1
    if page.photometric == PALETTE:
        palette: Samples = np.array(page.colors, np.uint16).reshape(3, -1).T
        # Some programs write values of 8 bits into the fields of 16.
        palette = (palette.astype(np.uint32) >> 8) if int(palette.max()) > 255 else palette
        colors = palette.astype(np.uint8)[samples[:, :, 0].astype(np.intp)]
        if STRAIGHT in page.extra:
            alpha = scaled_to_8_bit(samples[:, :, 1:], full)
            return on_black(np.concatenate([colors, alpha], axis=2), 255, 255)
        return colors
    if page.photometric == WHITE_IS_ZERO:
        check_range(samples[:, :, :1], white)
        samples[:, :, :1] = int(white) - samples[:, :, :1]
    if page.photometric == CMYK:
        return scaled_to_8_bit(samples[:, :, :4], white)
    if STRAIGHT in page.extra:
        return on_black(samples, white, full)
    # Premultiplied samples equal the picture composited on black.
    return scaled_to_8_bit(samples[:, :, : COLORS[page.photometric]], white)


def read_samples(data: bytes, page: TiffPage) -> tuple[Samples, tuple[str, ...]]:
    """Decode all samples of a page.

    Returns:
        Samples as stored, (height, width, samples): unsigned, signed or float, of the smallest type that holds them;
        and oddities of JPEG data in it.

    Raises:
        UnusableImageError: a strip or tile is damaged or too short.
    """
    if (whole := lzw_samples(data, page)) is not None:
        return whole, ()
    out = np.empty((page.height, page.width, page.samples), f"{LETTERS[page.kind]}{page.sample_bytes}")
    of_segment = 1 if page.separate else page.samples
    height, width = page.tile
    oddities: set[str] = set()
    for number, (offset, count) in enumerate(page.segments):
        plane, place = divmod(number, page.down * page.across)
        row, column = place // page.across * height, place % page.across * width
        rows, columns = min(height, page.height - row), min(width, page.width - column)
        lines = height if page.tiled else rows
        body = data[offset : offset + count]
        if page.compression == JPEG:
            tile, odd = _jpeg_samples(body, page, of_segment, rows)
            oddities.update(odd)
        else:
            try:
                tile = _segment(body, page, lines, of_segment)
            except UnusableImageError:
                raise
            except Exception as error:  # Each codec has an exception class of its own.
                raise damaged(error) from error
        start = plane if page.separate else 0
        out[row : row + rows, column : column + columns, start : start + of_segment] = tile[:rows, :columns]
    return out, tuple(sorted(oddities))


def _segment(body: bytes, page: TiffPage, rows: int, samples: int) -> Samples:
    """Samples of a strip or tile, (rows, columns of a tile, samples)."""
    columns = page.tile[1]
    stored: bytes | bytearray = imagecodecs.bitorder_decode(body) if page.reversed_bits else body
    if page.compression == FAX:
        bits = imagecodecs.ccittfax4_decode(stored, height=rows, width=columns)
        return np.asarray(bits).reshape(rows, columns, 1).astype(np.uint8)
    row_bytes = -(-columns * samples * page.bits // 8)
    needed = rows * row_bytes
    if page.compression != NONE:
        # The last strip may be as long as the others.
        decompress = getattr(imagecodecs, DECOMPRESS[page.compression])
        stored = decompress(stored, out=max(needed, page.tile[0] * row_bytes))
    if len(stored) < needed:
        raise UnusableImageError(f"damaged: a strip or tile of the TIFF file has {len(stored)} bytes, not {needed}")
    shape, letter = (rows, columns, samples), LETTERS[page.kind]
    if page.predictor == 3:
        return _from_float_bytes(np.frombuffer(stored, np.uint8, needed), page, shape)
    if page.bits not in (8, 16, 32, 64):
        packed = bytes(memoryview(stored)[:needed])
        unpacked = imagecodecs.packints_decode(packed, f"u{page.sample_bytes}", page.bits, runlen=columns * samples)
        return np.asarray(unpacked)[: rows * columns * samples].reshape(shape)
    width = page.bits // 8
    values = np.frombuffer(stored, f"{page.order}{letter}{width}", rows * columns * samples).reshape(shape)
    if page.predictor == 2:
        unsigned = values.astype(f"{letter}{width}").view(f"u{width}")
        return np.add.accumulate(unsigned, axis=1, dtype=unsigned.dtype).view(f"{letter}{width}")
    return values


def _from_float_bytes(raw: npt.NDArray[np.uint8], page: TiffPage, shape: tuple[int, int, int]) -> Samples:
    """Undo the predictor of float samples: differences of bytes, in rows of the highest bytes first."""
    rows, columns, samples = shape
    width = page.bits // 8
    summed = np.add.accumulate(raw.reshape(rows, -1, samples), axis=1, dtype=np.uint8)
    planes = summed.reshape(rows, width, columns * samples).transpose(0, 2, 1)
    return np.ascontiguousarray(planes).view(f">f{width}").reshape(shape)


def _jpeg_samples(body: bytes, page: TiffPage, samples: int, rows: int) -> tuple[Samples, tuple[str, ...]]:
    """Samples of a strip or tile with JPEG compression, and its oddities."""
    if not body.startswith(b"\xff\xd8"):
        raise UnusableImageError("damaged: a strip or tile of the TIFF file is no JPEG")
    whole = page.tables[:-2] + body[2:] if page.tables.startswith(b"\xff\xd8") else body
    header = read_jpeg_header(whole)
    least = (page.tile[0] if page.tiled else rows, page.tile[1])
    if len(header.sampling) != samples or (header.height, header.width) < least or header.width < least[1]:
        raise UnusableImageError("damaged: a strip or tile of the TIFF file is a JPEG of another size")
    if header.height > page.tile[0] + 16 or header.width > page.tile[1] + 16:
        raise UnusableImageError("damaged: a strip or tile of the TIFF file is a JPEG of another size")
    if header.precision != 8:
        if header.precision > page.bits:
            raise UnusableImageError("damaged: the JPEG data of the TIFF file have other bits than it says")
        return deep_samples(whole, header), ()
    if samples == 3:
        # Some programs call a lossless JPEG of RGB YCbCr.
        is_ycbcr = page.photometric == YCBCR and not (header.frame == LOSSLESS and says_rgb(whole))
        return embedded_colors(whole, header, is_ycbcr=is_ycbcr)
    if samples > 1:
        whole = with_colors(whole, is_ycbcr=False)
    return strict_samples(whole, COLOR_SPACES[samples], (0, 0))
