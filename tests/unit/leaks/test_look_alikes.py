"""The ranking of images that look alike."""

import cv2
import numpy as np
import pytest
from fixtures.pictures import photograph, saved
from foldline.leaks.local_features import LocalFeatures
from foldline.leaks.look_alikes import PAIRS_PER_IMAGE, ranked_look_alikes
from foldline.leaks.views import views_of

COUNT = 14


@pytest.fixture(scope="module")
def features() -> list[tuple[LocalFeatures, int]]:
    """Pictures of which the last one shows the first one again: turned, darker and from nearer."""
    pictures = [photograph(120, 160, seed=seed) for seed in range(COUNT - 1)]
    matrix = cv2.getRotationMatrix2D((80, 60), 8, 1.2)
    turned = cv2.warpAffine(pictures[0], matrix, (160, 120), borderMode=cv2.BORDER_REFLECT)
    pictures.append((turned * 0.8).astype(np.uint8))
    return [(view.features, view.size[1]) for view in views_of([[saved(pixels, "JPEG")] for pixels in pictures])]


def vectors() -> np.ndarray:
    """Embeddings by which the first and the last picture are near, and two others are nearer."""
    values = np.random.default_rng(2).normal(size=(COUNT, 8))
    values[-1] = values[0] + 0.5 * values[-1]
    values[4] = values[3] + 0.05 * values[4]
    return values.astype(np.float16)


def everything(pairs: np.ndarray) -> np.ndarray:
    return np.ones(len(pairs), dtype=bool)


def test_local_features_that_agree_come_before_nearer_embeddings(features: list[tuple[LocalFeatures, int]]) -> None:
    nothing = (LocalFeatures(np.empty((0, 4), np.float32), np.empty((0, 128), np.float32)), 160)
    pairs, _ = ranked_look_alikes(vectors(), lambda numbers: [nothing] * len(numbers), is_listed=everything)
    assert pairs[0].tolist() == [3, 4]
    pairs, scores = ranked_look_alikes(vectors(), lambda numbers: [features[n] for n in numbers], is_listed=everything)
    assert pairs[:2].tolist() == [[0, COUNT - 1], [3, 4]]
    assert (np.diff(scores) <= 0).all()
    assert len(pairs) == PAIRS_PER_IMAGE * COUNT


def test_pairs_that_are_not_listed_take_no_place(features: list[tuple[LocalFeatures, int]]) -> None:
    pairs, _ = ranked_look_alikes(
        vectors(), lambda numbers: [features[n] for n in numbers], is_listed=lambda pairs: pairs[:, 0] != 0
    )
    assert 0 not in pairs
    assert len(pairs) == PAIRS_PER_IMAGE * COUNT


def test_one_image_looks_like_no_other() -> None:
    pairs, scores = ranked_look_alikes(vectors()[:1], lambda numbers: [], is_listed=everything)
    assert (len(pairs), len(scores)) == (0, 0)
