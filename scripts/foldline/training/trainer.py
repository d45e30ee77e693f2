"""Train one network: epochs of steps, validation, early stopping, selection of the epoch, and checkpoints."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np

from foldline.errors import FoldlineError, StoppedError, counted
from foldline.models.shrinking import accept_other_sizes
from foldline.runtime.devices import Device
from foldline.runtime.precision import Precision
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.checkpoints import Checkpoints
from foldline.training.head_first import TrainingPhases, after_head
from foldline.training.history import log_epoch, training_scores, validation_scores
from foldline.training.loss_checks import check_finite, check_learning
from foldline.training.optimizer import make_optimizer
from foldline.training.progress_log import ProgressLog, StepsAhead
from foldline.training.sampling import DrawnRows, RowSampler
from foldline.training.schedules import AUC, LOSS, Progress, Schedule, make_schedule, size_of_epoch
from foldline.training.state import TrainingState, saved_variables
from foldline.training.training_config import TrainingConfig
from foldline.training.training_step import (
    StepConfig,
    Steps,
    StepsResult,
    averaged_weights,
    compile_steps,
    make_step,
)
from foldline.training.training_task import TrainingTask
from foldline.training.weight_average import set_averages, with_epoch

logger = logging.getLogger(__name__)

# Losses are checked after this many steps: each check waits for the device, and a diverged training should end soon.
STEPS_BETWEEN_CHECKS = 50
# The speed is that of the fastest of these timed calls, of so many times `steps_per_call` steps each; an earlier call
# compiles them.
SPEED_CALLS, SPEED_STEPS = 3, 2


class Trainer:
    """Trains one network in place.

    Attributes:
        state: how far the training is.
    """

    def __init__(
        self,
        network: tf_keras.Model,
        task: TrainingTask,
        config: TrainingConfig,
        device: Device,
        *,
        precision: Precision,
        checkpoints: Checkpoints | None = None,
    ):
        """Prepare a training.

        Args:
            network: gives logits (batch, n_classes); made in the scope of the device's strategy.
            task: what it learns.
            config: settings of the training.
            device: where to compute.
            precision: what the network computes in.
            checkpoints: where the state is saved and resumed from; None to save nothing.

        Raises:
            FoldlineError: the batch is larger than an epoch, or the devices cannot share it.
        """
        device.check_batch_size(config.batch_size)
        if config.batch_size % (device.replicas * config.accumulate):
            raise FoldlineError(
                f"batch_size {config.batch_size} cannot be computed in {counted(config.accumulate, 'equal part')} on "
                f"each of {counted(device.replicas, 'device')}; set accumulate to 1, or batch_size to a multiple of "
                f"{device.replicas * config.accumulate}"
            )
        if config.batch_size > task.rows:
            raise FoldlineError(
                f"batch_size is {config.batch_size}, but the fold has {counted(task.rows, 'training row')}; set a "
                "smaller one"
            )
        self._network, self._task, self._config, self._device = network, task, config, device
        self._checkpoints, self._progress = checkpoints, ProgressLog(task.name, config.batch_size, clock=task.clock)
        self._epochs = task.epochs or config.epochs
        self._optimizer = make_optimizer(network, config, precision, device)
        self._variables = saved_variables(network, self._optimizer, device)
        accept_other_sizes(network, config.size_schedule)
        per_epoch, rate = task.rows / config.batch_size, config.learning_rate
        epochs = config.epochs - config.head_epochs
        schedule = make_schedule(config.schedule, learning_rate=rate, epochs=epochs, steps_per_epoch=per_epoch)
        schedule = after_head(schedule, rate, config.head_epochs * per_epoch)
        stopping, best = config.early_stopping, Progress(0.0, LOSS if config.select_epoch == "best_loss" else AUC)
        self.state = TrainingState(schedule, precision, Progress(stopping.min_delta, stopping.monitor), best)
        if task.sampler is not None:
            self.state.drawn = DrawnRows.before_training(task.sampler.rows)

    def run(self) -> TrainingState:
        """Train to the end, from the newest checkpoint if there is one, and select the weights.

        Returns:
            The state at the end, with its history.

        Raises:
            FoldlineError: the loss is not finite or does not change, or the rows end early.
            StoppedError: a stop request came; the state is saved.
        """
        self._resume()
        phases = TrainingPhases(self._network, self._optimizer, self._compile, self._config)
        batches: Any = None if self._task.sampler else iter(self._task.batches(self.state.step))
        with self._saved_when_stopped():
            while not self._is_finished():
                epoch = len(self.state.history)
                at_start = self.state.step == self._end_of_epoch(epoch - 1)
                if self._task.sampler:
                    batches = self._drawn_batches(self._task.sampler, at_start=at_start)
                self.run_epoch(partial(phases.steps(epoch, batches.element_spec, at_start=at_start), batches))
                self.validate()
                self._save_if_due(epoch_ended=True)
                self._check_stop()
        self._select_weights()
        return self.state

    def _drawn_batches(self, sampler: RowSampler, *, at_start: bool) -> Any:
        """Batches of the rows that are drawn for the current epoch."""
        if at_start:
            sampler.start_epoch(self.state.drawn, len(self.state.history))
        return iter(self._task.batches(self.state.step, self.state.drawn.rows))

    def run_epoch(self, train_steps: Callable[[tf.Tensor], StepsResult]) -> None:
        """Run the remaining steps of the current epoch.

        Args:
            train_steps: trains on the next batches with these learning rates, (n,).
        """
        state, end = self.state, self._end_of_epoch(len(self.state.history))
        pending: list[StepsResult] = []
        self._progress.start()
        checked, clock = state.step, time.monotonic()
        while state.step < end:
            following = min(state.step + self._device.steps_per_call, end)
            rates = [state.schedule.rate(step) for step in range(state.step, following)]
            try:
                pending.append(train_steps(tf.constant(rates, tf.float32)))
            except tf.errors.OutOfRangeError as error:
                raise FoldlineError(
                    f"{self._task.name}: the shards end before step {following - 1}; run again with --forcerun "
                    "shard_records"
                ) from error
            state.step = following
            interrupted = self._checkpoints is not None and self._checkpoints.needs_attention()
            line_is_due = self._progress.is_due(state.step) and state.step < end
            if state.step - checked >= STEPS_BETWEEN_CHECKS or state.step == end or interrupted or line_is_due:
                self._add_results(pending)
                pending, checked = [], state.step
            if line_is_due:
                self._progress.write(state.step, float(np.mean(state.losses)), self._steps_ahead())
            now = time.monotonic()
            clock, state.seconds = now, state.seconds + now - clock
            if interrupted:
                self._save_if_due(epoch_ended=False)
                self._check_stop()
        check_learning(self._task.name, state.losses, [row["loss"] for row in state.history])

    def validate(self) -> None:
        """Validate after the steps of an epoch: add a row to the history and note whether it is the best epoch."""
        state, start = self.state, time.monotonic()
        averaging = self._config.ema_decay is not None
        with averaged_weights(self._network, self._optimizer) if averaging else nullcontext():
            row = self._history_row()
            # Higher is better. `monitor: loss` watches the training loss.
            scores = {AUC: row.get("val_auc", -row["loss"]), LOSS: -row["loss"]}
            if np.isnan(scores[AUC]):
                # No class has both labels in the held-out rows.
                scores[AUC], row["val_auc"] = -row["val_loss"], 0.5
            observers: tuple[Progress | Schedule, ...] = (state.best, state.early_stopping, state.schedule)
            for observer in observers:
                observer.observe(scores[observer.monitor])
            if self._config.select_epoch != "last" and state.best.waited == 0:
                state.best_weights, state.selected_epoch = self._network.get_weights(), len(state.history) + 1
        averaged = len(state.history) + 1 - (self._epochs - self._config.swa_epochs)
        if self._config.swa_epochs and averaged > 0:
            state.averages = with_epoch(state.averages, self._network, averaged)
        row["seconds"] = round(state.seconds + time.monotonic() - start, 3)
        log_epoch(self._task.name, row, epochs=self._epochs, seconds=state.seconds)
        state.end_epoch(row)

    def images_per_second(self) -> float:
        """Time training steps on the first batch, repeated. This trains the network: discard it afterwards."""
        step_count = SPEED_STEPS * self._device.steps_per_call
        dataset = self._task.batches(0).take(1).cache().repeat()
        train, batches = self._compile(dataset.element_spec), iter(dataset)
        rates = tf.fill([step_count], self.state.schedule.rate(0))
        seconds = []
        for _ in range(1 + SPEED_CALLS):
            start = time.monotonic()
            train(batches, rates).losses.numpy()
            seconds.append(time.monotonic() - start)
        return step_count * self._config.batch_size / min(seconds[1:])

    def _compile(
        self, batch_spec: tuple[dict[str, tf.TensorSpec], tf.TensorSpec], image_size: int | None = None
    ) -> Steps:
        step = make_step(self._network, self._optimizer, self._task.loss, self._step_config(image_size))
        return compile_steps(step, self._optimizer, self._device, batch_spec)

    def _step_config(self, image_size: int | None) -> StepConfig:
        return StepConfig(
            batch_size=self._config.batch_size,
            activation=self._task.activation,
            reduction=self._config.loss.reduction,
            color_space=self._config.augment.color_space,
            image_size=image_size,
            parts=self._config.accumulate,
            offsets=tuple(map(float, self._task.sampler.offsets)) if self._task.sampler else (),
        )

    def _resume(self) -> None:
        """Restore the newest usable checkpoint, if there is one."""
        if self._checkpoints is None:
            return
        self._checkpoints.load(lambda snapshot: self.state.restore(snapshot, self._variables))
        if self.state.step:
            epoch = len(self.state.history) + bool(self.state.losses)
            logger.info(
                "%s  resuming from the checkpoint at step %d, epoch %d", self._task.name, self.state.step, epoch
            )

    def _save_if_due(self, *, epoch_ended: bool) -> None:
        """Save a checkpoint if one is due."""
        if self._checkpoints is not None and self._checkpoints.is_due(epoch_ended=epoch_ended):
            self._checkpoints.save(self.state.to_snapshot(self._variables), step=self.state.step)

    def _check_stop(self) -> None:
        """End the training if a stop request came.

        Raises:
            StoppedError: one came.
        """
        if self._checkpoints is not None:
            self._checkpoints.check_stop()

    @contextmanager
    def _saved_when_stopped(self) -> Iterator[None]:
        """Listen to stop requests, and save a checkpoint when one ends the training."""
        if self._checkpoints is None:
            yield
            return
        with self._checkpoints.listening():
            try:
                yield
            except StoppedError:
                self._checkpoints.save(self.state.to_snapshot(self._variables), step=self.state.step)
                raise

    def _is_finished(self) -> bool:
        patience, waited = self._config.early_stopping.patience, self.state.early_stopping.waited
        if len(self.state.history) >= self._epochs:
            return True
        if patience is None or waited < patience:
            return False
        monitor = self._config.early_stopping.monitor
        logger.info("%s  stops early: no better %s in %s", self._task.name, monitor, counted(patience, "epoch"))
        return True

    def _select_weights(self) -> None:
        """Give the network the weights of the selected epoch."""
        if self._config.select_epoch != "last":
            self._network.set_weights(self.state.best_weights)
            return
        self.state.selected_epoch = len(self.state.history)
        if self._config.swa_epochs:
            self._average_weights()
        elif self._config.ema_decay is not None:
            self._optimizer.finalize_variable_values(self._network.trainable_variables)

    def _average_weights(self) -> None:
        """Give the network the average of the last epochs, with the statistics of the rows of the last one."""
        state, task, last = self.state, self._task, len(self.state.history) - 1
        if self._checkpoints is not None:
            # What follows listens to no stop request, and resumes from here.
            self._checkpoints.save(state.to_snapshot(self._variables), step=state.step)
        first = self._end_of_epoch(last - 1)
        rows = task.batches(first, state.drawn.rows) if task.sampler else task.batches(first)
        config = self._step_config(size_of_epoch(self._config.size_schedule, last))
        batches = rows.take(self._end_of_epoch(last) - first)
        set_averages(self._network, state.averages, batches, self._device, config)
        shown = "  ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in self._held_out_scores().items())
        logger.info("%s  average of the last %s  %s", task.name, counted(self._config.swa_epochs, "epoch"), shown)

    def _end_of_epoch(self, epoch: int) -> int:
        """The step after the last full batch of an epoch (from 0); batches run across the borders of epochs."""
        return (epoch + 1) * self._task.rows // self._config.batch_size

    def _add_results(self, results: Sequence[StepsResult]) -> None:
        """Add the results of finished steps.

        Raises:
            FoldlineError: a loss is not finite.
        """
        state = self.state
        for losses, counts, of_rows in results:
            state.add(losses.numpy(), int(counts.correct), counts.bins.numpy())
            if of_rows is not None:
                state.drawn.losses[of_rows.rows.numpy()] = of_rows.losses.numpy()
        check_finite(self._task.name, state.losses, self._end_of_epoch(len(state.history) - 1), state.schedule.rate)

    def _history_row(self) -> dict[str, float]:
        """Row of `HISTORY` for the current epoch, without seconds."""
        task, state, epoch = self._task, self.state, len(self.state.history)
        return {
            "epoch": epoch + 1,
            "learning_rate": state.schedule.rate(self._end_of_epoch(epoch) - 1),
            **training_scores(task.name, state, task.activation),
            **self._held_out_scores(),
            "images": len(state.losses) * self._config.batch_size,
        }

    def _held_out_scores(self) -> dict[str, float]:
        """Scores of the held-out rows; none without such rows."""
        task = self._task
        if task.validate is None:
            return {}
        labels, logits = task.validate()
        losses = task.loss(tf.constant(labels), tf.constant(logits)).numpy()
        return validation_scores(labels, logits, losses, task.activation)

    def _steps_ahead(self) -> StepsAhead:
        epoch = len(self.state.history)
        ends = (self._end_of_epoch(number) for number in (epoch - 1, epoch, self._epochs - 1))
        return StepsAhead(epoch + 1, self._epochs, *ends)
