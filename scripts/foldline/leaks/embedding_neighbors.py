"""Images that are near by their embeddings: candidates for copies, and pairs that look alike."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

# Added to the variance of each direction before directions are made equally long, of a mean of 1: directions with less
# are noise.
SHRINKAGE = 0.1
# Neighbors over which the similarity of an image to its surroundings is averaged.
SURROUNDINGS = 10
# Nearest images of each image that are listed.
LISTED = 30
ROWS_PER_BLOCK = 512


@dataclass(frozen=True)
class Neighbors:
    """The nearest images of each image.

    Attributes:
        numbers: of the images, the nearest first, int64, (n_images, n_neighbors).
        similarities: cosines, float32, (n_images, n_neighbors).
    """

    numbers: IntArray
    similarities: FloatArray


def whitened(vectors: npt.NDArray[np.float16]) -> FloatArray:
    """Make the directions in which vectors differ equally long, and all vectors of length 1.

    Without this, the few directions in which all images of a data set differ, such as brightness, hide the rest.

    Args:
        vectors: floats, (n_images, n_values).
    """
    centered = np.asarray(vectors, np.float32) - np.mean(vectors, axis=0, dtype=np.float32)
    deviation = centered.std(axis=0)
    scaled = centered / np.where(deviation > 0, deviation, 1)
    variances, directions = np.linalg.eigh((scaled.T @ scaled / max(1, len(scaled))).astype(np.float64))
    factors = directions / np.sqrt(np.maximum(variances, 0) + SHRINKAGE)
    turned = scaled @ factors.astype(np.float32)
    lengths = np.linalg.norm(turned, axis=1, keepdims=True)
    return np.asarray(turned / np.where(lengths > 0, lengths, 1), np.float32)


def nearest(vectors: FloatArray, count: int) -> Neighbors:
    """Find the nearest images of each image by cosine.

    Args:
        vectors: of length 1, (n_images, n_values).
        count: number of neighbors; fewer if there are not as many other images.
    """
    count = max(0, min(count, len(vectors) - 1))
    numbers = np.empty((len(vectors), count), np.int64)
    similarities = np.empty((len(vectors), count), np.float32)
    for start in range(0, len(vectors) if count else 0, ROWS_PER_BLOCK):
        block = vectors[start : start + ROWS_PER_BLOCK] @ vectors.T
        rows = np.arange(len(block))
        block[rows, start + rows] = -np.inf
        found = np.argpartition(-block, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(block, found, axis=1)
        order = np.lexsort((found, -values), axis=1)
        numbers[start + rows] = np.take_along_axis(found, order, axis=1)
        similarities[start + rows] = np.take_along_axis(values, order, axis=1)
    return Neighbors(numbers, similarities)


def candidate_pairs(vectors: npt.NDArray[np.float16], *, count: int, own_start: int = 0) -> IntArray:
    """Pairs of each image with its nearest ones.

    Args:
        vectors: (n_images, n_values).
        count: neighbors of each image.
        own_start: pairs of two images before this number are left out.

    Returns:
        (n_pairs, 2): numbers of the images, the smaller first; each pair once, sorted.
    """
    neighbors = nearest(whitened(vectors), count).numbers
    pairs = np.column_stack([np.repeat(np.arange(len(neighbors)), neighbors.shape[1]), neighbors.ravel()])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0).reshape(-1, 2)
    return pairs[pairs[:, 1] >= own_start]


def similar_pairs(vectors: npt.NDArray[np.float16]) -> tuple[IntArray, FloatArray]:
    """Pairs of near images, those first that are nearer to each other than to their surroundings.

    Cross-domain similarity local scaling (Conneau et al., Word translation without parallel data, ICLR 2018): twice the
    cosine, minus the mean cosine of each of the two to its `SURROUNDINGS` nearest images.

    Args:
        vectors: (n_images, n_values).

    Returns:
        Numbers of the images, the smaller first, int64, (n_pairs, 2), and scores, float32, (n_pairs,), descending.
    """
    found = nearest(whitened(vectors), LISTED)
    if not found.numbers.size:
        return np.empty((0, 2), np.int64), np.empty(0, np.float32)
    usual = found.similarities[:, :SURROUNDINGS].mean(axis=1)
    pairs = np.column_stack([np.repeat(np.arange(len(usual)), found.numbers.shape[1]), found.numbers.ravel()])
    pairs, first = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    scores = 2 * found.similarities.ravel()[first] - usual[pairs[:, 0]] - usual[pairs[:, 1]]
    order = np.argsort(-scores, kind="stable")
    return pairs[order], scores[order]
