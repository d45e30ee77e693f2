"""The samples of PNM and npy files, apart from their headers, which planning reads without NumPy."""

import math
import re
from collections.abc import Iterator

import numpy as np

from foldline.images.errors import UnusableImageError
from foldline.images.pnm import CHUNK, TEXT
from foldline.images.raster import Raster
from foldline.images.samples import Samples

_NO_NUMBER = re.compile(rb"[^0-9\s]")


def npy_samples(data: bytes, raster: Raster) -> Samples:
    """The samples of a file, (height, width, channels)."""
    shape = (raster.height, raster.width, raster.channels[0])
    values = np.frombuffer(data, raster.layout[:3], math.prod(shape), raster.start)
    return values.reshape(shape, order="F" if raster.layout.endswith("F") else "C")


def pnm_samples(data: bytes, raster: Raster) -> Samples:
    """The samples of a file, (height, width, channels), of which `raster.white` is white.

    Raises:
        UnusableImageError: the file is truncated or damaged.
    """
    height, width, channels = raster.height, raster.width, raster.channels[0]
    count, most = height * width * channels, raster.white or 0
    if raster.layout == "P4":
        packed = np.frombuffer(data, np.uint8, height * -(-width // 8), raster.start).reshape(height, -1)
        return (1 - np.unpackbits(packed, axis=1, count=width))[:, :, None]
    if raster.layout not in TEXT:
        return np.frombuffer(data, raster.layout, count, raster.start).reshape(height, width, channels)
    if _NO_NUMBER.search(data, raster.start - 1):
        raise UnusableImageError("damaged: the samples of the PNM file have characters that are no digits")
    values = np.empty(count, np.uint16)
    filled = 0
    for numbers in _numbers(data, raster.start - 1, digits=raster.layout == "P1"):
        if filled + len(numbers) > count or (len(numbers) and not 0 <= numbers.min() <= numbers.max() <= most):
            raise UnusableImageError(f"damaged: the PNM file has more than {count} samples, or one above {most}")
        values[filled : filled + len(numbers)] = numbers
        filled += len(numbers)
    if filled < count:
        raise UnusableImageError(f"damaged: the PNM file has {filled} of {count} samples")
    values = 1 - values if raster.layout == "P1" else values
    return values.reshape(height, width, channels)


def _numbers(data: bytes, start: int, *, digits: bool) -> Iterator[Samples]:
    """The numbers of a text, a part of it at a time; with `digits`, each digit is one."""
    while start < len(data):
        end = min(len(data), start + CHUNK)
        while end < len(data) and not data[end : end + 1].isspace() and not digits:
            end += 1
        text = data[start:end]
        if digits:
            values = np.frombuffer(text, np.uint8)
            yield values[values > ord(" ")] - ord("0")
        elif not text.isspace():
            yield np.fromstring(text, np.int64, sep=" ")
        start = end
