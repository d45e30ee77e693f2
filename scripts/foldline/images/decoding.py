"""Pixels of an image file: upright, 8 bit, one channel or three; damage is an error.

JPEG is decoded by libjpeg-turbo, at a reduced scale where that is enough; the other formats by Pillow.
"""

from dataclasses import dataclass

import numpy as np
import simplejpeg
from PIL import Image

from foldline.images.headers import Header, UnusableImageError, damaged, opened, reading

# Scales, in eighths, at which libjpeg-turbo decodes faster than at full scale; 5 to 7 take up to twice as long.
REDUCED_SCALES = (1, 2, 3, 4)
FULL_SCALE = 8
GRAY_MODES = ("1", "L", "LA")
ALPHA_MODES = ("LA", "PA", "RGBA")
MODES = (*GRAY_MODES, "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
# Pillow keeps the high byte of a 16-bit sample. Where that stands, the raw mode says; its twin reads the low byte.
TWIN = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B", "RGBA;16B": "RGBA;16L", "RGBA;16L": "RGBA;16B"}
TIFF_PHOTOMETRIC_TAG, TIFF_WHITE_IS_ZERO = 262, 0


@dataclass(frozen=True)
class Picture:
    """Pixels, and how far the picture reaches in them.

    Attributes:
        pixels: uint8, (height, width, 1) or (height, width, 3).
        box: left, top, right, bottom of the picture in pixels. A reduced JPEG is filled up to whole pixels: 901 rows at
            a quarter are 226, of which the picture covers 225.25. Without this, resizing would shift it by up to a
            pixel.
    """

    pixels: np.ndarray
    box: tuple[float, float, float, float]

    @classmethod
    def whole(cls, pixels: np.ndarray) -> "Picture":
        """A picture that fills its pixels."""
        return cls(pixels, (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0])))


def decode(data: bytes, header: Header, *, min_width: int = 0, min_height: int = 0) -> Picture:
    """Decode an image: upright, gray kept as one channel, everything else as RGB.

    Alpha is composited on black, the color that padding has too. CMYK and palettes become RGB; ICC profiles are not
    applied. Samples of 16 bits become value / 257, rounded.

    Args:
        data: the bytes of the file.
        header: what `read_header` gave for them.
        min_width: a JPEG may come reduced so far that the picture keeps at least this many columns, in pixels. With
            both minima at 0 it comes as it is.
        min_height: as `min_width`, for rows.

    Raises:
        UnusableImageError: damaged, cut, or of a pixel format that has no 8-bit counterpart.
    """
    if header.format == "JPEG" and header.mode in ("L", "RGB"):
        picture = _decoded_jpeg(data, header, min_width, min_height)
    elif ";16" in header.raw_mode:
        picture = Picture.whole(_decoded_16_bit(data, header))
    else:
        picture = Picture.whole(_decoded_8_bit(data))
    return upright(picture, header.orientation)


def upright(picture: Picture, orientation: int) -> Picture:
    """Turn a picture upright; `orientation` as EXIF 2.32 numbers it, 1..8."""
    pixels, (left, top, right, bottom) = picture.pixels, picture.box
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
        left, top, right, bottom = top, left, bottom, right
    height, width = pixels.shape[:2]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
        top, bottom = height - bottom, height - top
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
        left, right = width - right, width - left
    return Picture(np.ascontiguousarray(pixels), (left, top, right, bottom))


