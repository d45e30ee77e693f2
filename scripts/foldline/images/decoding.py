"""Decode image files to upright 8-bit pixels with one or three channels; damage is an error.

libjpeg-turbo decodes JPEG, at a reduced scale if that is enough; Pillow decodes the other formats.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from foldline.images.errors import UnusableImageError
from foldline.images.headers import Header, open_image, pillow_errors
from foldline.images.jpeg import JpegHeader
from foldline.images.jpeg_decoding import decode_jpeg, deep_samples
from foldline.images.picture import Picture, upright

# Samples that are converted at a time.
BAND = 1 << 20
GRAY_MODES = ("1", "L", "LA")
ALPHA_MODES = ("LA", "PA", "RGBA")
MODES = (*GRAY_MODES, "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
# Pillow keeps one byte of a 16-bit sample: the high one in the raw mode of the file, the low one in its counterpart.
COUNTERPARTS = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B", "RGBA;16B": "RGBA;16L", "RGBA;16L": "RGBA;16B"}
TIFF_PHOTOMETRIC_TAG, TIFF_WHITE_IS_ZERO = 262, 0


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
    if header.jpeg:
        picture = _decode_jpeg(data, header, header.jpeg, min_width, min_height)
    elif ";16" in header.raw_mode:
        picture = Picture.whole(_decode_16_bit(data, header))
    else:
        picture = Picture.whole(_decode_8_bit(data))
    return upright(picture, header.orientation)


def _decode_jpeg(data: bytes, header: Header, jpeg: JpegHeader, min_width: int, min_height: int) -> Picture:
    if jpeg.precision != 8:
        return Picture.whole(scaled_to_8_bit(deep_samples(data, jpeg), jpeg.precision))
    if header.orientation >= 5:
        min_width, min_height = min_height, min_width
    return decode_jpeg(data, jpeg, min_width, min_height)


def scaled_to_8_bit(samples: npt.NDArray[np.unsignedinteger], bits: int = 16) -> npt.NDArray[np.uint8]:
    """Convert samples of 1 to 16 bits: 0 stays 0, the largest value becomes 255, others are rounded.

    Args:
        samples: (height, width, channels).
        bits: bits of a sample.
    """
    full = 2**bits - 1
    table = ((np.arange(full + 1) * 510 + full) // (2 * full)).astype(np.uint8)
    out = np.empty(samples.shape, np.uint8)
    rows = max(1, BAND // max(1, samples[:1].size))
    for start in range(0, len(samples), rows):
        out[start : start + rows] = table[samples[start : start + rows]]
    return out


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
