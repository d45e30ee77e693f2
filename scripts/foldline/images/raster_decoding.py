"""Decode files of the formats whose samples one call returns: all but JPEG, PNG, WebP and TIFF."""

import importlib
from collections.abc import Callable

import imagecodecs
import numpy as np
import numpy.typing as npt

from foldline.images.errors import UnusableImageError, beyond_palette, damaged
from foldline.images.gif import numbers_of_colors
from foldline.images.heic_decoder import decoder_problem
from foldline.images.options import ImageOptions
from foldline.images.picture import Peak, Picture
from foldline.images.raster import Raster
from foldline.images.raster_samples import npy_samples, pnm_samples
from foldline.images.samples import Samples, bright_sample, on_black, scaled_to_8_bit

# Names of functions of imagecodecs, which loads the library of a codec with its first use: each costs start-up time and
# memory in every process.
CODECS = {"JPEG2000": "jpeg2k_decode", "JXL": "jpegxl_decode", "AVIF": "avif_decode"}


def heic_samples(data: bytes, raster: Raster) -> Samples:
    """The samples of a HEIC file, (height, width, 1, 3 or 4)."""
    problem = decoder_problem()
    if problem:
        raise UnusableImageError(problem)
    pillow_heif = importlib.import_module("pillow_heif")
    try:
        file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
        mode, count, samples = file.mode, len(file), np.asarray(file)
    except Exception as error:  # What libheif raises on damage is not documented.
        raise damaged(error) from error
    if count > 1 or "a" in mode:
        raise UnusableImageError(f"a HEIC file with {count} pictures of the kind {mode}; save one as JPEG")
    samples = samples.reshape(*samples.shape[:2], -1)
    # It scales all others to 16 bits.
    return samples >> (16 - raster.bits) if raster.bits > 8 else samples


def gif_samples(data: bytes, raster: Raster) -> Samples:
    """The samples of a GIF file, (height, width, 3 or 4); giflib makes pixels without a color black."""
    numbered, colors, transparent = numbers_of_colors(data)
    if numbered:
        numbers = decoded(imagecodecs.gif_decode, numbered)[:, :, 0]
        most = int(np.where(numbers == transparent, 0, numbers).max())
        if most >= colors:
            raise beyond_palette(most, colors)
    return decoded(imagecodecs.gif_decode, data)


OWN: dict[str, Callable[[bytes, Raster], Samples]] = {
    "GIF": gif_samples,
    "PNM": pnm_samples,
    "NPY": npy_samples,
    "HEIC": heic_samples,
}


def decode_raster(data: bytes, raster: Raster, options: ImageOptions) -> Picture:
    """Decode a file to gray or RGB pixels of 8 bits, as stored, not upright.

    Raises:
        UnusableImageError: the file is damaged.
    """
    return picture_of(raster_samples(data, raster), raster.bits, options, raster.white)


def raster_samples(data: bytes, raster: Raster) -> Samples:
    """The samples of a file as stored, (height, width, 1 to 4); the last of 2 or 4 is alpha.

    Raises:
        UnusableImageError: the file is damaged.
    """
    own = OWN.get(raster.format)
    samples = own(data, raster) if own else decoded(getattr(imagecodecs, CODECS[raster.format]), data)
    if samples.shape[:2] != (raster.height, raster.width) or samples.shape[2] not in raster.channels:
        raise UnusableImageError(
            f"damaged: {samples.shape[1]} x {samples.shape[0]} pixels with {samples.shape[2]} samples, not "
            f"{raster.width} x {raster.height}, as its header says"
        )
    if samples.dtype != (np.uint8 if raster.bits <= 8 else np.uint16) and raster.format not in OWN:
        raise UnusableImageError(f"damaged: the samples have not {raster.bits} bits, as its header says")
    return samples


def decoded(decoder: Callable[[bytes], npt.NDArray[np.generic]], data: bytes) -> Samples:
    """Samples of a file, (height, width, channels)."""
    try:
        samples = np.asarray(decoder(data))
    except Exception as error:  # An exception class of its own for each codec.
        raise damaged(error) from error
    return samples.reshape(*samples.shape[:2], -1)


def picture_of(samples: Samples, bits: int, options: ImageOptions, most: int | None = None) -> Picture:
    """Picture of samples of 1 to 16 bits, (height, width, 1 to 4); the last of 2 or 4 is alpha.

    Args:
        samples: the samples.
        bits: of each sample.
        options: how to read images.
        most: the largest value of color and alpha; None for that of `bits`.
    """
    full = most or 2**bits - 1
    white = options.white if options.white is not None and bits > 8 else full
    has_alpha = samples.shape[2] in (2, 4)
    pixels = on_black(samples, white, full) if has_alpha else scaled_to_8_bit(samples, white)
    if bits <= 8:
        return Picture.whole(pixels)
    return Picture.whole(pixels, peak=Peak(bright_sample(samples[:, :, : samples.shape[2] - has_alpha]), white))
