"""The keys of `dataset` that decoders see."""

import pytest
from foldline.images.options import ImageOptions


@pytest.mark.parametrize(
    ("intensity", "white"), [("full", None), ({"bits": 12}, 4095), ({"bits": 8}, 255), ({"max": 0.5}, 0.5)]
)
def test_white_follows_from_the_intensity(intensity: object, white: float | None) -> None:
    settings = ImageOptions.settings({"intensity": intensity, "page": 3, "max_megapixels": 20})
    assert ImageOptions(**settings) == ImageOptions(max_megapixels=20, page=3, white=white)
