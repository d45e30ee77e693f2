"""Content digests of image files, without reading the files that are known already.

Images on a local disk are looked up by `stat`, and only new, changed or touched files are read. Images in a bucket are
never read here: its listing has their checksums.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from foldline.errors import FoldlineError
from foldline.io import storage
from foldline.io.files import sha256_of_file
from foldline.io.system_errors import reason
from foldline.planning.file_digests import FileDigests, Status

# Problems that a message spells out.
SHOWN = 3


class ImageDigests(Protocol):
    """Digests of images on a disk or in a bucket."""

    def contents(self, paths: Sequence[str], *, row_of: Callable[[int], str]) -> list[tuple[str, int]]:
        """Digest and size in bytes of each image.

        Args:
            paths: paths or URLs of the images.
            row_of: gives what an error calls the row of image `number`, counted from 0.

        Raises:
            FoldlineError: images do not exist or cannot be read; the message names the first ones and how many there
                are.
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
        contents = [
            (sha256, self.status(path)[0]) if isinstance(sha256, str) else _problem(path, sha256)
            for path, sha256 in zip(paths, self._digests.of(paths), strict=True)
        ]
        return _without_problems(contents, row_of)

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
        contents = [
            (objects[url].checksum, objects[url].bytes) if url in objects else f"image {url} does not exist"
            for url in paths
        ]
        return _without_problems(contents, row_of)

    def file_names(self, folder: str) -> list[str]:
        """See `ImageDigests.file_names`."""
        start = f"{folder}/"
        names = (url.removeprefix(start) for url in self._objects(folder) if url.startswith(start))
        return sorted(name for name in names if "/" not in name)

    def _objects(self, folder: str) -> dict[str, storage.ObjectInfo]:
        if folder not in self._listed:
            self._listed[folder] = storage.list_objects(folder)
        return self._listed[folder]


def _problem(path: str, error: OSError) -> str:
    """What is wrong with an image that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return f"image {path} does not exist"
    return f"image {path} cannot be read: {reason(error)}"


def _without_problems(contents: Sequence[tuple[str, int] | str], row_of: Callable[[int], str]) -> list[tuple[str, int]]:
    """Digest and size of each image.

    Args:
        contents: digest and size of each image, or what is wrong with it.
        row_of: see `ImageDigests.contents`.

    Raises:
        FoldlineError: an image has a problem.
    """
    usable = [content for content in contents if not isinstance(content, str)]
    if len(usable) == len(contents):
        return usable
    problems = [f"{row_of(number)}: {text}" for number, text in enumerate(contents) if isinstance(text, str)]
    shown, rest = "; ".join(problems[:SHOWN]), len(problems) - SHOWN
    more = f"; and {rest} more" if rest > 0 else ""
    raise FoldlineError(
        f"{shown}{more}; add or repair the images, or correct dataset.root or the path of the images in the config "
        "(dataset.train_images, dataset.test_images, dataset.external.images)"
    )
