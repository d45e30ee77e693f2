"""Unrelated small images with details are no copies, in small sets either."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fixtures.channels import cells
from fixtures.competitions import write_atlas, write_melanoma
from fixtures.images import write_dataset
from fixtures.pictures import photograph
from foldline.images.perceptual_hash import hash_array, perceptual_hash
from foldline.images.picture import Picture
from foldline.leaks.copies import near_copies
from foldline.leaks.views import views_of
from foldline.tfrecords.image_sources import thumbnail_jpeg, thumbnail_of
from PIL import Image

Pixels = np.ndarray


def pairs_of(samples: list[list[Pixels]]) -> list[tuple[int, int]]:
    """Pairs of samples, each with one image or one for each channel, that the audit takes for near copies."""
    pictures = [[Picture.whole(np.ascontiguousarray(pixels)) for pixels in sample] for sample in samples]
    views = views_of([[thumbnail_jpeg(thumbnail_of(picture)) for picture in sample] for sample in pictures])
    shown = [number for number, view in enumerate(views) if not view.blank]
    hashes = hash_array([perceptual_hash(pictures[number]) for number in shown])
    found = near_copies([views[number] for number in shown], hashes, own_start=0, further=np.empty((0, 2), np.int64))
    return [(shown[first], shown[second]) for first, second, _ in found.pairs]


def read(path: Path) -> Pixels:
    return np.atleast_3d(np.asarray(Image.open(path)))


def test_the_images_of_the_small_data_set_are_no_copies(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", train=16, test=4, external=4, edge=32)
    images = [[read(path)] for path in sorted((tmp_path / "data" / "images").iterdir())]
    assert pairs_of(images) == []
    # A copy among them is one.
    assert pairs_of([*images, [images[3][0][:, ::-1]]]) == [(3, len(images))]


@pytest.mark.parametrize(("count", "edge"), [(30, 32), (12, 32), (4, 40)])
def test_samples_of_random_channels_are_no_copies(count: int, edge: int) -> None:
    planes = [np.split(cells(number, number % 2, edge=edge), 4, axis=2) for number in range(count)]
    assert pairs_of(planes) == []


def test_the_images_of_miniature_competitions_are_no_copies(tmp_path: Path) -> None:
    ids = [name for names in write_atlas(tmp_path / "atlas", train=20) for name in names]
    paths = [sorted((tmp_path / "atlas").glob(f"*/{name}_*.png")) for name in ids]
    assert pairs_of([[read(path) for path in sample] for sample in paths]) == []
    write_melanoma(tmp_path / "melanoma")
    assert pairs_of([[read(path)] for path in sorted((tmp_path / "melanoma").rglob("*.jpg"))]) == []


def noise(side: int, random: np.random.Generator) -> Pixels:
    return random.integers(0, 256, (side, side, 3), dtype=np.uint8)


def landscape(side: int, random: np.random.Generator) -> Pixels:
    return photograph(side, side, seed=int(random.integers(1 << 30)))


def stripes(side: int, random: np.random.Generator) -> Pixels:
    """Stripes of random widths, directions and tones."""
    angle, width = random.uniform(0, np.pi), random.uniform(3, side / 4)
    along = np.cos(angle) * np.arange(side)[:, None] + np.sin(angle) * np.arange(side)[None, :]
    tones = random.integers(0, 256, 64)
    return np.asarray(tones[(along // width).astype(int) % 64], np.uint8)[:, :, None]


@pytest.mark.parametrize("side", [16, 32])
@pytest.mark.parametrize("kind", [noise, landscape, stripes])
def test_generated_images_of_small_sets_are_no_copies(
    kind: Callable[[int, np.random.Generator], Pixels], side: int
) -> None:
    random = np.random.default_rng(side)
    assert pairs_of([[kind(side, random)] for _ in range(24)]) == []


def test_blank_images_are_no_copies() -> None:
    blank = [[np.full((32, 32, 1), tone, np.uint8)] for tone in range(0, 250, 25)]
    assert pairs_of([*blank, [landscape(32, np.random.default_rng(0))]]) == []
