"""How much memory an image needs while it is decoded, from its header: what a job requests (`mem_mb`).

`tests/benchmark/peak_memory.py` compares it with what decoding takes.
"""

from collections.abc import Sequence
from typing import NamedTuple

from foldline.images.dicom import BIG_ENDIAN, JPEG_2000, LITTLE_ENDIAN, RGB, DicomPicture
from foldline.images.exif import UPRIGHT
from foldline.images.headers import Header
from foldline.images.jpeg import LOSSLESS, JpegHeader
from foldline.images.tiff import CMYK, LZW, NONE, PALETTE, TiffPage

# Bytes for a pixel by the raw mode of a PNG file: samples and picture, or twice the samples as stored while they are
# decompressed. Palettes and bits below 8 may have alpha.
PNG_BYTES = {"L": 2, "LA": 4, "RGB": 6, "RGBA": 8}
PNG_SAMPLES = {"I": 1, "LA": 2, "RGB": 3, "RGBA": 4}
PALETTE_BYTES, BITS_BYTES = 7, 3
# Those of four samples, with alpha.
WEBP_BYTES = 8
# By the channels of a JPEG of 8 bits; inks are inverted and converted.
JPEG_BYTES = {1: 1, 3: 3, 4: 12}
COEFFICIENT_BYTES = 2
# Bytes for a pixel while its colors are converted, or the picture is turned upright.
CONVERSION_BYTES, TURN_BYTES = 4, 3


class DecodingMemory(NamedTuple):
    """Memory for an image beside the process.

    Attributes:
        fixed: bytes that are needed at any scale, the file included.
        scaled: bytes for each pixel of the decoded picture, if it may be decoded at a reduced scale; else 0.
    """

    fixed: int
    scaled: int = 0


def decoding_memory(header: Header, size: int) -> DecodingMemory:
    """Memory to decode an image.

    Args:
        header: its header.
        size: bytes of the file.
    """
    more = CONVERSION_BYTES if header.profile and header.mode != "L" else 0
    more += TURN_BYTES if header.orientation != UPRIGHT else 0
    pixels = header.width * header.height
    if header.jpeg:
        return _of_jpeg(header.jpeg, size, pixels, more)
    if header.raster:
        return DecodingMemory(header.raster.decoded_bytes + more * pixels)
    if header.dicom:
        return DecodingMemory(_of_dicom(header.dicom, size) + more * pixels)
    if header.tiff or header.pages:
        return DecodingMemory(size + _of_pages([header.tiff] if header.tiff else header.pages) + more * pixels)
    if header.format == "WEBP":
        return DecodingMemory(size + (WEBP_BYTES + more) * pixels)
    return DecodingMemory(2 * size + (_png_bytes(header) + more) * pixels)


def _png_bytes(header: Header) -> int:
    """Bytes for a pixel."""
    name, _, bits = header.raw_mode.partition(";")
    if bits.startswith("16"):
        return 4 * PNG_SAMPLES[name]
    if header.mode == "P":
        return PALETTE_BYTES
    # A transparent color becomes alpha.
    has_color_key = not header.plain and header.orientation == UPRIGHT and name in ("L", "RGB")
    return BITS_BYTES if bits else PNG_BYTES.get(name + "A" * has_color_key, BITS_BYTES)


def _of_jpeg(jpeg: JpegHeader, size: int, pixels: int, more: int) -> DecodingMemory:
    channels, fixed = len(jpeg.sampling), 2 * size
    if jpeg.in_scans:
        most = max(x for x, _ in jpeg.sampling) * max(y for _, y in jpeg.sampling)
        fixed += COEFFICIENT_BYTES * pixels * sum(x * y for x, y in jpeg.sampling) // most
    if jpeg.precision != 8:
        return DecodingMemory(fixed + (3 * channels + more) * pixels)
    scaled = JPEG_BYTES[channels] + more
    return DecodingMemory(fixed + scaled * pixels) if jpeg.frame == LOSSLESS else DecodingMemory(fixed, scaled)


def _of_pages(pages: Sequence[TiffPage]) -> int:
    """Samples of the largest page, strips while they are decompressed, and the pictures of all pages."""
    samples = [page.width * page.height * page.samples * page.sample_bytes for page in pages]
    pictures = sum(
        page.width * page.height * (3 if page.photometric == PALETTE else page.samples)
        for page in pages
        if len(pages) > 1 or page.bits != 8 or page.photometric in (PALETTE, CMYK) or page.extra
    )
    return max(
        *(of_page + pictures for of_page in samples),
        *(of_page + _of_strip(page) for of_page, page in zip(samples, pages, strict=True)),
    )


def _of_strip(page: TiffPage) -> int:
    """A strip or tile while it is decompressed, and while its differences are added."""
    if page.compression == NONE:
        return 0
    strip = page.tile[0] * page.tile[1] * (1 if page.separate else page.samples) * page.sample_bytes
    counts = [count for _, count in page.segments]
    needed = strip * (3 if page.predictor != 1 else 1) + max(counts)
    # All strips of LZW are copied.
    return max(needed, sum(counts)) if page.compression == LZW else needed


def _of_dicom(picture: DicomPicture, size: int) -> int:
    """The file and its pixel data, copies of the samples as stored, and the picture."""
    samples = picture.width * picture.height * picture.samples
    is_view = picture.syntax in (*LITTLE_ENDIAN, BIG_ENDIAN) and not picture.planar and not picture.swapped
    # The bits that count of gray samples are shifted and masked.
    copies = (not is_view) + 2 * (picture.samples == 1 and picture.stored < picture.allocated)
    needed = 2 * size + copies * samples * picture.allocated // 8
    if picture.samples == 1 or picture.allocated > 8:
        needed += samples
    if picture.syntax in JPEG_2000:
        # Its decoder has 32 bits for a sample.
        needed += 4 * samples
    if picture.samples == 3 and picture.photometric != RGB:
        needed += CONVERSION_BYTES * samples
    return needed + (2 * samples if picture.palette else 0)
