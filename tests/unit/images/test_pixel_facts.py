"""Digest and contrast of the decoded pixels of a sample, as the scan notes them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fixtures.pictures import photograph, saved
from foldline.images.options import DEFAULT, ImageOptions
from foldline.tfrecords.image_sources import scan_sample

PIXELS = photograph(40, 60, seed=1)
GRAY = PIXELS[:, :, :1]


def digest_of(folder: Path, *files: bytes, reading: ImageOptions = DEFAULT, gray: bool = False) -> str:
    paths = [folder / str(number) for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    cells = scan_sample(list(map(str, paths)), image_feature="image", gray=gray, reading=reading).cells
    assert cells["problem"] == ""
    return str(cells["pixels_sha256"])


@pytest.mark.parametrize("pixels", [PIXELS, GRAY])
def test_files_with_equal_pixels_have_one_digest(pixels: np.ndarray, tmp_path: Path) -> None:
    """Whatever their format, compression and metadata."""
    files = [
        saved(pixels, "PNG"),
        saved(pixels, "PNG", compress_level=0),
        saved(pixels, "TIFF"),
        saved(pixels, "TIFF", compression="tiff_lzw"),
        saved(pixels, "BMP"),
    ]
    assert len(set(files)) == len(files)
    assert len({digest_of(tmp_path, data) for data in files}) == 1


@pytest.mark.parametrize(
    "changed",
    [
        lambda pixels: pixels[:, :-1],
        lambda pixels: pixels.reshape(60, 40, 3),
        lambda pixels: pixels ^ np.eye(40, 60, dtype=np.uint8)[:, :, None],
        lambda pixels: pixels[:, ::-1],
    ],
)
def test_other_pixels_have_another(changed: Callable[[np.ndarray], np.ndarray], tmp_path: Path) -> None:
    before = digest_of(tmp_path, saved(PIXELS, "PNG"))
    assert digest_of(tmp_path, saved(np.ascontiguousarray(changed(PIXELS)), "PNG")) != before


def test_another_mode_has_another_digest(tmp_path: Path) -> None:
    gray_as_rgb = np.repeat(GRAY, 3, axis=2)
    assert digest_of(tmp_path, saved(GRAY, "PNG")) != digest_of(tmp_path, saved(gray_as_rgb, "PNG"))


def test_a_reduced_jpeg_counts_its_full_size(tmp_path: Path) -> None:
    """Two sizes share the size at a quarter: 1279 and 1280 columns."""
    digests = {digest_of(tmp_path, saved(np.full((800, side, 3), 90, np.uint8), "JPEG")) for side in (1279, 1280)}
    assert len(digests) == 2


def test_each_channel_counts_in_its_place(tmp_path: Path) -> None:
    red, green = (photograph(40, 60, 1, seed=seed) for seed in (1, 2))
    files = digest_of(tmp_path, saved(red, "PNG"), saved(green, "PNG"), gray=True)
    assert files == digest_of(tmp_path, saved(red, "TIFF"), saved(green, "BMP"), gray=True)
    assert files != digest_of(tmp_path, saved(green, "PNG"), saved(red, "PNG"), gray=True)
    # Of planes of one file as well.
    both = saved(np.concatenate([red, green, green], axis=2), "PNG")
    planes = digest_of(tmp_path, both, reading=ImageOptions(planes=3))
    assert planes == digest_of(tmp_path, saved(red, "PNG"), saved(green, "PNG"), saved(green, "PNG"), gray=True)


def test_contrast_is_that_of_the_strongest_channel(tmp_path: Path) -> None:
    flat, steps = np.full((40, 60, 1), 7, np.uint8), np.tile(np.array([[[0], [20]]], np.uint8), (40, 30, 1))
    for name, pixels in (("0", flat), ("1", steps)):
        (tmp_path / name).write_bytes(saved(pixels, "PNG"))
    names = [str(tmp_path / name) for name in "01"]
    assert scan_sample(names, image_feature="image", gray=True).cells["contrast"] == 10.0
    assert scan_sample(names[:1], image_feature="image", gray=True).cells["contrast"] == 0.0
