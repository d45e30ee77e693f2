"""The match kernel against a slow version, and copies among images without anything in common."""

import numpy as np
import pytest
from foldline.leaks import match_kernel
from foldline.leaks.local_features import MIRRORED, WIDTH, LocalFeatures
from foldline.leaks.match_kernel import LEAST_COSINE, POWER, MatchKernel

ALL = slice(0, 1000)


def features(count: int, seed: int) -> LocalFeatures:
    values = np.random.default_rng(seed).random((count, WIDTH)).astype(np.float32) ** 4
    return LocalFeatures(np.zeros((count, 4), np.float32), values / np.linalg.norm(values, axis=1, keepdims=True))


def slow_similarity(first: np.ndarray, second: np.ndarray, words: np.ndarray) -> float:
    """Of two images with projected features, (n, `DIRECTIONS`)."""

    def sums(vectors: np.ndarray) -> dict[int, np.ndarray]:
        found: dict[int, np.ndarray] = {}
        for vector in vectors:
            word = int(((words - vector) ** 2).sum(axis=1).argmin())
            found[word] = found.get(word, 0) + vector - words[word]
        return {word: total / np.linalg.norm(total) for word, total in found.items()}

    left, right = sums(first), sums(second)
    cosines = [float(left[word] @ right[word]) for word in left.keys() & right.keys()]
    return sum(cosine**POWER for cosine in cosines if cosine > LEAST_COSINE) / np.sqrt(len(left) * len(right))


def test_similarities_are_those_of_the_slow_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_kernel, "WORDS", 8)
    images = [features(count, seed) for seed, count in enumerate((30, 0, 5, 40, 25))]
    images.append(LocalFeatures(images[0].points[:20], images[0].descriptors[:20]))
    kernel = MatchKernel(images)
    everything = np.concatenate([image.descriptors for image in images])
    mean = everything.mean(axis=0)
    directions = np.linalg.eigh(np.cov((everything - mean).T))[1][:, ::-1][:, : match_kernel.DIRECTIONS]
    words = match_kernel._words(((everything - mean) @ directions).astype(np.float32))
    straight, mirrored = (
        [(values - mean) @ directions for values in each]
        for each in (
            [image.descriptors for image in images],
            [image.descriptors[:, MIRRORED] for image in images],
        )
    )
    found = kernel.similarities(ALL)
    for first in (0, 2, 3, 4, 5):
        for second in (0, 2, 3, 4, 5):
            values = [slow_similarity(left[first], straight[second], words) for left in (straight, mirrored)]
            assert found[first, second] == pytest.approx(max(values), abs=1e-4)
    assert not found[1].any()
    np.testing.assert_allclose(kernel.similarities(slice(2, 5)), found[2:5], atol=1e-6)


def test_images_that_share_features_are_nearest_also_if_mirrored() -> None:
    images = [features(60, seed) for seed in range(30)]
    part = images[3].descriptors[:25]
    images.append(LocalFeatures(images[0].points[:50], np.concatenate([part, features(25, 99).descriptors])))
    images.append(LocalFeatures(images[0].points[:25], part[:, MIRRORED]))
    found = MatchKernel(images).similarities(ALL)
    np.fill_diagonal(found, 0)
    assert set(np.argsort(-found[3])[:2]) == {30, 31}


@pytest.mark.parametrize("count", (0, 1))
def test_few_features_are_no_error(count: int) -> None:
    found = MatchKernel([features(count, 0), features(count, 0), features(0, 1)]).similarities(ALL)
    assert np.array_equal(found, np.zeros((3, 3)))
