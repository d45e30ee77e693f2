"""Logits become probabilities without overflow, and their order survives where probabilities are rounded."""

import numpy as np
import pytest
from foldline.evaluation.activations import accuracy, ordering, probabilities
from foldline.evaluation.roc_auc import macro_auc, roc_auc


def test_both_ends_are_finite() -> None:
    np.testing.assert_allclose(probabilities(np.array([-1000.0, 0.0, 1000.0]), "sigmoid"), [0, 0.5, 1])
    np.testing.assert_allclose(probabilities(np.array([-8.0]), "sigmoid"), 1 / (1 + np.exp(8.0)), rtol=1e-9)
    found = probabilities(np.array([[-1000.0, 0.0, 1000.0], [1.0, 1.0, 1.0]]), "softmax")
    np.testing.assert_allclose(found, [[0, 0, 1], [1 / 3] * 3])


def test_softmax_is_its_formula_and_sums_to_one() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 7, 5))
    found = probabilities(logits, "softmax")
    np.testing.assert_allclose(found, np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(found.sum(axis=-1), 1)


def test_the_order_of_samples_is_that_of_their_probabilities() -> None:
    logits = np.random.default_rng(1).normal(size=(50, 3))
    for activation in ("sigmoid", "softmax"):
        order = np.argsort(ordering(logits, activation), axis=0)
        assert (order == np.argsort(probabilities(logits, activation), axis=0)).all()
    sure = np.array([[800.0, 0.0], [900.0, 0.0]])
    assert probabilities(sure, "softmax")[:, 1].tolist() == [0.0, 0.0]
    assert ordering(sure, "softmax")[0, 1] > ordering(sure, "softmax")[1, 1]


def test_accuracy_of_single_classes_and_of_one_class() -> None:
    labels, logits = np.array([[1, 0, 0], [0, 1, 0]]), np.array([[2.0, 1.0, -1.0], [-1.0, -2.0, -3.0]])
    assert accuracy(labels, logits, "sigmoid") == pytest.approx(4 / 6)
    assert accuracy(labels, logits, "softmax") == 0.5


def test_classes_with_one_label_have_no_say_in_the_mean() -> None:
    """Row 20: the AUC of several labels is the mean over the classes."""
    random = np.random.default_rng(2)
    labels, scores = random.integers(0, 2, (60, 3)), random.random((60, 3))
    areas = [roc_auc(labels[:, number], scores[:, number]) for number in range(3)]
    assert macro_auc(labels, scores) == pytest.approx(np.mean(areas))
    labels[:, 1] = 0
    assert macro_auc(labels, scores) == pytest.approx((areas[0] + areas[2]) / 2)
    assert np.isnan(macro_auc(labels[:, 1:2], scores[:, 1:2]))
