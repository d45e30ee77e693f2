"""Reliability bins and the expected calibration error: against counting by hand and scikit-learn."""

import numpy as np
import pytest
from foldline.evaluation.calibration import expected_calibration_error, reliability_bins
from foldline.evaluation.estimates import Rows
from foldline.evaluation.intervals import wilson_interval
from sklearn.calibration import calibration_curve


def test_bins_are_counted_by_hand() -> None:
    labels = np.array([0, 1, 1, 0, 1])
    scores = np.array([0.0, 0.1, 0.19, 0.95, 1.0])
    bins = reliability_bins(labels, scores, bins=10)
    assert [row.rows for row in bins] == [1, 2, 0, 0, 0, 0, 0, 0, 0, 2]
    assert [row.positives for row in bins] == [0, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    assert [(row.low, row.high) for row in bins[:2]] == [(0, 0.1), (0.1, 0.2)]
    assert bins[1].mean_score == pytest.approx(0.145)
    assert [bins[number].positive_share for number in (0, 1, 2, 9)] == [0, 1, None, 0.5]
    assert (bins[9].share_low, bins[9].share_high) == pytest.approx(wilson_interval(1, 2))
    assert (bins[2].mean_score, bins[2].share_low, bins[2].share_high) == (None, None, None)
    expected = (1 * 0 + 2 * abs(0.145 - 1) + 2 * abs(0.975 - 0.5)) / 5
    assert expected_calibration_error(bins) == pytest.approx(expected)


def test_filled_bins_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(2)
    scores = random.random(500) ** 3
    labels = (random.random(500) < scores).astype(int)
    shares, means = calibration_curve(labels, scores, n_bins=10)
    filled = [row for row in reliability_bins(labels, scores) if row.rows]
    assert [row.positive_share for row in filled] == pytest.approx(list(shares))
    assert [row.mean_score for row in filled] == pytest.approx(list(means))


def test_calibrated_scores_have_a_small_error() -> None:
    random = np.random.default_rng(0)
    scores = random.random(20_000)
    labels = (random.random(20_000) < scores).astype(int)
    assert expected_calibration_error(reliability_bins(labels, scores)) < 0.02
    assert expected_calibration_error(reliability_bins(labels, scores**3)) > 0.1


def test_bins_of_weighted_rows() -> None:
    """Means and shares use the weights, and the interval the effective number of rows."""
    labels, scores, weights = np.array([0, 1, 1]), np.array([0.1, 0.15, 0.9]), np.array([3.0, 1.0, 0.0])
    bins = reliability_bins(labels, scores, rows=Rows.single(3, weights))
    assert (bins[1].rows, bins[1].positives, bins[1].weight) == (2, 1, 4.0)
    assert (bins[1].mean_score, bins[1].positive_share) == pytest.approx((0.1125, 0.25))
    assert (bins[1].share_low, bins[1].share_high) == pytest.approx(wilson_interval(0.25 * 1.6, 1.6))
    # A row without a weight is in no mean.
    assert (bins[9].rows, bins[9].mean_score) == (1, None)
    assert expected_calibration_error(bins) == pytest.approx(0.25 - 0.1125)


def test_rows_of_one_group_are_no_independent_rows_of_a_bin() -> None:
    """Ten patients with ten equal images each are ten rows; images that differ within patients are a hundred."""
    labels, groups = (np.arange(10) < 4).astype(int).repeat(10), np.arange(10).repeat(10)
    (found,) = [row for row in reliability_bins(labels, np.full(100, 0.35), rows=Rows.of(groups)) if row.rows]
    assert (found.rows, found.positive_share) == (100, pytest.approx(0.4))
    assert (found.share_low, found.share_high) == pytest.approx(wilson_interval(4, 10))
    mixed = np.tile((np.arange(10) < 4).astype(int), 10)
    mixed[[9, 10]] = 1, 0
    (found,) = [row for row in reliability_bins(mixed, np.full(100, 0.35), rows=Rows.of(groups)) if row.rows]
    assert (found.share_low, found.share_high) == pytest.approx(wilson_interval(40, 100))
    # Equal labels say nothing about how rows depend on each other, so groups count.
    (found,) = [row for row in reliability_bins(np.ones(100, int), np.full(100, 0.9), rows=Rows.of(groups)) if row.rows]
    assert (found.share_low, found.share_high) == pytest.approx(wilson_interval(10, 10))
    (wider,) = [row for row in reliability_bins(mixed, np.full(100, 0.35), confidence=0.99) if row.rows]
    assert (wider.share_low, wider.share_high) == pytest.approx(wilson_interval(40, 100, confidence=0.99))


def test_rows_without_a_weight_have_no_calibration_error() -> None:
    bins = reliability_bins(np.array([0, 1]), np.array([0.2, 0.7]), rows=Rows.single(2, np.zeros(2)))
    assert expected_calibration_error(bins) is None
