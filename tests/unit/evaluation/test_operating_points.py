"""Operating points against the ROC curve of scikit-learn, and their intervals against repeated sampling."""

from dataclasses import replace

import numpy as np
import pytest
from foldline.evaluation.estimates import Rows
from foldline.evaluation.operating_points import operating_points
from foldline.evaluation.reasons import ONE_FOLD, ONE_GROUP, ONE_SCORE, RANKS, UNDEFINED
from foldline.evaluation.roc_point import roc_point
from foldline.evaluation.score_columns import DecidedThresholds, ScoreColumn
from foldline.evaluation.thresholds import best_threshold
from scipy.stats import norm
from sklearn.metrics import recall_score, roc_curve

RULES = ("sensitivity 0.9", "specificity 0.8")


def column(
    labels: np.ndarray,
    scores: np.ndarray,
    folds: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    are_ranks: bool = False,
    decided: DecidedThresholds | None = None,
) -> ScoreColumn:
    return ScoreColumn(
        labels=labels[:, None],
        scores=scores[:, None],
        folds=folds,
        rows=Rows.single(len(labels), weights),
        thresholds=[0.5],
        are_ranks=are_ranks,
        one_class_per_sample=False,
        decided=decided,
    )


def draw(seed: int, *, rows: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores with ties, folds and weights, some of them 0."""
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.3).astype(int)
    scores = np.round(norm.cdf(random.normal(size=rows) + labels), 1 if seed % 2 else 6)
    weights = random.random(rows) * (random.random(rows) < 0.9) if seed % 3 == 0 else np.ones(rows)
    return labels, scores, random.integers(0, 3, rows), weights


@pytest.mark.parametrize("seed", range(12))
def test_the_best_value_is_that_of_the_roc_curve(seed: int) -> None:
    labels, scores, folds, weights = draw(seed)
    wrong, found, _ = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    sensitivity, specificity = operating_points(column(labels, scores, folds, weights), 0, RULES, confidence=0.95)
    assert sensitivity.score.value == pytest.approx(1 - wrong[found >= 0.9 - 1e-9].min())
    assert specificity.score.value == pytest.approx(found[wrong <= 0.2 + 1e-9].max())
    for point, own, pos_label in ((sensitivity, 0.9, 1), (specificity, 0.8, 0)):
        predicted = scores >= point.threshold
        reached = recall_score(labels, predicted, pos_label=pos_label, sample_weight=weights)
        assert reached >= own - 1e-9
        other = recall_score(labels, predicted, pos_label=1 - pos_label, sample_weight=weights)
        assert other == pytest.approx(point.score.value)
        assert point.score.low <= point.score.value <= point.score.high


@pytest.mark.parametrize("seed", range(6))
def test_the_honest_value_is_that_of_thresholds_of_the_other_folds(seed: int) -> None:
    labels, scores, folds, weights = draw(seed)
    for point in operating_points(column(labels, scores, folds, weights), 0, RULES, confidence=0.95):
        predicted = np.zeros(len(labels), bool)
        for fold in range(3):
            own = folds == fold
            rest = (labels[~own], scores[~own], weights[~own])
            predicted[own] = scores[own] >= best_threshold(*rest, rule=point.rule)
        shares = [recall_score(labels, predicted, pos_label=label, sample_weight=weights) for label in (1, 0)]
        assert [point.sensitivity.value, point.specificity.value] == pytest.approx(shares)
        assert point.sensitivity.low < point.sensitivity.high


def test_thresholds_decided_on_other_rows_are_used() -> None:
    labels, scores, _, _ = draw(1)
    decided = DecidedThresholds([0.5], {"sensitivity 0.9": [0.35]})
    (point,) = operating_points(
        column(labels, scores, np.zeros(90, int), decided=decided), 0, RULES[:1], confidence=0.95
    )
    assert point.threshold == 0.35
    assert point.sensitivity.value == pytest.approx(recall_score(labels, scores >= 0.35))
    assert point.specificity.value == pytest.approx(recall_score(labels, scores >= 0.35, pos_label=0))


def test_what_is_missing_has_a_reason() -> None:
    labels, scores, folds, _ = draw(1)
    (ranks,) = operating_points(column(labels, scores, folds, are_ranks=True), 0, RULES[:1], confidence=0.95)
    assert ranks.score.value is not None
    assert (ranks.threshold, ranks.sensitivity.value, ranks.sensitivity.reason) == (None, None, RANKS)
    (single,) = operating_points(column(labels, scores, 0 * folds), 0, RULES[:1], confidence=0.95)
    assert single.threshold is not None
    assert (single.sensitivity.value, single.specificity.reason) == (None, ONE_FOLD)
    (absent,) = operating_points(column(0 * labels, scores, folds), 0, RULES[:1], confidence=0.95)
    assert (absent.score.value, absent.score.reason, absent.threshold) == (None, UNDEFINED, None)
    assert absent.sensitivity.reason == UNDEFINED


@pytest.mark.parametrize(("shift", "group_size"), [(1.5, 1), (1.5, 5)])
def test_intervals_cover_the_true_point(shift: float, group_size: int) -> None:
    """1,000 rows, 10 % positives, in groups whose rows share half of their variance."""
    random, true = np.random.default_rng(0), norm.cdf(norm.ppf(0.1) + shift)
    groups = np.arange(1000) // group_size
    covered = 0
    for _ in range(200):
        labels = (random.random(len(groups)) < 0.1).astype(int)[groups]
        shared, own = random.normal(size=(2, len(groups)))
        scores = shift * labels + (shared[groups] + own) / 2**0.5
        found = roc_point(labels, scores, Rows.of(groups), "sensitivity 0.9", confidence=0.95)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= true <= found.high
    assert covered >= 0.91 * 200


@pytest.mark.parametrize("shift", [1.2, 2.5])
def test_intervals_of_15_positives_cover_and_are_marked(shift: float) -> None:
    """No positive is below the true threshold in one table of five, so the distance to it has to be extrapolated."""
    random, true = np.random.default_rng(1), norm.cdf(norm.ppf(0.1) + shift)
    labels = (np.arange(300) < 15).astype(int)
    covered = 0
    for _ in range(300):
        scores = random.normal(size=300) + shift * labels
        found = roc_point(labels, scores, Rows.single(300), "sensitivity 0.9", confidence=0.95)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= true <= found.high
    assert covered >= 0.92 * 300
    (point,) = operating_points(column(labels, norm.cdf(scores), np.arange(300) % 3), 0, RULES[:1], confidence=0.95)
    assert point.score.few_groups


def test_a_point_without_interval_has_a_reason() -> None:
    labels, scores, folds, _ = draw(1)
    (whole,) = operating_points(column(labels, scores, folds), 0, ["sensitivity 1"], confidence=0.95)
    assert whole.score.value == pytest.approx((scores[labels == 0] < scores[labels == 1].min()).mean())
    assert (whole.score.low, whole.score.high, whole.score.reason) == (None, None, ONE_SCORE)
    one = replace(column(labels, scores, folds), rows=Rows.of(np.where(labels == 1, "a", np.arange(90).astype(str))))
    (point,) = operating_points(one, 0, RULES[:1], confidence=0.95)
    assert (point.score.low, point.score.reason) == (None, ONE_GROUP)


@pytest.mark.parametrize("rule", RULES)
def test_equal_scores_have_an_interval(rule: str) -> None:
    labels, _, folds, _ = draw(1)
    (point,) = operating_points(column(labels, np.full(90, 0.3), folds), 0, [rule], confidence=0.95)
    assert point.score.value == 0
    assert point.score.low == 0
    assert 0 < point.score.high < 0.5
