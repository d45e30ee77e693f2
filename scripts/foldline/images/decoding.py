"""Decode image files to upright 8-bit pixels with one or three channels; damage is an error.

libjpeg-turbo decodes JPEG, at a reduced scale if that is enough; Pillow decodes the other formats.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from foldline.images.headers import Header, UnusableImageError, damaged, open_image, pillow_errors

# Scales, in eighths, at which libjpeg-turbo decodes faster than at full scale; 5 to 7 take up to twice as long.
REDUCED_SCALES = (1, 2, 3, 4)
FULL_SCALE = 8
GRAY_MODES = ("1", "L", "LA")
ALPHA_MODES = ("LA", "PA", "RGBA")
MODES = (*GRAY_MODES, "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
# Pillow keeps one byte of a 16-bit sample: the high one in the raw mode of the file, the low one in its counterpart.
COUNTERPARTS = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B", "RGBA;16B": "RGBA;16L", "RGBA;16L": "RGBA;16B"}
TIFF_PHOTOMETRIC_TAG, TIFF_WHITE_IS_ZERO = 262, 0


@dataclass(frozen=True)
class Picture:
    """Decoded pixels, and the box in them that the picture covers.

    Attributes:
        pixels: uint8, (height, width, 1) or (height, width, 3).
        box: left, top, right, bottom of the picture in pixels. A reduced JPEG is padded to whole pixels: 901 rows at a
            quarter become 226, of which the picture covers 225.25. Resizing without the box would shift the picture by
            up to a pixel.
    """

    pixels: npt.NDArray[np.uint8]
    box: tuple[float, float, float, float]

    @classmethod
    def whole(cls, pixels: npt.NDArray[np.uint8]) -> "Picture":
        """A picture that fills its pixels."""
        return cls(pixels, (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0])))


def decode(data: bytes, header: Header, *, min_width: int = 0, min_height: int = 0) -> Picture:
    """Decode an image to upright pixels: gray images to one channel, all others to RGB.

    Alpha is composited on black, the color of padding. CMYK and palettes become RGB; ICC profiles are not applied.
    Samples of 16 bits become value / 257, rounded.

    Args:
        data: the bytes of the file.
        header: the parsed header of the file.
        min_width: a JPEG may be decoded at a reduced scale that leaves at least this many columns, in pixels. If both
            minima are 0, it is decoded at full scale.
        min_height: as `min_width`, for rows.

    Raises:
        UnusableImageError: the file is damaged or truncated, or its pixel format is not supported.
    """
    if header.format == "JPEG" and header.mode in ("L", "RGB"):
        picture = _decode_jpeg(data, header, min_width, min_height)
    elif ";16" in header.raw_mode:
        picture = Picture.whole(_decode_16_bit(data, header))
    else:
        picture = Picture.whole(_decode_8_bit(data))
    return upright(picture, header.orientation)


def upright(picture: Picture, orientation: int) -> Picture:
    """Flip and rotate a picture upright; `orientation` is an EXIF 2.32 number, 1..8."""
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


def scaled_to_8_bit(samples: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    """Convert 16-bit samples to value / 257, rounded: 0 stays 0 and 65535 becomes 255."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _decode_jpeg(data: bytes, header: Header, min_width: int, min_height: int) -> Picture:
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
    """Scale in eighths at which to decode a JPEG; 8 if a side is below 8 pixels, where two scales may share a size."""
    if min(width, height) < FULL_SCALE or max(min_width, min_height) == 0:
        return FULL_SCALE
    fits = (
        eighths for eighths in REDUCED_SCALES if width * eighths >= 8 * min_width and height * eighths >= 8 * min_height
    )
    return next(fits, FULL_SCALE)


def _decode_16_bit(data: bytes, header: Header) -> npt.NDArray[np.uint8]:
    """Decode samples of 16 bits; uint8, (height, width, 1) or (height, width, 3)."""
    samples = _samples_16_bit(data, header)
    with open_image(data) as image:
        if isinstance(image, TiffImageFile) and image.tag_v2.get(TIFF_PHOTOMETRIC_TAG) == TIFF_WHITE_IS_ZERO:
            samples = 65535 - samples
        transparent = image.info.get("transparency")
    if samples.shape[2] in (2, 4):
        return _on_black(samples[:, :, :-1], samples[:, :, -1:])
    if transparent is not None:
        alpha = np.any(samples != np.asarray(transparent), axis=2, keepdims=True) * 65535
        return _on_black(samples, alpha)
    return scaled_to_8_bit(samples)


def _samples_16_bit(data: bytes, header: Header) -> npt.NDArray[np.uint16]:
    """Read the samples of the file unchanged; uint16, (height, width, 1 to 4)."""
    if header.mode in ("I;16", "I;16B"):
        with open_image(data) as image, pillow_errors():
            image.load()
            return np.asarray(image).astype(np.uint16)[:, :, None]
    if header.raw_mode == "LA;16B":
        # Four bytes per pixel, as in 8-bit RGBA: the high and low bytes of gray and alpha.
        four = _bytes_read_as(data, "RGBA").astype(np.uint16)
        return four[:, :, 0::2] * 256 + four[:, :, 1::2]
    if header.raw_mode not in COUNTERPARTS:
        raise UnusableImageError(f"pixel format {header.raw_mode} is not supported; save it as RGB or gray of 8 bits")
    high = _bytes_read_as(data, header.raw_mode).astype(np.uint16)
    return high * 256 + _bytes_read_as(data, COUNTERPARTS[header.raw_mode])


def _bytes_read_as(data: bytes, raw_mode: str) -> npt.NDArray[np.uint8]:
    """Decode the samples of the file as `raw_mode`; uint8, (height, width, channels)."""
    with open_image(data) as image:
        image.tile = [
            tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
            for tile in image.tile
        ]
        with pillow_errors():
            image.load()
            return np.asarray(image)


def _on_black(color: npt.NDArray[np.integer], alpha: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    """Composite 16-bit samples on black; uint8, the shape of `color`."""
    full = 65535 * 257
    return ((color.astype(np.uint64) * alpha.astype(np.uint64) + full // 2) // full).astype(np.uint8)


def _decode_8_bit(data: bytes) -> npt.NDArray[np.uint8]:
    """Decode with Pillow; uint8, (height, width, 1) or (height, width, 3)."""
    with open_image(data) as image:
        if image.mode not in MODES:
            raise UnusableImageError(f"pixel format {image.mode} is not supported; save it as RGB or gray of 8 bits")
        gray = image.mode in GRAY_MODES
        with pillow_errors():
            image.load()
            if image.mode in ALPHA_MODES or "transparency" in image.info:
                straight = _in_mode(image, "LA" if gray else "RGBA")
                # Premultiplied samples equal the picture composited on black.
                return np.asarray(straight.convert("La" if gray else "RGBa"))[:, :, : 1 if gray else 3]
            pixels = np.asarray(_in_mode(image, "L" if gray else "RGB"))
    return pixels[:, :, None] if gray else pixels


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)
