"""Images that share a frame, axes or their smoothness are no copies; one image copied often still is."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from fixtures.image_sets import UNRELATED, Sample, lesion, pairs_of
from fixtures.pictures import photograph

MAKERS: dict[str, Callable[[int], np.ndarray]] = {
    "photographs": lambda seed: photograph(96, 128, seed=seed),
    "lesions": lambda seed: lesion(np.random.default_rng(seed)),
}


@pytest.mark.parametrize("name", UNRELATED)
def test_unrelated_images_are_no_copies(name: str, tmp_path: Path) -> None:
    assert pairs_of(UNRELATED[name](tmp_path)) == []


@pytest.mark.parametrize("name", MAKERS)
def test_an_image_copied_often_changes_nothing_for_the_others(name: str) -> None:
    unrelated: list[Sample] = [[MAKERS[name](seed)] for seed in range(40)]
    blurred = cv2.GaussianBlur(unrelated[1][0], (0, 0), 1)
    pairs = pairs_of([*unrelated, *[unrelated[0]] * 20, [blurred]])
    assert (1, 60) in pairs
    joined = {number for pair in pairs for number in pair if pair != (1, 60)}
    assert joined == {0, *range(40, 60)}


def test_most_images_may_be_copies_of_one() -> None:
    assert len(pairs_of([[photograph(96, 128, seed=0)] for _ in range(12)] + [[photograph(96, 128, seed=1)]])) >= 11
