"""All pairs of hashes that differ in few bits, without comparing every hash with every other.

Hashes that differ in at most k bits, cut into k + 1 bands, are equal in at least one band (pigeonhole): only pairs with
an equal band are compared. With a million hashes and 12 bits that is a few million comparisons in place of 5e11.
"""

from collections.abc import Iterator

import numpy as np

from foldline.errors import FoldlineError
from foldline.images.perceptual_hash import HASH_BITS, symmetric_hashes

# More than these bits a band key does not hold; a longer band is compared by its first bits, which finds no less.
KEY_BITS = 32
PAIRS_AT_A_TIME = 1 << 20
# Beyond this the limit is too wide for the pictures: every pair would be a row of a table.
MOST_PAIRS = 2_000_000


def close_pairs(left: np.ndarray, right: np.ndarray, *, limit: int, same: bool = False) -> np.ndarray:
    """Find the pairs of pictures whose hashes differ in at most `limit` bits in some orientation.

    Args:
        left: uint8, (n_left, 32).
        right: uint8, (n_right, 32).
        limit: bits, in 0..64.
        same: `left` is the beginning of `right`: a pair is listed once, with the smaller position in `left`.

    Returns:
        int64, (n_pairs, 3): position in `left`, position in `right`, bits that differ in the orientation where they
        are fewest; sorted by position.

    Raises:
        FoldlineError: more than `MOST_PAIRS` pairs.
    """
    pairs = np.empty((0, 3), np.int64)
    if not len(left) or not len(right):
        return pairs
    bands = limit + 1
    right_keys = _band_keys(right, bands)
    right_words = _words(right)
    for view in symmetric_hashes(left):
        view_words = _words(view)
        view_keys = _band_keys(view, bands)
        for band in range(bands):
            for first, second in _equal_keys(view_keys[band], right_keys[band]):
                if same:
                    ahead = first < second
                    first, second = first[ahead], second[ahead]
                differing = np.bitwise_count(view_words[first] ^ right_words[second]).sum(axis=1, dtype=np.int64)
                near = differing <= limit
                if near.any():
                    fresh = np.stack([first[near], second[near], differing[near]], axis=1)
                    pairs = _fewest(np.concatenate([pairs, fresh]))
                if len(pairs) > MOST_PAIRS:
                    raise FoldlineError(
                        f"more than {MOST_PAIRS} pairs of images are within {limit} bits of each other: the images are "
                        "too much alike for this limit; lower leaks.near_duplicate_bits, or set it to null to look for "
                        "exact copies only"
                    )
    return pairs


def _fewest(pairs: np.ndarray) -> np.ndarray:
    """Sort (n_pairs, 3) rows by both positions and keep the row with the fewest bits of each pair."""
    pairs = pairs[np.lexsort((pairs[:, 2], pairs[:, 1], pairs[:, 0]))]
    first = np.ones(len(pairs), bool)
    first[1:] = np.any(pairs[1:, :2] != pairs[:-1, :2], axis=1)
    return pairs[first]


def _words(hashes: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(hashes).view(np.uint64)


def _band_keys(hashes: np.ndarray, bands: int) -> np.ndarray:
    """Keys of the bands; uint32, (bands, n_hashes).

    A band takes every `bands`-th bit, so that each has its share of the low frequencies, in which pictures of one kind
    agree. The first bit is always 0 and in no band.
    """
    keys = np.zeros((bands, len(hashes)), np.uint32)
    step = 1 << 14  # hashes at a time: their bits take 4 bytes each
    for start in range(0, len(hashes), step):
        bits = np.unpackbits(hashes[start : start + step], axis=1).T.astype(np.uint32)
        for band in range(bands):
            for place, bit in enumerate(range(1 + band, HASH_BITS, bands)):
                if place < KEY_BITS:
                    keys[band, start : start + step] |= bits[bit] << np.uint32(place)
    return keys


def _equal_keys(left: np.ndarray, right: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, some at a time, the positions (n_pairs,) in `left` and `right` of all pairs of equal keys."""
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
        stop = max(start + 1, int(np.searchsorted(ends, done + PAIRS_AT_A_TIME, "right")))
        some = counts[start:stop]
        within = np.arange(some.sum()) - np.repeat(np.cumsum(some) - some, some)
        yield np.repeat(left_order[start:stop], some), right_order[np.repeat(begin[start:stop], some) + within]
        start = stop
