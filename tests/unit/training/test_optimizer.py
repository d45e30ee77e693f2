"""The optimizer against its formulas, variable by variable."""

from typing import Any

import numpy as np
import pytest
from fixtures.settings import training_config
from fixtures.small_training import small_network
from foldline.runtime.devices import use_device
from foldline.runtime.precision import Precision
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.optimizer import make_optimizer

STEPS = 15
RATE = 0.01


def trained(network: tf_keras.Model, **changes: Any) -> tf_keras.optimizers.Optimizer:
    """Apply the same gradients, of different sizes, to the network."""
    device, precision = use_device("cpu", threads=1), Precision("float32")
    optimizer = make_optimizer(network, training_config(learning_rate=RATE, **changes), precision, device)
    for gradients in random_gradients(network):
        variables = network.trainable_variables
        optimizer.apply_gradients(zip(map(tf.constant, gradients), variables, strict=True))
    return optimizer


def random_gradients(network: tf_keras.Model) -> list[list[np.ndarray]]:
    random = np.random.default_rng(0)
    shapes = [variable.shape for variable in network.trainable_variables]
    return [
        [random.normal(0, 0.1 * step, shape).astype(np.float32) for shape in shapes] for step in range(1, STEPS + 1)
    ]


def slow_steps(
    network: tf_keras.Model, *, weight_decay: float, factors: list[float], clip: float, decay: float, warm: bool
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights after all steps, and their average, with numbers of 64 bits."""
    weights = [variable.numpy().astype(np.float64) for variable in network.trainable_variables]
    means, squares = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
    averages = [weight.copy() for weight in weights]
    for step, gradients in enumerate(random_gradients(network)):
        norm = np.sqrt(sum((gradient.astype(np.float64) ** 2).sum() for gradient in gradients))
        kept = min(decay, (1 + step) / (10 + step)) if warm else decay
        for number, gradient in enumerate(gradients):
            clipped = gradient * min(1.0, clip / norm)
            means[number] = 0.9 * means[number] + 0.1 * clipped
            squares[number] = 0.999 * squares[number] + 0.001 * clipped**2
            rate = RATE * factors[number]
            mean, square = means[number] / (1 - 0.9 ** (step + 1)), squares[number] / (1 - 0.999 ** (step + 1))
            removed = rate * weight_decay * weights[number] if weights[number].ndim > 1 else 0
            # Keras adds epsilon before the correction of the second moment.
            epsilon = 1e-7 / np.sqrt(1 - 0.999 ** (step + 1))
            weights[number] = weights[number] - removed - rate * mean / (np.sqrt(square) + epsilon)
            averages[number] = kept * averages[number] + (1 - kept) * weights[number]
    return weights, averages


@pytest.mark.parametrize("warm", [False, True])
def test_each_step_follows_the_formulas(warm: bool) -> None:
    network = small_network()
    added = {"weight_decay": 0.5, "layer_decay": 0.7, "clip_norm": 1.5}
    # Kernel and bias of the convolution, and of the head.
    expected, averages = slow_steps(
        network, weight_decay=0.5, factors=[0.7, 0.7, 1.0, 1.0], clip=1.5, decay=0.95, warm=warm
    )
    optimizer = trained(network, optimizer=added, ema_decay=0.95, ema_warmup=warm)
    for variable, weight in zip(network.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), weight, rtol=2e-4, atol=2e-6)
    optimizer.finalize_variable_values(network.trainable_variables)
    for variable, weight in zip(network.trainable_variables, averages, strict=True):
        np.testing.assert_allclose(variable.numpy(), weight, rtol=2e-4, atol=2e-6)


def test_without_additions_it_is_the_adam_of_keras() -> None:
    plain, ours, neutral = small_network(), small_network(), small_network()
    adam = tf_keras.optimizers.Adam(RATE)
    for gradients in random_gradients(plain):
        adam.apply_gradients(zip(map(tf.constant, gradients), plain.trainable_variables, strict=True))
    optimizer = trained(ours)
    assert type(optimizer) is tf_keras.optimizers.Adam
    for one, other in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    trained(neutral, ema_decay=0.9, ema_warmup=True)
    for one, other in zip(neutral.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
