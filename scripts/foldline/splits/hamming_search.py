"""All pairs of hashes that differ in few bits, without comparing each hash with each other.

If two hashes differ in at most k bits and are cut into k + 1 bands, at least one band is equal (pigeonhole principle):
only pairs with an equal band are compared. With a million hashes and 12 bits that is a few million comparisons instead
of 5e11.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from foldline.errors import FoldlineError
from foldline.images.perceptual_hash import HASH_BITS, symmetric_hashes

IntArray = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint8]

# Bits of a band key; a longer band is compared by its first bits, which misses no pair.
KEY_BITS = 32
PAIRS_PER_BLOCK = 1 << 20
# Each pair becomes a row of a table; more of them mean that the limit is too high for these images.
MAX_PAIRS = 2_000_000
# Hashes whose bits are unpacked at a time, at 4 bytes per bit.
HASHES_PER_BLOCK = 1 << 14


def near_pairs(left: Hashes, right: Hashes, *, limit: int, left_is_start_of_right: bool = False) -> IntArray:
    """Find the pairs of images whose hashes differ in at most `limit` bits in some orientation.

    Args:
        left: hashes, (n_left, 32).
        right: hashes, (n_right, 32).
        limit: number of bits, in 0..64.
        left_is_start_of_right: whether `left` is the start of `right`; then each pair of different images is listed
            once, the smaller index first.

    Returns:
        (n_pairs, 3): index in `left`, index in `right`, number of bits that differ in the orientation with the fewest;
        sorted by the indices.

    Raises:
        FoldlineError: there are more than `MAX_PAIRS` pairs.
    """
    pairs = np.empty((0, 3), np.int64)
    right_words, right_keys = _words(right), _band_keys(right, limit + 1)
    for oriented in symmetric_hashes(left):
        left_words, left_keys = _words(oriented), _band_keys(oriented, limit + 1)
        for left_band, right_band in zip(left_keys, right_keys, strict=True):
            for first, second in _equal_keys(left_band, right_band):
                if left_is_start_of_right:
                    ascending = first < second
                    first, second = first[ascending], second[ascending]
                distances = np.bitwise_count(left_words[first] ^ right_words[second]).sum(axis=1, dtype=np.int64)
                near = distances <= limit
                if near.any():
                    block = np.stack([first[near], second[near], distances[near]], axis=1)
                    pairs = _smallest_distances(np.concatenate([pairs, block]))
                if len(pairs) > MAX_PAIRS:
                    raise FoldlineError(
                        f"leaks.near_duplicate_bits is {limit}, which makes more than {MAX_PAIRS} pairs of images near "
                        "duplicates; lower it, or set it to null to search for exact duplicates only"
                    )
    return pairs


def _smallest_distances(pairs: IntArray) -> IntArray:
    """Sort pairs, (n_pairs, 3), by their indices and list each of them once, with its smallest distance."""
    pairs = pairs[np.lexsort((pairs[:, 2], pairs[:, 1], pairs[:, 0]))]
    first = np.ones(len(pairs), bool)
    first[1:] = np.any(pairs[1:, :2] != pairs[:-1, :2], axis=1)
    return pairs[first]


def _words(hashes: Hashes) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(hashes).view(np.uint64)


def _band_keys(hashes: Hashes, bands: int) -> npt.NDArray[np.uint32]:
    """Compute a key per band and hash, (bands, n_hashes).

    A band takes every `bands`-th bit, so that every band has some of the low frequencies, in which similar images
    agree. The first bit is always 0 and in no band.
    """
    keys = np.zeros((bands, len(hashes)), np.uint32)
    for start in range(0, len(hashes), HASHES_PER_BLOCK):
        block = slice(start, start + HASHES_PER_BLOCK)
        bits = np.unpackbits(hashes[block], axis=1).T.astype(np.uint32)
        for band in range(bands):
            for shift, bit in enumerate(range(1 + band, HASH_BITS, bands)):
                if shift < KEY_BITS:
                    keys[band, block] |= bits[bit] << np.uint32(shift)
    return keys


def _equal_keys(left: npt.NDArray[np.uint32], right: npt.NDArray[np.uint32]) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield all pairs of equal keys in blocks: indices in `left` and in `right`, (n_block_pairs,) each."""
    left_order, right_order = np.argsort(left, kind="stable"), np.argsort(right, kind="stable")
    left_sorted, right_sorted = left[left_order], right[right_order]
    begin = np.searchsorted(right_sorted, left_sorted, "left")
    counts = np.searchsorted(right_sorted, left_sorted, "right") - begin
    matched = np.flatnonzero(counts)
    left_order, begin, counts = left_order[matched], begin[matched], counts[matched]
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + PAIRS_PER_BLOCK, "right")))
        block = counts[start:stop]
        within = np.arange(block.sum()) - np.repeat(np.cumsum(block) - block, block)
        yield np.repeat(left_order[start:stop], block), right_order[np.repeat(begin[start:stop], block) + within]
        start = stop
