"""Decode JPEG files: libjpeg-turbo at a reduced scale if that is enough, strictly, and only files that it can take.

simplejpeg refuses whatever libjpeg warns of. A file with harmless oddities is decoded again without them: if the
decoder has nothing to say of the copy, no pixel was touched.
"""

import io

import imagecodecs
import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from foldline.images.errors import UnusableImageError, damaged
from foldline.images.jpeg import (
    APP0,
    APP14,
    LOSSLESS,
    SAMPLING,
    SOS,
    JpegHeader,
    check_junk,
    segments,
    without_harmless,
)
from foldline.images.picture import Picture

# Scales, in eighths, that simplejpeg and TensorFlow both have. 3 takes as long as 4; 5 to 7 up to twice as long as 8.
REDUCED_SCALES = (1, 2, 4)
FULL_SCALE = 8
COLOR_SPACES = {1: "GRAY", 3: "RGB", 4: "CMYK"}
# An Adobe marker without its last byte, which says whether the components are YCbCr.
ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"
# A progressive JPEG may have padding behind each of its scans, of which the decoder names the last alone.
MOST_ATTEMPTS = 16


def decode_jpeg(data: bytes, header: JpegHeader, min_width: int, min_height: int) -> Picture:
    """Decode a JPEG of 8 bits to the pixels as stored, not upright.

    Args:
        data: the bytes of the file.
        header: its header.
        min_width: columns that a reduced scale must leave, in pixels as stored; 0 for full scale, if the other is 0.
        min_height: as `min_width`, for rows.

    Returns:
        Gray, RGB or CMYK, of which 255 is full ink.

    Raises:
        UnusableImageError: the file is damaged.
    """
    width, height = header.width, header.height
    # The buffer of simplejpeg has the reduced size, but libjpeg-turbo does not reduce lossless JPEG: it would write
    # beyond the buffer.
    eighths = FULL_SCALE if header.frame == LOSSLESS else _scale(width, height, min_width, min_height)
    least = (0, 0) if eighths == FULL_SCALE else (-(-height * eighths // 8), -(-width * eighths // 8))
    space = COLOR_SPACES[len(header.sampling)]
    pixels, oddities = strict_samples(data, space, least)
    if space == "CMYK":
        # JPEG files have it inverted.
        pixels = 255 - pixels
    if SAMPLING in oddities:
        eighths = FULL_SCALE
    return Picture(pixels, (0.0, 0.0, width * eighths / 8, height * eighths / 8), oddities)


def strict_samples(data: bytes, space: str, least: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """Decode the samples of a JPEG of 8 bits, and refuse damage of which libjpeg only warns.

    Args:
        data: the bytes of the file.
        space: the color space, as simplejpeg names it.
        least: rows and columns that a reduced scale must leave; 0 and 0 for full scale.

    Returns:
        Samples, (height, width, channels), CMYK as stored; and the oddities of the file.
    """
    oddities: set[str] = set()
    for _ in range(MOST_ATTEMPTS):
        try:
            pixels = simplejpeg.decode_jpeg(data, space, min_height=least[0], min_width=least[1])
        except ValueError as error:
            if "subsampling" in str(error) and space == "RGB":
                return _unusual_samples(data, oddities)
            if "color conversion" in str(error):
                raise UnusableImageError("a lossless JPEG with YCbCr colors; save it as PNG") from error
            data, lacks = without_harmless(data, str(error))
            if not lacks:
                raise damaged(error) from error
            oddities.update(lacks)
        else:
            return pixels, tuple(sorted(oddities))
    raise UnusableImageError("damaged: bytes between the scans of the JPEG file")


def deep_samples(data: bytes, header: JpegHeader) -> npt.NDArray[np.unsignedinteger]:
    """Decode a JPEG of other than 8 bits; (height, width, 1 or 3), values below 2^precision.

    Raises:
        UnusableImageError: the file is damaged or truncated.
    """
    # The decoder does not tell a truncated file, nor one that lost a marker.
    check_junk(data, list(segments(data)))
    try:
        samples = np.asarray(imagecodecs.jpeg8_decode(data))
    except Exception as error:  # An exception class of its own for each codec.
        raise damaged(error) from error
    samples = samples[:, :, None] if samples.ndim == 2 else samples
    if samples.shape[:2] != (header.height, header.width) or samples.shape[2] not in (1, 3):
        raise UnusableImageError(f"a JPEG of {header.precision} bits with {samples.shape[2]} components")
    return samples


def _unusual_samples(data: bytes, oddities: set[str]) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """Decode a JPEG whose chroma sampling simplejpeg does not know; Pillow refuses truncated files."""
    data, lacks = without_harmless(data, "")
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            pixels = np.asarray(image.convert("RGB"))
    except Exception as error:  # What Pillow raises on damage is not documented.
        raise damaged(error) from error
    return pixels, tuple(sorted({*oddities, *lacks, SAMPLING}))


def with_colors(data: bytes, *, is_ycbcr: bool) -> bytes:
    """A JPEG file whose markers say what its components are: in a TIFF or DICOM file, the tags do."""
    head = list(segments(data, scans=False))
    kept = [data[segment.start : segment.end] for segment in head if segment.marker not in (APP0, APP14, SOS)]
    return b"".join([data[:2], *kept, ADOBE, bytes([is_ycbcr]), data[head[-1].start :]])


def embedded_colors(
    data: bytes, header: JpegHeader, *, is_ycbcr: bool
) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """RGB pixels and oddities of a JPEG with 3 components of 8 bits in another file, which says what these are.

    libjpeg-turbo converts no colors of a lossless JPEG.

    Raises:
        UnusableImageError: the file is damaged.
    """
    lossless = header.frame == LOSSLESS
    pixels, oddities = strict_samples(with_colors(data, is_ycbcr=is_ycbcr and not lossless), "RGB", (0, 0))
    if is_ycbcr and lossless:
        pixels = np.asarray(Image.fromarray(pixels, "YCbCr").convert("RGB"))
    return pixels, oddities


def says_rgb(data: bytes) -> bool:
    """Whether an Adobe marker says that the components are RGB."""
    marks = (
        data[segment.start + 4 : segment.end] for segment in segments(data, scans=False) if segment.marker == APP14
    )
    return any(body.startswith(b"Adobe") and len(body) >= 12 and body[11] == 0 for body in marks)


def _scale(width: int, height: int, min_width: int, min_height: int) -> int:
    """Scale in eighths at which to decode a JPEG; 8 if a side is below 8 pixels, where two scales may share a size."""
    if min(width, height) < FULL_SCALE or max(min_width, min_height) == 0:
        return FULL_SCALE
    fits = (
        eighths
        for eighths in REDUCED_SCALES
        if _leaves(width * eighths, min_width) and _leaves(height * eighths, min_height)
    )
    return next(fits, FULL_SCALE)


def _leaves(eighths: int, least: int) -> bool:
    """Whether a side, in eighths of a pixel, leaves enough pixels to shrink it.

    A side that ends within a pixel has to be one pixel longer: OpenCV copies a picture whose rounded size is the new
    size.
    """
    return eighths >= 8 * (least + (eighths % 8 > 0))
