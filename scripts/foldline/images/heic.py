"""The header of a HEIC file, which libheif decodes if the optional package pillow-heif is installed."""

from foldline.images.boxes import frames_of_sequence, read_main_item
from foldline.images.errors import UnusableImageError
from foldline.images.raster import Raster

BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")
SEQUENCES = (b"hevc", b"hevx", b"msf1")
# Colors as stored, as decoded to 16 bits, and copied; with alpha.
BYTES_PER_PIXEL = 24


def is_heic(data: bytes) -> bool:
    """Whether the file starts like a HEIC file."""
    return data[4:8] == b"ftyp" and data[8:12] in (*BRANDS, *SEQUENCES)


def read_heic_header(data: bytes) -> Raster:
    """Parse the boxes of a file.

    Raises:
        UnusableImageError: the file is truncated or animated.
    """
    if data[8:12] in SEQUENCES:
        raise UnusableImageError(f"animated: {frames_of_sequence(data)} frames; save one of them")
    item = read_main_item(data)
    # The decoder crops the picture and turns it upright.
    width, height = item.shown if item.orientation < 5 else item.shown[::-1]
    area = max(item.largest[0] * item.largest[1], item.width * item.height)
    needed = 2 * len(data) + BYTES_PER_PIXEL * area
    return Raster("HEIC", width, height, (1, 3, 4), item.bits, needed, profile=item.profile, colors=item.colors)
