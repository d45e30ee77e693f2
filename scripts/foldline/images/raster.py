"""What the header of a file says whose samples one call of a decoder returns, and the picture of these samples."""

from dataclasses import dataclass

from foldline.images.errors import UnusableImageError
from foldline.images.exif import UPRIGHT
from foldline.images.options import BYTES_PER_PIXEL, ImageOptions


@dataclass(frozen=True)
class Raster:
    """The parsed header of a file.

    Attributes:
        format: one of `headers.FORMATS`.
        width: pixels, as decoded.
        height: pixels, as decoded.
        channels: samples of a pixel that the decoder may return; the last of 2 or 4 is alpha.
        bits: bits of a sample.
        decoded_bytes: most bytes of memory that its decoder needs, the file and the picture of 8 bits included.
        orientation: EXIF orientation that is still to be applied, in 1..8.
        white: the sample that is white; None for the largest of `bits`.
        profile: the ICC profile, b"" if there is none.
        colors: see `color_codes.other_colors`.
        start: where the samples of a file without compression start.
        layout: of these samples: a name of NumPy such as ">u2", and "F" behind it for columns first; or "P1" to "P4".
    """

    format: str
    width: int
    height: int
    channels: tuple[int, ...]
    bits: int
    decoded_bytes: int
    orientation: int = UPRIGHT
    white: int | None = None
    profile: bytes = b""
    colors: str = ""
    start: int = 0
    layout: str = ""


def check_memory(needed: int, options: ImageOptions) -> None:
    """Refuse a file that needs more memory than `options.max_megapixels` allows.

    Args:
        needed: bytes for the file, its samples and the picture of 8 bits.
        options: how to read images.
    """
    if needed > options.most_mb * 1e6:
        raise UnusableImageError(
            f"{needed / 1e6:,.0f} MB to decode; dataset.max_megapixels allows {BYTES_PER_PIXEL} bytes for each pixel"
        )


def check_sides(width: int, height: int, name: str) -> None:
    """Refuse a picture without pixels; `name` is that of the format, such as "a BMP"."""
    if width < 1 or height < 1:
        raise UnusableImageError(f"damaged: {name} of {width} x {height} pixels")
