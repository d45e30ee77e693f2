"""Slope, intercept and skill follow their definitions, and their intervals cover."""

import numpy as np
import pytest
from foldline.evaluation.calibration_estimates import calibration_estimates, score_calibration
from foldline.evaluation.estimates import Rows
from foldline.evaluation.results import UNDEFINED
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss


def rows(seed: int, n: int, *, slope: float = 1.0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and scores whose log-odds are the true ones times and plus a number."""
    random = np.random.default_rng(seed)
    truth = random.normal(-2, 1.5, size=(n, 2))
    return (random.random((n, 2)) < expit(truth)).astype(int), expit(slope * truth + shift)


def test_the_numbers_are_those_of_their_definitions() -> None:
    labels, scores = rows(0, 800, slope=2, shift=1)
    weights = np.random.default_rng(1).integers(0, 3, 800).astype(float)
    found = calibration_estimates(labels, scores, Rows.single(800, weights))
    every = {"sample_weight": weights.repeat(2)}
    oracle = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(scores).reshape(-1, 1), labels.ravel(), **every)
    assert found["slope"].value == pytest.approx(oracle.coef_[0, 0], abs=1e-4)  # type: ignore[union-attr]
    level = found["intercept"].value  # type: ignore[union-attr]
    shifted = expit(logit(scores) + level)
    assert np.average(shifted.ravel() - labels.ravel(), weights=weights.repeat(2)) == pytest.approx(0, abs=1e-9)
    shares = np.average(labels, axis=0, weights=weights)
    briers = [
        sum(brier_score_loss(labels[:, k], values[:, k], sample_weight=weights) for k in range(2))
        for values in (scores, np.tile(shares, (800, 1)))
    ]
    assert found["brier_skill"].value == pytest.approx(1 - briers[0] / briers[1])  # type: ignore[union-attr]


def test_intervals_cover_the_truth() -> None:
    """Groups of four rows with one label and one score: rows would be four times too sure."""
    covered = np.zeros(2)
    for seed in range(200):
        labels, scores = rows(seed, 150, slope=2, shift=1)
        groups = np.arange(150).repeat(4)
        found = score_calibration(labels.repeat(4, 0), scores.repeat(4, 0), Rows.of(groups.tolist()), confidence=0.9)
        assert found.slope is not None
        assert found.slope.low is not None
        assert found.slope.high is not None
        covered += [found.slope.low <= 0.5 <= found.slope.high, True]
    assert 0.84 <= covered[0] / 200 <= 0.95


def test_the_share_of_positives_has_no_skill_and_rare_positives_none_by_themselves() -> None:
    labels = (np.arange(1000) < 18).astype(int)[:, None]
    found = calibration_estimates(labels, np.full((1000, 1), 0.018), Rows.single(1000))
    assert found["brier_skill"].value == pytest.approx(0, abs=1e-12)  # type: ignore[union-attr]
    noise = np.random.default_rng(0).random((1000, 1)) * 0.036
    assert calibration_estimates(labels, noise, Rows.single(1000))["brier_skill"].value < 0.01  # type: ignore[union-attr]


def test_one_label_has_no_calibration() -> None:
    found = score_calibration(np.zeros((9, 1), int), np.full((9, 1), 0.1), Rows.single(9), confidence=0.95)
    assert found.slope is not None
    assert (found.slope.value, found.slope.reason) == (None, UNDEFINED)
    assert found.error == pytest.approx(0.1)
