"""Pairs of near hashes, against comparing each hash with each other."""

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.images.perceptual_hash import symmetric_hashes
from foldline.splits import hamming_search as hamming
from foldline.splits.hamming_search import near_pairs


def hashes_with_copies(count: int, *, limit: int, seed: int, likeness: float = 0.0) -> np.ndarray:
    """Make hashes, of which the last third are copies with up to `limit` + 1 flipped bits, in any of 8 orientations.

    Args:
        count: number of hashes.
        limit: see above.
        seed: seed of the hashes.
        likeness: share of bits in which all hashes agree, as they do for similar images.
    """
    random = np.random.default_rng(seed)
    common = random.random(256) < likeness
    bits = np.where(common, random.integers(0, 2, 256), random.integers(0, 2, (count, 256))).astype(np.uint8)
    bits[:, 0] = 0
    hashes = np.packbits(bits, axis=1)
    views = np.stack(list(symmetric_hashes(hashes)))
    for copy in range(count * 2 // 3, count):
        flipped = np.zeros(256, np.uint8)
        flipped[1 + random.choice(255, random.integers(0, limit + 2), replace=False)] = 1
        hashes[copy] = views[random.integers(8), random.integers(count // 2)] ^ np.packbits(flipped)
    return hashes


def every_pair(left: np.ndarray, right: np.ndarray, limit: int, *, once: bool) -> list[tuple[int, int, int]]:
    """Compare each hash with each other in all orientations."""
    distances = np.min(
        [
            np.bitwise_count(view[:, None, :] ^ right[None, :, :]).sum(axis=2, dtype=int)
            for view in symmetric_hashes(left)
        ],
        axis=0,
    )
    rows, columns = np.nonzero(distances <= limit)
    return [(i, j, distances[i, j]) for i, j in zip(rows, columns, strict=True) if not once or i < j]


@pytest.mark.parametrize("limit", [0, 1, 4, 7, 12, 16, 40])
@pytest.mark.parametrize("likeness", [0.0, 0.6])
def test_pairs_within_one_set(limit: int, likeness: float) -> None:
    hashes = hashes_with_copies(240, limit=limit, seed=limit, likeness=likeness)
    expected = every_pair(hashes, hashes, limit, once=True)
    assert len(expected) >= 50
    found = near_pairs(hashes, hashes, limit=limit, left_is_start_of_right=True)
    assert [tuple(row) for row in found] == expected


@pytest.mark.parametrize("limit", [0, 5, 12])
def test_pairs_between_two_sets(limit: int) -> None:
    hashes = hashes_with_copies(240, limit=limit, seed=limit)
    left, right = hashes[150:], hashes[:150]
    expected = every_pair(left, right, limit, once=False)
    assert len(expected) >= 30
    assert [tuple(row) for row in near_pairs(left, right, limit=limit)] == expected


def test_pairs_of_a_set_and_its_start() -> None:
    hashes = hashes_with_copies(200, limit=5, seed=9)
    expected = every_pair(hashes[:80], hashes, 5, once=True)
    assert [tuple(row) for row in near_pairs(hashes[:80], hashes, limit=5, left_is_start_of_right=True)] == expected


def test_the_block_size_does_not_change_the_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = hashes_with_copies(240, limit=8, seed=2, likeness=0.9)
    whole = near_pairs(hashes, hashes, limit=8, left_is_start_of_right=True)
    monkeypatch.setattr(hamming, "PAIRS_PER_BLOCK", 7)
    np.testing.assert_array_equal(near_pairs(hashes, hashes, limit=8, left_is_start_of_right=True), whole)


def test_equal_hashes_are_pairs_of_distance_0() -> None:
    hashes = np.repeat(hashes_with_copies(3, limit=0, seed=1)[:1], 4, axis=0)
    assert [tuple(row) for row in near_pairs(hashes, hashes, limit=3, left_is_start_of_right=True)] == [
        (i, j, 0) for i in range(4) for j in range(i + 1, 4)
    ]


def test_without_hashes_there_are_no_pairs() -> None:
    none, some = np.empty((0, 32), np.uint8), np.ones((3, 32), np.uint8)
    for left, right in ((none, none), (none, some), (some, none)):
        assert near_pairs(left, right, limit=5).shape == (0, 3)


def test_too_many_pairs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamming, "MAX_PAIRS", 5)
    with pytest.raises(FoldlineError, match="near_duplicate_bits is 2, which makes more than 5 pairs of images near"):
        near_pairs(np.ones((4, 32), np.uint8), np.ones((4, 32), np.uint8), limit=2, left_is_start_of_right=True)


@pytest.mark.slow
def test_100_000_hashes_are_compared_in_seconds() -> None:
    random = np.random.default_rng(0)
    hashes = random.integers(0, 256, (100_000, 32), dtype=np.uint8)
    hashes[50_000:50_100] = hashes[:100]
    found = near_pairs(hashes, hashes, limit=12, left_is_start_of_right=True)
    assert [tuple(row) for row in found] == [(number, 50_000 + number, 0) for number in range(100)]
