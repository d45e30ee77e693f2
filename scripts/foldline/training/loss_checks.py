"""Losses with which a training cannot go well, as errors that name the keys to change."""

from collections.abc import Callable, Sequence

import numpy as np

from foldline.errors import FoldlineError


def check_finite(name: str, losses: Sequence[float], first: int, rate: Callable[[int], float]) -> None:
    """Refuse losses that are not finite.

    Args:
        name: name of the training.
        losses: losses of consecutive steps.
        first: the step of the first of them.
        rate: learning rate of a step.

    Raises:
        FoldlineError: a loss is not finite.
    """
    finite = np.isfinite(losses)
    if not finite.all():
        step = first + int(np.argmin(finite))
        raise FoldlineError(
            f"{name}: the loss is not finite in step {step} (learning rate {rate(step):.3g}); lower learning_rate or "
            "lengthen schedule.warmup_epochs"
        )


def check_learning(name: str, losses: Sequence[float], epochs: Sequence[float]) -> None:
    """Refuse an epoch in which the loss is always 0, or always the same number.

    Batches differ, so equal losses mean that rows or weights have no effect. An epoch of a single step is compared with
    all epochs before it, because a training that has learned may end with tiny changes.

    Args:
        name: name of the training.
        losses: losses of all steps of the epoch, at least one.
        epochs: losses of the epochs before it.

    Raises:
        FoldlineError: the loss is 0 or unchanged.
    """
    where = f"{name}: the loss is {losses[0]:.6g} in every step of epoch {len(epochs) + 1}"
    if not any(losses):
        raise FoldlineError(
            f"{where}, so nothing is learned; check loss.hard_labels, loss.label_smoothing, loss.alpha and "
            "class_weights, which can give every row a weight of 0. If the model has learned all rows perfectly, lower "
            "epochs or set early_stopping"
        )
    compared = [*epochs, *losses] if len(losses) == 1 else losses
    if len(compared) > 1 and min(compared) == max(compared):
        raise FoldlineError(
            f"{where} and does not change, so nothing is learned; raise learning_rate if it is too small, set "
            "trainable to all or upper if the frozen layers have no use (weights: none), and check that the images of "
            "the training rows differ"
        )
