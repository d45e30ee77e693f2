"""Which images are said to come out dark: those that leave the range unused, and no dark pictures."""

import numpy as np
import pandas as pd
import pytest
from fixtures.pictures import smooth
from foldline.dataset.dark_images import dark_images
from foldline.images.samples import bright_sample


@pytest.mark.parametrize(
    ("peaks", "whites", "words"),
    [
        ([4080.0, 3000.0], [65535.0, 65535.0], "2 of 2 images with more than 8 bits (100%) come out dark"),
        ([4080.0, 65535.0], [65535.0, 65535.0], ""),
        ([4080.0, 4000.0, 4000.0], [65535.0, 4095.0, 65535.0], "2 of 3 images with more than 8 bits (67%) come out"),
        ([0.0, 4080.0], [0.0, 65535.0], "1 of 1 image with more than 8 bits (100%) comes out dark"),
        ([20000.0, 4000.0], [65535.0, 4095.0], ""),
        ([0.0, 0.0], [0.0, 0.0], ""),
        ([0.1, 0.25], [1.0, 1.0], "2 of 2 images"),
        ([0.2, 0.26], [1.0, 1.0], ""),
        ([65535.0] + [4080.0] * 19, [65535.0] * 20, "19 of 20 images with more than 8 bits (95%)"),
    ],
)
def test_most_images_are_dark(peaks: list[float], whites: list[float], words: str) -> None:
    text = dark_images(pd.DataFrame({"peak_sample": peaks, "white_sample": whites}))
    assert words in text
    assert bool(text) == bool(words)


def cells(seed: int, *, bits: int) -> np.ndarray:
    """Samples of 16 bits, (400, 400): bright cells that cover 1 % of a black picture, in the range of some bits."""
    random = np.random.default_rng(seed)
    picture = random.integers(0, 2 ** (bits - 6), (400, 400)).astype(np.uint16)
    for row, column in random.integers(0, 380, (4, 2)):
        picture[row : row + 20, column : column + 20] = smooth(20, 20, 1, seed=seed)[:, :, 0].astype(np.uint16) << (
            bits - 8
        )
    return picture


@pytest.mark.parametrize(("bits", "is_dark"), [(16, False), (14, True), (12, True), (10, True), (8, True)])
def test_dark_microscopy_is_not_mistaken_for_unused_bits(bits: int, is_dark: bool) -> None:
    peaks = [bright_sample(cells(seed, bits=bits)) for seed in range(9)]
    # One image has a mark of full white.
    marked = cells(9, bits=bits)
    marked[:20, :60] = 65535
    table = pd.DataFrame({"peak_sample": [*peaks, bright_sample(marked)], "white_sample": 65535.0})
    assert bool(dark_images(table)) == is_dark
    assert not is_dark or "9 of 10 images" in dark_images(table)
