"""What an image file says of itself before a pixel is decoded, and refusal of what cannot be used."""

import contextlib
import io
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageFile

# Limit of width times height. A 12 KB file can ask for 10 GB of pixels; the largest cameras take 150 megapixels.
MAX_MEGAPIXELS = 150
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ORIENTATION_TAG = 0x0112
TIFF_BITS_TAG, TIFF_PLANES_TAG = 258, 284
TIFF_SEPARATE_PLANES = 2
NATIVE_ORDER = ";16L" if sys.byteorder == "little" else ";16B"


class UnusableImageError(ValueError):
    """An image that cannot be used; the message is the reason, without the file's name."""


@dataclass(frozen=True)
class Header:
    """What a file says of its image before a pixel is decoded.

    Attributes:
        format: one of `FORMATS`.
        mode: Pillow's name of the pixel format.
        raw_mode: Pillow's name of the samples in the file, "" where it has none.
        width: pixels, after EXIF orientation.
        height: pixels, after EXIF orientation.
        orientation: EXIF orientation that is left to apply, in 1..8.
        plain: the file holds nothing but an upright picture of 8 bits, gray or RGB, as JPEG or PNG.
    """

    format: str
    mode: str
    raw_mode: str
    width: int
    height: int
    orientation: int
    plain: bool


def read_header(data: bytes) -> Header:
    """Read what a file says of its image, and refuse what cannot be used, before any memory is spent on pixels.

    Args:
        data: the bytes of the file.

    Raises:
        UnusableImageError: empty, of no known format, cut, animated, of several pages, or above `MAX_MEGAPIXELS`.
    """
    if not data:
        raise UnusableImageError("empty file")
    late_exif = _checked_png(data) if data.startswith(PNG_SIGNATURE) else b""
    with opened(data) as image:
        _check_area(*image.size)
        with reading():
            frames = getattr(image, "n_frames", 1)
        # A JPEG with several pictures carries previews or depth maps behind the one that counts, the first.
        if frames > 1 and image.format != "MPO":
            raise UnusableImageError(f"{frames} pages" if image.format == "TIFF" else f"animated: {frames} frames")
        if image.format == "TIFF":
            _check_planes(image)
        if late_exif:
            image.info["exif"] = late_exif
        # Pillow turns a TIFF upright by itself and reports its upright size.
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


def _checked_png(data: bytes) -> bytes:
    """Check the checksum of every chunk and the end mark, which Pillow does not; return the EXIF chunk's content."""
    view = memoryview(data)
    place = len(PNG_SIGNATURE)
    exif = b""
    while place + 12 <= len(data):
        end = place + 12 + struct.unpack(">I", view[place : place + 4])[0]
        if end > len(data):
            break
        kind = bytes(view[place + 4 : place + 8])
        if zlib.crc32(view[place + 4 : end - 4]) != struct.unpack(">I", view[end - 4 : end])[0]:
            raise UnusableImageError(f"damaged: the checksum of the PNG chunk at byte {place} does not fit")
        if kind == b"eXIf":
            exif = bytes(view[place + 8 : end - 4])
        if kind == b"IEND":
            return exif
        place = end
    raise UnusableImageError("damaged: the PNG file is cut")


def _check_area(width: int, height: int) -> None:
    megapixels = width * height / 1e6
    if megapixels > MAX_MEGAPIXELS:
        raise UnusableImageError(
            f"bomb: {width} x {height} pixels, {megapixels:.0f} megapixels where the limit is {MAX_MEGAPIXELS}"
        )


def _check_planes(image: ImageFile.ImageFile) -> None:
    """Refuse 16-bit samples in a plane per channel, which Pillow would take for 8-bit ones."""
    with reading():
        deep = max(image.tag_v2.get(TIFF_BITS_TAG, (1,))) > 8
        separate = image.tag_v2.get(TIFF_PLANES_TAG) == TIFF_SEPARATE_PLANES
    if deep and separate:
        raise UnusableImageError("a TIFF of 16 bits with one plane per channel; save it with interleaved channels")


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Let Pillow read a file: what its plugins raise on damage is not a documented set, so it is all caught here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Image.DecompressionBombError as error:
        raise UnusableImageError(f"bomb: more than {MAX_MEGAPIXELS} megapixels") from error
    except Image.UnidentifiedImageError as error:
        raise UnusableImageError("not a readable JPEG, PNG, WebP or TIFF image") from error
    except Exception as error:
        raise damaged(error) from error


def damaged(error: Exception) -> UnusableImageError:
    """The refusal of a file that a decoder raised `error` for."""
    return UnusableImageError(f"damaged: {' '.join(str(error).split()) or type(error).__name__}")


def opened(data: bytes) -> ImageFile.ImageFile:
    """Open an image with Pillow, which reads its header only."""
    with reading():
        return Image.open(io.BytesIO(data), formats=FORMATS)


def _orientation(image: ImageFile.ImageFile) -> int:
    """EXIF orientation in 1..8; an EXIF block that cannot be read says nothing about the pixels and counts as 1."""
    try:
        with reading():
            # The PNG plugin's own `getexif` would decode all pixels first.
            value = Image.Image.getexif(image).get(ORIENTATION_TAG)
    except UnusableImageError:
        return 1
    return value if value in range(1, 9) else 1


def _raw_mode(image: ImageFile.ImageFile) -> str:
    if not image.tile:
        return ""
    arguments = image.tile[0].args
    name = arguments[0] if isinstance(arguments, tuple) else arguments
    # libtiff hands samples over in the order of the machine, which Pillow calls N.
    return name.replace(";16N", NATIVE_ORDER) if isinstance(name, str) else ""
