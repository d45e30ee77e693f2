"""The training loop: it learns, repeats itself, stops when it should, and computes no more than it must."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from foldline.errors import FoldlineError, StoppedError
from foldline.input_pipeline.batches import reading
from foldline.input_pipeline.color_jitter import apply_color_jitter
from foldline.models.backbones import build_backbone, freeze
from foldline.models.heads import build_model
from foldline.runtime.devices import Device, use_device
from foldline.runtime.precision import Precision
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.tfrecords.open_shards import Shards
from foldline.training.checkpoints import Checkpoints
from foldline.training.loop import HISTORY, Plan, fit, images_per_second, make_step
from foldline.training.losses import make_loss
from foldline.training.schedules import Progress, Schedule
from foldline.training.snapshot_file import parse_snapshot
from foldline.training.state import State
from foldline.training.training_config import LossConfig

WEIGHTS = [{"positive_weight": 1.0, "negative_weight": 1.0}]
BCE = make_loss(
    LossConfig("cross_entropy", label_smoothing=0.0, gamma=0.0, alpha=0.5, hard_labels=False, reduction="mean"),
    WEIGHTS,
    activation="sigmoid",
)
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
    images = tf_keras.Input((8, 8, 3))
    features = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 128, -1)(images))
    features = layers.Dropout(0.1)(layers.GlobalAveragePooling2D()(features))
    return tf_keras.Model({"image": images}, layers.Dense(1)(features))


def plan_of(
    *,
    batch: int = BATCH,
    epochs: int = 8,
    rate: float = 0.03,
    patience=None,
    select="last",
    ema=None,
    reduction="mean",
    monitor="auc",
    precision="float32",
) -> Plan:
    schedule = Schedule(lambda step: rate, 1.0, 1, Progress(0.0, monitor))
    return Plan(
        ROWS, batch, epochs, schedule, "sigmoid", patience, 0.0, monitor, select, reduction, ema, Precision(precision)
    )


def train(network: tf_keras.Model, *, aucs=None, plan: Plan | None = None, **changes):
    images, labels = generated(ROWS, 1)
    batches = tf.data.Dataset.from_tensor_slices(({"image": images}, labels)).repeat().batch(BATCH)
    held_out, truth = generated(40, 2)
    plan = plan or plan_of(**changes)
    told = iter(aucs or [])

    def validate() -> tuple[np.ndarray, np.ndarray]:
        if aucs is not None:
            # A ranking with the AUC that the test wants: 1 or 0.
            return truth, (truth if next(told) else -truth)
        return truth, network({"image": held_out}).numpy()

    device = use_device("cpu", threads=2)
    return fit(network, batches.skip, plan=plan, loss=BCE, device=device, validate=validate, name="m fold 0")


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


@dataclass(frozen=True)
class Cut:
    """Where a training is interrupted: after a step, or in the validation of an epoch, both counted from 0."""

    step: int | None = None
    validation: int | None = None


def train_in_parts(folder: Path, cuts: list[Cut], aucs: list[int], **changes: Any) -> tuple[tf_keras.Model, State]:
    """Train with interruptions, each split with a new network and optimizer; ends with the whole training."""
    images, labels = generated(ROWS, 1)
    _, truth = generated(40, 2)
    dataset = tf.data.Dataset.from_tensor_slices(({"image": images}, labels)).repeat().batch(BATCH)
    validated: list[int] = []
    for cut in [*cuts, Cut()]:
        # No share limits how often it is kept: always.
        checkpoints = Checkpoints(folder, "m.fold0", "key", seconds=0.0, share=math.inf)

        def batches(first: int, cut: Cut = cut, checkpoints: Checkpoints = checkpoints) -> tf.data.Dataset:
            def drawn() -> Iterator[Any]:
                for number, batch in enumerate(dataset.skip(first), first):
                    if number == cut.step:
                        checkpoints._reason = "the test"
                    yield batch

            return tf.data.Dataset.from_generator(drawn, output_signature=dataset.element_spec)

        def validate(cut: Cut = cut, checkpoints: Checkpoints = checkpoints) -> tuple[np.ndarray, np.ndarray]:
            if len(validated) == cut.validation:
                checkpoints._reason = "the test"
                checkpoints.check_stop()
            validated.append(aucs[len(validated)])
            return truth, (truth if validated[-1] else -truth)

        network, plan = small_network(), plan_of(patience=4, **changes)
        plan.schedule.factor = 0.4
        given = {"plan": plan, "loss": BCE, "device": use_device("cpu", threads=2), "name": "m"}
        try:
            state = fit(network, batches, validate=validate, checkpoints=checkpoints, **given)
        except StoppedError:
            assert cut != Cut()
        else:
            assert cut == Cut(), "the training was not interrupted"
        checkpoints.close()
    return network, state


@pytest.mark.parametrize(
    "changes", [{"select": "best", "ema": 0.9}, {"select": "last", "ema": 0.9}, {"select": "best"}]
)
def test_an_interrupted_training_ends_as_an_unbroken_one(changes: dict[str, Any], tmp_path: Path) -> None:
    """Weights, epochs, rates and where it stops: all to the last bit, wherever it was cut."""
    aucs = [0, 1, 0, 0, 0, 0, 0, 0]
    # In the first step, within an epoch, twice in a validation, in a step that ends an epoch, and near the end.
    cuts = [Cut(step=0), Cut(step=8), Cut(validation=2), Cut(validation=2), Cut(step=23), Cut(step=35)]
    unbroken, whole = train_in_parts(tmp_path / "whole", [], aucs, **changes)
    network, state = train_in_parts(tmp_path / "splits", cuts, aucs, **changes)
    assert (len(whole.history), whole.schedule.scale) == (6, pytest.approx(0.4**4))
    for found, expected in zip(network.get_weights(), unbroken.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    for one, other in zip(state.history, whole.history, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    assert state.selected_epoch == whole.selected_epoch


def test_the_scale_of_the_loss_is_kept(tmp_path: Path) -> None:
    """In float16 it grows after enough steps without an overflow, which are counted over an interruption."""
    _, state = train_in_parts(tmp_path, [Cut(step=8)], [1] * 8, precision="mixed_float16")
    newest = max(tmp_path.glob("m.fold0.key/*.snapshot"))
    scale, steps = parse_snapshot(str(newest), newest.read_bytes()).arrays["optimizer"][-2:]
    assert (scale, steps) == (2**15, state.step)


def test_the_speed_is_that_of_steps_as_in_a_training() -> None:
    network = small_network()
    images, labels = generated(BATCH, 1)
    batches = tf.data.Dataset.from_tensors(({"image": images}, labels)).repeat()
    device = replace(use_device("cpu", threads=2), steps_per_call=3)
    before = network.get_weights()
    assert images_per_second(network, batches, plan=plan_of(), loss=BCE, device=device) > 0
    assert all((old != new).any() for old, new in zip(before, network.get_weights(), strict=True))


def test_a_batch_that_the_devices_cannot_share_is_refused() -> None:
    device = Device("gpu", "the test", SimpleNamespace(num_replicas_in_sync=3))
    with pytest.raises(FoldlineError, match="batch_size 8 cannot be cut into equal parts for 3 devices"):
        fit(small_network(), None, plan=plan_of(), loss=BCE, device=device, validate=None, name="m")


def test_a_finished_training_that_was_kept_is_not_done_again(tmp_path: Path) -> None:
    first, _ = train_in_parts(tmp_path, [], [1] * 8)
    again, state = train_in_parts(tmp_path, [], [])
    assert len(state.history) == 5
    for found, expected in zip(again.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_checkpoint_of_another_network_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train_in_parts(tmp_path, [], [1] * 8)
    _, state = train_in_parts(tmp_path, [], [1] * 8, ema=0.9)
    assert "a checkpoint has other optimizer variables than this training" in caplog.text
    assert len(state.history) == 5


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
    assert len(seen) == 1  # after the first epoch
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
    short = tf.data.Dataset.from_tensor_slices(({"image": images}, labels)).batch(BATCH, drop_remainder=True)
    device = use_device("cpu", threads=2)
    plan = plan_of(epochs=2)
    with pytest.raises(FoldlineError, match="the rows end before step 6"):
        fit(network, short.skip, plan=plan, loss=BCE, device=device, validate=lambda: (labels, labels), name="m")
    with pytest.raises(FoldlineError, match="batch_size 51 is more than"):
        plan_of(batch=51).check(device)


def test_rows_that_cannot_be_read_are_told_in_one_line() -> None:
    def broken(number: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        images = tf.ensure_shape(tf.zeros([BATCH + tf.cast(number, tf.int32), 8, 8, 3], tf.uint8), (BATCH, 8, 8, 3))
        return {"image": images}, tf.ones([BATCH, 1])

    device, stream = use_device("cpu", threads=2), tf.data.Dataset.range(100).map(broken)
    given = {"plan": plan_of(), "loss": BCE, "device": device, "validate": None, "name": "m"}
    with pytest.raises(FoldlineError) as caught, reading(Shards(("a.tfrec",), ())):
        fit(small_network(), stream.skip, **given)
    assert "a.tfrec cannot be read: Error in user-defined function passed to MapDataset" in str(caught.value)
    assert "is not compatible with expected shape" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_whole_batch_is_divided_once() -> None:
    network = small_network()
    network.layers[-2].rate = 0
    images, labels = generated(BATCH, 1)
    step = make_step(network, tf_keras.optimizers.SGD(0.0), BCE, batch_size=4 * BATCH)
    expected = BCE(tf.constant(labels), network({"image": images})).numpy().sum() / (4 * BATCH)
    assert float(step({"image": tf.constant(images)}, tf.constant(labels))) == pytest.approx(expected, rel=1e-5)


def change_of_a_step(reduction: str) -> np.ndarray:
    """What a step of gradient descent with rate 1 does to the last layer's kernel."""
    network = small_network()
    network.layers[-2].rate = 0
    images, labels = generated(BATCH, 1)
    before = network.layers[-1].get_weights()[0]
    step = make_step(network, tf_keras.optimizers.SGD(1.0), BCE, batch_size=BATCH, reduction=reduction)
    step({"image": tf.constant(images)}, tf.constant(labels))
    return network.layers[-1].get_weights()[0] - before


