"""Checkpoints of a training: a folder with two generations, which one process at a time works on.

The folder bears the key of the job, the digest of all that defines it, so that a training never goes on from the state
of another definition. It is no output of the workflow, since Snakemake deletes outputs before a job starts.
"""

import fcntl
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

from foldline.errors import FoldlineError, StoppedError
from foldline.snapshots import Snapshot, read_snapshot, write_snapshot

logger = logging.getLogger(__name__)

GENERATIONS = 2
# A process that waits for the folder looks this often whether it is free; one that has it, whether it shall leave.
SECONDS_BETWEEN_LOOKS = 0.5


class Checkpoints:
    """The checkpoints of one job, from when its process takes the folder until it removes it or ends.

    Another process may train the same fold still: one that outlived a Snakemake that was killed, or a lost node's. It
    is asked to save and leave, and waited for.
    """

    def __init__(self, folder: str | Path, *, seconds: float, share: float):
        """Take the folder.

        Args:
            folder: the job's folder of checkpoints; made where it is not there.
            seconds: save so often within an epoch, in seconds; the end of an epoch is saved too.
            share: most of the time that saving may take, in (0, 1]; after a slow save the next one waits longer.
        """
        self.folder = Path(folder)
        self._seconds, self._share = seconds, share
        self._lock = self._take()
        for path in self.folder.glob(".*.part"):
            path.unlink(missing_ok=True)
        self._saved_at, self._save_seconds = time.monotonic(), 0.0
        self._looked_at = 0.0
        self._reason: str | None = None

    def load(self, accept: Callable[[Snapshot], None]) -> None:
        """Hand the newest snapshot to `accept`, or the one before where the newest is damaged or refused.

        Args:
            accept: takes a snapshot in, or raises a `FoldlineError` before it changed anything.
        """
        for path in reversed(self._generations()):
            try:
                snapshot = read_snapshot(path)
                if not snapshot.is_finite():
                    raise FoldlineError(f"{path}: holds values that are not finite")
                accept(snapshot)
            except FoldlineError as error:
                logger.warning("a checkpoint cannot be used: %s; taking the one before, or the beginning", error)
                path.unlink(missing_ok=True)
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
                write_snapshot(self.folder / f"{step:012d}.snapshot", snapshot)
                for path in self._generations()[:-GENERATIONS]:
                    path.unlink(missing_ok=True)
            except OSError as error:
                logger.warning("%s: no checkpoint could be written (%s); the training goes on", self.folder, error)
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - start

    def stop_reason(self) -> str | None:
        """Who asked to leave; None if nobody did."""
        now = time.monotonic()
        if self._reason is None and now - self._looked_at >= SECONDS_BETWEEN_LOOKS:
            self._looked_at = now
            if self._request.exists():
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
        """Remove the folder and leave it: the job is done."""
        # Who waits for the folder may put a file into it at this moment; it takes the rest over.
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Leave the folder to others."""
        self._lock.close()

    @property
    def _request(self) -> Path:
        """File with which a process that waits asks the other to leave."""
        return self.folder / "leave"

    def _generations(self) -> list[Path]:
        return sorted(self.folder.glob("*.snapshot"))

    def _take(self) -> IO[str]:
        """Lock the folder. The kernel frees the lock when the process ends, in whatever way."""
        told = False
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            # The process before may remove the folder at any moment here.
            with suppress(FileNotFoundError):
                handle = (self.folder / "lock").open("a", encoding="utf-8")
                if self._lock_file(handle):
                    return handle
                handle.close()
                self._request.touch()
                if not told:
                    logger.warning("%s: another process trains this fold; it is asked to leave", self.folder)
                told = True
                time.sleep(SECONDS_BETWEEN_LOOKS)

    def _lock_file(self, handle: IO[str]) -> bool:
        """Whether the folder is now this process's."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            logger.warning("%s cannot be locked (%s); make sure that one run at a time works here", handle.name, error)
            return True
        path = Path(handle.name)
        if not path.exists() or not os.path.samestat(path.stat(), os.fstat(handle.fileno())):
            return False
        self._request.unlink(missing_ok=True)
        return True
