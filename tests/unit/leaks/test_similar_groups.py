"""Where many images look alike, only pairs that agree closely are copies."""

import numpy as np
from foldline.leaks.similar_groups import connected, strict_pairs

GROUP = [[first, second] for first in range(10) for second in range(first + 1, 10)]


def test_pairs_of_images_that_look_alike_must_agree_closely() -> None:
    pairs = np.array([*GROUP, [20, 21]])
    few, similar = strict_pairs(pairs, lambda row: row % 5 == 0, count=1000)
    assert few.tolist() == [row % 5 == 0 for row in range(45)] + [True]
    assert similar == 10
    most, similar = strict_pairs(pairs, lambda row: row % 5 != 0, count=1000)
    assert most.all()
    assert similar == 0
    # Few images are copies as they are.
    few, similar = strict_pairs(pairs[-1:], lambda row: False, count=1000)
    assert few.all()
    assert similar == 0


def test_where_many_images_look_alike_few_are_judged_strictly_too() -> None:
    pairs = np.array([*GROUP, [20, 21], [30, 31]])
    kept, similar = strict_pairs(pairs, lambda row: row % 5 == 0, count=100)
    assert kept.tolist() == [row % 5 == 0 for row in range(47)]
    assert similar == 12


def test_connected_pairs_have_one_number() -> None:
    pairs = np.array([[4, 5], [1, 9], [5, 9], [2, 3], [7, 8], [6, 7]])
    assert connected(pairs).tolist() == [1, 1, 1, 2, 6, 6]
    assert connected(np.empty((0, 2), np.int64)).tolist() == []