def test_a_sum_makes_gradients_grow_with_the_batch() -> None:
    """Row 8: the notebook sums its loss over the batch."""
    np.testing.assert_allclose(change_of_a_step("sum"), BATCH * change_of_a_step("mean"), rtol=1e-4)


def test_the_device_changes_the_color() -> None:
    images, labels = generated(BATCH, 1)
    draws = tf.tile([[0.1, 1.3, 0.8, 20.0]], [BATCH, 1])
    told = [
        make_step(small_network(), tf_keras.optimizers.SGD(0.0), BCE, batch_size=BATCH)(inputs, tf.constant(labels))
        for inputs in ({"image": tf.constant(images), "color": draws}, {"image": apply_color_jitter(images, draws)})
    ]
    plain = make_step(small_network(), tf_keras.optimizers.SGD(0.0), BCE, batch_size=BATCH)
    tf_keras.utils.set_random_seed(3)
    assert float(told[0]) == pytest.approx(float(told[1]), rel=0.05)
    assert float(plain({"image": tf.constant(images)}, tf.constant(labels))) != pytest.approx(float(told[0]), rel=1e-6)


def test_averaged_weights_are_validated_and_kept() -> None:
    images, labels = generated(ROWS, 1)
    network = small_network()
    network.layers[-2].rate = 0
    kernel = network.layers[-1].kernel
    seen: list[np.ndarray] = []
    start = kernel.numpy()
    device = use_device("cpu", threads=2)
    batches = tf.data.Dataset.from_tensor_slices(({"image": images}, labels)).repeat().batch(BATCH)

    def validate() -> tuple[np.ndarray, np.ndarray]:
        seen.append(kernel.numpy())
        return labels, labels

    fit(network, batches.skip, plan=plan_of(epochs=2, ema=0.999), loss=BCE, device=device, validate=validate, name="m")
    np.testing.assert_array_equal(kernel.numpy(), seen[-1])
    plain = small_network()
    plain.layers[-2].rate = 0
    train(plain, epochs=2)
    moved = np.abs(plain.layers[-1].kernel.numpy() - start).max()
    # Twelve steps of an average that keeps .999 leave it near where it began.
    assert 0 < np.abs(seen[-1] - start).max() < 0.02 * moved


