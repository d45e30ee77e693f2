"""Find the image of each row where the path has columns of the table or wildcards, or may be in several folders."""

import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from foldline.dataset.cell_values import is_utf8
from foldline.dataset.channels import CHANNEL
from foldline.errors import counted, listing
from foldline.io import storage
from foldline.planning.dataset_section import ImageTable
from foldline.planning.folder_files import FolderFiles
from foldline.planning.image_errors import SHOWN, other_case, similar_names
from foldline.planning.image_files import ImageFiles
from foldline.planning.image_patterns import IMAGE_SUFFIXES, SUFFIX, FilledPattern, ImagePattern

# A row: the value of each word in braces.
Values = Mapping[str, str]


class ImageSearch:
    """Finds images by the patterns of a split; each folder is listed once."""

    def __init__(self, files: ImageTable, images: ImageFiles, *, ignored: Sequence[str]):
        """Prepare a search.

        Args:
            files: root and patterns.
            images: lists folders.
            ignored: see `is_ignored`.
        """
        self._files, self._images, self._ignored = files, images, ignored
        self._folders: dict[tuple[str, bool], FolderFiles] = {}
        self._n_missing = 0

    def paths(self, rows: Sequence[Values], channels: Sequence[str]) -> tuple[list[list[str]], dict[int, str]]:
        """Paths of the images of each row, relative to the root unless a pattern is absolute or a URL.

        Args:
            rows: the rows.
            channels: names of the channels; empty if a sample is one image.

        Returns:
            The paths, and what is wrong with rows without an image, or with several that could be meant, by the number
            of the row from 0.
        """
        if self._files.is_remote:
            # One listing of all objects costs less than one for each folder.
            for pattern in self._files.patterns:
                folder = storage.join(self._files.root, pattern.literal_start.rpartition("/")[0])
                self._images.file_names(folder, deep=True)
        problems: dict[int, str] = {}
        found = []
        # Path of an image that was searched -> what was searched in the first row with it, and its id.
        searched: dict[str, tuple[list[FilledPattern], str]] = {}
        for number, row in enumerate(rows):
            paths = []
            for channel in channels or [""]:
                filled, problem = self._filled({**row, "channel": channel} if channel else row)
                matches, problem = ([], problem) if problem else self._image(filled)
                if matches and not problem and not _is_path(filled):
                    other, id_ = searched.setdefault(matches[0], (filled, row["id"]))
                    if other != filled:
                        problem = (
                            f"{matches[0]} is the only file that matches {self._shown(filled)}, and it is that of id "
                            f"{id_!r} too ({self._shown(other)}); add the missing image, or write the path so that "
                            "only one id matches"
                        )
                if problem:
                    problems.setdefault(number, problem)
                paths += matches[:1]
            found.append(paths)
        return found, problems

    def _filled(self, values: Values) -> tuple[list[FilledPattern], str]:
        """The patterns with the values of a row, and what is wrong if one is empty."""
        filled = []
        for pattern in self._files.patterns:
            empty = [word for word in pattern.columns if not values[word]]
            if empty:
                return [], f"column {listing(empty)} is empty, but the path of the image {pattern.text!r} needs it"
            filled.append(_normal(pattern.filled({word: as_path(values[word]) for word in pattern.words})))
        return filled, ""

    def _shown(self, filled: Sequence[FilledPattern]) -> str:
        """The patterns of a row in messages."""
        return " or ".join(storage.join(self._files.root, str(pattern)) for pattern in filled)

    def _image(self, filled: Sequence[FilledPattern]) -> tuple[list[str], str]:
        """Paths that the patterns of a row give, and what is wrong unless it is one."""
        if _is_path(filled):
            return [filled[0].texts[0]], ""
        matches = list(dict.fromkeys(path for pattern in filled for path in self._matches(pattern)))
        if len(matches) > 1:
            # A note or a mask may be beside an image.
            images = [path for path in matches if suffix_of(path) in IMAGE_SUFFIXES]
            matches = images if len(images) == 1 else matches
        if not all(map(is_utf8, matches)):
            return [], f"the name of the file {matches[0]!r} is no text in UTF-8; rename the file"
        shown = self._shown(filled)
        if not matches:
            self._n_missing += 1
            instead = self._instead(filled) if self._n_missing <= SHOWN else ""
            return [], f"no image matches {shown}{instead}"
        if len(matches) > 1:
            return [], (
                f"{counted(len(matches), 'file')} match {shown} ({listing(matches, limit=3)}), but a row has one "
                "image; write the path so that one matches, or list the others in dataset.ignore"
            )
        return matches, ""

    def _instead(self, filled: Sequence[FilledPattern]) -> str:
        """What there is instead of an image, as the end of a message; "" if there is nothing."""
        folders = [storage.join(self._files.root, _folder_of(pattern)) for pattern in filled]
        if not self._files.is_remote and not any(Path(folder).is_dir() for folder in folders):
            return f", and there is no folder {Path(folders[0])}{other_case(Path(folders[0]))}"
        for pattern in filled:
            rest, listed = self._around(pattern)
            if rest.name and (similar := similar_names(rest.name, listed.matches(rest.with_any_name))):
                return similar
        return self._folder_instead(filled)

    def _folder_instead(self, filled: Sequence[FilledPattern]) -> str:
        """A folder that has the name of an image, as the end of a message; "" if there is none."""
        for pattern in filled:
            path = storage.join(self._files.root, pattern.texts[0])
            parent = PurePosixPath(path).parent
            if storage.is_url(path) or any("/" in text for text in pattern.texts[1:]) or not Path(parent).is_dir():
                continue
            name = FilledPattern((pattern.texts[0].rpartition("/")[2], *pattern.texts[1:]), pattern.wildcards)
            expression = re.compile(name.regex())
            folders = sorted(entry.name for entry in os.scandir(parent) if entry.is_dir())
            if named := [folder for folder in folders if expression.fullmatch(folder)]:
                return f"; {parent / named[0]} is a folder, not an image"
        return ""

    def _matches(self, pattern: FilledPattern) -> list[str]:
        rest, listed = self._around(pattern)
        return [f"{_folder_of(pattern)}{name}" for name in listed.matches(rest) or _with_other_suffix(rest, listed)]

    def _around(self, pattern: FilledPattern) -> tuple[FilledPattern, FolderFiles]:
        """The pattern from the folder on that its first text names, and the files there."""
        folder = _folder_of(pattern)
        rest = FilledPattern((pattern.texts[0].removeprefix(folder), *pattern.texts[1:]), pattern.wildcards)
        deep = any("/" in text for text in rest.texts) or any("**" in wildcard for wildcard in rest.wildcards)
        return rest, self._listed(folder, deep=deep)

    def _listed(self, folder: str, *, deep: bool) -> FolderFiles:
        if (folder, deep) not in self._folders:
            names = self._images.file_names(storage.join(self._files.root, folder), deep=deep)
            kept = [name for name in names if not is_ignored(folder + name, self._ignored)]
            self._folders[folder, deep] = FolderFiles(kept)
        return self._folders[folder, deep]


