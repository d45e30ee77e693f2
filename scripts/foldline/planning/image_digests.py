"""Content digests of image files, without reading the files that are known already.

Images on a local disk are looked up by `stat`, and only new, changed or touched files are read. Images in a bucket are
never read here: its listing has their checksums.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from foldline.errors import FoldlineError, listing
from foldline.io import storage
from foldline.io.files import sha256_of_file
from foldline.planning.file_digests import FileDigests, Status


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
    """SHA-256 of local files; known ones are looked up by `stat`, see `file_digests`."""

    def __init__(self, path: Path):
        self._digests = FileDigests(path, sha256_of_file)

    def contents(self, paths: Sequence[str], *, row_of: Callable[[int], str]) -> list[tuple[str, int]]:
        """SHA-256 and size of each file, see `ImageDigests.contents`; unknown or changed files are read."""
        known = self._digests.of(paths)
        _check_images_exist(paths, [sha256 is not None for sha256 in known], row_of)
        return [(sha256, self.status(path)[0]) for path, sha256 in zip(paths, known, strict=True) if sha256]

    def status(self, path: str) -> Status:
        """What `stat` said of a file when it was digested."""
        return self._digests.status(path)

    def file_names(self, folder: str) -> list[str]:
        """See `ImageDigests.file_names`."""
        return sorted(path.name for path in Path(folder).iterdir())

    def save(self) -> None:
        """Write the cache if it has new digests."""
        self._digests.save()


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