def scaled_to_8_bit(samples: np.ndarray) -> np.ndarray:
    """Samples of 16 bits as value / 257, rounded: 0 stays 0 and 65535 becomes 255."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _decoded_jpeg(data: bytes, header: Header, min_width: int, min_height: int) -> Picture:
    width, height = header.width, header.height
    if header.orientation >= 5:
        width, height, min_width, min_height = height, width, min_height, min_width
    eighths = _scale(width, height, min_width, min_height)
    rows, columns = (0, 0) if eighths == FULL_SCALE else (-(-height * eighths // 8), -(-width * eighths // 8))
    try:
        pixels = simplejpeg.decode_jpeg(
            data, "GRAY" if header.mode == "L" else "RGB", min_height=rows, min_width=columns
        )
    except ValueError as error:
        raise damaged(error) from error
    return Picture(pixels, (0.0, 0.0, width * eighths / 8, height * eighths / 8))


def _scale(width: int, height: int, min_width: int, min_height: int) -> int:
    """Eighths at which a JPEG is decoded. Below 8 pixels two scales can give the same size, so there it is 8."""
    if min(width, height) < FULL_SCALE or max(min_width, min_height) == 0:
        return FULL_SCALE
    fits = (
        eighths for eighths in REDUCED_SCALES if width * eighths >= 8 * min_width and height * eighths >= 8 * min_height
    )
    return next(fits, FULL_SCALE)


def _decoded_16_bit(data: bytes, header: Header) -> np.ndarray:
    """Decode samples of 16 bits; uint8, (height, width, 1) or (height, width, 3)."""
    samples = _samples_16_bit(data, header)
    with opened(data) as image:
        tags = image.tag_v2 if header.format == "TIFF" else {}
        if tags.get(TIFF_PHOTOMETRIC_TAG) == TIFF_WHITE_IS_ZERO:
            samples = 65535 - samples
        transparent = image.info.get("transparency")
    if samples.shape[2] in (2, 4):
        return _on_black(samples[:, :, :-1], samples[:, :, -1:])
    if transparent is not None:
        alpha = np.any(samples != np.asarray(transparent), axis=2, keepdims=True) * 65535
        return _on_black(samples, alpha)
    return scaled_to_8_bit(samples)


def _samples_16_bit(data: bytes, header: Header) -> np.ndarray:
    """The samples as they stand in the file; uint16, (height, width, 1 to 4)."""
    if header.mode in ("I;16", "I;16B"):
        with opened(data) as image, reading():
            image.load()
            return np.asarray(image).astype(np.uint16)[:, :, None]
    if header.raw_mode == "LA;16B":
        # Four bytes a pixel, as RGBA of 8 bits has: the high and low bytes of gray and alpha.
        four = _bytes_read_as(data, "RGBA").astype(np.uint16)
        return four[:, :, 0::2] * 256 + four[:, :, 1::2]
    if header.raw_mode not in TWIN:
        raise UnusableImageError(f"pixel format {header.raw_mode} is not supported; save it as RGB or gray of 8 bits")
    high = _bytes_read_as(data, header.raw_mode).astype(np.uint16)
    return high * 256 + _bytes_read_as(data, TWIN[header.raw_mode])


def _bytes_read_as(data: bytes, raw_mode: str) -> np.ndarray:
    """Decode with the samples in the file taken as `raw_mode`; uint8, (height, width, channels)."""
    with opened(data) as image:
        image.tile = [
            tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
            for tile in image.tile
        ]
        with reading():
            image.load()
            return np.asarray(image)


def _on_black(color: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Composite 16-bit samples on black; uint8, the shape of `color`."""
    full = 65535 * 257
    return ((color.astype(np.uint64) * alpha.astype(np.uint64) + full // 2) // full).astype(np.uint8)


def _decoded_8_bit(data: bytes) -> np.ndarray:
    """Decode with Pillow; uint8, (height, width, 1) or (height, width, 3)."""
    with opened(data) as image:
        if image.mode not in MODES:
            raise UnusableImageError(f"pixel format {image.mode} is not supported; save it as RGB or gray of 8 bits")
        gray = image.mode in GRAY_MODES
        with reading():
            image.load()
            if image.mode in ALPHA_MODES or "transparency" in image.info:
                straight = _in_mode(image, "LA" if gray else "RGBA")
                # Premultiplied samples are the picture composited on black.
                return np.asarray(straight.convert("La" if gray else "RGBa"))[:, :, : 1 if gray else 3]
            pixels = np.asarray(_in_mode(image, "L" if gray else "RGB"))
    return pixels[:, :, None] if gray else pixels


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)
