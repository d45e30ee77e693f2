"""The measurement of training images: its log says what to write into the configuration, and that is right."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fixtures.pictures import photograph, png_16_bit, saved
from foldline.check.intensity import MeasurePlan
from foldline.dataset.scan_config import ScanConfig
from foldline.errors import FoldlineError
from foldline.images.decoding import decode
from foldline.images.headers import read_header
from foldline.images.options import ImageOptions
from foldline.planning.configuration import complete, read_schema
from measure import LINES, measure

COUNT = 50


def picture(number: int) -> np.ndarray:
    return photograph(20, 30, channels=1, seed=number).astype(np.uint16) * 16


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A table of rows, and an image of 12 bits in 16 of each."""
    with (tmp_path / "train.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("id", "target"), *((f"i{number}", number % 2) for number in range(COUNT))])
    for number in range(COUNT):
        (tmp_path / f"i{number}.png").write_bytes(png_16_bit(picture(number)))
    return tmp_path


def plan(root: Path, **changes: Any) -> MeasurePlan:
    fields = {
        "root": str(root),
        "table": str(root / "train.csv"),
        "images": "{id}.png",
        "channels": (),
        "image_feature": "image",
        "id_column": "id",
        "target_column": "target",
        "group_column": None,
        "metadata_columns": (),
        "labels": None,
        "digest": "",
    }
    return MeasurePlan(ScanConfig(**fields | changes))


def test_the_lines_make_white_of_the_largest_samples(
    root: Path, repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    measure(plan(root), threads=1)
    most = max(int(picture(number).max()) for number in range(COUNT))
    assert f"gray: {COUNT} images with more than 8 bits (16 bits), samples from " in caplog.text
    assert f" to {most}, percentiles 50 %: " in caplog.text
    assert caplog.text.count("training images\n") == -(-COUNT // -(-COUNT // LINES))
    lines = next(record.getMessage() for record in caplog.records if "write into" in record.getMessage()).splitlines()
    typed = yaml.safe_load("\n".join(lines[1:]))
    assert typed == {"dataset": {"intensity": {"bits": 12}}}
    typed["dataset"] |= {"root": "data", "id_column": "id", "train_images": "{id}.png"}
    model = {"backbone": "efficientnet-b0", "image_size": 32}
    dataset = complete(typed | {"models": {"m": model}}, read_schema(repository / "config" / "config.schema.yaml"))[
        "dataset"
    ]
    options = ImageOptions(**ImageOptions.settings(dataset))
    caplog.clear()
    measure(plan(root, reading=options), threads=2)
    assert f"nothing to set: the largest sample is {most}, and 4095 is white" in caplog.text
    data = (root / "i1.png").read_bytes()
    pixels = decode(data, read_header(data, options), options).pixels
    np.testing.assert_array_equal(pixels, np.floor(picture(1).astype(float) * 255 / 4095 + 0.5))


def test_images_that_cannot_be_used_are_named_and_the_others_measured(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (root / "i3.png").write_bytes(b"no image")
    (root / "i4.png").unlink()
    measure(plan(root), threads=1)
    assert "2 images cannot be used and are not measured: " in caplog.text
    assert "i3.png: it is a text file, not a JPEG" in caplog.text
    assert f"gray: {COUNT - 2} images" in caplog.text
    for number in range(COUNT):
        (root / f"i{number}.png").write_bytes(b"")
    with pytest.raises(FoldlineError, match="no training image can be used"):
        measure(plan(root), threads=1)


def test_nothing_is_to_be_set_for_8_bits(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for number in range(COUNT):
        (root / f"i{number}.png").write_bytes(saved(photograph(20, 30, seed=number), "PNG"))
    measure(plan(root), threads=1)
    assert "nothing to set: no training image has more than 8 bits" in caplog.text
