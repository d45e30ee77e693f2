"""Aligned frames are compared by their details, whatever a copy changed."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from fixtures.pictures import photograph
from foldline.leaks.aligned_correlation import SIDE, disagreement, inverse, refined
from foldline.leaks.candidates import compared, hypotheses
from foldline.leaks.copies import MOST_DISAGREEMENT, SYMMETRIES
from foldline.leaks.detail import MOST, background_of, usual_limit
from foldline.leaks.patterns import normalized, part_matrix, patterns_of, unit, whitening

UPRIGHT = SYMMETRIES[0]


def frame(seed: int, *, side: int = SIDE) -> np.ndarray:
    """A frame with details, as those of tissue have."""
    noise = np.random.default_rng(seed).normal(0, 60, (side, side)).astype(np.float32)
    smooth = photograph(side, side, 1, seed=seed)[:, :, 0].astype(np.float32)
    return np.clip(smooth + cv2.GaussianBlur(noise, (0, 0), 1.2), 0, 255).astype(np.float32)


def with_ruler(image: np.ndarray) -> np.ndarray:
    out = image.copy()
    out[48:60] = 255
    out[48:53, ::4] = 0
    return out


@pytest.mark.parametrize(
    "change",
    [
        lambda image: 255 * (image / 255) ** 1.8,
        lambda image: image * 0.6 + 10,
        lambda image: cv2.GaussianBlur(image, (0, 0), 1.1),
        with_ruler,
    ],
    ids=["gamma", "contrast", "blur", "ruler"],
)
def test_a_copy_does_not_disagree_and_another_image_does(change: Callable[[np.ndarray], np.ndarray]) -> None:
    image = frame(0)
    copy = change(image).astype(np.float32)
    assert disagreement(image, copy, UPRIGHT) < MOST_DISAGREEMENT
    # As much as two slices of one crystal differ.
    sister = 0.85 * image + 0.15 * frame(1)
    assert disagreement(image, change(sister).astype(np.float32), UPRIGHT) > MOST_DISAGREEMENT


def test_details_of_copies_agree_and_those_of_images_with_the_same_ruler_do_not() -> None:
    images = [frame(seed)[None] for seed in range(12)]
    ruled = [with_ruler(image[0])[None] for image in images]
    plain = background_of(images)
    assert 0 < plain.usual < 0.5
    assert plain.agreement(images[0], 0.5 * images[0] + 20, UPRIGHT, [0]).product > 0.9
    found = plain.agreement(images[6], ruled[6], UPRIGHT, [0])
    assert found.product > 0.5
    assert found.blocks > 30
    assert found.share > 0.5
    assert abs(plain.agreement(images[6], images[7], UPRIGHT, [0]).product) < 0.2
    common = background_of(ruled).agreement(ruled[0], ruled[1], UPRIGHT, [0])
    assert common.product < 0.2
    # Of few images, nobody knows what is common to all.
    few = background_of(ruled[:2])
    assert few.usual == MOST
    assert few.agreement(ruled[0], ruled[1], UPRIGHT, [0]).product > common.product + 0.03


def test_the_channel_that_agrees_least_counts() -> None:
    images = [np.stack([frame(seed // 2), frame(100 + seed)]) for seed in range(20)]
    background = background_of(images)
    assert background.agreement(images[0], images[1], UPRIGHT, [0]).product > 0.9
    assert background.agreement(images[0], images[0], UPRIGHT, [0, 1]).product > 0.9
    assert background.agreement(images[0], images[1], UPRIGHT, [0, 1]).product < 0.2


def test_copies_do_not_make_agreement_usual() -> None:
    random = np.random.default_rng(0)
    unrelated = random.normal(0, 0.05, 300)
    usual = usual_limit(unrelated)
    assert 0.2 < usual < 0.4
    assert usual_limit(np.concatenate([unrelated, np.full(60, 0.95)])) == pytest.approx(usual, abs=0.1)
    assert usual_limit(np.array([])) == MOST


def test_an_alignment_is_refined_to_a_fraction_of_a_pixel() -> None:
    image = cv2.GaussianBlur(frame(0, side=128), (0, 0), 2)
    true = np.array([[0.95, 0.02, 4.3], [-0.02, 0.97, 2.1]])
    moved = cv2.warpAffine(image, true, (128, 128), flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP)
    first, second = moved[32:96, 32:96], image[32:96, 32:96]
    shifted = true.copy()
    shifted[:, 2] += true[:, :2] @ [32, 32] - 32
    start = shifted + np.array([[0.01, 0, 0.6], [0, -0.01, -0.6]])
    np.testing.assert_allclose(refined(first, second, start) @ [32, 32, 1], shifted @ [32, 32, 1], atol=0.1)
    np.testing.assert_allclose(inverse(inverse(true)), true)


def test_the_pattern_of_a_part_is_that_of_a_crop() -> None:
    images = [frame(seed) for seed in range(12)]
    row, column, side = 7, 0, 57
    crop = cv2.resize(images[3][row : row + side, column : column + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    patterns = compared(patterns_of([*images, crop]))
    alike = hypotheses(patterns, np.array([[3, 12], [4, 12]]))
    assert alike.alike_parts[0] > 0.8 > alike.alike_parts[1]
    assert not alike.part_of_second[0]
    # The middle of the crop.
    wanted = [(column + side / 2), (row + side / 2), 1]
    np.testing.assert_allclose(part_matrix(alike.parts[0]) @ wanted, [SIDE / 2, SIDE / 2], atol=1)


def test_patterns_are_normalized_by_what_is_around() -> None:
    image = frame(0)
    pattern = normalized(image, 2.0, noise=2.0)
    assert np.abs(pattern).max() <= 1
    np.testing.assert_allclose(pattern, normalized(image + 50, 2.0, noise=2.0), atol=1e-3)
    assert np.corrcoef(pattern.ravel(), normalized(0.3 * image, 2.0, noise=2.0).ravel())[0, 1] > 0.95
    assert not normalized(np.full((8, 8), 7, np.float32), 2.0, noise=2.0).any()


def test_what_images_have_in_common_counts_no_more_than_the_rest() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(1000, 8)).astype(np.float32)
    vectors[:, 0] = 30 * vectors[:, 0] + 100
    mean, directions = whitening(vectors, shrinkage=0.001)
    whitened = (vectors - mean) @ directions
    assert whitened.std(axis=0).max() < 2 * whitened.std(axis=0).min() * 8
    # Two equal vectors alone are not their mean.
    mean, directions = whitening(vectors[[0, 0]], shrinkage=0.1)
    first = unit((vectors[:1] - mean) @ directions)
    assert first @ first.T == pytest.approx(1, abs=1e-3)
