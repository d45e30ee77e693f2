"""A decoded picture: what all decoders return, and how it is turned upright."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Peak(NamedTuple):
    """The sample of color that 99.9 % of a picture do not exceed (`samples.bright_sample`), and that which is white."""

    value: float
    white: float


@dataclass(frozen=True)
class Picture:
    """Decoded pixels, and the box in them that the picture covers.

    Attributes:
        pixels: uint8, (height, width, 1) or (height, width, 3); of CMYK, (height, width, 4) until it becomes sRGB.
        box: left, top, right, bottom of the picture in pixels. A reduced JPEG is padded to whole pixels: 901 rows at a
            quarter become 226, of which the picture covers 225.25. Resizing without the box would shift the picture by
            up to a pixel.
        peak: of a file with more than 8 bits; None for others.
        oddities: what the file has that a decoder may warn of and that touches no pixel, in words.
        profile: "", or what became of the ICC profile of the file, see `color_profiles`.
    """

    pixels: npt.NDArray[np.uint8]
    box: tuple[float, float, float, float]
    oddities: tuple[str, ...] = ()
    peak: "Peak | None" = None
    profile: str = ""

    @classmethod
    def whole(cls, pixels: npt.NDArray[np.uint8], **others: Any) -> "Picture":
        """A picture that fills its pixels."""
        return cls(pixels, (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0])), **others)


def upright(picture: Picture, orientation: int) -> Picture:
    """Flip and rotate a picture upright; `orientation` is an EXIF 2.32 number, 1..8."""
    pixels, (left, top, right, bottom) = picture.pixels, picture.box
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
        left, top, right, bottom = top, left, bottom, right
    height, width = pixels.shape[:2]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
        top, bottom = height - bottom, height - top
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
        left, right = width - right, width - left
    return replace(picture, pixels=np.ascontiguousarray(pixels), box=(left, top, right, bottom))
