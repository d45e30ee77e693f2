"""Evidence of a copy grows with the number of independent details that agree."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from fixtures.pictures import photograph
from foldline.leaks.aligned_correlation import SIDE, frame_of, refined
from foldline.leaks.closeness import MOST, differ_little, difference
from foldline.leaks.details import Details

UPRIGHT, ONE = np.eye(2, 3), np.arange(1)


def evidence(pictures: list[np.ndarray], first: int, second: int) -> float:
    """Evidence that two of some gray pictures of 64 pixels, float32, are copies."""
    frames = [frame_of(pixels.astype(np.float32))[None] for pixels in pictures]
    contrasts = [np.array([pixels.std()]) for pixels in pictures]
    return Details(frames, contrasts).evidence(first, second, UPRIGHT, ONE)


def gray(seed: int) -> np.ndarray:
    return photograph(SIDE, SIDE, 1, seed=seed)[:, :, 0].astype(np.float32)


def test_equal_smooth_pictures_are_less_evidence_than_equal_pictures_with_details() -> None:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    smooth = (100 + 80 * np.sin(3 * x + 2 * y)).astype(np.float32)
    waves = (100 + 80 * np.sin(40 * x)).astype(np.float32)
    detailed = evidence([gray(0), gray(0)], 0, 1)
    assert detailed > 50
    assert evidence([smooth, smooth], 0, 1) < detailed / 2
    # One wave has one independent value, however large the picture is.
    assert evidence([waves, waves], 0, 1) < 10


def test_evidence_of_unrelated_pictures_is_small() -> None:
    pictures = [gray(seed) for seed in range(30)]
    found = [evidence(pictures, 0, second) for second in range(1, 6)]
    assert max(np.abs(found)) < 4


def test_what_pictures_have_in_common_is_no_evidence() -> None:
    pictures = [gray(seed) for seed in range(30)]
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    framed = [np.where(np.hypot(y, x) < 28, pixels, 0).astype(np.float32) for pixels in pictures]
    assert evidence(framed, 0, 1) < 5
    assert evidence([*framed, cv2.GaussianBlur(framed[0], (0, 0), 1)], 0, 30) > 10


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "equal": lambda pixels: pixels,
    "blurred": lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 1),
    "darker": lambda pixels: pixels * 0.7,
    "gamma": lambda pixels: 255 * (pixels / 255) ** 1.5,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_differs_little_and_another_image_does_not(change: str) -> None:
    pixels = cv2.GaussianBlur(gray(0), (0, 0), 0.7)
    changed = CHANGES[change](pixels).astype(np.float32)
    assert difference(pixels, changed, UPRIGHT) < MOST[0][1]
    assert differ_little(pixels, changed, UPRIGHT)
    other = (pixels * 0.9 + gray(1) * 0.1).astype(np.float32)
    assert not differ_little(pixels, other, UPRIGHT)


def test_an_alignment_is_improved_in_spite_of_filled_corners() -> None:
    pixels = cv2.GaussianBlur(gray(0), (0, 0), 2) * 3
    true = np.array(cv2.getRotationMatrix2D((31.5, 31.5), 17, 0.75))
    turned = cv2.warpAffine(pixels, true, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderValue=255)
    start = true + np.array([[0, 0, 1.0], [0, 0, -1.0]])
    better = refined(frame_of(pixels), frame_of(cv2.GaussianBlur(turned, (0, 0), 0.7)), start)
    middle = np.array([31.5, 31.5, 1])
    assert np.abs((better - true) @ middle).max() < 0.2
    assert np.abs(better - true)[:, :2].max() < 0.01


def test_blocks_that_show_nothing_do_not_agree() -> None:
    """Mostly dark tiles of microscopy, with the same faint slope of the light and one bright cell each."""
    dark = [np.tile(np.linspace(3, 9, SIDE, dtype=np.float32), (SIDE, 1)) for _ in range(2)]
    for pixels, left in zip(dark, (20, 28), strict=True):
        pixels[24:40, left : left + 16] += gray(left)[24:40, 24:40]
    assert difference(dark[0], dark[1], UPRIGHT) == 1
    assert not differ_little(dark[0], dark[1], UPRIGHT)
