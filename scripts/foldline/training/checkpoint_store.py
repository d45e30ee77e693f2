"""Where the checkpoints of one job stand, on a disk or in a bucket, and how one process at a time has them.

The place bears the job's name and its key, the digest of all that defines it, so that a training never goes on from the
state of another definition. It is no output of the workflow, since Snakemake deletes outputs before a job starts.
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

logger = logging.getLogger(__name__)

SUFFIX = ".snapshot"


class LocalFolder:
    """A folder on a disk, behind a lock that the kernel frees when its process ends, in whatever way.

    Another process may work on the same job still: one that outlived a Snakemake that was killed, or a lost node's. It
    is asked to save and leave, and waited for.
    """

    # One that waits looks this often whether the folder is free; one that has it, whether it shall leave.
    SECONDS_BETWEEN_LOOKS = 0.5

    def __init__(self, root: str | Path, job: str, key: str):
        """Take the folder; it is made where it is not there.

        Args:
            root: folder of all checkpoints of a working directory.
            job: the job's name, without a full stop at its end.
            key: its key.
        """
        self._root, self._job = Path(root), job
        self._path = self._root / f"{job}.{key}"
        self._lock = self._take()
        for path in self._path.glob(".*.part"):
            path.unlink(missing_ok=True)

    def __str__(self) -> str:
        return str(self._path)

    def names(self) -> list[str]:
        """Names of the files, sorted."""
        return sorted(path.name for path in self._path.glob(f"*{SUFFIX}"))

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            OSError: it cannot be read.
        """
        return (self._path / name).read_bytes()

    def write(self, name: str, blocks: Iterable[bytes | memoryview]) -> None:
        """Write a file, which appears whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        with atomic_write(self._path / name) as handle:
            for block in blocks:
                handle.write(block)

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self._path / name).unlink(missing_ok=True)

    def is_wanted(self) -> bool:
        """Whether another process waits for the folder."""
        return self._request.exists()

    def remove(self) -> None:
        """Remove the folder, and those of former definitions of the job that nobody works on, and leave it."""
        for path in self._root.glob(f"{self._job}.*"):
            with suppress(OSError):
                if path != self._path and (lock := _locked(path)) is not None:
                    shutil.rmtree(path, ignore_errors=True)
                    lock.close()
        # Who waits for the folder may put a file into it at this moment; it takes the rest over.
        shutil.rmtree(self._path, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Leave the folder to others."""
        self._lock.close()

    @property
    def _request(self) -> Path:
        """File with which a process that waits asks the other to leave."""
        return self._path / "leave"

    def _take(self) -> IO[str]:
        told = False
        while True:
            self._path.mkdir(parents=True, exist_ok=True)
            # The process before may remove the folder at any moment here.
            with suppress(FileNotFoundError):
                if (lock := _locked(self._path)) is not None:
                    self._request.unlink(missing_ok=True)
                    return lock
                self._request.touch()
                if not told:
                    logger.warning("%s: another process trains this fold; it is asked to leave", self._path)
                told = True
                time.sleep(self.SECONDS_BETWEEN_LOOKS)


def _locked(folder: Path) -> IO[str] | None:
    """The open lock of a folder that is this process's now; None where another one has it, or the folder is gone.

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
        logger.warning("%s cannot be locked (%s); make sure that one run at a time works here", handle.name, error)
        return handle
    path = Path(handle.name)
    if not path.exists() or not os.path.samestat(path.stat(), os.fstat(handle.fileno())):
        handle.close()
        return None
    return handle


class BucketFolder:
    """Objects below a URL, which belong to the process that came last.

    A bucket has no locks. Each process writes a word of its own, and one that finds another's writes nothing more and
    leaves. Nobody waits: both would make the same states, since the same key and step mean the same state.
    """

    # A look is a request.
    SECONDS_BETWEEN_LOOKS = 30.0

    def __init__(self, root: str, job: str, key: str):
        """Take the place; arguments as for `LocalFolder`, with a URL as `root`.

        Raises:
            FoldlineError: the bucket cannot be written.
        """
        self._root, self._job = root.rstrip("/"), job
        self._url = f"{self._root}/{job}.{key}"
        self._word = secrets.token_hex(16).encode()
        try:
            storage.write_if_changed(self._owner, self._word)
        except OSError as error:
            raise FoldlineError(
                f"{self._url}: no checkpoints can be kept ({error}); see who may write there, or set checkpoints.folder"
            ) from error

    def __str__(self) -> str:
        return self._url

    def names(self) -> list[str]:
        """See `LocalFolder`.

        Raises:
            FoldlineError: the bucket cannot be listed.
        """
        return [name for name in storage.list_names(self._url) if name.endswith(SUFFIX)]

    def read(self, name: str) -> bytes:
        """See `LocalFolder`."""
        return storage.read(f"{self._url}/{name}")

    def write(self, name: str, blocks: Iterable[bytes | memoryview]) -> None:
        """See `LocalFolder`; an object appears whole or not at all by itself.

        Raises:
            OSError: it cannot be written, or another process has the place.
        """
        if self.is_wanted():
            raise PermissionError("another process trains this fold now")
        storage.write_if_changed(f"{self._url}/{name}", b"".join(blocks))

    def delete(self, name: str) -> None:
        """See `LocalFolder`."""
        storage.remove(f"{self._url}/{name}")

    def is_wanted(self) -> bool:
        """See `LocalFolder`."""
        try:
            return storage.read(self._owner) != self._word
        except FileNotFoundError:
            return True
        except OSError as error:
            logger.warning("%s: cannot be read (%s)", self._owner, error)
            return False

    def remove(self) -> None:
        """See `LocalFolder`; who works on a former definition finds its word gone and leaves."""
        for name in storage.list_names(self._root):
            if name.startswith(f"{self._job}."):
                storage.remove(f"{self._root}/{name}")

    def close(self) -> None:
        """See `LocalFolder`; the next process takes the place by itself."""

    @property
    def _owner(self) -> str:
        return f"{self._url}/owner"


def folder_of(root: str | Path, job: str, key: str) -> LocalFolder | BucketFolder:
    """Take the place of a job's checkpoints below a folder or a URL; arguments and errors as of the classes."""
    if storage.is_url(root):
        return BucketFolder(str(root), job, key)
    return LocalFolder(root, job, key)
