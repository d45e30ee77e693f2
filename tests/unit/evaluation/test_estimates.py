"""The variance of a score is that of leaving out one group after another, for every metric."""

from collections.abc import Callable

import numpy as np
import pytest
from foldline.evaluation.estimates import Estimate, Rows, average, difference, mean_estimate
from foldline.evaluation.metrics import class_estimates
from foldline.evaluation.multiclass import PredictedRows, multiclass_estimates
from sklearn import metrics

GROUPS = [f"g{number}" for number in np.sort(np.random.default_rng(0).integers(0, 120, 600))]


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and rounded scores that depend on the group, and weights."""
    random = np.random.default_rng(1)
    numbers = Rows.of(GROUPS).groups
    labels = (random.random(600) < random.beta(1, 3, 120)[numbers]).astype(np.int64)
    logits = random.normal(size=600) + labels + random.normal(size=120)[numbers] - 0.5
    return labels, np.round(1 / (1 + np.exp(-logits)), 2), random.exponential(size=600)


def jackknife(score: Callable[[np.ndarray], float], groups: np.ndarray) -> float:
    """Variance of a score of masked rows, from all sets of rows that lack one group (Tukey, 1958)."""
    values = np.array([score(groups != group) for group in np.unique(groups)])
    return float((len(values) - 1) / len(values) * ((values - values.mean()) ** 2).sum())


@pytest.mark.parametrize("weighted", [False, True])
def test_the_variance_of_every_metric_is_that_of_the_jackknife(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray], weighted: bool
) -> None:
    labels, scores, weights = rows
    weights = weights if weighted else np.ones(600)
    own = Rows.of(GROUPS, weights)
    predicted = scores >= 0.4
    found = class_estimates(labels, scores, predicted, own)
    slow = {
        "auc": lambda kept: metrics.roc_auc_score(labels[kept], scores[kept], sample_weight=weights[kept]),
        "average_precision": lambda kept: metrics.average_precision_score(
            labels[kept], scores[kept], sample_weight=weights[kept]
        ),
        "log_loss": lambda kept: metrics.log_loss(labels[kept], scores[kept], sample_weight=weights[kept]),
        "brier": lambda kept: metrics.brier_score_loss(labels[kept], scores[kept], sample_weight=weights[kept]),
        "accuracy": lambda kept: metrics.accuracy_score(labels[kept], predicted[kept], sample_weight=weights[kept]),
        "f1": lambda kept: metrics.f1_score(labels[kept], predicted[kept], sample_weight=weights[kept]),
    }
    assert list(found) == list(slow)
    for name, score in slow.items():
        one = found[name]
        assert one is not None
        assert one.value == pytest.approx(score(np.ones(600, bool)), rel=1e-12), name
        # A mean has this variance but for the mean of the jackknife values; other scores have it to first order.
        close = 1e-5 if name in ("log_loss", "brier", "accuracy") else 0.05
        variance = one.variance - one.added_variance
        assert variance == pytest.approx(jackknife(score, own.groups), rel=close), name


def test_the_variance_of_metrics_of_several_classes_is_that_of_the_jackknife() -> None:
    random = np.random.default_rng(2)
    true = random.integers(0, 3, 600)
    scores = random.dirichlet([1, 1, 1], 600) + np.eye(3)[true] * 0.3
    predicted, own = scores.argmax(axis=1), Rows.of(GROUPS)
    found = multiclass_estimates(PredictedRows.of(np.eye(3, dtype=np.int64)[true], scores, predicted), own)
    slow = {
        "f1": lambda kept: metrics.f1_score(true[kept], predicted[kept], average="macro"),
        "balanced_accuracy": lambda kept: metrics.balanced_accuracy_score(true[kept], predicted[kept]),
        "cohen_kappa": lambda kept: metrics.cohen_kappa_score(true[kept], predicted[kept]),
    }
    for name, score in slow.items():
        one = found[name]
        assert one is not None
        assert one.variance == pytest.approx(jackknife(score, own.groups), rel=0.05), name


def test_copies_of_rows_in_one_group_add_no_information(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    labels, scores, _ = (values[:60] for values in rows)

    def areas(repeats: int, *, grouped: bool) -> Estimate | None:
        size = 60 * repeats
        own = Rows.of([str(number // repeats if grouped else number) for number in range(size)])
        many = labels.repeat(repeats), scores.repeat(repeats)
        return class_estimates(*many, many[1] > 0.5, own)["auc"]

    single, copied, apart = areas(1, grouped=False), areas(10, grouped=True), areas(10, grouped=False)
    assert single is not None
    assert copied is not None
    assert apart is not None
    assert copied.variance == pytest.approx(single.variance)
    assert copied.degrees == pytest.approx(single.degrees)
    assert apart.variance < single.variance / 8


def test_a_difference_has_the_variance_of_paired_scores(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    labels, scores, _ = rows
    other = np.clip(scores + np.random.default_rng(3).normal(size=600) * 0.1, 0, 1)
    own = Rows.of(GROUPS)
    first, second = (class_estimates(labels, column, column > 0.5, own)["auc"] for column in (scores, other))
    assert first is not None
    assert second is not None
    found = difference(first, second)
    roc_auc = metrics.roc_auc_score
    slow = jackknife(lambda kept: roc_auc(labels[kept], scores[kept]) - roc_auc(labels[kept], other[kept]), own.groups)
    assert found.value == first.value - second.value
    assert found.variance == pytest.approx(slow, rel=0.05)
    assert found.variance < min(first.variance, second.variance) / 2
    assert difference(first, first).variance == 0


def test_the_average_leaves_out_what_is_not_defined() -> None:
    own = Rows.of(["a", "b", "b", "c"])
    first, second = (mean_estimate(np.array(values), own.weights, own) for values in ([1, 0, 0, 1], [0, 0, 1, 1]))
    found = average([first, None, second])
    assert found is not None
    assert found.value == 0.5
    together = mean_estimate(np.array([0.5, 0, 0.5, 1]), own.weights, own)
    assert together is not None
    assert found.influence == pytest.approx(together.influence)
    assert average([None]) is None
    assert mean_estimate(np.ones(4), np.zeros(4), own) is None


def test_some_rows_keep_the_numbers_of_their_groups() -> None:
    own = Rows.of(["b", "a", "b"], np.array([1.0, 2.0, 3.0]))
    some = own[np.array([False, True, True])]
    assert (some.groups.tolist(), some.weights.tolist(), some.n_groups) == ([0, 1], [2, 3], 2)
    assert Rows.single(2).groups.tolist() == [0, 1]
