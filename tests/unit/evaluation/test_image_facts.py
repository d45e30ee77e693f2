"""Facts of images against their pixels."""

import io

import numpy as np
import pandas as pd
import pytest
from foldline.evaluation.image_facts import image_facts
from PIL import Image

INVENTORY = pd.DataFrame(
    {
        "id": ["a", "b", "broken"],
        "path": ["x/a.JPG", "x/b.png", "x/broken.png"],
        "bytes": [400, 600, 9],
        "width": [20, 10, 0],
        "height": [10, 20, 0],
        "perceptual_hash": ["1", "2", ""],
        "contrast": [3.0, 4.0, 0.0],
    }
)


def jpeg(color: tuple[int, ...]) -> bytes:
    pixels = np.full((16, 16, len(color)), color, np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels if len(color) == 3 else pixels[:, :, 0]).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def test_size_type_and_color_are_those_of_the_image() -> None:
    found = image_facts(INVENTORY, {"a": (jpeg((200, 100, 50)),), "b": (jpeg((10, 10, 10)),)}, ())
    assert found["aspect ratio"].tolist()[:2] == [2.0, 0.5]
    assert found["bytes per pixel"].tolist()[:2] == [2.0, 3.0]
    assert found["file type"].tolist() == ["jpg", "png", "png"]
    assert found["red minus green"].tolist()[:2] == pytest.approx([100, 0], abs=3)
    assert found["blue minus green"].tolist()[:2] == pytest.approx([-50, 0], abs=3)
    assert found["brightness"][0] == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50, abs=3)


def test_nothing_is_known_of_an_unusable_image() -> None:
    found = image_facts(INVENTORY, {"a": (jpeg((9, 9, 9)),), "b": (jpeg((9, 9, 9)),)}, ()).iloc[2]
    assert found.drop("file type").isna().all()


def test_channels_have_a_brightness_each() -> None:
    found = image_facts(INVENTORY, {"a": (jpeg((90,)), jpeg((30,))), "b": (jpeg((60,)), jpeg((60,)))}, ("red", "far"))
    assert found["brightness of red"].tolist()[:2] == pytest.approx([90, 60], abs=2)
    assert found["brightness of far"].tolist()[:2] == pytest.approx([30, 60], abs=2)
    assert "brightness" not in found
