"""Near images by their embeddings."""

import numpy as np
import pytest
from foldline.leaks.embedding_neighbors import SHRINKAGE, candidate_pairs, nearest, similar_pairs, whitened


def vectors(count: int, width: int = 5, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float16)


def test_whitened_directions_are_about_equally_long() -> None:
    mixed = (np.asarray(vectors(400), np.float32) @ np.diag([1, 1, 1, 1, 0.0]) + [[5, 0, 0, 0, 3]]) * [9, 1, 1, 1, 1]
    mixed[:, 1] += mixed[:, 0] / 9
    found = whitened(mixed.astype(np.float16))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    variances = np.linalg.eigvalsh(np.cov(found.T))
    assert variances[0] < 1e-6 < 0.5 < variances[1] / variances[-1]
    assert SHRINKAGE < 1


def test_equal_vectors_have_no_direction() -> None:
    assert np.array_equal(whitened(np.ones((3, 2), np.float16)), np.zeros((3, 2)))


@pytest.mark.parametrize("count", [1, 2, 3, 700])
def test_nearest_are_those_of_a_full_sort(count: int) -> None:
    unit = whitened(vectors(count))
    found = nearest(unit, 4)
    cosines = unit.astype(np.float64) @ unit.T
    np.fill_diagonal(cosines, -2)
    expected = np.argsort(-cosines, axis=1, kind="stable")[:, : min(4, count - 1)]
    assert (found.numbers == expected).mean() > 0.99 if count > 1 else found.numbers.shape == (1, 0)
    np.testing.assert_allclose(found.similarities, np.take_along_axis(cosines, found.numbers, axis=1), atol=1e-6)


def test_candidates_of_other_splits_alone_are_left_out() -> None:
    values = vectors(30)
    every = candidate_pairs(values, count=2)
    assert (every[:, 0] < every[:, 1]).all()
    assert len(np.unique(every, axis=0)) == len(every) >= 30
    own = candidate_pairs(values, count=2, own_start=25)
    assert own.tolist() == every[every[:, 1] >= 25].tolist()
    assert candidate_pairs(values[:1], count=2).shape == (0, 2)


def test_a_pair_in_empty_surroundings_is_before_a_nearer_one_in_a_crowd() -> None:
    random = np.random.default_rng(4)
    values = random.normal(size=(60, 30))
    # A crowd of 20 that all look alike, and a pair that is less alike, far from all others.
    values[:20] = random.normal(size=30) * 3 + 0.7 * values[:20]
    values[41] = values[40] + 0.5 * values[41]
    pairs, scores = similar_pairs(values.astype(np.float16))
    assert pairs[0].tolist() == [40, 41]
    assert (np.diff(scores) <= 0).all()
    assert len({tuple(pair) for pair in pairs.tolist()}) == len(pairs)


def test_one_image_has_no_pairs() -> None:
    pairs, scores = similar_pairs(vectors(1))
    assert (len(pairs), len(scores)) == (0, 0)
