"""Epochs that have some of the rows, or smaller images: trained as slow versions are, and resumed exactly."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.settings import training_config
from fixtures.small_training import BATCH, BCE, generated, small_network
from foldline.dataset.labels import SIGMOID
from foldline.errors import FoldlineError, StoppedError
from foldline.models.shrinking import accept_other_sizes, shrink
from foldline.runtime.devices import use_device
from foldline.runtime.precision import Precision
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.checkpoints import Checkpoints
from foldline.training.sampling import DrawnRows, RowSampler
from foldline.training.schedules import size_of_epoch
from foldline.training.state import TrainingState
from foldline.training.trainer import Trainer, TrainingTask
from foldline.training.training_config import CheckpointConfig, SizeStage, TrainingConfig
from foldline.training.training_step import StepConfig, make_step

ROWS = 64
IMAGES, _ = generated(ROWS, 1)
# A fifth of the rows are positive.
LABELS = (np.arange(ROWS) % 5 == 0).astype(np.float32)[:, np.newaxis]
SAMPLING = {"share": 0.25, "hardest": 0.5}


def config(**changes: Any) -> TrainingConfig:
    settings = {"batch_size": BATCH, "epochs": 4, "learning_rate": 0.03, "schedule": {"name": "constant"}}
    return training_config(**(settings | changes))


def sampler(settings: TrainingConfig) -> RowSampler | None:
    if settings.sampling.share == 1:
        return None
    return RowSampler(LABELS, settings.sampling, batch_size=BATCH, activation=SIGMOID, seed=9)


def batches_from(first: int, drawn: np.ndarray | None = None) -> tf.data.Dataset:
    """As `FoldTraining` gives them, in the order of the rows; with a sampler to the end of the epoch."""
    rows = np.arange(ROWS, dtype=np.int32) if drawn is None else drawn
    inputs = {"image": IMAGES[rows]} | ({} if drawn is None else {"row": rows})
    data = tf.data.Dataset.from_tensor_slices((inputs, LABELS[rows])).repeat().batch(BATCH, drop_remainder=True)
    if drawn is None:
        return data.skip(first)
    steps = len(rows) // BATCH
    return data.skip(first % steps).take(steps - first % steps)


def trained(
    network: tf_keras.Model,
    settings: TrainingConfig,
    *,
    checkpoints: Checkpoints | None = None,
    batches: Callable[..., tf.data.Dataset] = batches_from,
) -> TrainingState:
    one = sampler(settings)
    rows = ROWS if one is None else one.rows_per_epoch
    labels = generated(40, 2)[1]
    task = TrainingTask("m fold 0", rows, batches, BCE, lambda: (labels, labels), SIGMOID, sampler=one)
    device = use_device("cpu", threads=1)
    return Trainer(network, task, settings, device, precision=Precision("float32"), checkpoints=checkpoints).run()


def slow_steps(network: tf_keras.Model, settings: TrainingConfig) -> None:
    """Steps in Python, one after the other: draw, shrink, look at the losses of the rows."""
    one = sampler(settings)
    optimizer = tf_keras.optimizers.Adam(settings.learning_rate)
    optimizer.build(network.trainable_variables)
    drawn = DrawnRows.before_training(ROWS)
    accept_other_sizes(network, settings.size_schedule)
    for epoch in range(settings.epochs):
        rows = np.arange(ROWS)
        if one is not None:
            one.start_epoch(drawn, epoch)
            rows = drawn.rows
        stage = [stage.image_size for stage in settings.size_schedule for _ in range(stage.epochs)][epoch : epoch + 1]
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            images = shrink(tf.constant(IMAGES[some]), *stage) if stage else tf.constant(IMAGES[some])
            with tf.GradientTape() as tape:
                logits = network({"image": images}, training=True) + (0 if one is None else one.offsets)
                losses = BCE(tf.constant(LABELS[some]), logits)
                loss = tf.reduce_mean(losses)
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            drawn.losses[some] = losses.numpy()


@pytest.mark.parametrize(
    "changes",
    [
        {"sampling": SAMPLING},
        {"sampling": {"share": 0.25}},
        {"size_schedule": [{"epochs": 1, "image_size": 4}, {"epochs": 2, "image_size": 6}]},
    ],
)
def test_epochs_are_trained_as_by_the_slow_version(changes: dict[str, Any]) -> None:
    # Sizes below 32 pixels are for tests alone.
    stages = [SizeStage(**stage) for stage in changes.get("size_schedule", ())]
    settings = with_sizes(config(sampling=changes.get("sampling", {})), stages)
    network, reference = small_network(), small_network()
    for one in (network, reference):
        one.layers[-2].rate = 0
    trained(network, settings)
    slow_steps(reference, settings)
    for found, expected in zip(network.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def with_sizes(settings: TrainingConfig, stages: Sequence[SizeStage]) -> TrainingConfig:
    return TrainingConfig(**{**vars(settings), "size_schedule": tuple(stages)})


@pytest.mark.parametrize("stops", [(2,), (3, 4, 5), (6, 11)])
@pytest.mark.parametrize("kind", ["sampling", "sizes"])
def test_a_stopped_training_ends_like_an_unbroken_one(kind: str, stops: Sequence[int], tmp_path: Path) -> None:
    settings = config(sampling=SAMPLING if kind == "sampling" else {}, ema_decay=0.9, select_epoch="best")
    if kind == "sizes":
        settings = with_sizes(settings, [SizeStage(1, 4), SizeStage(1, 6)])
    whole = small_network()
    history = trained(whole, settings).history
    for stop in [*stops, None]:
        checkpoints = Checkpoints(CheckpointConfig(str(tmp_path), seconds=0.0, share=math.inf), "m.fold0", "key")

        def batches(
            first: int, drawn: np.ndarray | None = None, stop: int | None = stop, own: Checkpoints = checkpoints
        ) -> tf.data.Dataset:
            data = batches_from(first, drawn)

            def read() -> Any:
                for number, batch in enumerate(data, first):
                    if number == stop:
                        own._stop_reason = "the test"
                    yield batch

            return tf.data.Dataset.from_generator(read, output_signature=data.element_spec)

        network = small_network()
        if stop is None:
            state = trained(network, settings, checkpoints=checkpoints, batches=batches)
        else:
            with pytest.raises(StoppedError):
                trained(network, settings, checkpoints=checkpoints, batches=batches)
        checkpoints.close()
    for one, other in zip(network.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [{**row, "seconds": 0} for row in state.history] == [{**row, "seconds": 0} for row in history]


def test_the_draw_of_the_loss_is_taken_back() -> None:
    """A network that cannot tell rows apart learns the prior of all rows, not that of the drawn ones."""
    settings = config(sampling={"share": 0.25}, epochs=150, learning_rate=0.05)
    tf_keras.utils.set_random_seed(0)
    images = tf_keras.Input((8, 8, 3))
    pooled = tf_keras.layers.GlobalAveragePooling2D()(images) * 0
    network = tf_keras.Model({"image": images}, tf_keras.layers.Dense(1)(pooled))
    trained(network, settings)
    odds = float(np.exp(network({"image": IMAGES[:1]})[0, 0]))
    assert odds / (1 + odds) == pytest.approx(LABELS.mean(), abs=0.01)


def test_sizes_belong_to_epochs() -> None:
    stages = [SizeStage(1, 96), SizeStage(2, 128)]
    assert [size_of_epoch(stages, epoch) for epoch in range(5)] == [96, 128, 128, None, None]


def test_the_losses_of_rows_are_those_of_their_images() -> None:
    network = small_network()
    network.layers[-2].rate = 0
    optimizer = tf_keras.optimizers.Adam(0.0)
    optimizer.build(network.trainable_variables)
    step = make_step(network, optimizer, BCE, StepConfig(BATCH, SIGMOID, offsets=(0.5,)))
    rows = np.arange(BATCH, dtype=np.int32)[::-1].copy()
    labels = tf.constant(LABELS[rows])
    sums = step(
        {"image": tf.constant(IMAGES[rows]), "row": tf.constant(rows), "row_weight": 2 * tf.ones(BATCH)}, labels
    )
    expected = BCE(labels, network({"image": IMAGES[rows]}) + 0.5)
    np.testing.assert_allclose(sums.rows.losses, expected, rtol=1e-5)
    np.testing.assert_array_equal(sums.rows.rows, rows)
    assert float(sums.loss) == pytest.approx(2 * float(tf.reduce_mean(expected)), rel=1e-5)


@pytest.mark.parametrize("parts", [2, 8])
def test_a_batch_in_parts_is_trained_as_a_whole(parts: int) -> None:
    networks = [small_network(), small_network()]
    for network, accumulate in zip(networks, (1, parts), strict=True):
        network.layers[-2].rate = 0
        changes = {"optimizer": {"clip_norm": 0.5}, "sampling": SAMPLING, "accumulate": accumulate}
        trained(network, config(**changes))
    for one, other in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_batch_without_equal_parts_is_an_error() -> None:
    with pytest.raises(FoldlineError, match="batch_size 8 cannot be computed in 3 equal parts on each of 1 device"):
        trained(small_network(), config(accumulate=3))
