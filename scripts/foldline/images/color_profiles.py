"""Convert colors to sRGB by the ICC profile of a file, with Little CMS; CMYK without a profile by the usual formula.

Most profiles are sRGB by another name: those change no pixel, and cost nothing.
"""

import functools
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from foldline.images.picture import Picture
from foldline.images.samples import bands

if TYPE_CHECKING:
    from PIL import ImageCms

# What a picture says of its profile.
CONVERTED, BROKEN = "converted to sRGB by the ICC profile", "ICC profile broken and ignored"
GAMMA_IGNORED = "gamma or chromaticities of a PNG file other than those of sRGB, which are ignored"
# Profiles of printers have up to 3 MB.
MOST_BYTES = 1 << 22
# Colors along each axis at which a profile is compared with sRGB, and the difference that rounding explains.
GRID, ROUNDING = 9, 1
MODES = {3: "RGB", 4: "CMYK"}


def to_srgb(picture: Picture, profile: bytes) -> Picture:
    """Convert an RGB or CMYK picture to sRGB; gray pictures do not change.

    Args:
        picture: pixels of 1, 3 (RGB) or 4 (CMYK) channels.
        profile: the ICC profile of the file; b"" for none.

    Returns:
        The picture with 1 or 3 channels. If the profile is broken, it is ignored, and `Picture.profile` says so.
    """
    pixels = picture.pixels
    if pixels.shape[2] == 1 or (pixels.shape[2] == 3 and not profile):
        return picture
    mode = MODES[pixels.shape[2]]
    # Imported here: most images have no profile, and each worker process starts faster without it.
    from PIL import ImageCms

    try:
        transform = _transform(profile, mode) if profile else None
    except (ImageCms.PyCMSError, OSError, ValueError):
        return replace(picture, pixels=_rgb(pixels, mode), profile=BROKEN)
    if transform is None:
        return replace(picture, pixels=_rgb(pixels, mode))
    out = np.empty((*pixels.shape[:2], 3), np.uint8)
    for rows in bands(pixels):
        out[rows] = np.asarray(ImageCms.applyTransform(Image.fromarray(pixels[rows], mode), transform))
    return replace(picture, pixels=out, profile=CONVERTED)


def _rgb(pixels: npt.NDArray[np.uint8], mode: str) -> npt.NDArray[np.uint8]:
    return pixels if mode == "RGB" else np.asarray(Image.fromarray(pixels, mode).convert("RGB"))


@functools.lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> "ImageCms.ImageCmsTransform | None":
    """The transform of a profile; None if it is that of sRGB.

    Raises:
        ImageCms.PyCMSError: the profile is broken, or not for `mode`.
        ValueError: it is too large.
    """
    if len(profile) > MOST_BYTES:
        raise ValueError(f"an ICC profile of {len(profile)} bytes")
    from PIL import ImageCms

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    if mode != "RGB":
        return transform
    levels = np.linspace(0, 255, GRID).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(GRID, -1, 3)
    changed = np.asarray(ImageCms.applyTransform(Image.fromarray(grid), transform))
    same = np.abs(changed.astype(int) - grid).max() <= ROUNDING
    return None if same else transform
