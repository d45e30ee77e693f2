"""Decode image files to upright 8-bit pixels with one or three channels; damage is an error.

libjpeg-turbo decodes JPEG, at a reduced scale if that is enough, libwebp WebP, `tiff_decoding` TIFF, libpng PNG, Pillow
BMP, and `raster_decoding` all others.
"""

from dataclasses import replace

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image

from foldline.images.color_profiles import GAMMA_IGNORED, to_srgb
from foldline.images.dicom_decoding import decode_dicom
from foldline.images.errors import UnusableImageError
from foldline.images.headers import Header, open_image, pillow_errors
from foldline.images.jpeg import JpegHeader
from foldline.images.jpeg_decoding import decode_jpeg, deep_samples
from foldline.images.options import DEFAULT, SRGB, ImageOptions
from foldline.images.picture import Picture, upright
from foldline.images.raster_decoding import decode_raster, decoded, picture_of
from foldline.images.tiff_decoding import decode_page

GRAY_MODES = ("1", "L", "LA")
ALPHA_MODES = ("LA", "PA", "RGBA")
MODES = (*GRAY_MODES, "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")


def decode(
    data: bytes, header: Header, options: ImageOptions = DEFAULT, *, min_width: int = 0, min_height: int = 0
) -> Picture:
    """Decode an image to upright pixels: gray images to one channel, all others to RGB.

    Alpha is composited on black, the color of padding. CMYK and palettes become RGB. If `options.color_profile` is
    "srgb", the ICC profile of an RGB or CMYK file is applied; gamma and chromaticities of PNG files are not. Samples of
    more than 8 bits are scaled linearly, so that `options.white` becomes 255, and rounded.

    Args:
        data: the bytes of the file.
        header: the parsed header of the file.
        options: how to read images.
        min_width: a JPEG may be decoded at a reduced scale that leaves at least this many columns, in pixels. If both
            minima are 0, it is decoded at full scale.
        min_height: as `min_width`, for rows.

    Raises:
        UnusableImageError: the file is damaged or truncated, or its pixel format is not supported.
    """
    if header.jpeg:
        picture = _decode_jpeg(data, header, header.jpeg, options, (min_width, min_height))
    elif header.tiff:
        picture = decode_page(data, header.tiff, options)
    elif header.dicom:
        picture = decode_dicom(header.dicom, options)
    elif header.raster and header.format != "BMP":
        picture = decode_raster(data, header.raster, options)
    elif header.format == "WEBP":
        picture = picture_of(decoded(imagecodecs.webp_decode, data), 8, options)
    elif header.format == "PNG":
        # A transparent color becomes alpha, a palette colors, and 1, 2 or 4 bits become 8.
        picture = picture_of(decoded(imagecodecs.png_decode, data), 16 if ";16" in header.raw_mode else 8, options)
    else:
        picture = Picture.whole(_decode_8_bit(data, header.format))
    profile = header.profile if options.color_profile == SRGB else b""
    picture = to_srgb(picture, profile)
    if header.has_other_gamma and options.color_profile == SRGB and picture.pixels.shape[2] == 3:
        picture = replace(picture, profile=GAMMA_IGNORED)
    return upright(picture, header.orientation)


def _decode_jpeg(
    data: bytes, header: Header, jpeg: JpegHeader, options: ImageOptions, minimum: tuple[int, int]
) -> Picture:
    if jpeg.precision != 8:
        return picture_of(deep_samples(data, jpeg), jpeg.precision, options)
    width, height = minimum if header.orientation < 5 else minimum[::-1]
    return decode_jpeg(data, jpeg, width, height)


def _decode_8_bit(data: bytes, name: str) -> npt.NDArray[np.uint8]:
    """Decode with Pillow; uint8, (height, width, 1) or (height, width, 3)."""
    with open_image(data, name) as image:
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
