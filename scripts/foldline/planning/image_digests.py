"""Content digests of image files, without reading the files that are known already.

Images on a local disk are looked up by `stat`: their digests are cached by path, size and mtime, so that only new or
touched files are read. Images in a bucket are never read here: its listing has their checksums.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from foldline.errors import FoldlineError, listing
from foldline.io import storage
from foldline.io.files import atomic_write, sha256_of_file

READERS = 8


class ImageDigests(Protocol):
    """Digests of images on a disk or in a bucket."""

    def contents(self, paths: Sequence[str], *, row_of: Callable[[int], str]) -> list[tuple[str, int]]:
        """Digest and size in bytes of each image.

        Args:
            paths: paths or URLs of the images.
            row_of: gives what an error calls the row of image `number`, counted from 0.

        Raises:
            FoldlineError: images do not exist; the message names the first ones and how many there are.
        """
        ...

    def file_names(self, folder: str) -> list[str]:
        """Sorted names of the files in a folder."""
        ...


class DigestCache:
    """SHA-256 of local files by path, size and mtime, stored in a tab-separated file."""

    def __init__(self, path: Path):
        self._path = path
        self._known: dict[str, tuple[int, int, str]] = {}
        self._changed = False
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                name, size, mtime, sha256 = line.split("\t")
                self._known[name] = (int(size), int(mtime), sha256)

    def contents(self, paths: Sequence[str], *, row_of: Callable[[int], str]) -> list[tuple[str, int]]:
        """SHA-256 and size of each file, see `ImageDigests.contents`; unknown or changed files are read."""
        stats = [_stat(path) for path in paths]
        _check_images_exist(paths, [stat is not None for stat in stats], row_of)
        new = [
            (path, stat)
            for path, stat in zip(paths, stats, strict=True)
            if stat is not None and self._known.get(path, (-1, -1))[:2] != (stat.st_size, stat.st_mtime_ns)
        ]
        with ThreadPoolExecutor(READERS) as pool:
            for (path, stat), sha256 in zip(new, pool.map(sha256_of_file, [path for path, _ in new]), strict=True):
                self._known[path] = (stat.st_size, stat.st_mtime_ns, sha256)
                self._changed = True
        return [(self._known[path][2], self._known[path][0]) for path in paths]

    def size_and_mtime(self, path: str) -> tuple[int, int]:
        """Size in bytes and mtime in ns that a file had when it was digested."""
        return self._known[path][:2]

    def file_names(self, folder: str) -> list[str]:
        """See `ImageDigests.file_names`."""
        return sorted(path.name for path in Path(folder).iterdir())

    def save(self) -> None:
        """Write the cache if it has new digests."""
        if self._changed:
            with atomic_write(self._path, mode="w", encoding="utf-8") as handle:
                for name, (size, mtime, sha256) in self._known.items():
                    handle.write(f"{name}\t{size}\t{mtime}\t{sha256}\n")


class BucketListings:
    """Checksums of objects from the listings of their buckets. Each folder is listed once, and no object is read."""

    def __init__(self) -> None:
        self._listed: dict[str, dict[str, storage.ObjectInfo]] = {}

    def contents(self, paths: Sequence[str], *, row_of: Callable[[int], str]) -> list[tuple[str, int]]:
        """Checksum and size of each object, see `ImageDigests.contents`.

        Raises:
            FoldlineError: objects do not exist, a bucket cannot be listed, or it has no checksums.
        """
        objects = self._objects(storage.common_parent(paths))
        _check_images_exist(paths, [url in objects for url in paths], row_of)
        return [(objects[url].checksum, objects[url].bytes) for url in paths]

    def file_names(self, folder: str) -> list[str]:
        """See `ImageDigests.file_names`."""
        start = f"{folder}/"
        names = (url.removeprefix(start) for url in self._objects(folder) if url.startswith(start))
        return sorted(name for name in names if "/" not in name)

    def _objects(self, folder: str) -> dict[str, storage.ObjectInfo]:
        if folder not in self._listed:
            self._listed[folder] = storage.list_objects(folder)
        return self._listed[folder]


def _check_images_exist(paths: Sequence[str], exists: Sequence[bool], row_of: Callable[[int], str]) -> None:
    numbered = enumerate(zip(paths, exists, strict=True))
    missing = [f"{row_of(number)}: image {path}" for number, (path, is_there) in numbered if not is_there]
    if missing:
        raise FoldlineError(
            f"{listing(missing, limit=3)} does not exist; add the images, or correct dataset.root or the path of the "
            "images in the config"
        )


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116  (a Path object for each of a million files costs more than the call)
    except (FileNotFoundError, NotADirectoryError):
        return None
