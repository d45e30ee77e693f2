"""The average of the last epochs, against a slow version, and resumed exactly."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.normalized_training import IMAGES, ROWS, batches_from, normalized_network, trained
from fixtures.settings import training_config
from fixtures.small_training import BATCH
from foldline.errors import StoppedError
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.checkpoints import Checkpoints
from foldline.training.training_config import CheckpointConfig, TrainingConfig

PER_EPOCH = ROWS // BATCH


def config(**changes: Any) -> TrainingConfig:
    settings = {"batch_size": BATCH, "epochs": 4, "learning_rate": 0.02, "schedule": {"name": "constant"}}
    return training_config(**(settings | changes))


def test_the_weights_are_the_mean_of_the_last_epochs_with_statistics_of_their_own() -> None:
    network = normalized_network()
    ends: list[list[np.ndarray]] = []
    trained(
        network,
        config(swa_epochs=3),
        at_end_of_epoch=lambda: ends.append([variable.numpy() for variable in network.trainable_variables]),
    )
    # The last validation is that of the average.
    expected = [np.mean(values, axis=0, dtype=np.float64) for values in zip(*ends[1:4], strict=True)]
    for variable, value, averaged in zip(network.trainable_variables, expected, ends[4], strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(variable.numpy(), averaged)
    # The slow statistics of the first normalization: of what its convolution gives for each batch, then their mean.
    norm = next(layer for layer in network.layers if isinstance(layer, tf_keras.layers.BatchNormalization))
    before = tf_keras.Model(network.input, norm.input)
    of_batches = [
        before({"image": IMAGES[start : start + BATCH]}).numpy().reshape(-1, 4) for start in range(0, ROWS, BATCH)
    ]
    np.testing.assert_allclose(norm.moving_mean, np.mean([one.mean(axis=0) for one in of_batches], axis=0), rtol=1e-4)
    variances = np.mean([one.var(axis=0, ddof=1) for one in of_batches], axis=0)
    np.testing.assert_allclose(norm.moving_variance, variances, rtol=1e-4)
    assert norm.momentum == 0.97 or norm.momentum == 0.99


def test_without_the_key_the_last_epoch_is_the_result() -> None:
    network, plain = normalized_network(), normalized_network()
    trained(network, config(swa_epochs=1))
    trained(plain, config())
    for one, other in zip(network.trainable_variables, plain.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("stop", [7, PER_EPOCH * 3 + 1, PER_EPOCH * 4 - 1])
def test_a_stopped_training_averages_as_an_unbroken_one(stop: int, tmp_path: Path) -> None:
    settings = config(swa_epochs=2)
    whole = normalized_network()
    trained(whole, settings)
    for number in (stop, None):
        checkpoints = Checkpoints(CheckpointConfig(str(tmp_path), seconds=0.0, share=math.inf), "m.fold0", "key")

        def batches(first: int, number: int | None = number, own: Checkpoints = checkpoints) -> tf.data.Dataset:
            def read() -> Iterator[Any]:
                for step, batch in enumerate(batches_from(first), first):
                    if step == number:
                        own._stop_reason = "the test"
                    yield batch

            return tf.data.Dataset.from_generator(read, output_signature=batches_from(0).element_spec)

        network = normalized_network()
        if number is None:
            trained(network, settings, batches=batches, checkpoints=checkpoints)
        else:
            with pytest.raises(StoppedError):
                trained(network, settings, batches=batches, checkpoints=checkpoints)
        checkpoints.close()
    for one, other in zip(network.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
