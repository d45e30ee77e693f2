"""Decode image files to upright 8-bit pixels with one or three channels; damage is an error.

`DECODERS` lists the decoder of each format.
"""

from collections.abc import Callable
from dataclasses import replace

import imagecodecs

from foldline.images.color_profiles import GAMMA_IGNORED, to_srgb
from foldline.images.headers import Header
from foldline.images.jpeg_decoding import decode_jpeg, deep_samples
from foldline.images.options import DEFAULT, SRGB, ImageOptions
from foldline.images.picture import Picture, upright
from foldline.images.png_decoding import png_samples
from foldline.images.raster_decoding import decode_raster, decoded, picture_of


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
    decoder = DECODERS.get(header.format, _decode_raster)
    picture = decoder(data, header, options, (min_width, min_height))
    profile = header.profile if options.color_profile == SRGB else b""
    picture = to_srgb(picture, profile)
    if header.has_other_gamma and options.color_profile == SRGB and picture.pixels.shape[2] == 3:
        picture = replace(picture, profile=GAMMA_IGNORED)
    return upright(picture, header.orientation)


def _decode_jpeg(data: bytes, header: Header, options: ImageOptions, minimum: tuple[int, int]) -> Picture:
    assert header.jpeg
    if header.jpeg.precision != 8:
        return picture_of(deep_samples(data, header.jpeg), header.jpeg.precision, options)
    width, height = minimum if header.orientation < 5 else minimum[::-1]
    return decode_jpeg(data, header.jpeg, width, height)


def _decode_png(data: bytes, header: Header, options: ImageOptions, minimum: tuple[int, int]) -> Picture:
    # A transparent color becomes alpha, a palette colors, and 1, 2 or 4 bits become 8.
    return picture_of(png_samples(data), 16 if ";16" in header.raw_mode else 8, options)


def _decode_webp(data: bytes, header: Header, options: ImageOptions, minimum: tuple[int, int]) -> Picture:
    return picture_of(decoded(imagecodecs.webp_decode, data), 8, options)


def _decode_tiff(data: bytes, header: Header, options: ImageOptions, minimum: tuple[int, int]) -> Picture:
    # Imported here, as below: worker processes start faster without the decoders of formats that they do not meet.
    from foldline.images.tiff_decoding import decode_page

    assert header.tiff
    return decode_page(data, header.tiff, options)


def _decode_dicom(data: bytes, header: Header, options: ImageOptions, minimum: tuple[int, int]) -> Picture:
    from foldline.images.dicom_decoding import decode_dicom

    assert header.dicom
    return decode_dicom(header.dicom, options)


def _decode_raster(data: bytes, header: Header, options: ImageOptions, minimum: tuple[int, int]) -> Picture:
    assert header.raster
    return decode_raster(data, header.raster, options)


def _decode_bmp(data: bytes, header: Header, options: ImageOptions, minimum: tuple[int, int]) -> Picture:
    from foldline.images.bmp_decoding import bmp_pixels

    return Picture.whole(bmp_pixels(data))


# The decoder of each format; `raster_decoding` has the others. Behind it its library, and how many times as fast as
# Pillow and as OpenCV it decodes a photograph of 1.5 megapixels, the checks of header and checksums included
# (`tests/benchmark/decoders.py`). OpenCV accepts damaged files.
DECODERS: dict[str, Callable[[bytes, Header, ImageOptions, tuple[int, int]], Picture]] = {
    "JPEG": _decode_jpeg,  # libjpeg-turbo by simplejpeg; 1.4 and 1.0, at a reduced scale for 384 pixels 2.0 and 1.4
    "PNG": _decode_png,  # libdeflate and libpng by imagecodecs; RGB 2.1 and 1.9, gray 1.5 and 1.2, 16 bits 1.0 and 1.0
    "WEBP": _decode_webp,  # libwebp by imagecodecs; 1.3 and 1.0, lossless 1.2 and 1.0
    "TIFF": _decode_tiff,  # own, imagecodecs; no compression 4 and 4, deflate 2.0 and 2.0, LZW (libtiff) 1.1 and 1.2
    "DICOM": _decode_dicom,  # own, codecs of imagecodecs
    "BMP": _decode_bmp,  # own
    # GIF 0.9 and 1.9, PNM 11 and 7, JPEG 2000 1.7 and 1.1, AVIF 1.2 and 2.1
}
