"""The picture of augmented samples: the image as it is first, then changed versions; equal seeds, equal bytes."""

import io
from pathlib import Path

import numpy as np
from fixtures.settings import augment_config
from fixtures.shards import picture, write_shards
from foldline.dataset.input_spec import InputSpec
from foldline.dataset.metadata import Encoding
from foldline.input_pipeline.preview import COLUMNS, GAP, ROWS, augmented_samples, no_samples
from foldline.tfrecords.open_shards import open_shards
from PIL import Image

CHANGES = augment_config(rotation=[15.0], contrast=0.2, brightness=0.1, cutmix={"probability": 0.5})


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image)


def test_each_row_starts_with_the_unchanged_image(tmp_path: Path) -> None:
    data = write_shards(tmp_path)
    shards = open_shards(data.paths, data.manifests, image_size=32)
    first, again, other = (
        augmented_samples(
            shards, list(data.rows["id"]), input_spec=InputSpec(32, Encoding(())), augment=CHANGES, seed=seed
        )
        for seed in (1, 1, 2)
    )
    assert first == again != other
    grid = pixels(first)
    assert grid.shape == (ROWS * (32 + GAP) - GAP, COLUMNS * (32 + GAP) - GAP, 3)
    shown = {grid[line * (32 + GAP) :, :32][:32].tobytes() for line in range(ROWS)}
    rows = data.rows.sort_values("id").head(ROWS)
    assert shown == {pixels(picture(row.number, int(row.target), 32)).tobytes() for row in rows.itertuples()}


def test_colors_change_in_the_color_space_of_the_model(tmp_path: Path) -> None:
    data = write_shards(tmp_path)
    shards = open_shards(data.paths, data.manifests, image_size=32)
    first, second = (
        pixels(
            augmented_samples(
                shards,
                list(data.rows["id"]),
                input_spec=InputSpec(32, Encoding(())),
                augment=augment_config(
                    flip_horizontal=False, flip_vertical=False, quarter_turns=False, hue=0.3, color_space=color_space
                ),
                seed=1,
            )
        )[:32]
        for color_space in ("yiq", "hsv")
    )
    np.testing.assert_array_equal(first[:, :32], second[:, :32])
    # A hue in HSV keeps the largest of the three colors, and one in YIQ the luma.
    unchanged = first[:, :32].astype(int)
    for column in range(1, COLUMNS):
        in_yiq, in_hsv = (grid[:, column * (32 + GAP) :][:, :32].astype(int) for grid in (first, second))
        assert np.abs(in_hsv.max(axis=2) - unchanged.max(axis=2)).max() <= 1
        assert np.abs(in_yiq.max(axis=2) - unchanged.max(axis=2)).max() > 1


def test_a_model_without_images_has_a_grid_of_one_pixel() -> None:
    assert pixels(no_samples()).shape == (1, 1, 3)
