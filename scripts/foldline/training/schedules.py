"""The learning rate as a function of the training step, and of how the validation goes."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from foldline.errors import FoldlineError
from foldline.training.training_config import ScheduleConfig

SCHEDULES = ("constant", "cosine", "exponential", "plateau")
# What can be watched: the AUC on the fold held out, or the loss of the training rows, as a score that rises.
AUC, LOSS = "auc", "loss"


@dataclass
class Progress:
    """Counts the epochs since a score was last better.

    Attributes:
        min_delta: by how much a score must be higher than the best to be better.
        monitor: whose score it is, `AUC` or `LOSS`.
        best: the best score so far.
        waited: epochs since.
    """

    min_delta: float
    monitor: str = AUC
    best: float = -math.inf
    waited: int = 0

    def observe(self, score: float) -> None:
        """Take in the score of an epoch."""
        self.waited += 1
        if score > self.best + self.min_delta:
            self.best, self.waited = score, 0


@dataclass
class Schedule:
    """The learning rate of a training.

    Attributes:
        planned: rate of a step, as far as it is known beforehand.
        factor: what an epoch without progress does to the rate; 1 for all schedules but "plateau".
        patience: epochs without progress after which it does.
        progress: see `Progress`.
        scale: product of the factors so far.
    """

    planned: Callable[[int], float]
    factor: float
    patience: int
    progress: Progress
    scale: float = 1.0

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        return self.scale * self.planned(step)

    @property
    def monitor(self) -> str:
        """Whose score the schedule goes by."""
        return self.progress.monitor

    def observe(self, score: float) -> None:
        """Take in the score of an epoch: after `patience` epochs without a better one the rate falls."""
        self.progress.observe(score)
        if self.progress.waited >= self.patience:
            self.scale *= self.factor
            self.progress.waited = 0


def make_schedule(config: ScheduleConfig, *, learning_rate: float, epochs: int, steps_per_epoch: float) -> Schedule:
    """Schedule by the `schedule` section of a model.

    Over the warm-up the rate rises linearly from `initial_fraction` of its highest value, over the hold it stays. Then
    it is constant; or falls as half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983) to `final_fraction` of
    it at the last step; or falls as i + (1 - i) decay^e, with i the `initial_fraction` and e the epochs since the end
    of the hold (`decay_from` "hold") or of the warm-up ("warmup", which jumps where a hold ends); or falls by `factor`
    each time that `patience` epochs brought no better validation AUC ("plateau").

    Args:
        config: name, one of `SCHEDULES`; warmup_epochs, hold_epochs >= 0; initial_fraction, final_fraction in [0, 1];
            decay in (0, 1]; decay_from; stepped, whether the rate changes between epochs only; factor in (0, 1),
            patience >= 1, min_delta >= 0 and monitor of "plateau".
        learning_rate: highest rate.
        epochs: epochs of the training.
        steps_per_epoch: steps of an epoch; not whole where a batch crosses the border between two.

    Returns:
        The schedule, for steps up to epochs * steps_per_epoch - 1.

    Raises:
        FoldlineError: no schedule of this name, or warm-up and hold are longer than the training.
    """
    name = config.name
    if name not in SCHEDULES:
        raise FoldlineError(f"no schedule {name!r}; there are {', '.join(SCHEDULES)}")
    rising, held = config.warmup_epochs, config.warmup_epochs + config.hold_epochs
    if held > epochs:
        raise FoldlineError(
            f"schedule.warmup_epochs {rising:g} and hold_epochs {config.hold_epochs:g} are more than {epochs} epochs"
        )
    start = config.initial_fraction
    decay_start = rising if config.decay_from == "warmup" else held
    # A smooth warm-up begins one step above its start, so that no step has a rate of zero.
    ahead = 0 if config.stepped else 1 / steps_per_epoch
    last = (epochs - 1) if config.stepped else epochs - 1 / steps_per_epoch

    def planned(step: int) -> float:
        done = step / steps_per_epoch
        if config.stepped:
            done = math.floor(done + 1e-9)
        if done < rising:
            risen = (done + ahead) / (rising + ahead)
            return learning_rate * (start + (1 - start) * risen)
        if done < held or name in ("constant", "plateau") or last <= held:
            return learning_rate
        if name == "exponential":
            return learning_rate * (start + (1 - start) * config.decay ** (done - decay_start))
        fallen = min(1.0, (done - held) / (last - held))
        share = config.final_fraction + (1 - config.final_fraction) * (1 + math.cos(math.pi * fallen)) / 2
        return learning_rate * share

    factor = config.factor if name == "plateau" else 1.0
    return Schedule(planned, factor, config.patience, Progress(config.min_delta, config.monitor))
