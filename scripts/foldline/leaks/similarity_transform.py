"""The similarity transform (shift, rotation, scale, mirroring) that maps features of one image to those of another."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.leaks.local_features import FloatArray, LocalFeatures

ComplexArray = npt.NDArray[np.complex128]
# Indices of points of one image and of another, (n_matches,) each.
Matches = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

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


def fit_transform(
    first: LocalFeatures, second: LocalFeatures, *, width: int, least: int = MIN_INLIERS
) -> Transform | None:
    """Fit the transform from the first image to the second with which most matches agree, mirrored or not.

    Each match has a place, a scale and a direction in both images, so each one alone proposes a transform, and all
    proposals are tried: RANSAC without a random choice.

    Args:
        first: features of the first image.
        second: features of the second image.
        width: of the first image in pixels.
        least: a transform with fewer inliers is of no use, at least `MIN_INLIERS`.

    Returns:
        None if fewer than `least` matches agree.
    """
    matches = _matches(first.descriptors, second.descriptors)
    mirrored_matches = _matches(first.mirrored(), second.descriptors)
    straight = mirrored = None
    # No more matches can agree than there are, so most often one of the two need not be fitted.
    for is_mirrored in sorted((False, True), key=lambda one: -len((matches, mirrored_matches)[one][0])):
        if is_mirrored:
            if len(mirrored_matches[0]) >= max(least, straight.inliers + 1 if straight else 0):
                mirrored = _fit(_mirrored(first.points, width), second.points, mirrored_matches)
        elif len(matches[0]) >= max(least, mirrored.inliers if mirrored else 0):
            straight = _fit(first.points, second.points, matches)
    if mirrored is None or (straight is not None and straight.inliers >= mirrored.inliers):
        return straight if straight is not None and straight.inliers >= least else None
    flip = np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return Transform(mirrored.matrix @ flip, mirrored.inliers) if mirrored.inliers >= least else None


def _mirrored(points: FloatArray, width: int) -> FloatArray:
    """Points of the image mirrored left to right."""
    out = points.copy()
    out[:, 0] = width - 1 - out[:, 0]
    out[:, 3] = np.pi - out[:, 3]
    return out


def _fit(points: FloatArray, others: FloatArray, matches: Matches) -> Transform | None:
    """Fit a transform without mirroring, from points of one image to those of another."""
    left, right = matches
    if len(left) < MIN_INLIERS:
        return None
    source, target = _places(points[left]), _places(others[right])
    turns = others[right, 3].astype(np.float64) - points[left, 3]
    factors = others[right, 2].astype(np.float64) / points[left, 2] * np.exp(1j * turns)
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


def _matches(first: FloatArray, second: FloatArray) -> Matches:
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
    size = np.abs(factors)
    away = factors[:, None] * source + (target - factors * source)[:, None] - target
    near = away.real**2 + away.imag**2 < (TOLERANCE * np.maximum(size, 1))[:, None] ** 2
    scales, directions = np.log(size), factors / size
    near &= np.abs(scales[:, None] - scales) < MAX_DIFFERENCE
    turns = np.outer(directions.real, directions.real) + np.outer(directions.imag, directions.imag)
    return np.asarray(near & (turns > np.cos(MAX_DIFFERENCE)))


def _least_squares(source: ComplexArray, target: ComplexArray) -> tuple[complex, complex]:
    """Factor and shift that map the source best to the target."""
    left, right = source - source.mean(), target - target.mean()
    factor = complex((left.conj() * right).sum() / ((np.abs(left) ** 2).sum() + 1e-9))
    return factor, complex(target.mean() - factor * source.mean())
