"""The head is trained on fixed features, then all layers by an optimizer that begins anew."""

from typing import Any

import numpy as np
import pytest
from fixtures.settings import training_config
from fixtures.small_training import BATCH, BCE
from foldline.models.backbones import build_backbone
from foldline.models.heads import build_model
from foldline.models.networks import backbone_layers
from foldline.runtime.devices import use_device
from foldline.runtime.precision import Precision
from foldline.runtime.tensorflow import tf
from foldline.training.head_first import after_head
from foldline.training.schedules import make_schedule
from foldline.training.trainer import Trainer, TrainingTask

ROWS = 2 * BATCH


@pytest.mark.usefixtures("short_lite0")
def test_the_backbone_stays_as_it_is_while_the_head_is_trained() -> None:
    """Its normalization too, which learns in the steps of all layers."""
    network = build_model(
        build_backbone("efficientnet-lite0", weights="none", image_size=32),
        metadata_width=0,
        n_classes=1,
        metadata_units=[],
        hidden=[],
        dropout=0,
    )
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (ROWS, 32, 32, 3), np.uint8), random.random((ROWS, 1)).round()
    batches = tf.data.Dataset.from_tensor_slices(({"image": images}, labels.astype(np.float32))).repeat().batch(BATCH)
    layers = [layer for layer in backbone_layers(network) if layer.weights]
    seen: list[list[np.ndarray]] = []

    def validate() -> tuple[Any, Any]:
        seen.append([*(value for layer in layers for value in layer.get_weights()), network.layers[-1].kernel.numpy()])
        return labels, labels

    validate()
    config = training_config(batch_size=BATCH, epochs=2, head_epochs=1, learning_rate=0.01)
    task = TrainingTask("m fold 0", ROWS, batches.skip, BCE, validate, "sigmoid")
    Trainer(network, task, config, use_device("cpu", threads=1), precision=Precision("float32")).run()
    *before, head = ([(old != new).any() for old, new in zip(seen[0], seen[1], strict=True)],)[0]
    assert not any(before)
    assert head
    assert all((old != new).any() for old, new in zip(seen[1], seen[2], strict=True))


def test_the_schedule_begins_after_the_head() -> None:
    section = training_config(schedule={"name": "cosine", "warmup_epochs": 1}).schedule
    alone = make_schedule(section, learning_rate=0.1, epochs=3, steps_per_epoch=3.75)
    schedule = after_head(make_schedule(section, learning_rate=0.1, epochs=3, steps_per_epoch=3.75), 0.1, 2 * 3.75)
    assert [schedule.rate(step) for step in range(7)] == [0.1] * 7
    # Step 7 has rows of the last epoch of the head, and is the first one of the others.
    assert schedule.rate(7) == alone.rate(0)
    assert schedule.rate(8) == pytest.approx((alone.rate(0) + alone.rate(1)) / 2)
