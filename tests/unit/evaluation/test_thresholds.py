"""Thresholds against trying all of them, and the predicted classes of a sample."""

import numpy as np
import pytest
from foldline.evaluation.thresholds import best_threshold, class_thresholds, predicted_classes
from sklearn.metrics import f1_score


@pytest.mark.parametrize("seed", range(20))
def test_the_best_threshold_has_the_highest_f1_of_all(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = (random.random(40) < 0.3).astype(int)
    labels[0] = 1
    scores = random.integers(0, 12, 40) / 11
    tried = [f1_score(labels, scores >= threshold) for threshold in np.unique(scores)]
    assert f1_score(labels, scores >= best_threshold(labels, scores)) == pytest.approx(max(tried))


def test_the_best_threshold_is_halfway_between_two_scores() -> None:
    labels, scores = np.array([1, 1, 0, 0]), np.array([0.9, 0.6, 0.2, 0.1])
    assert best_threshold(labels, scores) == pytest.approx(0.4)
    assert best_threshold(np.array([1, 1, 1, 0]), scores) == pytest.approx(0.15)
    assert best_threshold(np.zeros(4), scores) == 0.5


def test_one_certain_hit_beats_three_among_ten() -> None:
    """F1 of .5 against .46; with one more row in the denominator it would be the other way round."""
    labels = np.array([1, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    assert best_threshold(labels, np.linspace(0.9, 0, 10)) == pytest.approx(0.85)


def test_thresholds_are_one_number_or_one_per_class() -> None:
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 0]])
    scores = np.array([[0.9, 0.2], [0.6, 0.2], [0.2, 0.3], [0.1, 0.1]])
    assert class_thresholds(labels, scores, 0.5) == [0.5, 0.5]
    assert class_thresholds(labels, scores, "best_f1") == pytest.approx([0.4, 0.25])


def predict(
    row: list[float], *, activation: str = "sigmoid", empty: bool = False, exclusive: int | None = None
) -> list[int]:
    return predicted_classes(
        np.array([row]), [0.5] * len(row), activation=activation, empty=empty, exclusive=exclusive
    )[0]


def test_a_class_is_predicted_from_its_threshold_on() -> None:
    assert predict([0.5, 0.4, 0.9]) == [0, 2]
    assert predict([0.1, 0.4, 0.3]) == [1]
    assert predict([0.1, 0.4, 0.3], empty=True) == []
    assert predict([0.6, 0.7, 0.8], activation="softmax") == [2]


def test_an_exclusive_class_is_predicted_alone_or_not_at_all() -> None:
    assert predict([0.6, 0.7, 0.8], exclusive=2) == [2]
    assert predict([0.6, 0.9, 0.8], exclusive=2) == [0, 1]
    assert predict([0.1, 0.2, 0.8], exclusive=2) == [2]


@pytest.mark.parametrize("seed", range(20))
def test_the_best_threshold_of_weighted_rows(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = (random.random(40) < 0.3).astype(int)
    labels[:2] = 1
    scores, weights = random.integers(0, 12, 40) / 11, random.random(40) * (random.random(40) < 0.8)
    weights[0] = 0.5
    tried = [f1_score(labels, scores >= threshold, sample_weight=weights) for threshold in np.unique(scores)]
    found = scores >= best_threshold(labels, scores, weights)
    assert f1_score(labels, found, sample_weight=weights) == pytest.approx(max(tried))
    assert best_threshold(labels, scores, weights * (labels == 0)) == 0.5
