"""What is known of the content of local files, looked up by what `stat` says of them.

A file whose size, mtime, ctime or inode changed is read again. So a file that was exchanged for another one of the
same size and mtime is noticed, and one that was only touched or copied keeps its digest.
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

from foldline.io.files import atomic_write
from foldline.io.hdf5_paths import file_of

READERS = 8
# Size in bytes, mtime in ns, ctime in ns, inode (its lower 63 bits).
Status = tuple[int, int, int, int]
Value = TypeVar("Value")


def status_of(path: str | Path) -> Status | None:
    """What tells that a file changed, or the HDF5 file of an image in one; None if it does not exist."""
    try:
        # A Path object for each of a million files costs more than the call.
        stat = os.stat(file_of(path))  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino & (2**63 - 1)


class FileDigests(Generic[Value]):
    """Values that follow from the content of files, each computed once for each content.

    Attributes:
        changed: whether a value was computed.
    """

    def __init__(
        self,
        digest: Callable[[str], Value],
        paths: Sequence[str] = (),
        statuses: Sequence[Status] = (),
        values: Sequence[Value] = (),
    ) -> None:
        """Take over what is known.

        Args:
            digest: computes the value of a file.
            paths: (n_files,), the files that are known.
            statuses: (n_files,), what `stat` said of each when its value was computed.
            values: (n_files,), the value of each.
        """
        self._digest, self.changed = digest, False
        self._number = dict(zip(paths, range(len(paths)), strict=True))
        self._statuses, self._values = list(statuses), list(values)

    def of(
        self, paths: Sequence[str], *, is_current: Callable[[Value], bool] = lambda value: True
    ) -> list[Value | OSError]:
        """Value of each file, or the error with which it cannot be read; values that are not current are replaced."""
        problems = self._read_unknown(paths, is_current)
        number, values = self._number, self._values
        if problems:
            return [problems[path] if path in problems else values[number[path]] for path in paths]
        return [values[number[path]] for path in paths]

    def status(self, path: str) -> Status:
        """What `stat` said of a file when its value was computed."""
        return self._statuses[self._number[path]]

    def items(self) -> Iterator[tuple[str, Status, Value]]:
        """Path, status and value of each file that is known."""
        for path, number in self._number.items():
            yield path, self._statuses[number], self._values[number]

    def _read_unknown(self, paths: Sequence[str], is_current: Callable[[Value], bool]) -> dict[str, OSError]:
        """Compute the values of new and changed files; gives the files that cannot be read."""
        found = list(map(_status_or_error, paths))
        number, statuses = self._number, self._statuses
        unknown = [
            (path, status)
            for path, status in zip(paths, found, strict=True)
            if path not in number or statuses[number[path]] != status or not is_current(self._values[number[path]])
        ]
        problems: dict[str, OSError] = {}
        with ThreadPoolExecutor(READERS) as readers:
            for (path, status), value in zip(unknown, readers.map(self._value_or_error, unknown), strict=True):
                if isinstance(status, OSError):
                    problems[path] = status
                elif isinstance(value, OSError):
                    problems[path] = value
                else:
                    self._remember(path, status, value)
        return problems

    def _remember(self, path: str, status: Status, value: Value) -> None:
        number = self._number.setdefault(path, len(self._values))
        if number == len(self._values):
            self._statuses.append(status)
            self._values.append(value)
        else:
            self._statuses[number], self._values[number] = status, value
        self.changed = True

    def _value_or_error(self, file: tuple[str, Status | OSError]) -> Value | OSError:
        path, status = file
        if isinstance(status, OSError):
            return status
        try:
            return self._digest(path)
        except OSError as error:
            return error


def load_digests(cache: Path, digest: Callable[[str], str]) -> FileDigests[str]:
    """Read digests that `save_digests` wrote; a file that it did not write counts as empty."""
    try:
        cells = os.fsdecode(cache.read_bytes()).split("\0")
        files = list(zip(*(cells[first::6] for first in range(6)), strict=True))
        statuses = [(int(size), int(mtime), int(ctime), int(inode)) for _, _, size, mtime, ctime, inode in files]
        return FileDigests(digest, [file[0] for file in files], statuses, [file[1] for file in files])
    except (OSError, ValueError):
        return FileDigests(digest)


def save_digests(cache: Path, digests: FileDigests[str]) -> None:
    """Write digests, if one was computed: path, digest, size, mtime, ctime and inode, all separated by NUL."""
    if digests.changed:
        cells = (cell for path, status, value in digests.items() for cell in (path, value, *map(str, status)))
        with atomic_write(cache) as handle:
            handle.write(os.fsencode("\0".join(cells)))


def _status_or_error(path: str) -> Status | OSError:
    try:
        return status_of(path) or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    except OSError as error:
        return error
