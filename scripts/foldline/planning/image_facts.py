"""What planning knows of image files: checksum, size, times and header, without reading files that are known already.

Images on a local disk are looked up by `stat`, and only new, changed or touched files are read. Images in a bucket are
never read here: its listing has their checksums.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from foldline.errors import FoldlineError, listing
from foldline.io import storage
from foldline.io.files import read_file, sha256_of_file
from foldline.io.system_errors import reason
from foldline.planning.file_digests import FileDigests, Status, status_of
from foldline.planning.index_table import STATUS, Columns, IndexTable, paths_of

if TYPE_CHECKING:
    from foldline.images.options import ImageOptions

# Columns of the data index that are known of an image file.
KNOWN = ("path", *STATUS, "sha256", "format", "width", "height")
# Problems that a message spells out.
SHOWN = 3
# The header of a larger file stays unknown here: it would be held in memory for it.
MOST_HEADER_BYTES = 1 << 26


class ImageContent(NamedTuple):
    """What an image file holds.

    Attributes:
        checksum: hex SHA-256 of the file, or the checksum that a bucket tells.
        format: see `images.headers.Header`; None if the header is unknown or cannot be used.
        width: pixels, after EXIF orientation, or None.
        height: pixels, after EXIF orientation, or None.
    """

    checksum: str
    format: str | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class ImageFacts:
    """What is known of some images, (n_images,).

    Attributes:
        checksums: see `ImageContent`.
        sizes: size of each in bytes.
        columns: columns of the data index, see `index_table.SCHEMA`.
    """

    checksums: Sequence[str]
    sizes: Sequence[int]
    columns: Columns

    @classmethod
    def of(
        cls, paths: Sequence[str], contents: Sequence[ImageContent], sizes: Sequence[int], statuses: Sequence[Status]
    ) -> "ImageFacts":
        """Facts of files; `statuses` is empty for those in a bucket."""
        checksums, formats, widths, heights = zip(*contents, strict=True) if contents else ((), (), (), ())
        columns: dict[str, Sequence[Any]] = {"path": paths, "size": sizes}
        columns |= {"sha256": checksums, "format": formats, "width": widths, "height": heights}
        if statuses:
            columns |= dict(zip(STATUS, zip(*statuses, strict=True), strict=True))
        return cls(checksums, sizes, columns)

    @property
    def without_header(self) -> list[int]:
        """Numbers of the images on a disk whose headers are unknown or cannot be used."""
        if STATUS[-1] not in self.columns:
            return []
        formats = self.columns["format"]
        values = formats if isinstance(formats, tuple) else formats.to_pylist()
        return [number for number, value in enumerate(values) if value is None]


class ImageFiles(Protocol):
    """Images on a disk or in a bucket."""

    def facts(self, paths: Sequence[str], *, row_of: Callable[[int], str]) -> ImageFacts:
        """What is known of each image.

        Args:
            paths: (n_images,), paths or URLs.
            row_of: gives what an error calls the row of image `number`, counted from 0.

        Raises:
            FoldlineError: images do not exist or cannot be read; the message names the first ones and how many there
                are.
        """
        ...

    def file_names(self, folder: str, *, deep: bool = False) -> list[str]:
        """Names of the files in a folder; none if it does not exist.

        Args:
            folder: path or URL.
            deep: whether files in its subfolders count too, by their paths relative to it.
        """
        ...


class LocalImages:
    """Images on a disk; unknown or changed ones are read once.

    Attributes:
        folders: what `stat` said of each folder that was listed, before it was.
    """

    def __init__(self, stored: IndexTable | None = None) -> None:
        """Take over what a data index knows."""
        self._stored = stored
        self.folders: dict[str, Status | None] = {}
        self._unchanged: set[str] = set()

    def facts(self, paths: Sequence[str], *, row_of: Callable[[int], str]) -> ImageFacts:
        """See `ImageFiles.facts`."""
        unchanged = self._split_of(paths)
        if unchanged:
            return unchanged
        found = self.digests.of(paths)
        contents = [content for content in found if not isinstance(content, OSError)]
        if len(contents) < len(found):
            errors = {number: content for number, content in enumerate(found) if isinstance(content, OSError)}
            problems = {number: _problem(paths[number], content) for number, content in errors.items()}
            for number in list(problems)[:SHOWN]:
                if isinstance(errors[number], FileNotFoundError):
                    problems[number] += _beside(paths[number])
            raise unusable(problems, row_of)
        statuses = list(map(self.digests.status, paths))
        return ImageFacts.of(paths, contents, [status[0] for status in statuses], statuses)

    def file_names(self, folder: str, *, deep: bool = False) -> list[str]:
        """See `ImageFiles.file_names`."""
        names: list[str] = []
        # Links to folders are followed, but to no folder twice.
        visited = set[str]()
        waiting = [("", folder or ".")]
        while waiting:
            prefix, path = waiting.pop()
            self.folders[path] = status_of(path)
            real = os.path.realpath(path)
            if real in visited or not Path(path).is_dir():
                continue
            visited.add(real)
            with os.scandir(path) as entries:
                for entry in entries:
                    if not entry.is_dir():
                        names.append(prefix + entry.name)
                    elif deep:
                        waiting.append((f"{prefix}{entry.name}/", entry.path))
        return names

    @cached_property
    def digests(self) -> FileDigests[ImageContent]:
        """The files that are known, those that `facts` read included."""
        if self._stored is None:
            return FileDigests(read_content)
        images = self._stored.local_images()
        contents = list(map(ImageContent, *map(images.values, ("sha256", "format", "width", "height"))))
        return FileDigests(read_content, images.values("path"), images.statuses(), contents)

    @property
    def changed(self) -> bool:
        """Whether an image was read."""
        return "digests" in vars(self) and self.digests.changed

    def columns_without(self, parts: Sequence[Columns]) -> Iterator[Columns]:
        """Columns of the data index for all known images but those of some columns, as far as they are unchanged."""
        stored = self._stored
        if stored and self._unchanged == stored.header.images.keys() and stored.all_have_rows:
            return
        named = paths_of(parts)
        others = [
            (path, content, status)
            for path, status, content in self.digests.items()
            if path not in named and _same_status(path, status)
        ]
        if others:
            names, contents, statuses = zip(*others, strict=True)
            yield ImageFacts.of(names, contents, [status[0] for status in statuses], statuses).columns

    def _split_of(self, paths: Sequence[str]) -> ImageFacts | None:
        """Facts of a split that had exactly these images, if none of them changed: without a look at each."""
        splits = {name: self._stored.split(name) for name in self._stored.header.images} if self._stored else {}
        for name, split in splits.items():
            if split.values("path") == paths and split.images_are_unchanged():
                self._unchanged.add(name)
                columns = {column: split.table[column] for column in KNOWN}
                return ImageFacts(split.values("sha256"), split.values("size"), columns)
        return None


def read_content(path: str) -> ImageContent:
    """Read an image file on a disk.

    Raises:
        OSError: it cannot be read.
    """
    # Imported here: a plan of files that are known already needs no Pillow, and starts faster.
    from foldline.images.errors import UnusableImageError
    from foldline.images.headers import read_header

    if Path(path).stat().st_size > MOST_HEADER_BYTES:
        return ImageContent(sha256_of_file(path))
    data = read_file(path)
    checksum = hashlib.sha256(data).hexdigest()
    try:
        header = read_header(data)
    except UnusableImageError:
        # The scan says what is wrong.
        return ImageContent(checksum)
    return ImageContent(checksum, header.format, header.width, header.height)


def header_problem(path: str, options: "ImageOptions") -> str:
    """Why the header of an image on a disk cannot be used; "" if it can, or if the file is too large to tell."""
    from foldline.images.errors import UnusableImageError
    from foldline.images.headers import read_header

    try:
        if Path(path).stat().st_size <= MOST_HEADER_BYTES:
            read_header(read_file(path), options)
    except UnusableImageError as error:
        return f"image {path} cannot be used: {error}"
    except OSError as error:
        return _problem(path, error)
    return ""


class BucketListings:
    """Checksums of objects from the listings of their buckets. Each folder is listed once, and no object is read."""

    def __init__(self) -> None:
        self._listed: dict[str, dict[str, storage.ObjectInfo]] = {}
        self._by_folder: dict[str, dict[str, list[str]]] = {}

    def facts(self, paths: Sequence[str], *, row_of: Callable[[int], str]) -> ImageFacts:
        """See `ImageFiles.facts`.

        Raises:
            FoldlineError: objects do not exist, a bucket cannot be listed, or it has no checksums.
        """
        objects = self._objects(storage.common_parent(paths))
        problems = {number: f"image {url} does not exist" for number, url in enumerate(paths) if url not in objects}
        if problems:
            raise unusable(problems, row_of)
        found = [objects[url] for url in paths]
        contents = [ImageContent(info.checksum) for info in found]
        return ImageFacts.of(paths, contents, [info.bytes for info in found], ())

    def file_names(self, folder: str, *, deep: bool = False) -> list[str]:
        """See `ImageFiles.file_names`."""
        folder = folder.rstrip("/")
        if deep:
            start = f"{folder}/"
            return [url.removeprefix(start) for url in self._objects(folder) if url.startswith(start)]
        listed = self._listed_around(folder)
        if listed not in self._by_folder:
            names: dict[str, list[str]] = defaultdict(list)
            for url in self._objects(listed):
                parent, _, name = url.rpartition("/")
                names[parent].append(name)
            self._by_folder[listed] = names
        return self._by_folder[listed].get(folder, [])

    def _objects(self, folder: str) -> dict[str, storage.ObjectInfo]:
        """The objects in a folder, and maybe in others."""
        listed = self._listed_around(folder)
        if listed not in self._listed:
            self._listed[listed] = storage.list_objects(listed)
        return self._listed[listed]

    def _listed_around(self, folder: str) -> str:
        """The folder that was listed and contains a folder; the folder itself if there is none."""
        return next((other for other in self._listed if folder == other or folder.startswith(f"{other}/")), folder)


def _same_status(path: str, status: Status) -> bool:
    try:
        return status_of(path) == status
    except OSError:
        return False


def _problem(path: str, error: OSError) -> str:
    """What is wrong with an image that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return f"image {path} does not exist"
    return f"image {path} cannot be read: {reason(error)}"


def _beside(path: str) -> str:
    """Files with the name of an image that does not exist and another suffix, as the end of a message."""
    wanted = Path(path)
    if not wanted.parent.is_dir():
        return f", nor does its folder {wanted.parent}"
    stem = wanted.stem.casefold()
    others = sorted(other.name for other in wanted.parent.iterdir() if other.stem.casefold() == stem)
    return f", but there is {listing(others)} (write {{id}}.* for any suffix)" if others else ""


def unusable(problems: dict[int, str], row_of: Callable[[int], str]) -> FoldlineError:
    """The error for images, by their numbers, that do not exist or cannot be read."""
    told = [f"{row_of(number)}: {text}" for number, text in list(problems.items())[:SHOWN]]
    rest = len(problems) - len(told)
    more = f"; and {rest} more" if rest > 0 else ""
    return FoldlineError(
        f"{'; '.join(told)}{more}; add or repair the images, or correct dataset.root or the path of the images in the "
        "config (dataset.train_images, dataset.test_images, dataset.image_column, dataset.external.SET.images)"
    )
