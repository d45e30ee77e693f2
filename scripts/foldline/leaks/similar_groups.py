"""Images of which many look alike, and which of their pairs are copies."""

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

# Pairs that connect so many images or more are examined: one image copied often, or images that look alike?
MANY = 8
# Copies of one image agree closely in this share of the pairs at least.
CLOSE = 0.5
# If more than the first share of all images look alike, few images may do so as well: the second share is required.
ENDEMIC, CLOSE_IF_ENDEMIC = 0.05, 0.9


def strict_pairs(
    pairs: IntArray, agree_closely: Callable[[int], bool], *, count: int
) -> tuple[npt.NDArray[np.bool_], int]:
    """Tell which pairs are copies, those of images that look alike more strictly.

    Args:
        pairs: numbers of two images that agree, (n_pairs, 2).
        agree_closely: tells whether the images of the pair on a row agree even closely.
        count: number of images of the data.

    Returns:
        Which pairs are copies, (n_pairs,), and the number of images whose pairs had to agree closely.
    """
    close = functools.cache(agree_closely)
    numbers = connected(pairs)
    groups = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
    sizes = [len(np.unique(pairs[rows])) for rows in groups]

    def alike(number: int, least: float) -> bool:
        return bool(np.mean([close(int(row)) for row in groups[number]]) < least)

    strict = {number for number, size in enumerate(sizes) if size >= MANY and alike(number, CLOSE)}
    if sum(sizes[number] for number in strict) > ENDEMIC * count:
        strict = {number for number in range(len(groups)) if alike(number, CLOSE_IF_ENDEMIC)}
    kept = np.ones(len(pairs), bool)
    for number in strict:
        kept[groups[number]] = [close(int(row)) for row in groups[number]]
    return kept, sum(sizes[number] for number in strict)


def connected(pairs: IntArray) -> IntArray:
    """The smallest number of an image that is connected with each pair, directly or by way of others; (n_pairs,)."""
    labels = np.arange(pairs.max(initial=-1) + 1)
    while True:
        least = labels[pairs].min(axis=1)
        before = labels.copy()
        np.minimum.at(labels, pairs.ravel(), np.repeat(least, 2))
        labels = labels[labels]
        if (labels == before).all():
            return np.asarray(least)