def _folder_of(pattern: FilledPattern) -> str:
    """The folder that the first text of a pattern names, with a slash at its end; "" if it is the root."""
    folder, slash, _ = pattern.texts[0].rpartition("/")
    return folder + slash


def _is_path(filled: Sequence[FilledPattern]) -> bool:
    """Whether the patterns of a row are one path, which needs no search."""
    return len(filled) == 1 and not filled[0].wildcards


def is_ignored(path: str, ignored: Sequence[str]) -> bool:
    """Whether a file is passed over: its name or path matches a pattern of `dataset.ignore`, in any case."""
    lower = path.casefold()
    names = (lower, lower.rpartition("/")[2])
    return any(fnmatchcase(name, pattern.casefold()) for pattern in ignored for name in names)


def search_rows(columns: Mapping[str, Sequence[str]], ids: Sequence[str]) -> list[Values]:
    """The values of each row, by word.

    Args:
        columns: (n_rows,) by name, the columns that patterns name.
        ids: (n_rows,).
    """
    return [dict(zip(("id", *columns), row, strict=True)) for row in zip(ids, *columns.values(), strict=True)]


def needed_columns(patterns: Sequence[ImagePattern]) -> tuple[str, ...]:
    """The columns of the table that patterns name."""
    return tuple(dict.fromkeys(column for pattern in patterns for column in pattern.columns))


def has_channel(patterns: Sequence[ImagePattern]) -> bool:
    """Whether each image of a sample has a path of its own."""
    return any(CHANNEL in pattern.text for pattern in patterns)


def as_path(value: str) -> str:
    """A cell that may have been written on Windows."""
    return value.replace("\\", "/")


def _normal(pattern: FilledPattern) -> FilledPattern:
    """The pattern as listings of folders have it: without `./` and `//`, which cells of tables have."""
    first = pattern.texts[0]
    if storage.is_url(first) or not (first.startswith("./") or "//" in first or "/." in first):
        return pattern
    start = posixpath.normpath(first) + ("/" if first.endswith("/") else "")
    return FilledPattern((start, *pattern.texts[1:]), pattern.wildcards)


def _with_other_suffix(pattern: FilledPattern, listed: FolderFiles) -> list[str]:
    """Files with another suffix than the value before `.*` has; rather those with the same one in another case."""
    suffix = suffix_of(pattern.texts[-2]) if pattern.wildcards[-1:] == (SUFFIX,) else ""
    if suffix not in IMAGE_SUFFIXES or pattern.texts[-1]:
        return []
    stem = pattern.texts[-2][: -len(suffix)]
    found = listed.matches(FilledPattern((*pattern.texts[:-2], stem, ""), pattern.wildcards))
    return [name for name in found if suffix_of(name) == suffix] or found


def suffix_of(path: str) -> str:
    """Suffix of a path in lower case, with its dot; "" if it has none."""
    return PurePosixPath(path).suffix.lower()
