"""The similarity transform (shift, rotation, scale, mirroring) that maps features of one image to those of another."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.leaks.local_features import FloatArray, LocalFeatures

ComplexArray = npt.NDArray[np.complex128]

# Least product of two descriptors of a match; that of equal ones is 1.
MIN_MATCH = 0.8
# Largest distance in pixels, in the larger scale, between a mapped point and its match.
TOLERANCE = 4.0
REFINED_TOLERANCE = 2.5
# Largest difference between the transforms of two matches: logarithm of the scale, and angle in radians.
MAX_DIFFERENCE = 0.5
MIN_INLIERS = 4
SCALES = (0.2, 5.0)
REFINEMENTS = 3


@dataclass(frozen=True)
class Transform:
    """A map from the pixels of one image to those of another.

    Attributes:
        matrix: float64, (2, 3): maps (x, y, 1).
        inliers: matches that agree with it, at different places.
    """

    matrix: npt.NDArray[np.float64]
    inliers: int


def fit_transform(first: LocalFeatures, second: LocalFeatures, *, width: int) -> Transform | None:
    """Fit the transform from the first image to the second with which most matches agree, mirrored or not.

    Each match has a place, a scale and a direction in both images, so each one alone proposes a transform, and all
    proposals are tried: RANSAC without a random choice.

    Args:
        first: features of the first image.
        second: features of the second image.
        width: of the first image in pixels.

    Returns:
        None if fewer than `MIN_INLIERS` matches agree.
    """
    straight = _fit(first.points, first.descriptors, second)
    mirrored_points = first.points.copy()
    mirrored_points[:, 0] = width - 1 - mirrored_points[:, 0]
    mirrored_points[:, 3] = np.pi - mirrored_points[:, 3]
    mirrored = _fit(mirrored_points, first.mirrored(), second)
    if mirrored is None or (straight is not None and straight.inliers >= mirrored.inliers):
        return straight
    flip = np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return Transform(mirrored.matrix @ flip, mirrored.inliers)


def _fit(points: FloatArray, descriptors: FloatArray, second: LocalFeatures) -> Transform | None:
    """Fit a transform without mirroring."""
    left, right = _matches(descriptors, second.descriptors)
    if len(left) < MIN_INLIERS:
        return None
    source, target = _places(points[left]), _places(second.points[right])
    turns = second.points[right, 3].astype(np.float64) - points[left, 3]
    factors = second.points[right, 2].astype(np.float64) / points[left, 2] * np.exp(1j * turns)
    agree = _agreement(source, target, factors)
    inside = agree[agree.sum(axis=1).argmax()]
    factor = shift = 0j
    for _ in range(REFINEMENTS):
        if inside.sum() < MIN_INLIERS:
            return None
        factor, shift = _least_squares(source[inside], target[inside])
        inside = np.abs(factor * source + shift - target) < REFINED_TOLERANCE * max(abs(factor), 1)
    cells = {(int(place.real // 3), int(place.imag // 3)) for place in source[inside]}
    if len(cells) < MIN_INLIERS or not SCALES[0] < abs(factor) < SCALES[1]:
        return None
    matrix = [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    return Transform(np.array(matrix), len(cells))


def _matches(first: FloatArray, second: FloatArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pairs of descriptors each of which is the nearest to the other: their indices, (n_matches,) each."""
    if not len(first) or not len(second):
        empty = np.empty(0, np.int64)
        return empty, empty
    products = first @ second.T
    nearest = products.argmax(axis=1)
    left = np.flatnonzero(products.argmax(axis=0)[nearest] == np.arange(len(first)))
    left = left[products[left, nearest[left]] > MIN_MATCH]
    return left, nearest[left]


def _places(points: FloatArray) -> ComplexArray:
    """Points as complex numbers: a similarity is then a factor and a shift."""
    return points[:, 0].astype(np.float64) + 1j * points[:, 1]


def _agreement(source: ComplexArray, target: ComplexArray, factors: ComplexArray) -> npt.NDArray[np.bool_]:
    """Whether each match (column) agrees with the transform of each match (row), (n_matches, n_matches)."""
    shifts = target - factors * source
    size = np.abs(factors)
    distance = np.abs(factors[:, None] * source + shifts[:, None] - target)
    scale = np.abs(np.log(size[:, None] / size))
    turn = np.abs(np.angle(factors[:, None] / factors))
    near = distance < TOLERANCE * np.maximum(size, 1)[:, None]
    return np.asarray(near & (scale < MAX_DIFFERENCE) & (turn < MAX_DIFFERENCE))


def _least_squares(source: ComplexArray, target: ComplexArray) -> tuple[complex, complex]:
    """Factor and shift that map the source best to the target."""
    left, right = source - source.mean(), target - target.mean()
    factor = complex((left.conj() * right).sum() / ((np.abs(left) ** 2).sum() + 1e-9))
    return factor, complex(target.mean() - factor * source.mean())
