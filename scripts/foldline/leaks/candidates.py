"""Pairs of images that may be copies, and how: those nearest by patterns, by parts, and by local features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.images.perceptual_hash import symmetric_hashes
from foldline.leaks.local_features import FloatArray
from foldline.leaks.patterns import PARTS, SHRINKAGE, Patterns, symmetric_patterns, unit, whitening

IntArray = npt.NDArray[np.int64]

# By patterns, by patterns of parts, and by features, which tell images less well.
NEAREST, NEAREST_BY_FEATURES = 5, 5
# Smallest products of patterns, and of the pattern of a part with that of another image, of a candidate.
LEAST_ALIKE, LEAST_OF_PARTS = 0.25, 0.4
ROWS_PER_BLOCK = 512


@dataclass(frozen=True)
class Hypotheses:
    """How the images of pairs may be copies of each other; all (n_pairs,).

    Attributes:
        symmetries: number of the symmetry in which the first image is most like the second one.
        alike: product of the patterns then, in [-1, 1]; about 0 for images that have nothing in common.
        parts: number of the part of one image that is most like the other image.
        part_of_second: whether that is a part of the second image.
        alike_parts: product of the patterns then.
    """

    symmetries: IntArray
    alike: FloatArray
    parts: IntArray
    part_of_second: npt.NDArray[np.bool_]
    alike_parts: FloatArray


@dataclass(frozen=True)
class ComparedPatterns:
    """Patterns whose products tell how alike images are.

    Attributes:
        symmetric: whitened fine patterns under the eight symmetries, (n_images, width) each; the first is upright.
        coarse: coarse patterns, (n_images, width).
        parts: those of the parts, (n_images, 9, width).
    """

    symmetric: Sequence[FloatArray]
    coarse: FloatArray
    parts: FloatArray


def compared(patterns: Patterns) -> ComparedPatterns:
    """Prepare patterns for comparison."""
    symmetric = symmetric_patterns(patterns.fine)
    mean, directions = whitening(symmetric[0], shrinkage=SHRINKAGE)
    coarse_mean, coarse_directions = whitening(patterns.coarse, shrinkage=SHRINKAGE)
    return ComparedPatterns(
        [unit((oriented - mean) @ directions) for oriented in symmetric],
        unit((patterns.coarse - coarse_mean) @ coarse_directions),
        unit((patterns.parts - coarse_mean) @ coarse_directions),
    )


def candidate_pairs(patterns: ComparedPatterns, vectors: tuple[FloatArray, FloatArray], *, own_start: int) -> IntArray:
    """List the pairs in which one image is among the nearest of the other.

    Args:
        patterns: of the images.
        vectors: of the images and of the mirrored images, see `local_features.summaries`.
        own_start: number of the first image of the own split; pairs of two images before it are left out.

    Returns:
        (n_pairs, 2): numbers of the images, the smaller first; each pair once, sorted.
    """

    def by_patterns(rows: slice) -> FloatArray:
        return _largest([oriented[rows] for oriented in patterns.symmetric], patterns.symmetric[0])

    def by_parts(rows: slice) -> FloatArray:
        return _largest([patterns.parts[rows, part] for part in range(len(PARTS))], patterns.coarse)

    def by_features(rows: slice) -> FloatArray:
        return _largest([of_images[rows] for of_images in vectors], vectors[0])

    count = len(patterns.coarse)
    pairs = np.concatenate(
        [
            _nearest(by_patterns, count, wanted=NEAREST, least=LEAST_ALIKE),
            _nearest(by_parts, count, wanted=NEAREST, least=LEAST_OF_PARTS),
            _nearest(by_features, count, wanted=NEAREST_BY_FEATURES, least=-np.inf),
        ]
    )
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    return pairs[pairs[:, 1] >= own_start]


def hypotheses(patterns: ComparedPatterns, pairs: IntArray) -> Hypotheses:
    """Find out how the images of each pair, (n_pairs, 2), are most alike."""
    alike = np.empty((len(pairs), len(patterns.symmetric)), np.float32)
    alike_parts = np.empty((len(pairs), 2 * len(PARTS)), np.float32)
    for start in range(0, len(pairs), ROWS_PER_BLOCK):
        rows = slice(start, start + ROWS_PER_BLOCK)
        first, second = pairs[rows].T
        upright = patterns.symmetric[0][second]
        alike[rows] = np.stack([(oriented[first] * upright).sum(axis=1) for oriented in patterns.symmetric], axis=1)
        for half, (whole, part) in enumerate(((first, second), (second, first))):
            columns = slice(half * len(PARTS), (half + 1) * len(PARTS))
            alike_parts[rows, columns] = (patterns.parts[whole] * patterns.coarse[part][:, None]).sum(axis=2)
    best = alike_parts.argmax(axis=1)
    return Hypotheses(
        alike.argmax(axis=1), alike.max(axis=1), best % len(PARTS), best >= len(PARTS), alike_parts.max(axis=1)
    )


def _largest(rows: Sequence[FloatArray], others: FloatArray) -> FloatArray:
    """The largest product of one of several vectors of each image with each other vector, (n_rows, n_others)."""
    out = rows[0] @ others.T
    for vectors in rows[1:]:
        np.maximum(out, vectors @ others.T, out=out)
    return np.asarray(out, np.float32)


def orientations(hashes: npt.NDArray[np.uint8], pairs: IntArray) -> tuple[IntArray, IntArray]:
    """Number of the symmetry (see `symmetric_hashes`) in which each pair is nearest, and the bits that differ then.

    Args:
        hashes: uint8, (n_images, 32).
        pairs: (n_pairs, 2); the symmetry is applied to the first image.

    Returns:
        Two arrays of int64, (n_pairs,).
    """
    second = np.ascontiguousarray(hashes[pairs[:, 1]]).view(np.uint64)
    bits = [
        np.bitwise_count(np.ascontiguousarray(oriented).view(np.uint64) ^ second).sum(axis=1, dtype=np.int64)
        for oriented in symmetric_hashes(hashes[pairs[:, 0]])
    ]
    return np.argmin(bits, axis=0), np.min(bits, axis=0)


def _nearest(products: Callable[[slice], FloatArray], count: int, *, wanted: int, least: float) -> IntArray:
    """Pairs of each image with some others by largest product, if it is at least `least`; (n_pairs, 2).

    Args:
        products: returns the products of some images with all, (n_rows, n_images).
        count: number of images.
        wanted: number of others.
        least: the smallest product of a pair.
    """
    found = [np.empty((0, 2), np.int64)]
    wanted = min(wanted, count - 1)
    for start in range(0, count if wanted > 0 else 0, ROWS_PER_BLOCK):
        rows = np.arange(start, min(start + ROWS_PER_BLOCK, count))
        block = products(slice(start, rows[-1] + 1))
        block[np.arange(len(rows)), rows] = -np.inf
        nearest = np.argpartition(-block, wanted - 1, axis=1)[:, :wanted]
        near_enough = np.take_along_axis(block, nearest, axis=1) >= least
        found.append(np.stack([np.repeat(rows, wanted), nearest.ravel()], axis=1)[near_enough.ravel()])
    return np.concatenate(found)
