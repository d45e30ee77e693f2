"""The header of an AVIF file, which libavif decodes."""

from foldline.images.boxes import frames_of_sequence, read_main_item
from foldline.images.errors import UnusableImageError
from foldline.images.raster import Raster

BRANDS = (b"avif", b"avis")
# Colors of 16 bits as stored, as decoded, and with alpha.
BYTES_PER_PIXEL = 18


def is_avif(data: bytes) -> bool:
    """Whether the file starts like an AVIF file."""
    return data[4:8] == b"ftyp" and data[8:12] in BRANDS


def read_avif_header(data: bytes) -> Raster:
    """Parse the boxes of a file.

    Raises:
        UnusableImageError: the file is truncated, animated or cropped.
    """
    if data[8:12] == b"avis":
        raise UnusableImageError(f"animated: {frames_of_sequence(data)} frames; save one of them")
    item = read_main_item(data)
    if item.shown != (item.width, item.height):
        raise UnusableImageError("an AVIF image of which only a part is shown (clap); save that part alone")
    width, height = item.largest
    needed = 2 * len(data) + (12 if item.bits == 8 else BYTES_PER_PIXEL) * max(width * height, item.width * item.height)
    size = (item.width, item.height)
    return Raster(
        *("AVIF", *size, (1, 2, 3, 4), item.bits, needed),
        orientation=item.orientation,
        profile=item.profile,
        colors=item.colors,
    )
