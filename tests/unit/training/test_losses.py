"""Losses against their formulas in NumPy and against those of Keras."""

from dataclasses import replace

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.losses import make_loss
from foldline.training.training_config import LossConfig

LABELS = np.array([[0.0], [1.0], [0.3], [1.0]], np.float32)
LOGITS = np.array([[0.5], [-2.0], [1.5], [30.0]], np.float32)
WEIGHTS = [{"positive_weight": 3.0, "negative_weight": 0.5}]
BCE = LossConfig("cross_entropy", label_smoothing=0.0, gamma=2.0, alpha=0.8, hard_labels=False, reduction="mean")


def by_formula(labels, logits, *, smoothing=0.0, gamma=0.0, yes=3.0, no=0.5):
    labels = labels.astype(float) * (1 - smoothing) + smoothing / 2
    p = 1 / (1 + np.exp(-logits.astype(float)))
    return -(yes * labels * (1 - p) ** gamma * np.log(p) + no * (1 - labels) * p**gamma * np.log1p(-p)).mean(axis=1)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_follows_its_formula(smoothing: float) -> None:
    loss = make_loss(replace(BCE, label_smoothing=smoothing), WEIGHTS, activation="sigmoid")(
        tf.constant(LABELS), tf.constant(LOGITS)
    )
    np.testing.assert_allclose(loss[:3], by_formula(LABELS, LOGITS, smoothing=smoothing)[:3], rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_focal_loss_follows_its_formula_for_soft_labels(gamma: float) -> None:
    loss = make_loss(replace(BCE, name="focal", gamma=gamma), WEIGHTS, activation="sigmoid")(
        tf.constant(LABELS), tf.constant(LOGITS)
    )
    expected = by_formula(LABELS, LOGITS, gamma=gamma, yes=3.0 * 0.8, no=0.5 * 0.2)
    np.testing.assert_allclose(loss[:3], expected[:3], rtol=1e-4)


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
def test_loss_and_gradient_are_finite_for_confident_wrong_logits(name: str) -> None:
    logits = tf.constant([[-200.0], [200.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = make_loss(replace(BCE, name=name), WEIGHTS, activation="sigmoid")(tf.constant([[1.0], [0.0]]), logits)
    assert np.isfinite(loss).all()
    assert (loss.numpy() > 1).all()
    assert np.isfinite(tape.gradient(loss, logits)).all()


def test_the_loss_of_a_sample_is_the_mean_over_its_classes() -> None:
    loss = make_loss(BCE, WEIGHTS * 2, activation="sigmoid")
    labels, logits = np.repeat(LABELS, 2, axis=1), np.repeat(LOGITS, 2, axis=1)
    single = make_loss(BCE, WEIGHTS, activation="sigmoid")(tf.constant(LABELS), tf.constant(LOGITS))
    np.testing.assert_allclose(loss(tf.constant(labels), tf.constant(logits)), single, rtol=1e-6)


def test_hard_labels_follow_the_notebook() -> None:
    """Row 8: gamma 2, alpha .8, and a label that is neither 0 nor 1 has no loss."""
    config = replace(BCE, name="focal", hard_labels=True)
    loss = make_loss(config, [{"positive_weight": 1.0, "negative_weight": 1.0}], activation="sigmoid")
    p = 1 / (1 + np.exp(-LOGITS.astype(float)))
    pt_1, pt_0 = np.where(LABELS == 1, p, 1), np.where(LABELS == 0, p, 0)
    expected = -(0.8 * (1 - pt_1) ** 2 * np.log(pt_1) + 0.2 * pt_0**2 * np.log(1 - pt_0))
    found = loss(tf.constant(LABELS), tf.constant(LOGITS)).numpy()
    np.testing.assert_allclose(found[:3], expected[:3, 0], rtol=1e-4)
    assert found[2] == 0


def test_an_unknown_loss_is_an_error() -> None:
    with pytest.raises(FoldlineError, match=r"loss\.name is 'hinge'; allowed: cross_entropy, focal"):
        make_loss(replace(BCE, name="hinge"), WEIGHTS, activation="sigmoid")


def several(*, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels of 19 classes, any number of them, and logits."""
    random = np.random.default_rng(seed)
    return random.integers(0, 2, (12, 19)).astype(np.float32), random.normal(size=(12, 19)).astype(np.float32)


def plain(count: int) -> list[dict]:
    return [{"positive_weight": 1.0, "negative_weight": 1.0}] * count


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_multilabel_cross_entropy_equals_that_of_keras(smoothing: float) -> None:
    """Row 20."""
    labels, logits = several()
    loss = make_loss(replace(BCE, label_smoothing=smoothing), plain(19), activation="sigmoid")
    theirs = tf_keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing, reduction="none")
    np.testing.assert_allclose(loss(tf.constant(labels), tf.constant(logits)), theirs(labels, logits), rtol=1e-5)


def test_class_weights_count_in_the_loss_of_every_row() -> None:
    """Row 23, corrected: each class has its own weight; the notebook weights a row by its first class."""
    labels, logits = several()
    weights = np.linspace(0.1, 1, 19)
    given = [{"positive_weight": weight, "negative_weight": weight} for weight in weights]
    found = make_loss(BCE, given, activation="sigmoid")(tf.constant(labels), tf.constant(logits))
    single = [
        make_loss(BCE, plain(1), activation="sigmoid")(tf.constant(labels[:, [k]]), tf.constant(logits[:, [k]]))
        for k in range(19)
    ]
    np.testing.assert_allclose(found, np.average(single, axis=0, weights=weights) * weights.mean(), rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_softmax_cross_entropy_equals_that_of_keras_for_soft_labels(smoothing: float) -> None:
    _, logits = several()
    labels = np.random.default_rng(1).dirichlet(np.ones(19), 12).astype(np.float32)
    loss = make_loss(replace(BCE, label_smoothing=smoothing), plain(19), activation="softmax")
    theirs = tf_keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing, reduction="none")
    np.testing.assert_allclose(loss(tf.constant(labels), tf.constant(logits)), theirs(labels, logits), rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_softmax_focal_loss_follows_its_formula_with_finite_gradients(gamma: float) -> None:
    _, logits = several()
    logits[0] = 200 * np.eye(19)[3]
    labels = np.eye(19, dtype=np.float32)[np.arange(12) % 5 + 3]
    weights = [{"positive_weight": 1 + k / 19, "negative_weight": 1.0} for k in range(19)]
    config = replace(BCE, name="focal", gamma=gamma)
    given = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(given)
        found = make_loss(config, weights, activation="softmax")(tf.constant(labels), given)
    p = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(axis=1, keepdims=True)
    weight = np.array([row["positive_weight"] for row in weights])
    expected = -(weight * labels * (1 - p) ** gamma * np.log(p)).sum(axis=1)
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-3)
    assert np.isfinite(tape.gradient(found, given)).all()
