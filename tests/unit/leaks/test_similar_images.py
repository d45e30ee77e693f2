"""Images that have much in common are no copies; many copies of one image are."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from fixtures.images import write_dataset
from fixtures.pictures import photograph, smooth
from foldline.images.perceptual_hash import hash_array, perceptual_hash
from foldline.images.picture import Picture
from foldline.leaks.copies import Copies, near_copies
from foldline.leaks.similar_groups import connected, strict_pairs
from foldline.leaks.views import views_of
from foldline.tfrecords.image_sources import thumbnail_jpeg, thumbnail_of
from PIL import Image


def copies_of(images: list[np.ndarray]) -> Copies:
    pictures = [Picture.whole(np.ascontiguousarray(pixels)) for pixels in images]
    views = views_of([[thumbnail_jpeg(thumbnail_of(picture))] for picture in pictures])
    hashes = hash_array([perceptual_hash([picture]) for picture in pictures])
    return near_copies(views, hashes, own_start=0, further=np.empty((0, 2), np.int64))


def pairs_of(images: list[np.ndarray]) -> list[tuple[int, int]]:
    return [(int(first), int(second)) for first, second, _ in copies_of(images).pairs]


def lesion(seed: int) -> np.ndarray:
    """A smooth bright picture with a dark blot, as photographs of skin are."""
    random = np.random.default_rng(seed)
    skin = 170 + 0.5 * (photograph(150, 200, seed=seed).astype(np.float32) - 128)
    blot = np.zeros((150, 200), np.float32)
    center = tuple(int(value) for value in random.integers((70, 50), (130, 100)))
    axes = tuple(int(value) for value in random.integers(20, 50, 2))
    cv2.ellipse(blot, center, axes, float(random.uniform(0, 180)), 0, 360, 1, -1)
    texture = 0.5 + photograph(150, 200, 1, seed=1000 + seed)[:, :, 0] / 255
    dark = 90 * cv2.GaussianBlur(blot, (0, 0), 4) * texture
    return np.clip(skin - dark[:, :, None], 0, 255).astype(np.uint8)


def framed(pixels: np.ndarray) -> np.ndarray:
    """With the black surroundings of a lens, a scale and a caption."""
    out = pixels.copy()
    height, width = out.shape[:2]
    lens = np.zeros((height, width), np.uint8)
    cv2.circle(lens, (width // 2, height // 2), height // 2, 255, -1)
    out[lens == 0] = 5
    out[130:] = 255
    for tick in range(0, width, 10):
        out[130 : 145 if tick % 50 == 0 else 138, tick] = 0
    cv2.putText(out, "x20 D-43", (5, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    return out


def plot(seed: int) -> np.ndarray:
    """A line plot with axes, ticks and a title."""
    out = np.full((150, 200, 3), 255, np.uint8)
    cv2.rectangle(out, (25, 20), (190, 130), (0, 0, 0), 1)
    for place in range(30, 190, 20):
        cv2.line(out, (place, 20), (place, 130), (200, 200, 200), 1)
        cv2.putText(out, str(place), (place, 145), cv2.FONT_HERSHEY_SIMPLEX, 0.3, (0, 0, 0), 1)
    cv2.putText(out, "Signal", (80, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1)
    heights = 75 + np.cumsum(np.random.default_rng(seed).normal(0, 6, 80))
    points = np.stack([np.linspace(26, 189, 80), np.clip(heights, 21, 129)], axis=1)
    cv2.polylines(out, [np.rint(points).astype(np.int32)], False, (180, 80, 30), 1)
    return out


def changed(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Rotated, enlarged, mirrored or not, and of another brightness and contrast, as an augmentation does it."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-20, 20), random.uniform(1, 1.15))
    turned = cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    turned = turned[:, ::-1] if random.random() < 0.5 else turned
    return np.clip(turned * random.uniform(0.8, 1.2) + random.uniform(-15, 15), 0, 255).astype(np.uint8)


def test_images_that_share_a_frame_a_scale_and_a_caption_are_no_copies() -> None:
    images = [framed(lesion(seed)) for seed in range(24)]
    # A copy among them is found.
    assert pairs_of([*images, images[3][:, ::-1]]) == [(3, 24)]


def test_a_copy_with_a_scale_and_a_caption_is_found() -> None:
    images = [lesion(seed) for seed in range(20)]
    covered = images[4].copy()
    covered[120:] = framed(images[4])[120:]
    cv2.putText(covered, "A31 B90", (10, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (20, 20, 200), 2)
    assert pairs_of([*images, covered]) == [(4, 20)]


def test_plots_with_the_same_axes_are_no_copies() -> None:
    images = [plot(seed) for seed in range(24)]
    assert pairs_of([*images, cv2.resize(images[5], (120, 90), interpolation=cv2.INTER_AREA)]) == [(5, 24)]


@pytest.mark.parametrize("kind", ["noise", "smooth", "blocks"])
def test_unrelated_images_of_a_small_set_are_no_copies(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    if kind == "noise":
        images = [random.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(24)]
    elif kind == "smooth":
        images = [smooth(seed=seed) for seed in range(24)]
    else:
        write_dataset(tmp_path / "data", train=16, test=4, external=4, edge=32)
        images = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "data" / "images").iterdir())]
    assert pairs_of(images) == []


def test_images_that_were_augmented_often_are_found_with_all_their_copies() -> None:
    random = np.random.default_rng(9)
    originals = [photograph(120, 160, seed=seed) for seed in range(4)]
    images = [
        picture for original in originals for picture in (original, *(changed(original, random) for _ in range(9)))
    ]
    images += [photograph(120, 160, seed=seed) for seed in range(100, 108)]
    found = copies_of(images)
    assert all(first // 10 == second // 10 < 4 for first, second, _ in found.pairs)
    groups = np.arange(len(images))
    groups[found.pairs[:, :2]] = connected(found.pairs[:, :2])[:, None]
    assert len(set(groups[:40].tolist())) == 4
    assert found.similar == 0


def test_many_copies_of_one_image_alone_are_found() -> None:
    original = photograph(120, 160)
    images = [cv2.resize(original, (160 - 5 * step, 120 - 3 * step)) for step in range(12)]
    found = copies_of(images).pairs[:, :2]
    assert set(found.ravel().tolist()) == set(range(12))
    assert not connected(found).any()


def test_pairs_of_images_that_look_alike_must_agree_closely() -> None:
    pairs = np.array([[first, second] for first in range(10) for second in range(first + 1, 10)] + [[20, 21]])
    few, similar = strict_pairs(pairs, lambda row: row % 5 == 0, count=1000)
    assert few.tolist() == [row % 5 == 0 for row in range(45)] + [True]
    assert similar == 10
    most, similar = strict_pairs(pairs, lambda row: row % 5 != 0, count=1000)
    assert most.all()
    assert similar == 0
    # Few images are copies as they are.
    few, similar = strict_pairs(pairs[-1:], lambda row: False, count=1000)
    assert few.all()
    assert similar == 0


def test_where_many_images_look_alike_few_are_judged_strictly_too() -> None:
    pairs = np.array([[first, second] for first in range(10) for second in range(first + 1, 10)] + [[20, 21], [30, 31]])
    kept, similar = strict_pairs(pairs, lambda row: row % 5 == 0, count=100)
    assert kept.tolist() == [row % 5 == 0 for row in range(47)]
    assert similar == 12


def test_connected_pairs_have_one_number() -> None:
    pairs = np.array([[4, 5], [1, 9], [5, 9], [2, 3], [7, 8], [6, 7]])
    assert connected(pairs).tolist() == [1, 1, 1, 2, 6, 6]
    assert connected(np.empty((0, 2), np.int64)).tolist() == []
