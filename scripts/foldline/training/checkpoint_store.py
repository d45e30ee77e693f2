"""Store the checkpoints of one job on a disk or in a bucket, owned by one process at a time.

The store's name holds the job's name and its key, the digest of all that defines the job. So a training never resumes
from the state of another definition. The store is no output of the workflow, because Snakemake deletes the outputs of
a job before it starts.
"""

import fcntl
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from foldline.errors import FoldlineError
from foldline.io import storage
from foldline.io.files import atomic_write
from foldline.io.system_errors import system_errors_explained

logger = logging.getLogger(__name__)

SUFFIX = ".snapshot"


class LocalStore:
    """A folder on a disk, behind a lock that the kernel releases when the process ends, in whatever way.

    Another process may still work on the job: one that outlived its Snakemake, or one on a node that was lost. This
    process requests it to save and stop, and waits.
    """

    # How often a waiting process tries the lock, and how often the owner looks for a stop request.
    POLL_SECONDS = 0.5

    def __init__(self, root: str | Path, job: str, key: str):
        """Lock the folder; it is created if it does not exist.

        Args:
            root: folder of all checkpoints of a working directory.
            job: name of the job, without a full stop at its end.
            key: key of the job.
        """
        self._root, self._job = Path(root), job
        self._path = self._root / f"{job}.{key}"
        self._lock = self._wait_for_lock()
        for path in self._path.glob(".*.part"):
            path.unlink(missing_ok=True)

    def __str__(self) -> str:
        return str(self._path)

    def names(self) -> list[str]:
        """Names of the files, sorted."""
        return sorted(path.name for path in self._path.glob(f"*{SUFFIX}"))

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises:
            OSError: it cannot be read.
        """
        return (self._path / name).read_bytes()

    def write(self, name: str, blocks: Iterable[bytes | memoryview]) -> None:
        """Write a file atomically.

        Raises:
            OSError: it cannot be written.
        """
        with atomic_write(self._path / name) as handle:
            for block in blocks:
                handle.write(block)

    def delete(self, name: str) -> None:
        """Delete a file, if it exists."""
        (self._path / name).unlink(missing_ok=True)

    def is_requested(self) -> bool:
        """Whether another process waits for the store."""
        return self._stop_request.exists()

    def remove(self) -> None:
        """Remove the folder, and those of former definitions of the job that no process owns."""
        for path in self._root.glob(f"{self._job}.*"):
            with suppress(OSError):
                if path != self._path and (lock := _lock(path)) is not None:
                    shutil.rmtree(path, ignore_errors=True)
                    lock.close()
        # A waiting process may create a file in the folder at this moment; it then takes over what is left.
        shutil.rmtree(self._path, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Release the lock."""
        self._lock.close()

    @property
    def _stop_request(self) -> Path:
        """File with which a waiting process requests the owner to stop."""
        return self._path / "stop-request"

    def _wait_for_lock(self) -> IO[str]:
        logged = False
        while True:
            self._path.mkdir(parents=True, exist_ok=True)
            # The owner may remove the folder at any moment.
            with suppress(FileNotFoundError):
                if (lock := _lock(self._path)) is not None:
                    self._stop_request.unlink(missing_ok=True)
                    return lock
                self._stop_request.touch()
                if not logged:
                    logger.warning("%s: another process trains this fold; waiting until it has saved", self._path)
                logged = True
                time.sleep(self.POLL_SECONDS)


def _lock(folder: Path) -> IO[str] | None:
    """Lock a folder; the lock lasts until the file is closed. None if another process has it or the folder is gone.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    handle = (folder / "lock").open("a", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    except OSError as error:
        logger.warning("%s cannot be locked (%s); make sure that only one run at a time works here", handle.name, error)
        return handle
    path = Path(handle.name)
    if not path.exists() or not os.path.samestat(path.stat(), os.fstat(handle.fileno())):
        handle.close()
        return None
    return handle


class BucketStore:
    """Objects with a common URL prefix, owned by the process that came last.

    A bucket has no locks. Each process writes a token of its own; one that reads another's token writes no more and
    stops. Nobody waits: both would make the same states, because equal keys and steps mean equal states.
    """

    # Each look is a request to the bucket.
    POLL_SECONDS = 30.0

    def __init__(self, root: str, job: str, key: str):
        """Take ownership; arguments as for `LocalStore`, with a URL as `root`.

        Raises:
            FoldlineError: the bucket is not writable.
        """
        self._root, self._job = root.rstrip("/"), job
        self._url = f"{self._root}/{job}.{key}"
        self._token = secrets.token_hex(16).encode()
        try:
            storage.write_if_changed(self._owner, self._token)
        except OSError as error:
            raise FoldlineError(
                f"{self._url}: checkpoints cannot be written ({error}); check the permissions of the bucket, or set "
                "checkpoints.folder to another place"
            ) from error

    def __str__(self) -> str:
        return self._url

    def names(self) -> list[str]:
        """See `LocalStore`.

        Raises:
            FoldlineError: the bucket cannot be listed.
        """
        return [name for name in storage.list_names(self._url) if name.endswith(SUFFIX)]

    def read(self, name: str) -> bytes:
        """See `LocalStore`."""
        return storage.read(f"{self._url}/{name}")

    def write(self, name: str, blocks: Iterable[bytes | memoryview]) -> None:
        """See `LocalStore`; an object is written atomically by itself.

        Raises:
            OSError: it cannot be written, or another process owns the store.
        """
        if self.is_requested():
            raise PermissionError("another process trains this fold now")
        storage.write_if_changed(f"{self._url}/{name}", b"".join(blocks))

    def delete(self, name: str) -> None:
        """See `LocalStore`."""
        storage.remove(f"{self._url}/{name}")

    def is_requested(self) -> bool:
        """Whether another process has taken ownership."""
        try:
            return storage.read(self._owner) != self._token
        except FileNotFoundError:
            return True
        except OSError as error:
            logger.warning("%s: cannot be read (%s)", self._owner, error)
            return False

    def remove(self) -> None:
        """See `LocalStore`; a process that works on a former definition misses its token and stops."""
        for name in storage.list_names(self._root):
            if name.startswith(f"{self._job}."):
                storage.remove(f"{self._root}/{name}")

    def close(self) -> None:
        """See `LocalStore`; the next process takes ownership by itself."""

    @property
    def _owner(self) -> str:
        return f"{self._url}/owner"


def open_store(root: str | Path, job: str, key: str) -> LocalStore | BucketStore:
    """Take ownership of the checkpoints of a job in a folder or URL; arguments and errors as of the classes.

    Raises:
        FoldlineError: the folder cannot be made or written.
    """
    if storage.is_url(root):
        return BucketStore(str(root), job, key)
    with system_errors_explained(remedy="set checkpoints.folder to a folder that you can write"):
        return LocalStore(root, job, key)
