"""Checkpoints of a training: two generations, when to write them, and stop requests."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from foldline.errors import FoldlineError, StoppedError
from foldline.training.checkpoint_store import SUFFIX, open_store
from foldline.training.snapshot_file import Snapshot, blocks_of, parse_snapshot
from foldline.training.training_config import CheckpointConfig

logger = logging.getLogger(__name__)

GENERATIONS = 2


class Checkpoints:
    """The checkpoints of one job. The process owns them until it removes or closes them, or ends.

    Attributes:
        store: where they are.
    """

    def __init__(self, config: CheckpointConfig, job: str, key: str):
        """Take ownership of the job's checkpoints.

        Args:
            config: folder or URL of the checkpoints of all jobs, and how often to save. A save within an epoch is due
                after `seconds`, one at the end of an epoch at once; both wait longer after a slow save, so that saving
                takes at most the `share` of the time.
            job: name of the job, the same for all its definitions.
            key: digest of all that defines the job.
        """
        self.store = open_store(config.folder, job, key)
        self._config = config
        self._saved_at, self._save_seconds = time.monotonic(), 0.0
        self._polled_at = 0.0
        self._stop_reason: str | None = None

    def load(self, accept: Callable[[Snapshot], None]) -> None:
        """Pass the newest snapshot to `accept`, or the previous one if the newest is corrupt or refused.

        Args:
            accept: restores a snapshot, or raises a `FoldlineError` before it changed anything.
        """
        for name in reversed(self.store.names()):
            path = f"{self.store}/{name}"
            try:
                snapshot = parse_snapshot(path, self.store.read(name))
                if not snapshot.is_finite():
                    raise FoldlineError(f"{path}: holds values that are not finite")
                accept(snapshot)
            except (FoldlineError, OSError) as error:
                logger.warning("checkpoint not usable: %s; using the previous one, or starting over", error)
                self.store.delete(name)
            else:
                return

    def is_due(self, *, epoch_ended: bool) -> bool:
        """Whether it is time to save, within an epoch or at the end of one."""
        interval = 0.0 if epoch_ended else self._config.seconds
        return time.monotonic() - self._saved_at >= max(interval, self._save_seconds / self._config.share)

    def save(self, snapshot: Snapshot, *, step: int) -> None:
        """Write a snapshot and remove the oldest generation; a failure is logged and the training continues.

        Args:
            snapshot: the state.
            step: the next step of the training, which orders the generations.
        """
        start = time.monotonic()
        if not snapshot.is_finite():
            logger.warning("no checkpoint at step %d: weights or averages are not finite", step)
        else:
            try:
                self.store.write(f"{step:012d}{SUFFIX}", blocks_of(snapshot))
                for name in self.store.names()[:-GENERATIONS]:
                    self.store.delete(name)
            except (FoldlineError, OSError) as error:
                logger.warning("%s: no checkpoint written (%s); the training continues", self.store, error)
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - start

    def needs_attention(self) -> bool:
        """Whether, within an epoch, a save is due or a stop request came."""
        return self.is_due(epoch_ended=False) or self.stop_reason() is not None

    def stop_reason(self) -> str | None:
        """Who requested a stop; None if nobody did."""
        now = time.monotonic()
        if self._stop_reason is None and now - self._polled_at >= self.store.POLL_SECONDS:
            self._polled_at = now
            if self.store.is_requested():
                self._stop_reason = "another process that trains this fold"
        return self._stop_reason

    def check_stop(self) -> None:
        """Stop if that was requested.

        Raises:
            StoppedError: a signal came, or another process waits for the checkpoints.
        """
        if (reason := self.stop_reason()) is not None:
            raise StoppedError(f"stopped by {reason}; run the same command again to resume from {self.store}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the first SIGTERM or SIGINT as a stop request for `check_stop`; a second one acts at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def request_stop(number: int, _frame: FrameType | None) -> None:
            self._stop_reason = signal.Signals(number).name
            restore()

        def restore() -> None:
            for number, handler in handlers.items():
                signal.signal(number, handler)

        handlers = {number: signal.signal(number, request_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            restore()

    def remove(self) -> None:
        """Remove the checkpoints of the finished job, also of its former definitions, and give up ownership."""
        try:
            self.store.remove()
        except (FoldlineError, OSError) as error:
            logger.warning("%s: cannot be removed (%s); delete it by hand", self.store, error)

    def close(self) -> None:
        """Give up ownership."""
        self.store.close()
