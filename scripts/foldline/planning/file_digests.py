"""Digests of local files that are known already, by what `stat` says of the files.

A file whose size, mtime, ctime or inode changed is digested again. So a file that was exchanged for another one of the
same size and mtime is noticed, and one that was only touched or copied keeps its digest.
"""

import errno
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from foldline.io.files import atomic_write

READERS = 8
# Size in bytes, mtime in ns, ctime in ns, inode (its lower 63 bits).
Status = tuple[int, int, int, int]


def status_of(path: str | Path) -> Status | None:
    """What tells that a file changed; None if it does not exist."""
    try:
        # A Path object for each of a million files costs more than the call.
        stat = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino & (2**63 - 1)


class FileDigests:
    """A cache of digests in a file: for each path its digest, size, mtime, ctime and inode, all separated by NUL."""

    def __init__(self, cache: Path, digest: Callable[[str], str]) -> None:
        """Read the cache; one that `save` did not write counts as empty.

        Args:
            cache: file of the cache.
            digest: computes the digest of a file.
        """
        self._cache, self._digest, self._changed = cache, digest, False
        self._known: dict[str, tuple[Status, str]] = {}
        try:
            cells = os.fsdecode(cache.read_bytes()).split("\0")
            for path, value, *numbers in zip(*(cells[first::6] for first in range(6)), strict=True):
                size, mtime, ctime, inode = map(int, numbers)
                self._known[path] = ((size, mtime, ctime, inode), value)
        except (OSError, ValueError):
            self._known = {}

    def of(self, paths: Sequence[str]) -> list[str | OSError]:
        """Digest of each file, or the error with which it cannot be read."""
        found = {path: _status_or_error(path) for path in paths}
        changed = [
            (path, status)
            for path, status in found.items()
            if not isinstance(status, OSError) and self._status(path) != status
        ]
        unreadable = {path: status for path, status in found.items() if isinstance(status, OSError)}
        with ThreadPoolExecutor(READERS) as readers:
            values = readers.map(self._digest_or_error, [path for path, _ in changed])
            for (path, status), value in zip(changed, values, strict=True):
                if isinstance(value, OSError):
                    unreadable[path] = value
                else:
                    self._known[path] = (status, value)
                    self._changed = True
        if not unreadable:
            return [self._known[path][1] for path in paths]
        return [unreadable.get(path) or self._known[path][1] for path in paths]

    def status(self, path: str) -> Status:
        """What `stat` said of a file when it was digested."""
        return self._known[path][0]

    def save(self) -> None:
        """Write the cache if it has new digests."""
        if self._changed:
            cells = (cell for path, (status, value) in self._known.items() for cell in (path, value, *map(str, status)))
            with atomic_write(self._cache) as handle:
                handle.write(os.fsencode("\0".join(cells)))

    def _status(self, path: str) -> Status | None:
        return self._known[path][0] if path in self._known else None

    def _digest_or_error(self, path: str) -> str | OSError:
        try:
            return self._digest(path)
        except OSError as error:
            return error


def _status_or_error(path: str) -> Status | OSError:
    try:
        return status_of(path) or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    except OSError as error:
        return error
