"""A training learns, repeats itself, stops when it should, resumes exactly, and reports its errors."""

import itertools
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fixtures.settings import training_config
from fixtures.small_training import BATCH, BCE, generated, small_network
from foldline.errors import FoldlineError, StoppedError
from foldline.input_pipeline.batches import reading
from foldline.models.networks import backbone_layers
from foldline.runtime.devices import Device, use_device
from foldline.runtime.precision import Precision
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.tfrecords.open_shards import Shards
from foldline.training.checkpoints import Checkpoints
from foldline.training.history import HISTORY
from foldline.training.snapshot_file import parse_snapshot
from foldline.training.state import TrainingState
from foldline.training.trainer import Trainer, TrainingTask
from foldline.training.training_config import CheckpointConfig, TrainingConfig
from foldline.training.training_step import Step, StepConfig, make_step
from sklearn.metrics import roc_auc_score

ROWS = 50
PLATEAU = {"name": "plateau", "factor": 0.4, "min_delta": 0.0}
Validate = Callable[[], tuple[Any, Any]]


def config(**changes: Any) -> TrainingConfig:
    """Settings with a constant learning rate that is high enough to learn in some epochs."""
    settings = {"batch_size": BATCH, "epochs": 8, "learning_rate": 0.03, "schedule": {"name": "constant"}}
    return training_config(**(settings | changes))


def training_set() -> tf.data.Dataset:
    images, labels = generated(ROWS, 1)
    return tf.data.Dataset.from_tensor_slices(({"image": images}, labels)).repeat().batch(BATCH)


def validation_of(network: tf_keras.Model) -> Validate:
    images, labels = generated(40, 2)
    return lambda: (labels, network({"image": images}).numpy())


def validation_with(aucs: Sequence[int]) -> Validate:
    """Gives each epoch a ranking with a given AUC, 1 or 0."""
    _, labels = generated(40, 2)
    remaining = iter(aucs)
    return lambda: (labels, labels if next(remaining) else -labels)


def task(
    validate: Validate, batches: Callable[[int], tf.data.Dataset] | None = None, *, rows: int = ROWS
) -> TrainingTask:
    return TrainingTask("m fold 0", rows, batches or training_set().skip, BCE, validate, "sigmoid")


def trainer(
    network: tf_keras.Model,
    one: TrainingTask,
    settings: TrainingConfig,
    *,
    device: Device | None = None,
    precision: str = "float32",
    checkpoints: Checkpoints | None = None,
) -> Trainer:
    device = device or use_device("cpu", threads=2)
    return Trainer(network, one, settings, device, precision=Precision(precision), checkpoints=checkpoints)


def train(network: tf_keras.Model, *, aucs: Sequence[int] | None = None, **changes: Any) -> TrainingState:
    validate = validation_of(network) if aucs is None else validation_with(aucs)
    return trainer(network, task(validate), config(**changes)).run()


