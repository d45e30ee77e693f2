"""The learning rate as a function of the training step and of the scores so far, and the image size of an epoch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from foldline.errors import FoldlineError, counted, listing
from foldline.training.training_config import ScheduleConfig, SizeStage

SCHEDULES = ("constant", "cosine", "exponential", "plateau")
# Scores to monitor: the AUC on the held-out fold, or the negative loss of the training rows.
AUC, LOSS = "auc", "loss"


@dataclass
class Progress:
    """Counts the epochs since a score last improved.

    Attributes:
        min_delta: smallest rise above the best score that counts.
        monitor: the score, `AUC` or `LOSS`.
        best: the best score so far.
        waited: epochs since then.
    """

    min_delta: float
    monitor: str = AUC
    best: float = -math.inf
    waited: int = 0

    def observe(self, score: float) -> None:
        """Count an epoch with this score."""
        self.waited += 1
        if score > self.best + self.min_delta:
            self.best, self.waited = score, 0


@dataclass
class Schedule:
    """The learning rate of a training.

    Attributes:
        planned: rate of a step, from 0, if no plateau lowers it.
        factor: factor of the rate at a plateau; 1 if a plateau changes nothing.
        patience: epochs without progress that make a plateau.
        progress: the monitored score.
        scale: product of the factors so far.
    """

    planned: Callable[[float], float]
    factor: float
    patience: int
    progress: Progress
    scale: float = 1.0

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        return self.scale * self.planned(step)

    @property
    def monitor(self) -> str:
        """The monitored score."""
        return self.progress.monitor

    def observe(self, score: float) -> None:
        """Count an epoch with this score; lower the rate at a plateau."""
        self.progress.observe(score)
        if self.progress.waited >= self.patience:
            self.scale *= self.factor
            self.progress.waited = 0


def make_schedule(config: ScheduleConfig, *, learning_rate: float, epochs: int, steps_per_epoch: float) -> Schedule:
    """Make the schedule of a training.

    The rate rises linearly from `initial_fraction` of its highest value during the warm-up, and stays there during the
    hold. After that it is:

    constant: unchanged;
    cosine: half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983) to `final_fraction` of it at the last step;
    exponential: i + (1 - i) decay^e of it, with i the `initial_fraction` and e the epochs since the end of the hold
    (`decay_from` "hold"), or of the warm-up ("warmup", with a jump at the end of a hold);
    plateau: unchanged.

    With "plateau", and with any other name if `reduce_on_plateau` is set, the rate is also multiplied by `factor` after
    each `patience` epochs without a better score.

    Args:
        config: the section `schedule` of a model.
        learning_rate: highest rate.
        epochs: epochs of the training.
        steps_per_epoch: steps of an epoch; a fraction if the last rows of an epoch share a batch with the next one.

    Returns:
        The schedule, for steps before epochs * steps_per_epoch.

    Raises:
        FoldlineError: unknown name, or warm-up and hold are longer than the training.
    """
    if config.name not in SCHEDULES:
        raise FoldlineError(f"schedule.name is {config.name!r}; allowed: {listing(SCHEDULES)}")
    if config.warmup_epochs + config.hold_epochs > epochs:
        raise FoldlineError(
            f"schedule.warmup_epochs {config.warmup_epochs:g} and hold_epochs {config.hold_epochs:g} are more than "
            f"{counted(epochs, 'epoch')}; lower them or raise epochs"
        )
    fraction = _fraction_function(config, epochs=epochs, step_epochs=1 / steps_per_epoch)

    def planned(step: float) -> float:
        done = step / steps_per_epoch
        return learning_rate * fraction(math.floor(done + 1e-9) if config.stepped else done)

    factor = config.factor if config.name == "plateau" or config.reduce_on_plateau else 1.0
    return Schedule(planned, factor, config.patience, Progress(config.min_delta, config.monitor))


def _fraction_function(config: ScheduleConfig, *, epochs: int, step_epochs: float) -> Callable[[float], float]:
    """Function of the epochs done that gives the fraction of the highest rate; `step_epochs` is 1 / steps per epoch."""
    warmup, held = config.warmup_epochs, config.warmup_epochs + config.hold_epochs
    start, end = config.initial_fraction, config.final_fraction
    decay_start = warmup if config.decay_from == "warmup" else held
    # A smooth warm-up begins one step above its start, so that no step has a rate of 0.
    ahead = 0 if config.stepped else step_epochs
    last = epochs - (1 if config.stepped else step_epochs)

    def fraction(done: float) -> float:
        if done < warmup:
            return start + (1 - start) * ((done + ahead) / (warmup + ahead))
        if done < held or config.name in ("constant", "plateau"):
            return 1.0
        if config.name == "exponential":
            return float(start + (1 - start) * config.decay ** (done - decay_start))
        if last <= held:
            # A cosine needs two steps, one at each end.
            return 1.0
        fallen = min(1.0, (done - held) / (last - held))
        return end + (1 - end) * (1 + math.cos(math.pi * fallen)) / 2

    return fraction


def size_of_epoch(stages: Sequence[SizeStage], epoch: int) -> int | None:
    """Side of the images of an epoch (from 0) in pixels; None for that of the shards, after all stages."""
    for stage in stages:
        if epoch < stage.epochs:
            return stage.image_size
        epoch -= stage.epochs
    return None


def mean_area(stages: Sequence[SizeStage], epochs: int, image_size: int) -> float:
    """Mean area of the images over all epochs, as a share of that of the shards, in (0, 1]."""
    sizes = [size_of_epoch(stages, epoch) or image_size for epoch in range(epochs)]
    return sum(size**2 for size in sizes) / (epochs * image_size**2)
