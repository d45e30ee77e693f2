"""The image files of a data set on a disk or in a bucket: what planning knows of them, read once.

Images on a local disk are looked up by `stat`, and only new, changed or touched files are read. Images in a bucket are
never read here: its listing has their checksums.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

from foldline.errors import file_text
from foldline.images.options import DEFAULT, ImageOptions
from foldline.io import storage
from foldline.io.hdf5_paths import split_entry
from foldline.planning.file_digests import FileDigests, Status, status_of
from foldline.planning.hdf5_files import Hdf5Files
from foldline.planning.image_content import ImageContent, header_options, image_problem, read_content, read_entry
from foldline.planning.image_errors import SHOWN, instead_of, other_suffix_exists, similar_names, unusable
from foldline.planning.image_facts import CONTENT, KNOWN, ImageFacts
from foldline.planning.index_table import Columns, IndexTable, paths_of


class ImageFiles(Protocol):
    """Images on a disk or in a bucket."""

    def facts(
        self,
        paths: Sequence[str],
        *,
        row_of: Callable[[int], str],
        options: ImageOptions = DEFAULT,
        any_suffix: str = "",
    ) -> ImageFacts:
        """What is known of each image.

        Args:
            paths: (n_images,), paths or URLs.
            row_of: gives what an error calls the row of image `number`, counted from 0.
            options: how to read images.
            any_suffix: what to do to find images with any suffix, for errors.

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
        self._hdf5 = Hdf5Files()
        self._options = DEFAULT

    def facts(
        self,
        paths: Sequence[str],
        *,
        row_of: Callable[[int], str],
        options: ImageOptions = DEFAULT,
        any_suffix: str = "",
    ) -> ImageFacts:
        """See `ImageFiles.facts`."""
        self._options = options
        unchanged = self._split_of(paths)
        if unchanged:
            return unchanged
        try:
            return self._facts(paths, row_of, any_suffix)
        finally:
            self._hdf5.close()

    def _facts(self, paths: Sequence[str], row_of: Callable[[int], str], any_suffix: str) -> ImageFacts:
        wanted = header_options(self._options)
        found = self.digests.of(paths, is_current=lambda content: content.header_options == wanted)
        contents = [content for content in found if not isinstance(content, OSError)]
        if len(contents) < len(found):
            errors = {number: content for number, content in enumerate(found) if isinstance(content, OSError)}
            problems = {number: image_problem(paths[number], content) for number, content in errors.items()}
            missing = [n for n in list(problems)[:SHOWN] if isinstance(errors[n], FileNotFoundError)]
            for number in missing:
                problems[number] += self._beside(paths[number])
            helps = any_suffix and any(other_suffix_exists(paths[number]) for number in missing)
            raise unusable(problems, row_of, any_suffix if helps else "")
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
                    if not _is_folder(entry):
                        names.append(prefix + entry.name)
                    elif deep:
                        waiting.append((f"{prefix}{entry.name}/", entry.path))
        return names

    @cached_property
    def digests(self) -> FileDigests[ImageContent]:
        """The files that are known, those that `facts` read included."""
        if self._stored is None:
            return FileDigests(self._read)
        images = self._stored.local_images()
        contents = list(map(ImageContent, *map(images.values, CONTENT)))
        return FileDigests(self._read, images.values("path"), images.statuses(), contents)

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
        wanted = [header_options(self._options)]
        for name, split in splits.items():
            is_current = split.table["header_options"].unique().to_pylist() == wanted
            if is_current and split.values("path") == paths and split.images_are_unchanged():
                self._unchanged.add(name)
                columns = {column: split.table[column] for column in KNOWN}
                return ImageFacts(split.values("sha256"), split.image_sizes(), columns)
        return None

    def _read(self, path: str) -> ImageContent:
        entry = split_entry(path)
        if entry is None:
            return read_content(path, self._options)
        place = self._hdf5.place(entry)
        return read_entry(entry.file, place, self._options)._replace(offset=place.offset, length=place.length)

    def _beside(self, path: str) -> str:
        """What there is instead of an image that does not exist, as the end of a message."""
        entry = split_entry(path)
        if entry is None:
            return instead_of(path)
        if not Path(entry.file).exists():
            return f", because there is no file {entry.file}"
        nearest = self._hdf5.nearest(entry)
        return (
            f"; the most similar key in the file is {file_text(repr(nearest))}"
            if nearest
            else ", and the file has no keys there"
        )


class BucketListings:
    """Checksums of objects from the listings of their buckets. Each folder is listed once, and no object is read."""

    def __init__(self) -> None:
        self._listed: dict[str, dict[str, storage.ObjectInfo]] = {}
        self._by_folder: dict[str, dict[str, list[str]]] = {}

    def facts(
        self,
        paths: Sequence[str],
        *,
        row_of: Callable[[int], str],
        options: ImageOptions = DEFAULT,
        any_suffix: str = "",
    ) -> ImageFacts:
        """See `ImageFiles.facts`.

        Raises:
            FoldlineError: objects do not exist, a bucket cannot be listed, or it has no checksums.
        """
        objects = self._objects(storage.common_parent(paths))
        problems = {number: f"image {url} does not exist" for number, url in enumerate(paths) if url not in objects}
        if problems:
            missing = {number: self.file_names(paths[number].rpartition("/")[0]) for number in list(problems)[:SHOWN]}
            for number, names in missing.items():
                problems[number] += similar_names(paths[number], names)
            helps = any_suffix and any(other_suffix_exists(paths[number], names) for number, names in missing.items())
            raise unusable(problems, row_of, any_suffix if helps else "")
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


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads back to itself; reading it says so.
        return False


def _same_status(path: str, status: Status) -> bool:
    try:
        return status_of(path) == status
    except OSError:
        return False
