"""Convert samples of any depth to 8 bits, a band of rows at a time, so that no copy of the whole picture is needed."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from foldline.images.errors import UnusableImageError

Samples = npt.NDArray[np.generic]
# Samples that are converted at a time.
BAND = 1 << 20
# Samples that tell how bright a picture is: 65 of them are above `BRIGHT_PERCENT`.
GRID = 1 << 16
# Images come out dark if so many of their samples are at most this share of white. Samples of 12 bits in files of 16
# reach 1/16, those of 14 bits 1/4. Of 192 fluorescence images, bright cells on black, 4.7 % are that dark with the
# whole range in use, and none of 250 photographs.
BRIGHT_PERCENT, DARK = 99.9, 0.25
# Standard deviation of the brightness, in samples of 0..255, below which an image shows nothing but noise.
MIN_CONTRAST = 1.5


def bands(samples: Samples) -> Iterator[slice]:
    """Slices of rows that hold at most `BAND` samples, or one row."""
    rows = max(1, BAND // max(1, samples[:1].size))
    return (slice(start, start + rows) for start in range(0, len(samples), rows))


def scaled_to_8_bit(samples: Samples, white: float = 65535) -> npt.NDArray[np.uint8]:
    """Convert samples linearly: 0 stays 0, `white` becomes 255, others are rounded.

    Args:
        samples: (height, width, channels), of any kind of number.
        white: at least 1 for whole numbers.

    Raises:
        UnusableImageError: a sample is negative, above `white`, or not finite.
    """
    if samples.dtype == np.uint8 and white == 255:
        return samples  # type: ignore[return-value]
    check_range(samples, white)
    out = np.empty(samples.shape, np.uint8)
    if samples.dtype.kind == "u" and samples.dtype.itemsize <= 2:
        full = int(white)
        values = np.arange(256**samples.dtype.itemsize)
        table = np.minimum((values * 510 + full) // (2 * full), 255).astype(np.uint8)
        for rows in bands(samples):
            out[rows] = table[samples[rows]]
    else:
        for rows in bands(samples):
            out[rows] = np.floor(samples[rows].astype(np.float64) * 255 / white + 0.5)
    return out


def check_range(samples: Samples, white: float) -> None:
    """Refuse samples that would be cut off.

    Raises:
        UnusableImageError: a sample is negative, above `white`, or not finite.
    """
    least, most = float(samples.min()), float(samples.max())
    if not np.isfinite([least, most]).all():
        raise UnusableImageError("samples that are no finite numbers")
    if least < 0 or most > white:
        value = least if least < 0 else most
        raise UnusableImageError(f"a sample of {value:g}; samples are from 0 to {white:g} (dataset.intensity)")


def grid_of(samples: Samples) -> Samples:
    """About 2^16 samples of a picture (height, width, ...), of a regular grid, or all if it has fewer."""
    step = max(1, round((samples.size / GRID) ** 0.5))
    return samples[::step, ::step]


def bright_sample(samples: Samples) -> float:
    """The sample that `BRIGHT_PERCENT` of a picture do not exceed, found on a grid: some hot pixels do not count."""
    values = grid_of(samples).ravel()
    place = math.ceil(len(values) * BRIGHT_PERCENT / 100) - 1
    return float(np.partition(values, place)[place])


def on_black(samples: Samples, white: float = 65535, opaque: int = 65535) -> npt.NDArray[np.uint8]:
    """Composite unsigned samples of at most 16 bits on black.

    Args:
        samples: (height, width, channels + 1), of which the last one is alpha.
        white: value of color that becomes 255.
        opaque: value of alpha that hides the black.

    Returns:
        uint8, (height, width, channels).

    Raises:
        UnusableImageError: a sample is above `white`.
    """
    check_range(samples[:, :, :-1], white)
    full = int(white) * opaque
    out = np.empty((*samples.shape[:2], samples.shape[2] - 1), np.uint8)
    for rows in bands(samples):
        band = samples[rows].astype(np.uint64)
        out[rows] = (band[:, :, :-1] * band[:, :, -1:] * 255 + full // 2) // full
    return out
