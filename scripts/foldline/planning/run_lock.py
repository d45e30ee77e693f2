"""One run at a time in a working directory: a lock that ends with its process.

Each planning command tries the lock before it reads or writes anything. Snakemake's own lock is a file that stays when
the process is killed, until somebody removes it; the default profile switches it off.
"""

import fcntl
import logging
import os
import platform
import time
from pathlib import Path

from foldline.errors import FoldlineError

logger = logging.getLogger(__name__)

# A dry run or another command that only plans ends soon.
PLANNING, RUNNING = "planning", "running"
WAIT_S = 60.0
RETRY_S = 0.1
# A process writes what it does just after it got the lock; until then the file names the process before.
MOST_SIGHTINGS = 5


class RunLock:
    """The lock of a working directory, held until this process ends; the kernel releases it even after kill -9.

    Attributes:
        holder: what the other process that holds the lock does, and which it is; "" if this process holds it.
    """

    def __init__(self, path: str | Path, *, wait_s: float = WAIT_S) -> None:
        """Try to hold the lock, to plan. While another process plans, wait; while one runs jobs, do not.

        Args:
            path: the lock file; it is made with its folder if it does not exist.
            wait_s: most seconds to wait.
        """
        self._path, self.holder = Path(path), ""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Started programs do not inherit the descriptor.
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        deadline, sightings = time.monotonic() + wait_s, 0
        while not self._try():
            sightings = 0 if self.holder.startswith(PLANNING) else sightings + 1
            if sightings == MOST_SIGHTINGS or time.monotonic() > deadline:
                os.close(self._descriptor)
                return
            time.sleep(RETRY_S)

    def start(self) -> None:
        """Hold the lock for a run that executes jobs.

        Raises:
            FoldlineError: another process holds the lock, or held it when this one was planned.
        """
        if self.holder:
            raise FoldlineError(
                f"{self._path}: another run works in this directory ({self.holder}); wait until it ends, or run in "
                "another directory (--directory DIRECTORY)"
            )
        self._write(RUNNING)

    def release(self) -> None:
        """Release the lock before the process ends."""
        if not self.holder:
            os.close(self._descriptor)

    def _try(self) -> bool:
        own = f"process {os.getpid()} on {platform.node()}"
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(self._descriptor, 1000, 0).decode(errors="replace").strip() or "unknown process"
            # A process may try again: a second DAG, or a second module with the same prefix.
            self.holder = "" if text.endswith(own) else text
            return not self.holder
        except OSError as error:
            logger.warning(
                "%s cannot be locked (%s); make sure that only one run works in this directory", self._path, error
            )
        self.holder = ""
        self._write(PLANNING)
        return True

    def _write(self, activity: str) -> None:
        content = f"{activity}, process {os.getpid()} on {platform.node()}\n".encode()
        try:
            os.pwrite(self._descriptor, content, 0)
            os.ftruncate(self._descriptor, len(content))
        except OSError as error:
            error.filename = str(self._path)
            raise
