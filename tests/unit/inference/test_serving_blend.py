"""Exported blends give the numbers of the submission."""

import numpy as np
import pytest
from foldline.evaluation.blend_choice import Fit
from foldline.evaluation.blend_fitting import BlendRows, fit_combination
from foldline.evaluation.calibrators import CALIBRATIONS, fit_calibrator
from foldline.evaluation.combination import blend
from foldline.inference.serving_blend import blended
from foldline.runtime.tensorflow import tf

METHODS = ("mean", "geometric", "subset", "weights", "greedy", "stacking")


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize(
    ("method", "calibration"), [*((name, "none") for name in METHODS), *(("stacking", name) for name in CALIBRATIONS)]
)
def test_a_blend_in_tensorflow_is_that_of_numpy(method: str, calibration: str, activation: str) -> None:
    random = np.random.default_rng(0)
    classes = random.integers(0, 3, 200)
    labels = np.eye(3)[classes]
    logits = 2 * labels + random.normal(size=(2, 200, 3))
    odds = np.exp(logits)
    values = odds / odds.sum(axis=2, keepdims=True) if activation == "softmax" else odds / (1 + odds)
    values = values.astype(np.float32)
    rows = BlendRows(values, labels, np.ones(200), np.zeros(200, int), activation, [0, 1, 2])
    combination = fit_combination(method, rows)
    mixed = blend(values, combination, activation)
    fit = Fit(combination, fit_calibrator(calibration, mixed, labels, rows.weights, activation))
    tested = np.concatenate([values, random.random((2, 50, 3)).astype(np.float32), np.eye(3)[[[0, 1, 2]] * 2]], axis=1)
    tested = tested.astype(np.float32)
    found = blended([tf.constant(model) for model in tested], fit, activation)
    assert found.dtype == tf.float32
    assert found.numpy() == pytest.approx(fit.apply(tested, activation), abs=1e-6)
