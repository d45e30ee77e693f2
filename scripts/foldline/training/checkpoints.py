"""Checkpoints of a training: two generations, when to write them, and who asks the training to leave."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from foldline.errors import FoldlineError, StoppedError
from foldline.training.checkpoint_store import SUFFIX, folder_of
from foldline.training.snapshot_file import Snapshot, blocks_of, parse_snapshot

logger = logging.getLogger(__name__)

GENERATIONS = 2


class Checkpoints:
    """The checkpoints of one job, from when its process takes their folder until it removes it or ends."""

    def __init__(self, root: str | Path, job: str, key: str, *, seconds: float, share: float):
        """Take the folder of the job.

        Args:
            root: folder or URL of all checkpoints of a working directory.
            job: name of the job, the same for all its definitions.
            key: its key, the digest of all that defines it.
            seconds: save so often within an epoch, in seconds; the end of an epoch is saved too.
            share: most of the time that saving may take, in (0, 1]; after a slow save the next one waits longer.
        """
        self.folder = folder_of(root, job, key)
        self._seconds, self._share = seconds, share
        self._saved_at, self._save_seconds = time.monotonic(), 0.0
        self._looked_at = 0.0
        self._reason: str | None = None

    def load(self, accept: Callable[[Snapshot], None]) -> None:
        """Hand the newest snapshot to `accept`, or the one before where the newest is damaged or refused.

        Args:
            accept: takes a snapshot in, or raises a `FoldlineError` before it changed anything.
        """
        for name in reversed(self.folder.names()):
            path = f"{self.folder}/{name}"
            try:
                snapshot = parse_snapshot(path, self.folder.read(name))
                if not snapshot.is_finite():
                    raise FoldlineError(f"{path}: holds values that are not finite")
                accept(snapshot)
            except (FoldlineError, OSError) as error:
                logger.warning("a checkpoint cannot be used: %s; taking the one before, or the beginning", error)
                self.folder.delete(name)
            else:
                return

    def is_due(self, *, ending: bool) -> bool:
        """Whether to save now; `ending` says that an epoch ends."""
        waited = time.monotonic() - self._saved_at
        return waited >= max(0.0 if ending else self._seconds, self._save_seconds / self._share)

    def save(self, snapshot: Snapshot, *, step: int) -> None:
        """Write a snapshot and remove the generation before the last; what fails is logged and harms no training.

        Args:
            snapshot: the state.
            step: the next step of the training, which orders the generations.
        """
        start = time.monotonic()
        if not snapshot.is_finite():
            logger.warning("step %d: weights or averages are not finite, so that this state is not saved", step)
        else:
            try:
                self.folder.write(f"{step:012d}{SUFFIX}", blocks_of(snapshot))
                for name in self.folder.names()[:-GENERATIONS]:
                    self.folder.delete(name)
            except (FoldlineError, OSError) as error:
                logger.warning("%s: no checkpoint could be written (%s); the training goes on", self.folder, error)
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - start

    def stop_reason(self) -> str | None:
        """Who asked to leave; None if nobody did."""
        now = time.monotonic()
        if self._reason is None and now - self._looked_at >= self.folder.SECONDS_BETWEEN_LOOKS:
            self._looked_at = now
            if self.folder.is_wanted():
                self._reason = "another process that trains this fold"
        return self._reason

    def check_stop(self) -> None:
        """Leave if somebody asked for it.

        Raises:
            StoppedError: a signal came, or another process waits for the folder.
        """
        if (reason := self.stop_reason()) is not None:
            raise StoppedError(f"stopped by {reason}; the same command goes on from {self.folder}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the first SIGTERM or SIGINT as a wish to leave, for `check_stop`; a second one acts at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, _frame: FrameType | None) -> None:
            self._reason = signal.Signals(number).name
            restore()

        def restore() -> None:
            for listened, handler in before.items():
                signal.signal(listened, handler)

        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            restore()

    def remove(self) -> None:
        """Remove the folder, and what was kept for former definitions of the job, and leave it: the job is done."""
        try:
            self.folder.remove()
        except (FoldlineError, OSError) as error:
            logger.warning("%s: cannot be removed (%s); it can be deleted by hand", self.folder, error)

    def close(self) -> None:
        """Leave the folder to others."""
        self.folder.close()
