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


def test_a_model_without_images_has_a_grid_of_one_pixel() -> None:
    assert pixels(no_samples()).shape == (1, 1, 3)
