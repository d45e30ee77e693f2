"""What TPUs need and a CPU can show: every shape is known, and the whole step is compiled by XLA."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.settings import fold_configs
from fixtures.shards import write_shards
from foldline.dataset.input_spec import InputSpec
from foldline.dataset.metadata import MetadataColumnConfig, fit_encoding
from foldline.inference.forward_pass import make_forward
from foldline.input_pipeline.batches import TrainingStream, ordered_batches, training_batches
from foldline.input_pipeline.color_jitter import HSV, YIQ
from foldline.models.networks import build_network, input_spec_of
from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.tfrecords.open_shards import open_shards
from foldline.training.losses import make_loss
from foldline.training.training_config import LossConfig
from foldline.training.training_step import StepConfig, make_step

pytestmark = pytest.mark.usefixtures("short_lite0")

BATCH = 4
LOSS = LossConfig("focal", label_smoothing=0.1, gamma=2.0, alpha=0.5, hard_labels=False, reduction="mean")
EVEN = {"positive_weight": 1.0, "negative_weight": 1.0}
MODEL, TRAINING = fold_configs(
    backbone="efficientnet-lite0",
    trainable="upper",
    inputs=["image", "metadata"],
    metadata_units=[4],
    hidden=[{"units": 8, "dropout": 0.3}],
    augment={
        "rotation": [15, 180],
        "hue": 0.1,
        "saturation": 0.2,
        "contrast": 0.1,
        "brightness": 0.1,
        "coarse_dropout": {"probability": 0.5, "holes": 2},
        "cutmix": {"probability": 0.5},
    },
)


def batches_of(folder: Path, input_spec: InputSpec) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Batches of a training and of a prediction."""
    data = write_shards(folder)
    shards = open_shards(data.paths, data.manifests, image_size=MODEL.image_size)
    given: dict[str, Any] = {"input_spec": input_spec, "batch_size": BATCH, "threads": 1}
    ids = data.ids(1, held_out=False)
    training = training_batches(shards, ids, TrainingStream(epochs=2, seed=1, augment=TRAINING.augment, **given))
    return training, ordered_batches(shards, data.ids(1, held_out=True), labeled=True, **given)


@pytest.mark.slow
def test_the_training_step_and_the_forward_pass_compile(tmp_path: Path) -> None:
    """With colors changed on the device, dropout, soft labels, Adam and its averages, in bfloat16 as on a TPU."""
    columns = {"site": MetadataColumnConfig("categorical", ("a", "b"))}
    input_spec = input_spec_of(MODEL, fit_encoding(columns, {"site": ["a", "b"]}))
    training, prediction = batches_of(tmp_path, input_spec)
    shapes = [spec.shape for spec in tf.nest.flatten(training.element_spec)]
    assert len(shapes) == 4
    assert all(shape.is_fully_defined() for shape in shapes)

    device = Device("tpu", "the test", tf.distribute.get_strategy())
    network = build_network(
        MODEL,
        input_spec,
        weights="none",
        n_classes=1,
        device=device,
        trainable="upper",
        precision="mixed_bfloat16",
    )
    optimizer = tf_keras.optimizers.Adam(1e-3, use_ema=True, ema_momentum=0.9)
    optimizer.build(network.trainable_variables)
    step = make_step(network, optimizer, make_loss(LOSS, [EVEN], activation="sigmoid"), StepConfig(BATCH, "sigmoid"))
    before = [variable.numpy() for variable in network.trainable_variables]
    compiled = tf.function(step, jit_compile=True)
    for batch in training.take(2):
        assert np.isfinite(float(compiled(*batch).loss))
    moved = [np.abs(new.numpy() - old).max() for new, old in zip(network.trainable_variables, before, strict=True)]
    assert 0 < min(moved) <= max(moved) < 3e-3
    assert optimizer.iterations.numpy() == 2

    logits = tf.function(lambda inputs: network(inputs, training=False), jit_compile=True)
    forward = make_forward(lambda inputs, training: logits(inputs), device, batch_size=BATCH)
    plain = make_forward(network, device, batch_size=BATCH)
    for _, inputs, labels in prediction:
        assert forward(inputs).shape == labels.shape
        np.testing.assert_allclose(forward(inputs), plain(inputs), rtol=0.1, atol=0.1)
    assert logits.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("color_space", [YIQ, HSV])
def test_a_compiled_step_is_the_step(color_space: str) -> None:
    """The same losses and weights as without XLA, but for dropout, whose draws XLA makes in another order."""
    generator = np.random.default_rng(5)
    labels = tf.constant(generator.integers(0, 2, (8, 2)), tf.float32)
    inputs = {
        "image": tf.constant(generator.integers(0, 256, (8, 6, 6, 3)), tf.uint8),
        "color": tf.constant(generator.uniform([-0.2, 0.8, 0.8, -9], [0.2, 1.2, 1.2, 9], (8, 4)), tf.float32),
    }
    results = []
    for compiled in (True, None):
        tf_keras.utils.set_random_seed(3)
        layers = tf_keras.layers
        images = tf_keras.Input((6, 6, 3))
        features = layers.DepthwiseConv2D(3, use_bias=False)(layers.Rescaling(1 / 128, -1)(images))
        features = layers.BatchNormalization()(features)
        features = layers.GlobalAveragePooling2D()(layers.Activation("swish")(features))
        network = tf_keras.Model({"image": images}, layers.Dense(2)(features))
        optimizer = tf_keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.9)
        optimizer.build(network.trainable_variables)
        config = StepConfig(8, "sigmoid", color_space=color_space)
        step = make_step(network, optimizer, make_loss(LOSS, [EVEN] * 2, activation="sigmoid"), config)
        called = tf.function(step, jit_compile=compiled)
        steps = [called(inputs, labels) for _ in range(3)]
        losses, counts = [float(one.loss) for one in steps], [one.counts.bins.numpy().sum(axis=2) for one in steps]
        results.append([np.array(losses), np.array(counts), *network.get_weights()])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_channels_are_changed_in_one_compiled_step() -> None:
    """Draws of named channels have another shape, and another way."""
    images = tf_keras.Input((6, 6, 4))
    network = tf_keras.Model({"image": images}, tf_keras.layers.Dense(1)(tf_keras.layers.Flatten()(images)))
    optimizer = tf_keras.optimizers.Adam(1e-3)
    optimizer.build(network.trainable_variables)
    step = make_step(network, optimizer, make_loss(LOSS, [EVEN], activation="softmax"), StepConfig(2, "softmax"))
    inputs = {"image": tf.zeros((2, 6, 6, 4), tf.uint8), "color": tf.ones((2, 2, 4))}
    compiled = tf.function(step, jit_compile=True)
    assert np.isfinite(float(compiled(inputs, tf.ones((2, 1))).loss))
