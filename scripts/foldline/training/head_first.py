"""A training that begins with the head alone, on the features of the initial weights, and goes on with all layers.

A random head would send large, useless gradients through pretrained layers (Kumar et al. 2022, Fine-tuning can distort
pretrained features, arXiv 2202.10054), and a step of the head needs no backward pass through the backbone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from foldline.models.networks import backbone_layers
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.schedules import Schedule


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
    """Gives each epoch its compiled steps: those of the head, then those of all layers."""

    def __init__(
        self,
        network: tf_keras.Model,
        optimizer: tf_keras.optimizers.Optimizer,
        compile_all: Callable[[], Any],
        *,
        head_epochs: int,
    ) -> None:
        """Prepare the phases.

        Args:
            network: the network.
            optimizer: its optimizer.
            compile_all: gives the `tf.function` of steps that train what is trainable when it is called and traced.
            head_epochs: epochs of the head alone.
        """
        self._network, self._optimizer, self._compile, self._head_epochs = network, optimizer, compile_all, head_epochs
        self._head: Any = None
        self._whole: Any = None

    def steps(self, epoch: int, *, at_start: bool) -> Any:
        """Steps of an epoch.

        Args:
            epoch: number of the epoch, from 0.
            at_start: whether no step of it is done yet. The optimizer then forgets the steps of the head, because its
                moments of the other layers are of no step.
        """
        if epoch < self._head_epochs:
            if self._head is None:
                with frozen_backbone(self._network):
                    self._head = self._compile()
                    # Traced here, or the backbone would no longer be frozen.
                    self._head.get_concrete_function()
            return self._head
        if epoch == self._head_epochs > 0 and at_start:
            restart(self._optimizer)
        if self._whole is None:
            self._whole = self._compile()
        return self._whole


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
