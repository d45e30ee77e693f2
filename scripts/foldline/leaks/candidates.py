"""Pairs of images that may be copies: those nearest by perceptual hash, and those nearest by local features."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from foldline.images.perceptual_hash import HASH_BITS, symmetric_hashes
from foldline.leaks.local_features import FloatArray, LocalFeatures
from foldline.leaks.match_kernel import MatchKernel

IntArray = npt.NDArray[np.int64]

# Nearest images of each image. With so many, 99 to 99.9 % of the copies of 14 kinds of dermoscopy images, solar cells
# and tiles of microscopy are found with their original.
NEAREST_BY_HASH, NEAREST_BY_FEATURES = 2, 3
# Copies are nearer than this by hash. Unrelated images differ in 128 bits.
MAX_BITS = 100
# Products that are in memory at a time.
BLOCK = 4_000_000


def candidate_pairs(hashes: npt.NDArray[np.uint8], features: Sequence[LocalFeatures], *, own_start: int) -> IntArray:
    """List the pairs in which one image is among the nearest of the other.

    Args:
        hashes: uint8, (n_images, 32); in any of the eight orientations they may agree.
        features: local features of each image.
        own_start: number of the first image of the own split; pairs of two images before it are left out.

    Returns:
        (n_pairs, 2): numbers of the images, the smaller first; each pair once, sorted.
    """
    signs = _signs(hashes)
    turned = [_signs(oriented) for oriented in symmetric_hashes(hashes)]

    def by_hash(rows: slice) -> FloatArray:
        return np.asarray(np.max([oriented[rows] @ signs.T for oriented in turned], axis=0), np.float32)

    pairs = np.concatenate(
        [
            _nearest(by_hash, len(hashes), NEAREST_BY_HASH, least=HASH_BITS - 2 * MAX_BITS),
            _nearest(MatchKernel(features).similarities, len(hashes), NEAREST_BY_FEATURES, least=0),
        ]
    )
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    return pairs[pairs[:, 1] >= own_start]


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


def _signs(hashes: npt.NDArray[np.uint8]) -> FloatArray:
    """Bits as -1 and 1, float32, (n_images, 256): their product counts equal bits exactly."""
    return np.asarray(np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1, np.float32)


def _nearest(products: Callable[[slice], FloatArray], count: int, wanted: int, *, least: float) -> IntArray:
    """Pairs of each image with its nearest others by largest product; (n_pairs, 2).

    Args:
        products: returns the products of some images with all, (n_rows, n_images).
        count: number of images.
        wanted: number of neighbors.
        least: the smallest product of a pair.
    """
    found = [np.empty((0, 2), np.int64)]
    wanted = min(wanted, count - 1)
    rows_per_block = max(1, BLOCK // max(1, count))
    for start in range(0, count if wanted > 0 else 0, rows_per_block):
        rows = np.arange(start, min(start + rows_per_block, count))
        block = products(slice(start, rows[-1] + 1))
        block[np.arange(len(rows)), rows] = -np.inf
        nearest = np.argpartition(-block, wanted - 1, axis=1)[:, :wanted]
        near_enough = np.take_along_axis(block, nearest, axis=1) >= least
        found.append(np.stack([np.repeat(rows, wanted), nearest.ravel()], axis=1)[near_enough.ravel()])
    return np.concatenate(found)