def test_stopping_and_plateau_go_by_the_training_loss_where_the_settings_say_so() -> None:
    """Row 22: an AUC that never rises ends nothing as long as the loss falls; a loss that falls too little does."""
    plan = plan_of(epochs=6, rate=0.01, patience=2, monitor="loss")
    plan.schedule.factor, plan.schedule.patience = 0.4, 2
    result = train(small_network(), plan=plan, aucs=[0] * 6)
    assert len(result.history) == 6
    assert plan.schedule.scale == 1
    plan = replace(plan, min_delta=1.0)
    plan.schedule.progress.min_delta = 1.0
    assert len(train(small_network(), plan=plan, aucs=[0] * 6).history) == 3
    assert plan.schedule.scale == pytest.approx(0.4)


def test_a_plateau_lowers_the_rate() -> None:
    """Row 11: the rate falls by .4 after two epochs without a better AUC."""
    plan = plan_of(epochs=6)
    plan.schedule.factor, plan.schedule.patience = 0.4, 2
    result = train(small_network(), plan=plan, aucs=[1, 0, 0, 0, 0, 0])
    rates = [row["learning_rate"] for row in result.history]
    assert rates == pytest.approx([0.03, 0.03, 0.03, 0.012, 0.012, 0.0048])


def test_the_history_has_the_accuracy() -> None:
    """Row 14: binary accuracy and AUC of every epoch."""
    result = train(small_network(), epochs=2, aucs=[1, 0])
    # Logits equal to the labels: those of 1 are above 0 and right, those of 0 are not above 0 and right.
    assert [row["val_accuracy"] for row in result.history] == [1.0, 0.5]


def backward_convolutions(trainable: str) -> int:
    """How many convolutions the backward pass of a step has."""
    backbone = build_backbone("efficientnet-lite0", weights="none", image_size=32)
    freeze(backbone, trainable=trainable)
    network = build_model(backbone, metadata_width=0, n_classes=1, metadata_units=[], hidden=[], dropout=0.2)
    step = tf.function(make_step(network, tf_keras.optimizers.SGD(0.1), BCE, batch_size=2))
    graph = step.get_concrete_function({"image": tf.zeros((2, 32, 32, 3), tf.uint8)}, tf.zeros((2, 1))).graph
    return sum("Backprop" in operation.type for operation in graph.get_operations())


def test_frozen_layers_have_no_backward_pass() -> None:
    assert backward_convolutions("head") == 0
    # Block 5 without its expansion, blocks 6 to 15 and the top have 33 convolutions, each with gradients to its kernel
    # and to its input.
    assert backward_convolutions("upper") == 2 * 33
