"""What a scan notes of the decoded pixels of a sample: a digest of them, and how much they show."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foldline.images.perceptual_hash import LUMA
from foldline.images.picture import Picture


def pixel_digest(picture: Picture, *, width: int, height: int) -> str:
    """Hex SHA-256 of the upright pixels of an image of 8 bits and of its size.

    Two files have equal digests if they have as many rows, columns and channels, and equal samples, whatever their
    format. A JPEG counts by the pixels of the scale at which it was decoded.

    Args:
        picture: the decoded image.
        width: columns of the full image in pixels.
        height: its rows.
    """
    digest = hashlib.sha256(f"{width} x {height}, decoded {picture.pixels.shape}\n".encode())
    digest.update(np.ascontiguousarray(picture.pixels).data)
    return digest.hexdigest()


def contrast(channels: Sequence[npt.NDArray[np.uint8]]) -> float:
    """The largest standard deviation of brightness among the images of a sample, in 0..127.5 of samples in 0..255.

    Args:
        channels: thumbnail of each image, (height, width, 1 or 3).
    """
    return max(float(_luma(pixels).std(dtype=np.float64)) for pixels in channels)


def _luma(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    # Exact, for the sums are whole numbers, and faster than the product of integers.
    whole = pixels.astype(np.float64)
    return np.asarray((whole @ LUMA.astype(np.float64) if pixels.shape[2] == 3 else 1000 * whole[:, :, 0]) / 1000)
