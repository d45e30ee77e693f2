"""The steps of each epoch: of the head alone, on the features of the initial weights, or of all layers, in each size.

A random head would send large, useless gradients through pretrained layers (Kumar et al. 2022, Fine-tuning can distort
pretrained features, arXiv 2202.10054), and a step of the head needs no backward pass through the backbone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from foldline.models.networks import backbone_layers
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.schedules import Schedule, size_of_epoch
from foldline.training.training_config import TrainingConfig


def after_head(schedule: Schedule, learning_rate: float, first: float) -> Schedule:
    """A schedule that begins when the head is trained; the head has the whole learning rate.

    Args:
        schedule: the schedule of the other epochs.
        learning_rate: highest rate.
        first: steps before it begins; a fraction if the last rows of an epoch share a batch with the next one.
    """
    if first == 0:
        return schedule
    planned = schedule.planned

    def delayed(step: float) -> float:
        # The first step after the head may share its batch with the last epoch of it.
        return learning_rate if step + 1 <= first else planned(max(0.0, step - first))

    return replace(schedule, planned=delayed)


class TrainingPhases:
    """Gives each epoch its compiled steps: those of the head, then those of all layers, for images of its size."""

    def __init__(
        self,
        network: tf_keras.Model,
        optimizer: tf_keras.optimizers.Optimizer,
        compile_steps: Callable[[Any, int | None], Any],
        config: TrainingConfig,
    ) -> None:
        """Prepare the phases.

        Args:
            network: the network.
            optimizer: its optimizer.
            compile_steps: gives the `tf.function` of steps for batches of this specification, whose images are shrunk
                to this size, if any. They train what is trainable when it is called and traced.
            config: settings of the training: the epochs of the head alone, and the sizes of images.
        """
        self._network, self._optimizer, self._compile = network, optimizer, compile_steps
        self._head_epochs, self._sizes = config.head_epochs, config.size_schedule
        self._compiled: dict[tuple[bool, int | None], Any] = {}

    def steps(self, epoch: int, batch_spec: Any, *, at_start: bool) -> Any:
        """Steps of an epoch.

        Args:
            epoch: number of the epoch, from 0.
            batch_spec: shapes and types of a batch, the same in all epochs.
            at_start: whether no step of it is done yet. The optimizer then forgets the steps of the head, because its
                moments of the other layers are of no step.
        """
        head, size = epoch < self._head_epochs, size_of_epoch(self._sizes, epoch)
        if epoch == self._head_epochs > 0 and at_start:
            restart(self._optimizer)
        if (head, size) not in self._compiled:
            with frozen_backbone(self._network) if head else nullcontext():
                compiled = self._compile(batch_spec, size)
                if head:
                    # Traced here, or the backbone would no longer be frozen.
                    compiled.get_concrete_function()
            self._compiled[head, size] = compiled
        return self._compiled[head, size]


@contextmanager
def frozen_backbone(network: tf_keras.Model) -> Iterator[None]:
    """Freeze the backbone in what is traced in the context: no gradients, fixed normalization, no dropout in it."""
    layers = list(backbone_layers(network))
    before = [(layer.trainable, getattr(layer, "rate", None)) for layer in layers]
    for layer in layers:
        layer.trainable = False
        if isinstance(layer, tf_keras.layers.Dropout):
            layer.rate = 0
    try:
        yield
    finally:
        for layer, (trainable, rate) in zip(layers, before, strict=True):
            layer.trainable = trainable
            if isinstance(layer, tf_keras.layers.Dropout):
                layer.rate = rate


def restart(optimizer: tf_keras.optimizers.Optimizer) -> None:
    """Set steps and moments of an Adam to those before its first step; averages of weights stay."""
    adam = getattr(optimizer, "inner_optimizer", optimizer)
    for variable in (adam.iterations, *adam._momentums, *adam._velocities):
        variable.assign(tf.zeros_like(variable))
