"""A few training steps of one fold on a few rows: do they work, and how long do they take?

Everything is as in the training of the fold (network, weights, loss, batch size, augmentation, learning rates), but the
shards hold a few rows, which are repeated until a batch is full.
"""

import time
from contextlib import closing
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from foldline.evaluation.prediction_files import PredictionFile, write_prediction_file
from foldline.inference.prediction_config import PredictionConfig
from foldline.inference.predictions import predict_rows
from foldline.inference.trained_model import TrainedModel
from foldline.input_pipeline.batches import reading
from foldline.io.files import write_json
from foldline.models.weights_file import save_weights
from foldline.runtime.tensorflow import tf
from foldline.tfrecords.open_shards import Shards
from foldline.training.checkpoint_store import SUFFIX
from foldline.training.checkpoints import GENERATIONS
from foldline.training.fold_training import FoldTraining
from foldline.training.loss_checks import check_learning
from foldline.training.speed import Speed
from foldline.training.trainer import Trainer

# The first step compiles the program, the second one is timed.
STEPS = 2
# Batches of the input pipeline that are timed, after a first one.
TIMED_BATCHES = 2
CURVE_POINTS = 200


@dataclass(frozen=True)
class Trial:
    """What a few steps of a fold showed.

    Attributes:
        speed: times and sizes.
        losses: loss of each step.
        parameters: parameters of the network.
        precision: number format in which it computes.
        curve: epochs that are done, and learning rate; at most `CURVE_POINTS`, over the whole training.
        samples: PNG of training images and augmented versions of them.
    """

    speed: Speed
    losses: tuple[float, ...]
    parameters: int
    precision: str
    curve: tuple[tuple[float, float], ...]
    samples: bytes


class TrialTrainer(Trainer):
    """Does a few steps instead of a training."""

    def try_steps(self) -> float:
        """Train for `STEPS` steps and save a checkpoint.

        Returns:
            The seconds of the last step.

        Raises:
            FoldlineError: the loss is not finite, or always 0.
        """
        dataset = self._task.batches(0)
        train, batches = self._compile(dataset.element_spec), iter(dataset)
        results, seconds = [], 0.0
        for step in range(STEPS):
            start = time.monotonic()
            results.append(train(batches, tf.constant([self.state.schedule.rate(step)], tf.float32)))
            results[-1].losses.numpy()
            seconds = time.monotonic() - start
        self.state.step = STEPS
        self._add_results(results)
        if not any(self.state.losses):
            check_learning(self._task.name, self.state.losses, [])
        if self._config.select_epoch != "last":
            self.state.best_weights = self._network.get_weights()
        if self._checkpoints is not None:
            self._checkpoints.save(self.state.to_snapshot(self._variables), step=STEPS)
        return seconds

    def seconds_per_batch(self) -> float:
        """Time of the input pipeline alone."""
        batches = iter(self._task.batches(0))
        next(batches)
        start = time.monotonic()
        for _ in range(TIMED_BATCHES):
            next(batches)
        return (time.monotonic() - start) / TIMED_BATCHES

    def validate_once(self) -> None:
        """Predict the held-out rows."""
        assert self._task.validate is not None
        self._task.validate()

    def curve(self) -> list[tuple[float, float]]:
        """See `Trial.curve`."""
        per_epoch = self._task.rows / self._config.batch_size
        steps = max(1, int(self._config.epochs * per_epoch))
        points = min(steps, CURVE_POINTS)
        shown = sorted({point * (steps - 1) // max(1, points - 1) for point in range(points)})
        return [(step / per_epoch, self.state.schedule.rate(step)) for step in shown]


class FoldTrial(FoldTraining):
    """A few steps of the training of one fold."""

    TRAINER: type[TrialTrainer] = TrialTrainer
    # The few rows are all of each epoch.
    _sampler = None

    def try_out(self, predicted: Shards, config: PredictionConfig, *, rows: int, folder: Path) -> Trial:
        """Train for a few steps, validate, save, and predict.

        Args:
            predicted: shards of rows to predict.
            config: how rows are predicted.
            rows: training rows of the fold, which decide the learning rates.
            folder: an empty folder; it gets weights, metadata and predictions.

        Raises:
            FoldlineError: anything that would end the training or the prediction of the fold.
        """
        needed = (STEPS + TIMED_BATCHES + 8) * self._settings.training_config.batch_size
        self._rows, self._passes = rows, ceil(needed / len(self._data.training))
        started = time.monotonic()
        with closing(self._checkpoints), reading(self._data.shards):
            precision = self._choose_precision()
            network = self._build_network(precision.name)
            trainer = self._trainer(network, precision)
            assert isinstance(trainer, TrialTrainer)
            curve, step = trainer.curve(), trainer.try_steps()
            start = time.monotonic() - started - step
            batch, predict = trainer.seconds_per_batch(), self._seconds_per_row(trainer)
        saved = Path(self._settings.checkpoints.folder)
        checkpoints = sum(path.stat().st_size for path in saved.rglob(f"*{SUFFIX}"))
        weights, metadata = folder / "weights.weights.h5", folder / "metadata.json"
        save_weights(network, weights)
        write_json(metadata, {"columns": self._data.encoding.as_json()})
        started = time.monotonic()
        predictions = self._predict(self._model(weights, metadata), predicted, config, folder / "predictions.parquet")
        predicting = time.monotonic() - started - predict * config.views * predicted.count
        speed = Speed(
            step=step,
            batch=batch,
            predict=predict,
            start=start,
            predict_start=max(0.0, predicting),
            weights=weights.stat().st_size,
            checkpoints=GENERATIONS * checkpoints,
            predictions=predictions,
        )
        return Trial(
            speed=speed,
            losses=tuple(trainer.state.losses),
            parameters=int(network.count_params()),
            precision=precision.name,
            curve=tuple(curve),
            samples=self.augmented_samples(),
        )

    def _model(self, weights: Path, metadata: Path) -> TrainedModel:
        settings = self._settings
        return TrainedModel(
            name=settings.model,
            member=settings.member,
            weights=weights,
            metadata=metadata,
            config=settings.model_config,
            class_names=settings.class_names,
            activation=settings.activation,
        )

    def _seconds_per_row(self, trainer: TrialTrainer) -> float:
        """Time to predict a row: the held-out rows are validated twice, as the first time compiles the program."""
        trainer.validate_once()
        start = time.monotonic()
        trainer.validate_once()
        return (time.monotonic() - start) / len(self._data.held_out)

    def _predict(self, model: TrainedModel, shards: Shards, config: PredictionConfig, path: Path) -> float:
        """Predict rows and write the file; gives the bytes of a row."""
        ids, probabilities = predict_rows(
            model, shards, None, config=config, device=self._device, threads=self._threads
        )
        file = PredictionFile(path, model.name, model.member, config.views)
        write_prediction_file(file, ids, probabilities, class_names=model.class_names)
        return file.path.stat().st_size / len(ids)
