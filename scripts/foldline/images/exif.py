"""The orientation of a picture, from its EXIF block or its XMP packet."""

import re
import warnings

from PIL import Image

ORIENTATION_TAG = 0x0112
UPRIGHT = 1
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])["<]')


def exif_orientation(block: bytes) -> int | None:
    """Orientation that an EXIF block has, in 1..8.

    Args:
        block: the block, with or without the `Exif` mark.

    Returns:
        None if the block has none or is unreadable, which says nothing about the pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif = Image.Exif()
            exif.load(block)
            value = exif.get(ORIENTATION_TAG)
    except Exception:  # What Pillow raises on a damaged block is not documented.
        return None
    return valid_orientation(value)


def xmp_orientation(packet: bytes) -> int | None:
    """Orientation that an XMP packet has, in 1..8; None if it has none."""
    match = _XMP_ORIENTATION.search(packet)
    return int(match[1]) if match else None


def valid_orientation(value: object) -> int | None:
    """The value of an orientation tag if it is in 1..8."""
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else None
