"""Digests of local files that are known already, by what `stat` says of the files.

A file whose size, mtime, ctime or inode changed is digested again. So a file that was exchanged for another one of the
same size and mtime is noticed, and one that was only touched or copied keeps its digest.
"""

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

    def of(self, paths: Sequence[str]) -> list[str | None]:
        """Digest of each file; None for a file that does not exist.

        Raises:
            OSError: a file cannot be read.
        """
        statuses = [status_of(path) for path in paths]
        found = dict(zip(paths, statuses, strict=True))
        changed = [path for path, status in found.items() if status and self._status(path) != status]
        with ThreadPoolExecutor(READERS) as readers:
            for path, value in zip(changed, readers.map(self._digest, changed), strict=True):
                status = found[path]
                assert status is not None
                self._known[path] = (status, value)
                self._changed = True
        return [status and self._known[path][1] for path, status in zip(paths, statuses, strict=True)]

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
