"""Thresholds against trying all of them, and the predicted classes of a sample."""

import numpy as np
import pytest
from foldline.evaluation.thresholds import (
    best_threshold,
    class_thresholds,
    fold_thresholds,
    highest,
    predicted_classes,
)
from sklearn.metrics import balanced_accuracy_score, f1_score


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


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("weighted", [False, True])
def test_rules_of_sensitivity_and_cost_are_those_of_trying_all(seed: int, weighted: bool) -> None:
    random = np.random.default_rng(seed)
    labels = (random.random(60) < 0.3).astype(int)
    scores = random.integers(1, 20, 60) / 21
    weights = random.integers(1, 4, 60).astype(float) if weighted else np.ones(60)
    tried = [*np.unique(scores), 1.0]

    def found(threshold: float) -> tuple[float, float]:
        predicted = scores >= threshold
        missed = (weights * (labels == 1) * ~predicted).sum()
        return 1 - missed / (weights * labels).sum(), (weights * (labels == 0) * predicted).sum() + 3.5 * missed

    enough = max(threshold for threshold in tried if found(threshold)[0] >= 0.8 - 1e-9)
    chosen = best_threshold(labels, scores, weights, rule="sensitivity 0.8")
    assert ((scores >= chosen) == (scores >= enough)).all()
    chosen = best_threshold(labels, scores, weights, rule="cost 3.5")
    assert found(chosen)[1] == pytest.approx(min(found(threshold)[1] for threshold in tried))


def test_nothing_is_predicted_if_positives_cost_little() -> None:
    labels, scores = np.array([1, 0, 0, 0]), np.array([0.2, 0.9, 0.8, 0.1])
    assert best_threshold(labels, scores, rule="cost 0.5") == pytest.approx(0.95)
    assert best_threshold(labels, np.array([0.2, 1, 0.8, 0.1]), rule="cost 0.5") > 1


def test_thresholds_of_a_fold_are_those_of_the_other_folds() -> None:
    random = np.random.default_rng(0)
    labels, scores, folds = (random.random((90, 2)) < 0.4).astype(int), random.random((90, 2)), np.arange(90) % 3
    weights = random.random(90)
    found = fold_thresholds(labels, scores, folds, "best_f1", weights)
    assert sorted(found) == [0, 1, 2]
    for fold, thresholds in found.items():
        others = folds != fold
        assert thresholds == class_thresholds(labels[others], scores[others], "best_f1", weights[others])


def test_the_prevalence_is_the_weighted_share_of_the_positives() -> None:
    labels, scores = np.array([[1, 0], [0, 0], [0, 1], [0, 0]]), np.full((4, 2), 0.5)
    assert class_thresholds(labels, scores, "prevalence") == [0.25, 0.25]
    assert class_thresholds(labels, scores, "prevalence", np.array([2.0, 1, 0.5, 0])) == pytest.approx([4 / 7, 1 / 7])
    assert class_thresholds(0 * labels, scores, "prevalence") == [0.5, 0.5]


def test_one_class_is_predicted_relative_to_its_threshold() -> None:
    """Chosen by the prevalence, true posteriors have the highest balanced accuracy (Bayes rule for equal priors)."""
    random = np.random.default_rng(0)
    true = random.choice(3, 4000, p=[0.8, 0.15, 0.05])
    likelihoods = np.exp(-0.5 * (random.normal(size=4000)[:, None] + true[:, None] - np.arange(3)) ** 2)
    shares = np.bincount(true) / 4000
    posteriors = likelihoods * shares / (likelihoods * shares).sum(axis=1, keepdims=True)
    found = highest(posteriors, shares)
    assert (found == likelihoods.argmax(axis=1)).all()
    assert (highest(posteriors) == posteriors.argmax(axis=1)).all()
    assert balanced_accuracy_score(true, found) > balanced_accuracy_score(true, highest(posteriors)) + 0.1
    listed = predicted_classes(posteriors, shares.tolist(), activation="softmax", empty=False, exclusive=None)
    assert listed == [[number] for number in found]
    # Ties go to the first class.
    assert highest(np.array([[0.5, 0.25, 0.25]]), [0.5, 0.25, 0.25]).tolist() == [0]


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
