"""The keys of `dataset` that decoders see."""

import pytest
from foldline.images.options import ImageOptions
from foldline.io.settings import build

SECTION = {
    "intensity": "full",
    "page": 3,
    "max_megapixels": 20,
    "color_profile": "srgb",
    "dicom_window": "file",
    "channels": None,
}
CHANNELS = {"none": None, "two": ["red", "green"]}


@pytest.mark.parametrize(
    ("intensity", "white"), [("full", None), ({"bits": 12}, 4095), ({"bits": 8}, 255), ({"max": 0.5}, 0.5)]
)
def test_white_follows_from_the_intensity(intensity: object, white: float | None) -> None:
    settings = ImageOptions.settings({**SECTION, "intensity": intensity})
    assert ImageOptions(**settings) == ImageOptions(max_megapixels=20, page=3, white=white)


def test_channels_have_no_colors_to_convert() -> None:
    found = {name: ImageOptions.settings({**SECTION, "channels": channels}) for name, channels in CHANNELS.items()}
    assert {name: settings["color_profile"] for name, settings in found.items()} == {"none": "srgb", "two": "ignore"}


@pytest.mark.parametrize(
    ("window", "wanted"),
    [("file", (True, None)), ("full", (False, None)), ({"center": 40, "width": 80}, (False, (40.0, 80.0)))],
)
def test_the_window_of_dicom_files(window: object, wanted: tuple[bool, tuple[float, float] | None]) -> None:
    options = build(ImageOptions, ImageOptions.settings({**SECTION, "dicom_window": window}))
    assert (options.file_window, options.window) == wanted
