"""The training loop: it learns, repeats itself, stops when it should, and computes no more than it must."""

import logging

import numpy as np
import pytest
from foldline.backbones import build_backbone, freeze
from foldline.devices import use_device
from foldline.engine import tf, tf_keras
from foldline.errors import FoldlineError
from foldline.heads import build_model
from foldline.losses import make_loss
from foldline.training import HISTORY, Plan, fit, make_step

WEIGHTS = [{"positive_weight": 1.0, "negative_weight": 1.0}]
BCE = make_loss({"name": "bce", "label_smoothing": 0, "gamma": 0.0, "alpha": 0.5}, WEIGHTS)
ROWS, BATCH = 50, 8


def generated(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (rows, 8, 8, 3), brighter where the label is 1."""
    generator = np.random.default_rng(seed)
    labels = (np.arange(rows) % 2).astype(np.float32)[:, np.newaxis]
    images = generator.integers(0, 200, (rows, 8, 8, 3)) + 55 * labels[:, :, np.newaxis, np.newaxis]
    return images.astype(np.uint8), labels


def small_network() -> tf_keras.Model:
    tf_keras.utils.set_random_seed(3)
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            tf_keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 128, -1),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.1),
            layers.Dense(1),
        ]
    )


def train(network: tf_keras.Model, *, epochs: int = 8, rate: float = 0.03, patience=None, select="last", aucs=None):
    images, labels = generated(ROWS, 1)
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).repeat().batch(BATCH)
    held_out, truth = generated(40, 2)
    plan = Plan(ROWS, BATCH, epochs, lambda step: rate, patience, select)
    told = iter(aucs or [])

    def validate() -> tuple[np.ndarray, np.ndarray]:
        if aucs is not None:
            # A ranking with the AUC that the test wants: 1 or 0.
            return truth, (truth if next(told) else -truth)
        return truth, network(held_out).numpy()

    device = use_device("cpu", threads=2)
    return fit(network, batches, plan=plan, loss=BCE, device=device, validate=validate, name="m fold 0")


def test_it_learns_and_says_how(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        result = train(small_network())
    assert result.history[-1]["val_auc"] > 0.95
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert [row["epoch"] for row in result.history] == list(range(1, 9))
    assert set(result.history[0]) == set(HISTORY)
    assert sum(row["images"] for row in result.history) == 8 * ROWS
    assert result.selected_epoch == 8
    line = next(message for message in caplog.messages if "epoch 8/8" in message)
    assert line.startswith("m fold 0  epoch 8/8  lr 3.0e-2  loss .")
    assert line.endswith("images/s")


def test_equal_seeds_train_equal_weights() -> None:
    networks = [small_network(), small_network()]
    for network in networks:
        tf_keras.utils.set_random_seed(3)
        train(network, epochs=2)
    for first, second in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_array_equal(first, second)


def test_patience_ends_the_training() -> None:
    result = train(small_network(), patience=2, select="best", aucs=[0, 1, 0, 0, 1, 1])
    assert [row["val_auc"] for row in result.history] == [0, 1, 0, 0]
    assert result.selected_epoch == 2


def test_best_weights_are_those_of_the_best_epoch() -> None:
    network = small_network()
    seen: list[np.ndarray] = []
    original = network.get_weights
    network.get_weights = lambda: seen.append(original()) or seen[-1]
    train(network, epochs=3, select="best", aucs=[1, 0, 0])
    assert len(seen) == 1
    for kept, first in zip(original(), seen[0], strict=True):
        np.testing.assert_array_equal(kept, first)


def test_a_loss_that_is_not_finite_stops_the_training() -> None:
    network = small_network()
    network.set_weights([np.full_like(weights, np.nan) for weights in network.get_weights()])
    with pytest.raises(FoldlineError, match="m fold 0: the loss is not finite in step 0"):
        train(network)


def test_rows_that_end_early_and_batches_that_are_too_large_are_errors() -> None:
    network = small_network()
    images, labels = generated(ROWS, 1)
    short = tf.data.Dataset.from_tensor_slices((images, labels)).batch(BATCH, drop_remainder=True)
    device = use_device("cpu", threads=2)
    plan = Plan(ROWS, BATCH, 2, lambda step: 0.01, None, "last")
    with pytest.raises(FoldlineError, match="the rows end before step 6"):
        fit(network, short, plan=plan, loss=BCE, device=device, validate=lambda: (labels, labels), name="m")
    with pytest.raises(FoldlineError, match="batch_size 51 is more than"):
        Plan(ROWS, 51, 2, lambda step: 0.01, None, "last").check()


def test_the_whole_batch_is_divided_once() -> None:
    network = small_network()
    network.layers[-2].rate = 0
    images, labels = generated(BATCH, 1)
    step = make_step(network, tf_keras.optimizers.SGD(0.0), BCE, batch_size=4 * BATCH)
    expected = BCE(tf.constant(labels), network(images)).numpy().sum() / (4 * BATCH)
    assert float(step(tf.constant(images), tf.constant(labels))) == pytest.approx(expected, rel=1e-5)


def backward_convolutions(trainable: str) -> int:
    """How many convolutions the backward pass of a step has."""
    backbone = build_backbone("efficientnet-lite0", weights="none", image_size=32)
    freeze(backbone, trainable=trainable)
    network = build_model(backbone, class_count=1, hidden_units=[], dropout=0.2)
    step = tf.function(make_step(network, tf_keras.optimizers.SGD(0.1), BCE, batch_size=2))
    graph = step.get_concrete_function(tf.zeros((2, 32, 32, 3), tf.uint8), tf.zeros((2, 1))).graph
    return sum("Backprop" in operation.type for operation in graph.get_operations())


def test_frozen_layers_have_no_backward_pass() -> None:
    assert backward_convolutions("head") == 0
    # Block 5 without its expansion, blocks 6 to 15 and the top have 33 convolutions, each with gradients to its kernel
    # and to its input.
    assert backward_convolutions("upper") == 2 * 33
