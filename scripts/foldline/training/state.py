"""All that a training is made of between two steps, taken down so that it goes on as if it had never stopped."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import numpy as np

from foldline.errors import FoldlineError, StoppedError
from foldline.runtime.devices import Device
from foldline.runtime.precision import Precision
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.checkpoints import Checkpoints
from foldline.training.schedules import Progress, Schedule
from foldline.training.snapshot_file import Snapshot

logger = logging.getLogger(__name__)


@dataclass
class State:
    """Where a training stands, besides the variables of the network and the optimizer.

    Attributes:
        stopping: progress that early stopping goes by.
        schedule: learning rate of a step, which a plateau changes.
        precision: what the network was built to compute in.
        best: progress that the choice of the best epoch goes by.
        step: the next step, from 0.
        losses: losses of the steps of the epoch at work.
        seconds: time that these steps took.
        history: a row of `training.HISTORY` for each epoch that is done.
        selected_epoch: the epoch, from 1, whose weights the network has at the end.
        kept: weights of the best epoch so far; empty where the last epoch counts.
    """

    stopping: Progress
    schedule: Schedule
    precision: Precision
    best: Progress = field(default_factory=lambda: Progress(0.0))
    step: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    selected_epoch: int = 0
    kept: list[np.ndarray] = field(default_factory=list)

    PLAIN = ("step", "losses", "seconds", "history", "selected_epoch")


class Keeper:
    """Takes a training down into its checkpoints and takes it up again."""

    def __init__(
        self,
        network: tf_keras.Model,
        optimizer: tf_keras.optimizers.Optimizer,
        state: State,
        device: Device,
        checkpoints: Checkpoints | None,
    ):
        self._network, self._optimizer, self._state = network, optimizer, state
        self._checkpoints = checkpoints
        self._variables = {
            "network": list(network.weights),
            "optimizer": _optimizer_variables(optimizer),
            "dropout": _dropout_states(network, device),
        }

    def resume(self, name: str) -> None:
        """Go on from the newest checkpoint that can be used, if there is one."""
        if self._checkpoints is None:
            return
        self._checkpoints.load(self._put_back)
        if self._state.step:
            logger.info("%s  goes on from step %d, after %d epochs", name, self._state.step, len(self._state.history))

    def is_wanted(self) -> bool:
        """Whether `keep` has something to do after this step."""
        return self._checkpoints is not None and (
            self._checkpoints.is_due(ending=False) or self._checkpoints.stop_reason() is not None
        )

    def keep(self, *, ending: bool) -> None:
        """Take the training down if it is time to, and leave it if somebody asked for that.

        Args:
            ending: an epoch is done.

        Raises:
            StoppedError: somebody did.
        """
        if self._checkpoints is None:
            return
        if self._checkpoints.is_due(ending=ending):
            self._save(self._checkpoints)
        self._checkpoints.check_stop()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Take the training down where it is interrupted."""
        if self._checkpoints is None:
            yield
            return
        with self._checkpoints.listening():
            try:
                yield
            except StoppedError:
                self._save(self._checkpoints)
                raise

    def _save(self, checkpoints: Checkpoints) -> None:
        state = self._state
        facts = {name: getattr(state, name) for name in State.PLAIN} | {
            "stopping": asdict(state.stopping),
            "best": asdict(state.best),
            "plateau": asdict(state.schedule.progress),
            "scale": state.schedule.scale,
            "precision": asdict(state.precision),
        }
        arrays = {name: [variable.numpy() for variable in found] for name, found in self._variables.items()}
        checkpoints.save(Snapshot(facts, arrays | {"kept": state.kept}), step=state.step)

    def _put_back(self, snapshot: Snapshot) -> None:
        """Take a snapshot in.

        Raises:
            FoldlineError: it is of another network; nothing has changed.
        """
        for name, variables in self._variables.items():
            kinds = [(variable.dtype.as_numpy_dtype, tuple(variable.shape)) for variable in variables]
            if kinds != [(array.dtype, array.shape) for array in snapshot.arrays[name]]:
                raise FoldlineError(f"a checkpoint has other {name} variables than this training")
        for name, variables in self._variables.items():
            for variable, array in zip(variables, snapshot.arrays[name], strict=True):
                variable.assign(array)
        facts, state = snapshot.facts, self._state
        for name in State.PLAIN:
            setattr(state, name, facts[name])
        state.stopping, state.best = Progress(**facts["stopping"]), Progress(**facts["best"])
        state.schedule.progress, state.schedule.scale = Progress(**facts["plateau"]), facts["scale"]
        # Copies, since the arrays of a snapshot are views that hold its whole file in memory.
        state.kept = [array.copy() for array in snapshot.arrays["kept"]]


def kept_precision(checkpoints: Checkpoints) -> Precision | None:
    """What the training that goes on from the newest checkpoint computed in; None if it starts anew."""
    found: list[Precision] = []
    checkpoints.load(lambda snapshot: found.append(Precision(**snapshot.facts["precision"])))
    return found[0] if found else None


def _optimizer_variables(optimizer: tf_keras.optimizers.Optimizer) -> list[tf.Variable]:
    """Variables of an optimizer, those of its loss scale too."""
    if not isinstance(optimizer, tf_keras.mixed_precision.LossScaleOptimizer):
        return list(optimizer.variables)
    return [*optimizer.variables, optimizer._loss_scale.current_loss_scale, optimizer.dynamic_counter]


def _dropout_states(network: tf_keras.Model, device: Device) -> list[tf.Variable]:
    """States of the generators that dropout draws from: one of each layer and replica."""
    layers = [layer for layer in network.submodules if isinstance(layer, tf_keras.layers.Dropout)]
    return [
        local
        for layer in layers
        for local in device.strategy.experimental_local_results(layer._random_generator._generator.state)
    ]
