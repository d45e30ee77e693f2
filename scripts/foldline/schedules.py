"""The learning rate as a function of the training step."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from foldline.errors import FoldlineError


def make_schedule(
    settings: Mapping[str, Any], *, learning_rate: float, epochs: int, steps_per_epoch: float
) -> Callable[[int], float]:
    """Schedule by the `schedule` section of a model's settings.

    Over the warm-up the rate rises linearly to its highest value, then it is constant, or falls as half a cosine
    (Loshchilov and Hutter 2017, arXiv 1608.03983) to `final_fraction` of it at the last step.

    Args:
        settings: name ("constant" or "cosine"), warmup_epochs >= 0, final_fraction in [0, 1].
        learning_rate: highest rate.
        epochs: epochs of the training.
        steps_per_epoch: steps of an epoch; not whole where a batch crosses the border between two.

    Returns:
        Function of the step, up to epochs * steps_per_epoch - 1, that gives its rate.

    Raises:
        FoldlineError: no schedule of this name, or a warm-up that is longer than the training.
    """
    if settings["name"] not in ("constant", "cosine"):
        raise FoldlineError(f"no schedule {settings['name']!r}; there are constant and cosine")
    if settings["warmup_epochs"] > epochs:
        raise FoldlineError(f"schedule.warmup_epochs is {settings['warmup_epochs']}, but there are {epochs} epochs")
    warmup = round(settings["warmup_epochs"] * steps_per_epoch)
    last = epochs * steps_per_epoch - 1

    def rate(step: int) -> float:
        if step < warmup:
            return learning_rate * (step + 1) / (warmup + 1)
        if settings["name"] == "constant" or last <= warmup:
            return learning_rate
        done = (step - warmup) / (last - warmup)
        share = settings["final_fraction"] + (1 - settings["final_fraction"]) * (1 + math.cos(math.pi * done)) / 2
        return learning_rate * share

    return rate
