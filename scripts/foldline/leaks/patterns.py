"""Small patterns of an image, normalized by its local contrast.

They hardly change with brightness, contrast, gamma and blur, and an overlay changes them only where it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from foldline.leaks.aligned_correlation import SIDE, WARPING, Matrix

FloatArray = npt.NDArray[np.float32]

# Side of a pattern; standard deviation of the surroundings by which it is normalized, in pixels of a frame; and the
# value at which it is cut off, so that overlays do not outweigh the rest.
FINE, FINE_SURROUNDINGS = 16, 2.0
COARSE, COARSE_SURROUNDINGS = 12, 8.0
LIMIT = 1.0
# Contrast below which there is nothing but noise, in samples of 0..255.
NOISE = 2.0
# A copy may be a part of an image: nine parts, each 89 % of the height and width, are compared.
PART = 0.89
PARTS = [(row, column) for row in (0.0, 0.055, 0.11) for column in (0.0, 0.055, 0.11)]
# Images from which a whitening is computed, and what is added to the variances, relative to their mean.
SAMPLE, SHRINKAGE = 2000, 0.1
# So many images are few for that.
FEW = 300


@dataclass(frozen=True)
class Patterns:
    """Patterns of images.

    Attributes:
        fine: of the whole image, (n_images, `FINE`, `FINE`).
        coarse: of the whole image, (n_images, `COARSE`**2).
        parts: of the parts, (n_images, 9, `COARSE`**2).
    """

    fine: FloatArray
    coarse: FloatArray
    parts: FloatArray


def patterns_of(frames: Sequence[FloatArray]) -> Patterns:
    """Compute the patterns of frames, each float32, (`SIDE`, `SIDE`), in samples of 0..255."""
    fine, coarse, parts = [], [], []
    for frame in frames:
        fine.append(_small(normalized(frame, FINE_SURROUNDINGS, noise=NOISE), FINE))
        surroundings = normalized(frame, COARSE_SURROUNDINGS, noise=NOISE)
        coarse.append(_small(surroundings, COARSE).ravel())
        parts.append([_small(_part(surroundings, *part), COARSE).ravel() for part in PARTS])
    return Patterns(np.array(fine, np.float32), np.array(coarse, np.float32), np.array(parts, np.float32))


def normalized(image: FloatArray, surroundings: float, *, noise: float, limit: float = LIMIT) -> FloatArray:
    """Subtract the local mean and divide by the local contrast.

    Args:
        image: float32, (height, width), in samples of 0..255.
        surroundings: standard deviation, in pixels, of the Gaussian by which mean and contrast are weighted.
        noise: contrast that is added, in samples.
        limit: largest value; larger ones are cut off.

    Returns:
        In [-limit, limit].
    """
    centered = image - cv2.GaussianBlur(image, (0, 0), surroundings)
    variance = cv2.GaussianBlur(centered**2, (0, 0), surroundings)
    return np.asarray(np.clip(centered / np.sqrt(variance + noise**2), -limit, limit), np.float32)


def symmetric_patterns(fine: FloatArray) -> list[FloatArray]:
    """Fine patterns under the eight symmetries in the order of `perceptual_hash.symmetric_hashes`."""
    out = []
    for transposed in (fine, fine.transpose(0, 2, 1)):
        for upright in (transposed, transposed[:, ::-1]):
            out += [upright, upright[:, :, ::-1]]
    return [np.ascontiguousarray(patterns).reshape(len(fine), -1) for patterns in out]


def part_matrix(part: int) -> Matrix:
    """Map the pixels of the frame of an image to those of the frame of one of its parts, (2, 3)."""
    top, left = PARTS[part]
    back = np.array([[PART, 0, left * SIDE + (PART - 1) / 2], [0, PART, top * SIDE + (PART - 1) / 2], [0, 0, 1]])
    return np.asarray(np.linalg.inv(back)[:2])


def whitening(vectors: FloatArray, *, shrinkage: float) -> tuple[FloatArray, FloatArray]:
    """Mean of vectors, and a linear map after which what all of them have in common counts no more than the rest.

    Args:
        vectors: float32, (n, width).
        shrinkage: what is added to the variances, relative to their mean.

    Returns:
        Mean, (width,), and map, (width, width): ((v - mean) @ map) has about the same variance in every direction.
    """
    sample = vectors[np.linspace(0, len(vectors) - 1, min(len(vectors), SAMPLE)).astype(np.int64)].astype(np.float64)
    # Few images do not show what all have in common: the mean becomes 0, and the variances the same.
    known = len(sample) ** 2 / (len(sample) ** 2 + FEW**2)
    mean = known * sample.mean(axis=0)
    variances, directions = np.linalg.eigh((sample - mean).T @ (sample - mean) / len(sample))
    variances = np.maximum(variances, 0)
    scale = 1 / np.sqrt(known * variances + (shrinkage + 1 - known) * variances.mean() + 1e-9)
    return mean.astype(np.float32), (directions * scale).astype(np.float32)


def unit(vectors: npt.NDArray[np.floating]) -> FloatArray:
    """Scale vectors to length 1; 0 stays 0."""
    return np.asarray(vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-6), np.float32)


def _small(image: FloatArray, side: int) -> FloatArray:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _part(image: FloatArray, top: float, left: float) -> FloatArray:
    shift = [left * SIDE + (PART - 1) / 2, top * SIDE + (PART - 1) / 2]
    matrix = np.array([[PART, 0, shift[0]], [0, PART, shift[1]]])
    part = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=WARPING, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(part, np.float32)
