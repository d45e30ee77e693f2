"""What image files hold, by digests or checksums, without reading what is known already.

Images on a local disk are looked at by `stat`; their digests are cached by path, size and mtime, so that only new or
touched files are read. Images in a bucket are never read here: its listing tells their checksums.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from foldline.errors import FoldlineError, listing
from foldline.io import storage
from foldline.io.files import atomic_write, sha256_of_file

READERS = 8


class DigestCache:
    """Digests of files by path, size and mtime, kept in a tab-separated file."""

    def __init__(self, path: Path):
        self._path = path
        self._known: dict[str, tuple[int, int, str]] = {}
        self._changed = False
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                name, size, mtime, sha256 = line.split("\t")
                self._known[name] = (int(size), int(mtime), sha256)

    def of(self, paths: Sequence[str], *, where: Callable[[int], str]) -> list[tuple[str, int]]:
        """SHA-256 and size of each file; unknown or changed ones are read.

        Args:
            paths: the files.
            where: gives for the number of a file, from 0, what to call its row in an error.

        Raises:
            FoldlineError: files are absent; the message names the first ones and how many there are.
        """
        stats = [_stat(path) for path in paths]
        _refuse_absent(paths, [stat is not None for stat in stats], where)
        new = [
            (path, stat)
            for path, stat in zip(paths, stats, strict=True)
            if self._known.get(path, (-1, -1))[:2] != (stat.st_size, stat.st_mtime_ns)
        ]
        with ThreadPoolExecutor(READERS) as pool:
            for (path, stat), sha256 in zip(new, pool.map(sha256_of_file, [path for path, _ in new]), strict=True):
                self._known[path] = (stat.st_size, stat.st_mtime_ns, sha256)
                self._changed = True
        return [(self._known[path][2], stat.st_size) for path, stat in zip(paths, stats, strict=True)]

    def stamp(self, path: str) -> tuple[int, int]:
        """Size in bytes and mtime in ns that a file had when it was digested."""
        return self._known[path][:2]

    def names(self, folder: str) -> list[str]:
        """Sorted names of what is in a folder."""
        return sorted(path.name for path in Path(folder).iterdir())

    def save(self) -> None:
        """Write the cache if it learned something."""
        if self._changed:
            with atomic_write(self._path, mode="w", encoding="utf-8") as handle:
                for name, (size, mtime, sha256) in self._known.items():
                    handle.write(f"{name}\t{size}\t{mtime}\t{sha256}\n")


class BucketListings:
    """What the listings of buckets tell of their objects. Each folder is listed once, and no object is read."""

    def __init__(self) -> None:
        self._listed: dict[str, dict[str, storage.ObjectInfo]] = {}

    def of(self, urls: Sequence[str], *, where: Callable[[int], str]) -> list[tuple[str, int]]:
        """Checksum and size of each object; arguments and errors as for `DigestCache.of`.

        Raises:
            FoldlineError: a bucket cannot be listed, or keeps no checksums.
        """
        found = self._below(storage.common_parent(urls))
        _refuse_absent(urls, [url in found for url in urls], where)
        return [(found[url].checksum, found[url].bytes) for url in urls]

    def names(self, folder: str) -> list[str]:
        """Sorted names of the objects in a folder."""
        start = f"{folder}/"
        below = (url.removeprefix(start) for url in self._below(folder) if url.startswith(start))
        return sorted(name for name in below if "/" not in name)

    def _below(self, folder: str) -> dict[str, storage.ObjectInfo]:
        if folder not in self._listed:
            self._listed[folder] = storage.list_objects(folder)
        return self._listed[folder]


def _refuse_absent(names: Sequence[str], present: Sequence[bool], where: Callable[[int], str]) -> None:
    found = enumerate(zip(names, present, strict=True))
    absent = [f"{where(number)}: image {name}" for number, (name, there) in found if not there]
    if absent:
        raise FoldlineError(
            f"{listing(absent, limit=3)} does not exist; put the images there or mend the pattern in the config"
        )


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116  (a path object for each of a million files takes longer than the look)
    except (FileNotFoundError, NotADirectoryError):
        return None
