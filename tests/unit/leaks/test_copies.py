"""Copies are found however they were changed, and images that are no copies are not."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from fixtures.image_sets import pairs_of, views_and_hashes
from fixtures.pictures import photograph
from foldline.leaks.aligned_correlation import SIDE, correlation
from foldline.leaks.copies import SYMMETRIES, near_copies
from foldline.leaks.similarity_transform import fit_transform

NO_PAIRS = np.empty((0, 2), np.int64)


def rotated(pixels: np.ndarray, degrees: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), degrees, 1)
    return cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC)


def with_bar(pixels: np.ndarray) -> np.ndarray:
    changed = pixels.copy()
    changed[20:50] = 255
    return changed


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cropped": lambda pixels: pixels[15:220, 25:300],
    "rotated by 4 degrees": lambda pixels: rotated(pixels, 4),
    "rotated by 137 degrees": lambda pixels: rotated(pixels, 137),
    "mirrored and rotated": lambda pixels: rotated(pixels[:, ::-1], 17),
    "mirrored": lambda pixels: pixels[:, ::-1],
    "turned upside down": lambda pixels: pixels[::-1],
    "transposed": lambda pixels: pixels.transpose(1, 0, 2),
    "a quarter turn": lambda pixels: np.rot90(pixels),
    "overlaid": with_bar,
    "smaller": lambda pixels: cv2.resize(pixels, (80, 60), interpolation=cv2.INTER_AREA),
    "blurred": lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 4),
    "darker": lambda pixels: (pixels * 0.6).astype(np.uint8),
    "gray": lambda pixels: cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[:, :, None],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_other_images(change: str) -> None:
    pictures = [photograph(240, 320, seed=seed) for seed in range(8)]
    assert pairs_of([[pixels] for pixels in [*pictures, CHANGES[change](pictures[3])]]) == [(3, 8)]


def test_pairs_of_two_images_of_other_splits_are_left_out() -> None:
    pictures = [photograph(120, 160, seed=seed) for seed in range(3)]
    samples = [[pixels] for pixels in [*pictures, pictures[0], pictures[0][:, ::-1]]]
    assert pairs_of(samples) == [(0, 3), (0, 4), (3, 4)]
    assert pairs_of(samples, own_start=4) == [(0, 4), (3, 4)]


def test_copies_agree_in_every_channel() -> None:
    channels = [photograph(120, 160, 1, seed=seed) for seed in range(5)]
    blank = np.zeros((120, 160, 1), np.uint8)
    assert pairs_of([[channels[0], channels[1]], [channels[0], channels[1]]]) == [(0, 1)]
    assert pairs_of([[channels[0], channels[1]], [channels[0], channels[2]]]) == []
    # Faint channels count as much; blank ones do not.
    faint = channels[3] // 8
    assert pairs_of([[channels[0], faint], [channels[0], channels[4] // 8]]) == []
    assert pairs_of([[channels[0], blank], [channels[0], blank]]) == [(0, 1)]
    assert pairs_of([[channels[0], blank], [channels[0], faint]]) == []


def test_without_full_search_only_the_given_pairs_are_compared() -> None:
    pictures = [photograph(120, 160, seed=seed) for seed in range(2)]
    views, hashes = views_and_hashes([[pixels] for pixels in [*pictures, *pictures]])
    given = np.array([[0, 1], [0, 2]])
    copies = near_copies(views, hashes, own_start=0, further=given, full=False)
    assert copies.pairs.tolist() == [[0, 2, 0]]


def test_an_image_without_contrast_is_blank() -> None:
    flat = np.full((40, 60, 1), 90, np.uint8)
    noisy = flat + np.random.default_rng(0).integers(0, 2, flat.shape, dtype=np.uint8)
    views, _ = views_and_hashes([[flat], [noisy], [photograph(40, 60, 1)], [flat, photograph(40, 60, 1)]])
    assert [view.blank for view in views] == [True, True, False, False]


def test_no_images_have_no_copies() -> None:
    for samples in ([], [[photograph(60, 80)]]):
        views, hashes = views_and_hashes(samples) if samples else ([], np.empty((0, 32), np.uint8))
        assert near_copies(views, hashes, own_start=0, further=NO_PAIRS).pairs.shape == (0, 3)


def test_symmetries_map_the_pixels_as_the_hashes_do() -> None:
    pixels = photograph(SIDE, SIDE, 1)[:, :, 0].astype(np.float32)
    for number, matrix in enumerate(SYMMETRIES):
        changed = pixels.T if number & 4 else pixels
        changed = changed[::-1] if number & 2 else changed
        changed = np.ascontiguousarray(changed[:, ::-1] if number & 1 else changed)
        assert correlation(pixels, changed, matrix) == pytest.approx(1)


def test_the_transform_between_two_images_is_found() -> None:
    pixels = photograph(240, 320)
    (first, second), _ = views_and_hashes([[pixels], [pixels[24:216, 32:288]]])
    transform = fit_transform(first.features, second.features, width=first.size[1])
    assert transform is not None
    # The middle four fifths, both at 128 pixels.
    np.testing.assert_allclose(transform.matrix, [[1.25, 0, -16], [0, 1.25, -12]], atol=0.5)


@pytest.mark.parametrize("changed", [lambda pixels: pixels, lambda pixels: pixels[:, ::-1]], ids=["same", "mirrored"])
def test_a_transform_with_fewer_inliers_than_wanted_is_none(changed: Callable[[np.ndarray], np.ndarray]) -> None:
    pixels = photograph(120, 160)
    (first, second), _ = views_and_hashes([[pixels], [changed(pixels)]])
    found = fit_transform(first.features, second.features, width=first.size[1])
    assert found is not None
    assert np.linalg.det(found.matrix[:, :2]) == pytest.approx(1 if changed(pixels) is pixels else -1, abs=0.05)
    same = fit_transform(first.features, second.features, width=first.size[1], least=found.inliers)
    assert same is not None
    np.testing.assert_array_equal(same.matrix, found.matrix)
    assert fit_transform(first.features, second.features, width=first.size[1], least=found.inliers + 1) is None
