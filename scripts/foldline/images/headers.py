"""Read the header of an image file, and refuse files that cannot be used before any pixel is decoded."""

import contextlib
import io
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

# Limit of width times height. A 12 KB file can ask for 10 GB of pixels; the largest cameras have 150 megapixels.
MAX_MEGAPIXELS = 150
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ORIENTATION_TAG = 0x0112
TIFF_BITS_TAG, TIFF_PLANES_TAG = 258, 284
TIFF_SEPARATE_PLANES = 2
NATIVE_ORDER = ";16L" if sys.byteorder == "little" else ";16B"


class UnusableImageError(ValueError):
    """An image that cannot be used; the message is the reason, without the name of the file."""


@dataclass(frozen=True)
class Header:
    """The parsed header of an image file.

    Attributes:
        format: one of `FORMATS`.
        mode: Pillow's name of the pixel format.
        raw_mode: Pillow's name of the sample format in the file, "" if it has none.
        width: pixels, after EXIF orientation.
        height: pixels, after EXIF orientation.
        orientation: EXIF orientation that is still to be applied, in 1..8.
        plain: the file is a JPEG or PNG with nothing but one upright 8-bit image, gray or RGB.
    """

    format: str
    mode: str
    raw_mode: str
    width: int
    height: int
    orientation: int
    plain: bool


def read_header(data: bytes) -> Header:
    """Parse the header of an image file; no memory is allocated for pixels.

    Args:
        data: the bytes of the file.

    Raises:
        UnusableImageError: the file is empty, of an unknown format, truncated, animated, has several pages, or has
            more than `MAX_MEGAPIXELS`.
    """
    if not data:
        raise UnusableImageError("empty file")
    late_exif = _check_png(data) if data.startswith(PNG_SIGNATURE) else b""
    with open_image(data) as image:
        _check_area(*image.size)
        with pillow_errors():
            frames = getattr(image, "n_frames", 1)
        # A JPEG with several images holds previews or depth maps behind the main image, which is the first.
        if frames > 1 and image.format != "MPO":
            raise UnusableImageError(f"{frames} pages" if image.format == "TIFF" else f"animated: {frames} frames")
        if isinstance(image, TiffImageFile):
            _check_planes(image)
        if late_exif:
            image.info["exif"] = late_exif
        # Pillow rotates a TIFF upright by itself and reports its upright size.
        orientation = 1 if image.format == "TIFF" else _orientation(image)
        width, height = image.size if orientation < 5 else image.size[::-1]
        raw_mode = _raw_mode(image)
        plain = (
            image.format in ("JPEG", "PNG")
            and image.mode in ("L", "RGB")
            and (image.format == "JPEG" or raw_mode in ("L", "RGB"))
            and "transparency" not in image.info
            and orientation == 1
        )
        name = "JPEG" if image.format == "MPO" else str(image.format)
        return Header(name, image.mode, raw_mode, width, height, orientation, plain)


def _check_png(data: bytes) -> bytes:
    """Check the checksum of every chunk and the end mark, which Pillow does not; return the EXIF block."""
    view = memoryview(data)
    start = len(PNG_SIGNATURE)
    exif = b""
    while start + 12 <= len(data):
        end = start + 12 + struct.unpack(">I", view[start : start + 4])[0]
        if end > len(data):
            break
        kind = bytes(view[start + 4 : start + 8])
        if zlib.crc32(view[start + 4 : end - 4]) != struct.unpack(">I", view[end - 4 : end])[0]:
            raise UnusableImageError(f"damaged: the PNG chunk at byte {start} does not match its checksum")
        if kind == b"eXIf":
            exif = bytes(view[start + 8 : end - 4])
        if kind == b"IEND":
            return exif
        start = end
    raise UnusableImageError("damaged: the PNG file is truncated")


def _check_area(width: int, height: int) -> None:
    megapixels = width * height / 1e6
    if megapixels > MAX_MEGAPIXELS:
        raise UnusableImageError(
            f"bomb: {width} x {height} pixels, {megapixels:.0f} megapixels; the limit is {MAX_MEGAPIXELS}"
        )


def _check_planes(image: TiffImageFile) -> None:
    """Refuse 16-bit samples in separate planes, which Pillow reads as 8-bit samples."""
    with pillow_errors():
        deep = max(image.tag_v2.get(TIFF_BITS_TAG, (1,))) > 8
        separate = image.tag_v2.get(TIFF_PLANES_TAG) == TIFF_SEPARATE_PLANES
    if deep and separate:
        raise UnusableImageError("a TIFF of 16 bits with one plane per channel; save it with interleaved channels")


@contextlib.contextmanager
def pillow_errors() -> Iterator[None]:
    """Raise `UnusableImageError` for every error of Pillow: what its plugins raise on damage is not documented."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Image.DecompressionBombError as error:
        raise UnusableImageError(f"bomb: more than {MAX_MEGAPIXELS} megapixels") from error
    except UnidentifiedImageError as error:
        raise UnusableImageError("not a readable JPEG, PNG, WebP or TIFF image") from error
    except Exception as error:
        raise damaged(error) from error


def damaged(error: Exception) -> UnusableImageError:
    """The `UnusableImageError` for a file on which a decoder raised `error`."""
    return UnusableImageError(f"damaged: {' '.join(str(error).split()) or type(error).__name__}")


def open_image(data: bytes) -> ImageFile.ImageFile:
    """Open an image with Pillow, which reads its header only."""
    with pillow_errors():
        return Image.open(io.BytesIO(data), formats=FORMATS)


def _orientation(image: ImageFile.ImageFile) -> int:
    """EXIF orientation in 1..8; 1 if the EXIF block is unreadable, which says nothing about the pixels."""
    try:
        with pillow_errors():
            # The PNG plugin's own `getexif` would decode all pixels first.
            value = Image.Image.getexif(image).get(ORIENTATION_TAG)
    except UnusableImageError:
        return 1
    if value is None or value not in range(1, 9):
        return 1
    return int(value)


def _raw_mode(image: ImageFile.ImageFile) -> str:
    if not image.tile:
        return ""
    arguments = image.tile[0].args
    name = arguments[0] if isinstance(arguments, tuple) else arguments
    # libtiff returns samples in the byte order of the machine, which Pillow calls N.
    return name.replace(";16N", NATIVE_ORDER) if isinstance(name, str) else ""
