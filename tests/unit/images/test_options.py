"""The keys of `dataset` that decoders see."""

import pytest
from foldline.images.options import ImageOptions

CHANNELS = {"none": None, "two": ["red", "green"]}


@pytest.mark.parametrize(
    ("intensity", "white"), [("full", None), ({"bits": 12}, 4095), ({"bits": 8}, 255), ({"max": 0.5}, 0.5)]
)
def test_white_follows_from_the_intensity(intensity: object, white: float | None) -> None:
    section = {"intensity": intensity, "page": 3, "max_megapixels": 20, "color_profile": "srgb", "channels": None}
    assert ImageOptions(**ImageOptions.settings(section)) == ImageOptions(max_megapixels=20, page=3, white=white)


def test_channels_have_no_colors_to_convert() -> None:
    section = {"intensity": "full", "page": None, "max_megapixels": 20, "color_profile": "srgb"}
    found = {name: ImageOptions.settings({**section, "channels": channels}) for name, channels in CHANNELS.items()}
    assert {name: settings["color_profile"] for name, settings in found.items()} == {"none": "srgb", "two": "ignore"}
