"""One step of a training: what it computes, and what it does not."""

import numpy as np
import numpy.typing as npt
import pytest
from fixtures.small_training import BATCH, BCE, generated, small_network
from foldline.input_pipeline.color_jitter import HSV, YIQ, apply_color_jitter
from foldline.models.backbones import build_backbone, freeze
from foldline.models.heads import build_model
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.losses import Loss
from foldline.training.training_step import StepConfig, compile_steps, make_step


def network_without_dropout() -> tf_keras.Model:
    network = small_network()
    network.layers[-2].rate = 0
    return network


def test_each_replica_divides_its_losses_by_the_size_of_the_whole_batch() -> None:
    network = network_without_dropout()
    images, labels = generated(BATCH, 1)
    step = make_step(network, tf_keras.optimizers.SGD(0.0), BCE, StepConfig(4 * BATCH, "sigmoid"))
    expected = BCE(tf.constant(labels), network({"image": images})).numpy().sum() / (4 * BATCH)
    assert float(step({"image": tf.constant(images)}, tf.constant(labels)).loss) == pytest.approx(expected, rel=1e-5)


def change_by_a_step(reduction: str) -> npt.NDArray[np.float32]:
    """Change of the last layer's kernel by a step of gradient descent with rate 1."""
    network = network_without_dropout()
    images, labels = generated(BATCH, 1)
    before = network.layers[-1].get_weights()[0]
    step = make_step(network, tf_keras.optimizers.SGD(1.0), BCE, StepConfig(BATCH, "sigmoid", reduction))
    step({"image": tf.constant(images)}, tf.constant(labels))
    return network.layers[-1].get_weights()[0] - before


def test_gradients_of_a_sum_grow_with_the_batch() -> None:
    """Row 8: the notebook sums its loss over the batch."""
    np.testing.assert_allclose(change_by_a_step("sum"), BATCH * change_by_a_step("mean"), rtol=1e-4)


@pytest.mark.parametrize("color_space", [YIQ, HSV])
def test_the_step_applies_color_jitter(color_space: str) -> None:
    images, labels = generated(BATCH, 1)
    draws = tf.tile([[0.1, 1.3, 0.8, 20.0]], [BATCH, 1])

    def loss(inputs: dict[str, tf.Tensor]) -> float:
        config = StepConfig(BATCH, "sigmoid", color_space=color_space)
        step = make_step(network_without_dropout(), tf_keras.optimizers.SGD(0.0), BCE, config)
        return float(step(inputs, tf.constant(labels)).loss)

    jittered = loss({"image": tf.constant(images), "color": draws})
    assert jittered == pytest.approx(loss({"image": apply_color_jitter(images, draws, color_space)}), rel=1e-6)
    assert jittered != pytest.approx(loss({"image": tf.constant(images)}), rel=1e-3)


def test_the_step_runs_the_network_in_training_mode() -> None:
    """Row 9: dropout draws anew in every step, and batch normalization follows the batches."""
    layers = tf_keras.layers
    images = tf_keras.Input((8, 8, 3))
    features = layers.BatchNormalization()(layers.Flatten()(layers.Rescaling(1 / 128, -1)(images)))
    network = tf_keras.Model({"image": images}, layers.Dense(1)(layers.Dropout(0.5)(features)))
    pixels, labels = generated(BATCH, 1)
    step = make_step(network, tf_keras.optimizers.SGD(0.0), BCE, StepConfig(BATCH, "sigmoid"))
    means = network.layers[3].moving_mean.numpy()
    losses = {float(step({"image": tf.constant(pixels)}, tf.constant(labels)).loss) for _ in range(4)}
    assert len(losses) == 4
    assert (network.layers[3].moving_mean.numpy() != means).all()


def test_each_step_has_the_learning_rate_that_is_planned_for_it() -> None:
    """Rows 10 and 21: by gradient descent, a step with half the rate moves the weights half as far."""
    network = network_without_dropout()
    images, labels = generated(BATCH, 1)
    batches = tf.data.Dataset.from_tensors(({"image": images}, labels)).repeat()
    optimizer = tf_keras.optimizers.SGD(7.0)
    step = make_step(network, optimizer, BCE, StepConfig(BATCH, "sigmoid"))
    steps = compile_steps(step, optimizer, use_device("cpu", threads=2), batches.element_spec)
    start = network.get_weights()

    def moved(*rates: float) -> npt.NDArray[np.float32]:
        network.set_weights(start)
        result = steps(iter(batches), tf.constant(rates))
        assert result.losses.shape == (len(rates),)
        assert result.counts.bins.numpy().sum() == len(rates) * BATCH
        return network.layers[-1].get_weights()[0] - start[-2]

    assert not moved(0.0, 0.0).any()
    whole = moved(0.1, 0.0)
    assert whole.any()
    np.testing.assert_allclose(moved(0.0, 0.05), whole / 2, rtol=1e-3, atol=1e-7)


def backward_convolutions(trainable: str) -> int:
    """Number of convolutions in the backward pass of a step."""
    backbone = build_backbone("efficientnet-lite0", weights="none", image_size=32)
    freeze(backbone, trainable=trainable)
    network = build_model(backbone, metadata_width=0, n_classes=1, metadata_units=[], hidden=[], dropout=0.2)
    step = tf.function(make_step(network, tf_keras.optimizers.SGD(0.1), BCE, StepConfig(2, "sigmoid")))
    graph = step.get_concrete_function({"image": tf.zeros((2, 32, 32, 3), tf.uint8)}, tf.zeros((2, 1))).graph
    return sum("Backprop" in operation.type for operation in graph.get_operations())


def test_frozen_layers_have_no_backward_pass() -> None:
    assert backward_convolutions("head") == 0
    # Block 5 without its expansion, blocks 6 to 15 and the top have 33 convolutions, each with gradients to its kernel
    # and to its input.
    assert backward_convolutions("upper") == 2 * 33


def test_rows_count_by_their_weights() -> None:
    """In the loss and its gradients, and not in the counts of the training AUC."""
    images, labels = generated(BATCH, 1)
    weights = np.linspace(0, 2, BATCH, dtype=np.float32)

    def result(loss: Loss, **inputs: tf.Tensor) -> tuple[float, npt.NDArray[np.float32], int]:
        network = network_without_dropout()
        before = network.layers[-1].get_weights()[0]
        step = make_step(network, tf_keras.optimizers.SGD(1.0), loss, StepConfig(BATCH, "sigmoid"))
        sums = step({"image": tf.constant(images), **inputs}, tf.constant(labels))
        return float(sums.loss), network.layers[-1].get_weights()[0] - before, int(sums.counts.correct)

    weighted = result(BCE, row_weight=tf.constant(weights))
    expected = result(lambda labels, logits: BCE(labels, logits) * weights)
    assert weighted[0] == pytest.approx(expected[0], rel=1e-6)
    np.testing.assert_allclose(weighted[1], expected[1], rtol=1e-5, atol=1e-8)
    assert weighted[2] == expected[2] == result(BCE)[2]
    assert weighted[0] != pytest.approx(result(BCE)[0], rel=1e-3)
