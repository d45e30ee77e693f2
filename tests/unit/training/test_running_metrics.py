"""AUC and accuracy from counts, against those of all scores."""

import numpy as np
import pytest
from foldline.evaluation.activations import accuracy, ordering
from foldline.evaluation.roc_auc import macro_auc
from foldline.runtime.tensorflow import tf
from foldline.training.running_metrics import accuracy_of_counts, auc_of_counts, count_rows, no_counts

ROWS, CLASSES, BATCH = 600, 5, 20


def rows(activation: str, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels and logits that tell something about them."""
    random = np.random.default_rng(7)
    labels = (random.random((ROWS, CLASSES)) < np.linspace(0.03, 0.5, CLASSES)).astype(np.float32)
    if activation == "softmax":
        labels = np.eye(CLASSES, dtype=np.float32)[random.integers(0, CLASSES, ROWS)]
    logits = scale * (random.normal(size=labels.shape) + labels - 3)
    return labels, logits.astype(np.float32)


def counted(labels: np.ndarray, logits: np.ndarray, activation: str) -> tuple[int, np.ndarray]:
    """Sums of the counts of all batches."""
    count = tf.function(count_rows)
    correct, bins = (value.numpy() for value in no_counts(labels.shape[1]))
    for first in range(0, len(labels), BATCH):
        batch = slice(first, first + BATCH)
        new = count(tf.constant(labels[batch]), tf.constant(logits[batch]), activation=activation)
        correct, bins = correct + new.correct.numpy(), bins + new.bins.numpy()
    return int(correct), bins.astype(np.int64)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_counts_give_the_auc_and_the_accuracy_of_all_rows(activation: str, scale: float) -> None:
    """Rows 14 and 20."""
    labels, logits = rows(activation, scale)
    correct, bins = counted(labels, logits, activation)
    assert bins.sum() == labels.size
    assert auc_of_counts(bins) == pytest.approx(macro_auc(labels, ordering(logits, activation)), abs=1e-3)
    assert accuracy_of_counts(correct, bins, activation=activation) == pytest.approx(
        accuracy(labels, logits, activation), abs=1e-12
    )


def test_a_mixed_label_counts_as_its_larger_share() -> None:
    labels, logits = rows("sigmoid", 1.0)
    mixed = np.where(labels == 1, 0.7, 0.4).astype(np.float32)
    for found, expected in zip(counted(mixed, logits, "sigmoid"), counted(labels, logits, "sigmoid"), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_extreme_logits_are_counted(activation: str) -> None:
    logits = np.array([[-1e30, 1e30], [0.0, 0.0], [200.0, -200.0]], np.float32)
    labels = np.array([[0, 1], [0, 1], [1, 0]], np.float32)
    _, bins = counted(labels, logits, activation)
    assert bins.sum() == labels.size
    assert auc_of_counts(bins) == 1


def test_classes_with_one_label_have_no_auc() -> None:
    bins = np.zeros((2, 2, 4), np.int64)
    bins[0, :, 1], bins[1, 0, 2] = 3, 5
    assert auc_of_counts(bins) == 0.5
    assert np.isnan(auc_of_counts(bins[1:]))
