"""Composites: named channels in their own colors, sums clipped at white."""

import numpy as np
from foldline.images.composite import channel_colors, composite


def test_channels_are_added_in_their_colors() -> None:
    pixels = np.array([[[100, 0, 0, 0], [0, 7, 0, 0], [0, 0, 0, 50], [200, 0, 30, 200]]], np.uint8)
    found = composite(pixels, ("red", "green", "blue", "yellow"))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, [[[100, 0, 0], [0, 7, 0], [50, 50, 0], [255, 200, 30]]])


def test_rgb_and_gray_pictures_do_not_change() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(composite(pixels, ()), pixels)
    np.testing.assert_array_equal(composite(pixels[..., :1], ()), pixels[..., [0, 0, 0]])


def test_other_names_get_unused_colors() -> None:
    colors = channel_colors(["dapi", "red", "er"])
    assert len(np.unique(colors, axis=0)) == 3
    np.testing.assert_array_equal(colors[1], [255, 0, 0])
    assert channel_colors([f"c{number}" for number in range(20)]).shape == (20, 3)
