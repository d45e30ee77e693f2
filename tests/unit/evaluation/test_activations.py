"""Probabilities of logits do not overflow, and their order survives rounding."""

import numpy as np
import pytest
from foldline.evaluation.activations import accuracy, ordering, probabilities
from foldline.evaluation.roc_auc import macro_auc, roc_auc
from scipy.special import expit, softmax
from sklearn.metrics import roc_auc_score


def test_extreme_logits_have_finite_probabilities() -> None:
    np.testing.assert_allclose(probabilities(np.array([-1000.0, 0.0, 1000.0]), "sigmoid"), [0, 0.5, 1])
    found = probabilities(np.array([[-1000.0, 0.0, 1000.0], [1.0, 1.0, 1.0]]), "softmax")
    np.testing.assert_allclose(found, [[0, 0, 1], [1 / 3] * 3])


def test_probabilities_are_those_of_scipy() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 7, 5)) * 8
    np.testing.assert_allclose(probabilities(logits, "sigmoid"), expit(logits), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(probabilities(logits, "softmax"), softmax(logits, axis=-1))
    np.testing.assert_allclose(probabilities(logits, "softmax").sum(axis=-1), 1)


def test_samples_are_ordered_as_by_their_probabilities() -> None:
    logits = np.random.default_rng(1).normal(size=(50, 3))
    for activation in ("sigmoid", "softmax"):
        order = np.argsort(ordering(logits, activation), axis=0)
        assert (order == np.argsort(probabilities(logits, activation), axis=0)).all()
    certain = np.array([[800.0, 0.0], [900.0, 0.0]])
    assert probabilities(certain, "softmax")[:, 1].tolist() == [0.0, 0.0]
    assert ordering(certain, "softmax")[0, 1] > ordering(certain, "softmax")[1, 1]


def test_accuracy_per_class_for_sigmoid_and_per_sample_for_softmax() -> None:
    labels, logits = np.array([[1, 0, 0], [0, 1, 0]]), np.array([[2.0, 1.0, -1.0], [-1.0, -2.0, -3.0]])
    assert accuracy(labels, logits, "sigmoid") == pytest.approx(4 / 6)
    assert accuracy(labels, logits, "softmax") == 0.5


def test_the_auc_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(3)
    labels, scores = random.integers(0, 2, 200), np.round(random.random(200), 1)
    assert roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), rel=1e-12)
    assert np.isnan(roc_auc(np.ones(3), np.arange(3.0)))
    assert np.isnan(roc_auc(np.zeros(3), np.arange(3.0)))


def test_the_macro_auc_leaves_out_classes_with_one_label() -> None:
    """Row 20: the AUC of several labels is the mean over the classes."""
    random = np.random.default_rng(2)
    labels, scores = random.integers(0, 2, (60, 3)), random.random((60, 3))
    areas = [roc_auc_score(labels[:, number], scores[:, number]) for number in range(3)]
    assert macro_auc(labels, scores) == pytest.approx(np.mean(areas))
    labels[:, 1] = 0
    assert macro_auc(labels, scores) == pytest.approx((areas[0] + areas[2]) / 2)
    assert np.isnan(macro_auc(labels[:, 1:2], scores[:, 1:2]))