def check_equal(found: tf_keras.Model, expected: tf_keras.Model) -> None:
    for one, other in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_training_learns_and_logs_each_epoch(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        state = train(small_network())
    assert state.history[-1]["val_auc"] > 0.95
    assert state.history[-1]["loss"] < state.history[0]["loss"]
    assert [row["epoch"] for row in state.history] == list(range(1, 9))
    assert set(state.history[0]) == set(HISTORY)
    assert sum(row["images"] for row in state.history) == 8 * ROWS
    assert state.selected_epoch == 8
    line = next(message for message in caplog.messages if "epoch 8/8" in message)
    assert line.startswith("m fold 0  epoch 8/8  lr 3.0e-2  loss .")
    assert line.endswith("images/s")


def test_a_long_epoch_logs_its_progress_and_trains_the_same(caplog: pytest.LogCaptureFixture) -> None:
    short, long = small_network(), small_network()
    seconds = itertools.count(step=20.0)
    with caplog.at_level(logging.INFO):
        state = trainer(short, replace(task(validation_of(short)), clock=lambda: 0.0), config(epochs=2)).run()
        assert not [message for message in caplog.messages if " left of the epoch" in message]
        other = trainer(long, replace(task(validation_of(long)), clock=lambda: next(seconds)), config(epochs=2)).run()
    lines = [message for message in caplog.messages if " left of the epoch" in message]
    assert {line.split("  ")[1] for line in lines} == {"epoch 1/2", "epoch 2/2"}
    check_equal(long, short)
    assert [row["loss"] for row in other.history] == [row["loss"] for row in state.history]


def test_the_head_is_trained_first_as_if_the_backbone_were_frozen() -> None:
    """Two trainings, one after the other, are the slow version: of the head, then of all layers."""
    rows, per_epoch = 48, 48 // BATCH
    schedule = {"schedule": {"name": "cosine"}, "learning_rate": 0.01}
    network, reference = small_network(), small_network()
    trainer(network, task(validation_of(network), rows=rows), config(epochs=5, head_epochs=2, **schedule)).run()
    image_layers = list(backbone_layers(reference))
    for layer in image_layers:
        layer.trainable = False
    before = [layer.get_weights() for layer in image_layers]
    constant = {**schedule, "schedule": {"name": "constant"}}
    trainer(reference, task(validation_of(reference), rows=rows), config(epochs=2, **constant)).run()
    for layer, weights in zip(image_layers, before, strict=True):
        assert all((old == new).all() for old, new in zip(weights, layer.get_weights(), strict=True))
        layer.trainable = True
    later = task(validation_of(reference), lambda first: training_set().skip(2 * per_epoch + first), rows=rows)
    trainer(reference, later, config(epochs=3, **schedule)).run()
    check_equal(network, reference)


def test_equal_seeds_train_equal_weights() -> None:
    networks = [small_network(), small_network()]
    for network in networks:
        train(network, epochs=2)
    check_equal(*networks)


@dataclass(frozen=True)
class Stop:
    """When a training is stopped: after a step, or in the validation of an epoch, both counted from 0."""

    step: int | None = None
    validation: int | None = None


NEVER = Stop()


def train_with_stops(
    folder: Path, stops: Sequence[Stop], aucs: Sequence[int], *, precision: str = "float32", **changes: Any
) -> tuple[tf_keras.Model, TrainingState]:
    """Train with stops, each time with a new network and optimizer; gives the network and state at the end."""
    _, labels = generated(40, 2)
    validated: list[int] = []
    for stop in [*stops, NEVER]:
        # No limit of the share of time: every step is saved.
        checkpoints = Checkpoints(CheckpointConfig(str(folder), seconds=0.0, share=math.inf), "m.fold0", "key")

        def batches(first: int, stop: Stop = stop, checkpoints: Checkpoints = checkpoints) -> tf.data.Dataset:
            def read() -> Iterator[Any]:
                for number, batch in enumerate(training_set().skip(first), first):
                    if number == stop.step:
                        checkpoints._stop_reason = "the test"
                    yield batch

            return tf.data.Dataset.from_generator(read, output_signature=training_set().element_spec)

        def validate(stop: Stop = stop, checkpoints: Checkpoints = checkpoints) -> tuple[Any, Any]:
            if len(validated) == stop.validation:
                checkpoints._stop_reason = "the test"
                checkpoints.check_stop()
            validated.append(aucs[len(validated)])
            return labels, (labels if validated[-1] else -labels)

        network = small_network()
        settings = config(early_stopping={"patience": 4}, schedule={**PLATEAU, "patience": 1}, **changes)
        one = trainer(network, task(validate, batches), settings, precision=precision, checkpoints=checkpoints)
        try:
            state = one.run()
        except StoppedError:
            assert stop != NEVER
        else:
            assert stop == NEVER, "the training was not stopped"
        checkpoints.close()
    return network, state


@pytest.mark.parametrize(
    "changes",
    [
        {"select_epoch": "best", "ema_decay": 0.9},
        {"select_epoch": "last", "ema_decay": 0.9},
        {"select_epoch": "best"},
        {
            "optimizer": {"weight_decay": 0.1, "layer_decay": 0.5, "clip_norm": 0.3},
            "ema_decay": 0.9,
            "ema_warmup": True,
            "head_epochs": 2,
        },
    ],
)
def test_a_stopped_training_ends_like_an_unbroken_one(changes: dict[str, Any], tmp_path: Path) -> None:
    """Weights, history, learning rates and early stopping: all to the last bit, wherever it stops."""
    aucs = [0, 1, 0, 0, 0, 0, 0, 0]
    # In the first step, within an epoch, twice in a validation, in the last step of an epoch, and near the end.
    stops = [Stop(step=0), Stop(step=8), Stop(validation=2), Stop(validation=2), Stop(step=23), Stop(step=35)]
    unbroken, whole = train_with_stops(tmp_path / "unbroken", [], aucs, **changes)
    network, state = train_with_stops(tmp_path / "stopped", stops, aucs, **changes)
    assert (len(whole.history), whole.schedule.scale) == (6, pytest.approx(0.4**4))
    check_equal(network, unbroken)
    for one, other in zip(state.history, whole.history, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    assert state.selected_epoch == whole.selected_epoch


def test_a_resumed_training_logs_where(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """50 rows in batches of 8: steps 0 to 5 are the first epoch."""
    with caplog.at_level(logging.INFO):
        train_with_stops(tmp_path, [Stop(step=2), Stop(step=8)], [1] * 8)
    resumed = [message for message in caplog.messages if "resuming" in message]
    assert len(resumed) == 2
    assert resumed[0].startswith("m fold 0  resuming from the checkpoint at step ")
    assert resumed[0].endswith(", epoch 1")
    assert resumed[1].endswith(", epoch 2")


def test_the_loss_scale_is_saved(tmp_path: Path) -> None:
    """In float16 it grows after enough steps without an overflow; a stop does not reset their count."""
    _, state = train_with_stops(tmp_path, [Stop(step=8)], [1] * 8, precision="mixed_float16")
    newest = max(tmp_path.glob("m.fold0.key/*.snapshot"))
    scale, steps = parse_snapshot(str(newest), newest.read_bytes()).arrays["optimizer"][-2:]
    assert (scale, steps) == (2**15, state.step)


def test_the_speed_is_measured_on_real_steps() -> None:
    network = small_network()
    device = replace(use_device("cpu", threads=2), steps_per_call=3)
    before = network.get_weights()
    assert trainer(network, task(validation_of(network)), config(), device=device).images_per_second() > 0
    assert all((old != new).any() for old, new in zip(before, network.get_weights(), strict=True))


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    first, _ = train_with_stops(tmp_path, [], [1] * 8)
    again, state = train_with_stops(tmp_path, [], [])
    assert len(state.history) == 5
    check_equal(again, first)


def test_a_checkpoint_of_another_network_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train_with_stops(tmp_path, [], [1] * 8)
    _, state = train_with_stops(tmp_path, [], [1] * 8, ema_decay=0.9)
    assert "a checkpoint has other optimizer variables than this training" in caplog.text
    assert len(state.history) == 5


def test_early_stopping_waits_for_patience() -> None:
    stopping = {"patience": 2}
    state = train(small_network(), early_stopping=stopping, select_epoch="best", aucs=[0, 1, 0, 0, 1, 1])
    assert [row["val_auc"] for row in state.history] == [0, 1, 0, 0]
    assert state.selected_epoch == 2


def test_held_out_rows_of_one_label_are_watched_by_their_loss() -> None:
    """They have no AUC; the logits of the four epochs are right, more right, wrong and right."""
    labels = np.ones((8, 1), np.float32)
    logits = iter([1.0, 2.0, -1.0, 1.0])
    network = small_network()
    one = task(lambda: (labels, next(logits) * labels))
    state = trainer(network, one, config(epochs=4, select_epoch="best", early_stopping={"patience": 2})).run()
    assert [row["val_auc"] for row in state.history] == [0.5] * 4
    assert state.selected_epoch == 2
    assert np.argmin([row["val_loss"] for row in state.history]) == 1


def test_the_best_epoch_gives_the_weights() -> None:
    network, once = small_network(), small_network()
    train(network, epochs=3, select_epoch="best", aucs=[1, 0, 0])
    train(once, epochs=1, aucs=[1])
    check_equal(network, once)


def test_the_epoch_with_the_lowest_training_loss_gives_the_weights() -> None:
    """Row 22: the notebook's best weights are those of the lowest loss on the training rows."""
    # Two epochs, of six steps each; the labels of the third one are the opposite.
    learned = training_set().take(12)
    batches = learned.concatenate(training_set().skip(12).map(lambda inputs, labels: (inputs, 1 - labels)))
    network, once = small_network(), small_network()
    one = task(validation_with([1, 0, 0]), batches.skip)
    state = trainer(network, one, config(epochs=3, select_epoch="best_loss")).run()
    losses = [row["loss"] for row in state.history]
    assert losses[1] < losses[0] < losses[2]
    assert state.selected_epoch == 2
    train(once, epochs=2)
    check_equal(network, once)


def test_a_loss_that_is_not_finite_stops_the_training() -> None:
    network = small_network()
    network.set_weights([np.full_like(weights, np.nan) for weights in network.get_weights()])
    with pytest.raises(FoldlineError, match="m fold 0: the loss is not finite in step 0"):
        train(network)


@pytest.mark.parametrize(("factor", "message"), [(0.0, "is 0 in every step of epoch 1"), (None, "does not change")])
def test_a_loss_without_effect_stops_the_training(factor: float | None, message: str) -> None:
    """The first epoch ends with an error, before its validation."""

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return tf.ones(BATCH) + 0 * logits[:, 0] if factor is None else factor * BCE(labels, logits)

    one = replace(task(validation_with([])), loss=loss)
    with pytest.raises(FoldlineError, match=f"m fold 0: the loss .*{message}"):
        trainer(small_network(), one, config()).run()


def test_rows_that_end_early_are_an_error() -> None:
    images, labels = generated(ROWS, 1)
    short = tf.data.Dataset.from_tensor_slices(({"image": images}, labels)).batch(BATCH, drop_remainder=True)
    with pytest.raises(FoldlineError, match="the shards end before step 6"):
        trainer(small_network(), task(validation_with([1, 1]), short.skip), config(epochs=2)).run()


def test_the_steps_get_the_settings_of_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows 5, 8 and 20: color space, reduction and activation."""
    given: list[StepConfig] = []

    def recorded(*arguments: Any) -> Step:
        given.append(arguments[-1])
        return make_step(*arguments)

    monkeypatch.setattr("foldline.training.trainer.make_step", recorded)
    one = replace(task(validation_with([1])), activation="softmax")
    settings = config(epochs=1, loss={"reduction": "sum"}, augment={"color_space": "hsv"})
    trainer(small_network(), one, settings).run()
    assert given == [StepConfig(BATCH, "softmax", "sum", "hsv")]


def test_a_batch_larger_than_the_training_rows_is_an_error() -> None:
    with pytest.raises(FoldlineError, match="batch_size is 8, but the fold has 7 training rows; set a smaller one"):
        trainer(small_network(), task(validation_with([]), rows=7), config())


def test_a_batch_that_the_devices_cannot_share_is_an_error() -> None:
    device = Device("gpu", "the test", SimpleNamespace(num_replicas_in_sync=3))
    with pytest.raises(FoldlineError, match="batch_size 8 cannot be split into equal shares for 3 devices"):
        trainer(small_network(), task(validation_with([])), config(), device=device)


def test_unreadable_rows_are_reported_in_one_line() -> None:
    def broken(number: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        images = tf.ensure_shape(tf.zeros([BATCH + tf.cast(number, tf.int32), 8, 8, 3], tf.uint8), (BATCH, 8, 8, 3))
        return {"image": images}, tf.ones([BATCH, 1])

    stream = tf.data.Dataset.range(100).map(broken)
    one = trainer(small_network(), task(validation_with([]), stream.skip), config())
    with pytest.raises(FoldlineError) as caught, reading(Shards(("a.tfrec",), ())):
        one.run()
    assert "a.tfrec cannot be read: Error in user-defined function passed to MapDataset" in str(caught.value)
    assert "is not compatible with expected shape" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_averaged_weights_are_validated_and_are_the_result() -> None:
    network = small_network()
    network.layers[-2].rate = 0
    kernel = network.layers[-1].kernel
    start = kernel.numpy()
    validated: list[npt.NDArray[np.float32]] = []

    def validate() -> tuple[Any, Any]:
        validated.append(kernel.numpy())
        _, labels = generated(40, 2)
        return labels, labels

    trainer(network, task(validate), config(epochs=2, ema_decay=0.999)).run()
    np.testing.assert_array_equal(kernel.numpy(), validated[-1])
    plain = small_network()
    plain.layers[-2].rate = 0
    train(plain, epochs=2)
    moved = np.abs(plain.layers[-1].kernel.numpy() - start).max()
    # After twelve steps, an average that keeps .999 in each is still near its start.
    assert 0 < np.abs(validated[-1] - start).max() < 0.02 * moved


def test_early_stopping_and_plateau_can_monitor_the_training_loss() -> None:
    """Row 22: an AUC that never rises stops nothing while the loss falls; a loss that falls too little does."""
    settings: dict[str, Any] = {"epochs": 6, "learning_rate": 0.01, "aucs": [0] * 6}

    def monitored(min_delta: float) -> TrainingState:
        watch = {"monitor": "loss", "patience": 2, "min_delta": min_delta}
        return train(small_network(), early_stopping=watch, schedule=PLATEAU | watch, **settings)

    state = monitored(0.0)
    assert (len(state.history), state.schedule.scale) == (6, 1)
    state = monitored(1.0)
    assert (len(state.history), state.schedule.scale) == (3, pytest.approx(0.4))


def test_a_plateau_lowers_the_learning_rate() -> None:
    """Row 11: the rate falls by .4 after two epochs without a better AUC."""
    state = train(small_network(), epochs=6, schedule={**PLATEAU, "patience": 2}, aucs=[1, 0, 0, 0, 0, 0])
    rates = [row["learning_rate"] for row in state.history]
    assert rates == pytest.approx([0.03, 0.03, 0.03, 0.012, 0.012, 0.0048])


def test_the_history_has_auc_and_accuracy_of_the_training_rows() -> None:
    """Row 14: with weights that stay as they are and without dropout, those of the rows of each epoch."""
    network = small_network()
    network.layers[-2].rate = 0
    images, labels = generated(ROWS, 1)
    logits = network({"image": images}).numpy()
    state = train(network, epochs=2, learning_rate=1e-12)
    # 50 rows in batches of 8: the first epoch ends after row 48, the second with row 96, in the second pass.
    for row, rows in zip(state.history, (np.arange(48), np.arange(48, 96) % ROWS), strict=True):
        assert row["auc"] == pytest.approx(roc_auc_score(labels[rows, 0], logits[rows, 0]), abs=2e-3)
        assert row["accuracy"] == np.mean((logits[rows] > 0) == labels[rows])
    assert state.counts.size == state.correct == 0


def test_training_rows_of_one_label_have_an_auc_of_one_half(caplog: pytest.LogCaptureFixture) -> None:
    images, labels = generated(ROWS, 1)
    positives = tf.data.Dataset.from_tensor_slices(({"image": images[labels[:, 0] == 1]}, labels[labels[:, 0] == 1]))
    one = task(validation_with([1]), positives.repeat().batch(BATCH).skip, rows=BATCH * 3)
    state = trainer(small_network(), one, config(epochs=1)).run()
    assert state.history[0]["auc"] == 0.5
    assert "epoch 1: no class has both labels in its 3 training steps" in caplog.text


def test_the_history_has_the_accuracy() -> None:
    """Row 14: binary accuracy and AUC of every epoch."""
    state = train(small_network(), epochs=2, aucs=[1, 0])
    # Logits equal to the labels: those of 1 are above 0 and right, those of 0 are not above 0 and right.
    assert [row["val_accuracy"] for row in state.history] == [1.0, 0.5]


def test_soft_labels_of_the_held_out_rows_count_as_classes_in_the_auc() -> None:
    """And as they are in the loss."""
    random = np.random.default_rng(7)
    labels = random.random((40, 1)).astype(np.float32)
    logits = (labels + random.normal(size=labels.shape)).astype(np.float32)
    one = task(lambda: (labels, logits))
    (row,) = trainer(small_network(), one, config(epochs=1)).run().history
    assert row["val_auc"] == pytest.approx(roc_auc_score(labels[:, 0] > 0.5, logits[:, 0]))
    assert row["val_loss"] == pytest.approx(float(BCE(tf.constant(labels), tf.constant(logits)).numpy().mean()))
