"""Signs of life of a long epoch: a line in the log now and then, with the speed, the loss and the time that is left."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)

# An epoch that takes less leaves no line but its own.
SECONDS_BETWEEN_LINES = 30.0


@dataclass(frozen=True)
class StepsAhead:
    """How many steps there are.

    Attributes:
        epoch: number of the current epoch, from 1.
        epochs: most epochs of the training.
        first: first step of the epoch, from 0.
        end: step after the last one of the epoch.
        last: step after the last one of the training.
    """

    epoch: int
    epochs: int
    first: int
    end: int
    last: int


class ProgressLog:
    """Logs how far an epoch is.

    The first steps compile the program, so the speed is measured from the second call on.
    """

    def __init__(self, name: str, batch_size: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare the log.

        Args:
            name: name of the training.
            batch_size: rows of a step.
            clock: gives seconds.
        """
        self._name, self._batch_size, self._clock = name, batch_size, clock
        self._step, self._time = -1, 0.0

    def start(self) -> None:
        """Begin an epoch, or what is left of it."""
        self._step = -1

    def is_due(self, step: int) -> bool:
        """Whether to log a line, now that the steps before `step` are finished or on their way."""
        if self._step < 0:
            self._step, self._time = step, self._clock()
        return self._clock() - self._time >= SECONDS_BETWEEN_LINES

    def write(self, step: int, loss: float, ahead: StepsAhead) -> None:
        """Log a line; the next one is due `SECONDS_BETWEEN_LINES` later.

        Args:
            step: the steps before it are finished.
            loss: mean loss of the steps of the epoch.
            ahead: how many steps there are.
        """
        now = self._clock()
        rate = (step - self._step) / (now - self._time)
        self._step, self._time = step, now
        logger.info(
            "%s  epoch %d/%d  %d %%  loss %s  %d images/s  %s left of the epoch, %s of the training without validation",
            self._name,
            ahead.epoch,
            ahead.epochs,
            100 * (step - ahead.first) // (ahead.end - ahead.first),
            f"{loss:.3f}".removeprefix("0"),
            round(rate * self._batch_size),
            in_words((ahead.end - step) / rate),
            in_words((ahead.last - step) / rate),
        )


def in_words(seconds: float) -> str:
    """A duration in two parts at most, rounded: 8 s, 3 min, 2 h 05 min."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
