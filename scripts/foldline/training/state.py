"""The complete state of a training between two steps, so that it can be saved and resumed exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from foldline.errors import FoldlineError
from foldline.runtime.devices import Device
from foldline.runtime.precision import Precision
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.checkpoints import Checkpoints
from foldline.training.running_metrics import Counts
from foldline.training.sampling import DrawnRows
from foldline.training.schedules import Progress, Schedule
from foldline.training.snapshot_file import Snapshot

Variables = Mapping[str, Sequence[tf.Variable]]
_NUMBERS = ("step", "losses", "correct", "seconds", "history", "selected_epoch")


@dataclass
class TrainingState:
    """How far a training is, besides the variables of the network and the optimizer.

    Attributes:
        schedule: learning rate of a step, which a plateau lowers.
        precision: what the network computes in.
        early_stopping: progress that early stopping watches.
        best: progress that decides which epoch is the best.
        step: the next step, from 0.
        losses: losses of the finished steps of the current epoch.
        correct: correct predictions of these steps.
        counts: counts of their rows, (n_classes, 2, BINS) of `running_metrics`; no classes before the first of them.
        seconds: time that these steps took.
        history: one row of `history.HISTORY` for each finished epoch.
        selected_epoch: the epoch, from 1, whose weights are the result.
        best_weights: weights of the best epoch so far; empty if the last epoch is selected.
        averages: average of the trained variables at the ends of the last epochs; see `weight_average`.
        drawn: rows of the current epoch and what the next draw depends on; empty if every epoch has all rows.
    """

    schedule: Schedule
    precision: Precision
    early_stopping: Progress
    best: Progress = field(default_factory=lambda: Progress(0.0))
    step: int = 0
    losses: list[float] = field(default_factory=list)
    correct: int = 0
    counts: Counts = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    selected_epoch: int = 0
    best_weights: list[npt.NDArray[Any]] = field(default_factory=list)
    averages: list[npt.NDArray[np.float64]] = field(default_factory=list)
    drawn: DrawnRows = field(default_factory=lambda: DrawnRows.before_training(0))

    def to_snapshot(self, variables: Variables) -> Snapshot:
        """Copy this state and the values of variables."""
        facts = {name: getattr(self, name) for name in _NUMBERS} | {
            "early_stopping": asdict(self.early_stopping),
            "best": asdict(self.best),
            "plateau": asdict(self.schedule.progress),
            "scale": self.schedule.scale,
            "precision": asdict(self.precision),
        }
        arrays = {name: [variable.numpy() for variable in group] for name, group in variables.items()}
        drawn = [self.drawn.losses, self.drawn.draws, self.drawn.rows]
        own = {"best_weights": self.best_weights, "averages": self.averages, "counts": [self.counts], "drawn": drawn}
        return Snapshot(facts, arrays | own)

    def add(self, losses: npt.NDArray[Any], correct: int, counts: Counts) -> None:
        """Add losses, correct predictions and counts of finished steps to those of the current epoch."""
        self.losses += losses.tolist()
        self.correct += correct
        self.counts = self.counts + counts if self.counts.size else counts.astype(np.int64)

    def end_epoch(self, row: dict[str, float]) -> None:
        """Add a row to the history, and start the next epoch."""
        self.history.append(row)
        self.losses, self.correct, self.seconds = [], 0, 0.0
        self.counts = np.zeros((0, 0, 0), np.int64)

    def restore(self, snapshot: Snapshot, variables: Variables) -> None:
        """Set this state and the values of variables from a snapshot.

        Raises:
            FoldlineError: the snapshot is of other variables; nothing has changed.
        """
        for name, group in variables.items():
            kinds = [(variable.dtype.as_numpy_dtype, tuple(variable.shape)) for variable in group]
            if kinds != [(array.dtype, array.shape) for array in snapshot.arrays[name]]:
                raise FoldlineError(f"a checkpoint has other {name} variables than this training")
        for name, group in variables.items():
            for variable, array in zip(group, snapshot.arrays[name], strict=True):
                variable.assign(array)
        for name in _NUMBERS:
            setattr(self, name, snapshot.facts[name])
        self.early_stopping = Progress(**snapshot.facts["early_stopping"])
        self.best = Progress(**snapshot.facts["best"])
        self.schedule.progress, self.schedule.scale = Progress(**snapshot.facts["plateau"]), snapshot.facts["scale"]
        # Copies, because the arrays of a snapshot are views that hold its whole file in memory.
        self.best_weights = [array.copy() for array in snapshot.arrays["best_weights"]]
        self.averages = [array.copy() for array in snapshot.arrays["averages"]]
        self.counts = snapshot.arrays["counts"][0].copy()
        self.drawn = DrawnRows(*(array.copy() for array in snapshot.arrays["drawn"]))


def saved_precision(checkpoints: Checkpoints) -> Precision | None:
    """What the network of the newest checkpoint computes in; None without a checkpoint."""
    snapshots: list[Snapshot] = []
    checkpoints.load(snapshots.append)
    return Precision(**snapshots[0].facts["precision"]) if snapshots else None


def saved_variables(
    network: tf_keras.Model, optimizer: tf_keras.optimizers.Optimizer, device: Device
) -> dict[str, list[tf.Variable]]:
    """All variables that a training changes: of the network, the optimizer and the generators of dropout."""
    optimizer_variables = list(optimizer.variables)
    if isinstance(optimizer, tf_keras.mixed_precision.LossScaleOptimizer):
        optimizer_variables += [optimizer._loss_scale.current_loss_scale, optimizer.dynamic_counter]
    dropout = [layer for layer in network.submodules if isinstance(layer, tf_keras.layers.Dropout)]
    # Each layer has one generator per replica.
    generator_states = [
        local
        for layer in dropout
        for local in device.strategy.experimental_local_results(layer._random_generator._generator.state)
    ]
    return {"network": list(network.weights), "optimizer": optimizer_variables, "dropout": generator_states}
