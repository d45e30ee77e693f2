"""Every metric against scikit-learn and against counting by hand."""

import numpy as np
import pytest
from foldline.evaluation.metrics import METRICS, cumulative_counts, plain_scores, weighted_macro_auc
from foldline.evaluation.roc_auc import roc_auc
from sklearn import metrics as sklearn_metrics


def random_rows(seed: int, *, rows: int = 200, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.25).astype(int)
    scores = 1 / (1 + np.exp(-(random.normal(size=rows) + labels - 1)))
    return labels, np.round(scores, 1) if ties else scores


def sklearn_scores(
    labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None, *, threshold: float = 0.5
) -> dict[str, float]:
    predicted = scores >= threshold
    return {
        "auc": sklearn_metrics.roc_auc_score(labels, scores, sample_weight=weights),
        "average_precision": sklearn_metrics.average_precision_score(labels, scores, sample_weight=weights),
        "log_loss": sklearn_metrics.log_loss(labels, scores, sample_weight=weights),
        "brier": sklearn_metrics.brier_score_loss(labels, scores, sample_weight=weights),
        "accuracy": sklearn_metrics.accuracy_score(labels, predicted, sample_weight=weights),
        "f1": sklearn_metrics.f1_score(labels, predicted, sample_weight=weights),
    }


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_plain_scores_are_those_of_scikit_learn(seed: int, ties: bool) -> None:
    labels, scores = random_rows(seed, ties=ties)
    found = plain_scores(labels, scores)
    assert list(found) == list(METRICS)
    assert found == pytest.approx(sklearn_scores(labels, scores), rel=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_weighted_scores_are_those_of_scikit_learn(ties: bool) -> None:
    labels, scores = random_rows(9, ties=ties)
    weights = np.random.default_rng(1).integers(0, 4, len(labels)).astype(float)
    found = plain_scores(labels, scores, threshold=0.3, weights=weights)
    assert found == pytest.approx(sklearn_scores(labels, scores, weights, threshold=0.3), rel=1e-12)


def test_auc_is_the_share_of_pairs_in_order() -> None:
    labels, scores = random_rows(3, rows=60, ties=True)
    pairs = [
        (positive > negative) + (positive == negative) / 2
        for positive in scores[labels == 1]
        for negative in scores[labels == 0]
    ]
    assert roc_auc(labels, scores) == pytest.approx(np.mean(pairs), rel=1e-13)


def test_scores_in_a_tiny_range_have_the_same_auc() -> None:
    """A metric on a grid of 200 thresholds would see two or three distinct values."""
    labels, scores = random_rows(8)
    assert roc_auc(labels, 0.3 + 1e-9 * scores) == roc_auc(labels, scores)


def test_perfect_reversed_and_equal_scores() -> None:
    labels = np.array([0, 0, 1, 1])
    assert roc_auc(labels, np.array([0.1, 0.2, 0.3, 0.4])) == 1
    assert roc_auc(labels, np.array([0.4, 0.3, 0.2, 0.1])) == 0
    assert roc_auc(labels, np.full(4, 0.5)) == 0.5


def test_the_log_loss_of_a_certain_error_is_finite() -> None:
    labels = np.array([0, 0, 1, 1])
    assert plain_scores(labels, np.array([0.0, 0.0, 1.0, 1.0]))["log_loss"] == pytest.approx(0, abs=1e-15)
    # 36.04 nats: minus the logarithm of the machine epsilon of float64.
    assert plain_scores(labels, np.array([1.0, 0.0, 1.0, 1.0]))["log_loss"] == pytest.approx(36.04 / 4, abs=0.01)


def test_a_score_at_the_threshold_predicts_a_positive() -> None:
    labels, scores = np.array([1, 0]), np.array([0.3, 0.2])
    assert plain_scores(labels, scores, threshold=0.3)["accuracy"] == 1
    assert plain_scores(labels, scores, threshold=0.31)["accuracy"] == 0.5


@pytest.mark.parametrize("label", [0, 1])
def test_one_label_alone_has_an_accuracy_but_no_auc(label: int) -> None:
    found = plain_scores(np.full(5, label), np.full(5, 0.2))
    assert np.isnan(found["auc"])
    assert np.isnan(found["average_precision"]) == (label == 0)
    assert np.isnan(found["f1"]) == (label == 0)
    assert found["accuracy"] == 1 - label


def test_curves_are_those_of_scikit_learn() -> None:
    labels, scores = random_rows(5, ties=True)
    true, false = cumulative_counts(labels, scores)
    their_false, their_true, _ = sklearn_metrics.roc_curve(labels, scores, drop_intermediate=False)
    assert true / true[-1] == pytest.approx(their_true)
    assert false / false[-1] == pytest.approx(their_false)


@pytest.mark.parametrize("ties", [False, True])
def test_weights_may_be_any_numbers(ties: bool) -> None:
    labels, scores = random_rows(3, ties=ties)
    weights = np.random.default_rng(2).exponential(size=len(labels)) * (np.arange(len(labels)) % 5 > 0)
    assert plain_scores(labels, scores, weights=weights) == pytest.approx(sklearn_scores(labels, scores, weights))
    both = np.stack([labels, 1 - labels], axis=1), np.stack([scores, scores], axis=1)
    assert weighted_macro_auc(*both, weights=weights) == pytest.approx(0.5)


def test_a_weight_is_a_number_of_rows() -> None:
    labels, scores = random_rows(5, rows=60)
    weights = np.random.default_rng(0).integers(0, 4, 60)
    repeated = plain_scores(labels.repeat(weights), scores.repeat(weights))
    assert plain_scores(labels, scores, weights=0.1 * weights) == pytest.approx(repeated)


@pytest.mark.parametrize("label", [0, 1])
def test_labels_without_a_weight_give_no_auc_whatever_the_rounding(label: int) -> None:
    labels, scores = random_rows(4)
    weights = np.where(labels == label, np.linspace(0.1, 0.7, len(labels)), 0.0)
    assert np.isnan(plain_scores(labels, scores, weights=weights)["auc"])
    assert np.isnan(weighted_macro_auc(labels[:, None], scores[:, None], weights=weights))
