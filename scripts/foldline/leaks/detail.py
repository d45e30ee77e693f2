"""How alike two aligned images are in what other images of the data do not have in common with them."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from foldline.leaks.aligned_correlation import Matrix, inside, mapped
from foldline.leaks.patterns import NOISE, SAMPLE, normalized, unit, whitening

FloatArray = npt.NDArray[np.float32]

# Side of a pattern of details, and its surroundings in pixels of a frame, see `patterns.normalized`.
DETAIL, SURROUNDINGS = 32, 2.0
# Of unrelated images, the products of details are about 0, with a standard deviation of 0.05.
SHRINKAGE = 0.05


@dataclass(frozen=True)
class Details:
    """What details of images have in common: mean, (width,), and a whitening, (width, width)."""

    mean: FloatArray
    directions: FloatArray

    def product(self, first: FloatArray, second: FloatArray, matrix: Matrix) -> float:
        """Compare two frames, the second one mapped to the first, see `aligned_correlation.correlation`.

        Returns:
            The cosine of the angle between the whitened details of what both show.
        """
        both = inside(matrix).astype(np.float32)
        vectors = np.stack([detail(first) * _small(both), detail(mapped(second, matrix)) * _small(both)])
        whitened = unit((vectors - self.mean * _small(both)) @ self.directions)
        return float(whitened[0] @ whitened[1])


def details_of(frames: Sequence[FloatArray]) -> Details:
    """Learn the whitening from frames, each float32, (`SIDE`, `SIDE`), in samples of 0..255."""
    rows = np.linspace(0, len(frames) - 1, min(len(frames), SAMPLE)).astype(np.int64)
    mean, directions = whitening(np.array([detail(frames[row]) for row in rows]), shrinkage=SHRINKAGE)
    return Details(mean, directions)


def detail(frame: FloatArray) -> FloatArray:
    """The normalized details of a frame, (`DETAIL`**2,)."""
    return _small(normalized(frame, SURROUNDINGS, noise=NOISE))


def _small(image: FloatArray) -> FloatArray:
    return np.asarray(cv2.resize(image, (DETAIL, DETAIL), interpolation=cv2.INTER_AREA), np.float32).ravel()
