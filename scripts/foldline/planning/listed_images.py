"""A split without a table: its rows are the image files that match a pattern, maybe in a folder for each class."""

import csv
import io
import logging
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from foldline.dataset.cell_values import is_utf8
from foldline.dataset.channels import CHANNEL, PATH_SEPARATOR
from foldline.dataset.locations import PATH
from foldline.errors import FoldlineError, Problems, counted, did_you_mean, first_texts, listing
from foldline.io import storage
from foldline.planning.dataset_section import ImageTable, columns_of, has_own_labels, target_of
from foldline.planning.dataset_splits import TEST, TRAIN
from foldline.planning.image_files import ImageFiles
from foldline.planning.image_patterns import CLASS, ID, IMAGE_SUFFIXES, NAME, ImagePattern
from foldline.planning.image_search import is_ignored

logger = logging.getLogger(__name__)

# Files with a problem of one kind that a message names.
SHOWN = 3
# Names of files without a suffix that are no images, in lower case.
NO_IMAGES = frozenset(
    ("license", "licence", "readme", "copying", "notice", "citation", "authors", "makefile", "md5sums")
)
SPLIT_NAMES = frozenset(("train", "training", "val", "valid", "validation", "test", "testing", "dev", "eval"))


@dataclass
class ListedImages:
    """The images of a split.

    Attributes:
        values: id -> value of each word of the pattern, without braces.
        paths: id -> channel -> path relative to the root of the data set; the channel is "" if a sample is one image.
    """

    values: dict[str, dict[str, str]] = field(default_factory=dict)
    paths: dict[str, dict[str, str]] = field(default_factory=dict)

    def locations(self, channels: Sequence[str], problems: Problems) -> dict[str, list[str]]:
        """Paths of the images of each sample with all channels, sorted by id; `problems` gets those without."""
        wanted = list(channels) or [""]
        absent = [
            f"id {name!r} has no image of the channel {listing(lacking)} ({next(iter(paths.values()))})"
            for name, paths in self.paths.items()
            if (lacking := [channel for channel in wanted if channel not in paths])
        ]
        if absent:
            shown = listing(absent, limit=3)
            problems.add([f"{shown}; add the files, or list those beside them in dataset.ignore"])
        complete = sorted(name for name, paths in self.paths.items() if all(channel in paths for channel in wanted))
        return {name: [self.paths[name][channel] for channel in wanted] for name in complete}


class ImageLister:
    """Lists the images of a split without a table."""

    def __init__(self, dataset: Mapping[str, Any], split: str, files: ImageTable, images: ImageFiles):
        self._dataset, self._split, self._files, self._images = dataset, split, files, images
        self._of_folders = split == TRAIN
        self._key = "class_folders" if self._of_folders else f"{split}_images"
        self._channels, self._ignored = dataset["channels"], dataset["ignore"]
        # Lines by kind, of which a message spells out the first.
        self._wrong: dict[str, list[str]] = {}
        # Pairs of files with one id, by what to write.
        self._repeated: dict[str, list[str]] = {}

    def write_table(self, path: str, problems: Problems) -> dict[str, list[str]]:
        """Write the table of the split, sorted by id; a file with the same content is left alone.

        Its columns are id, label and group of `columns_of`, metadata, which are missing unless the pattern has them,
        and the location of the images.

        Args:
            path: path or URL of the table.
            problems: gets the files that cannot be used; they are not in the table.

        Returns:
            Paths of the images of each sample, relative to the root of the data set.

        Raises:
            FoldlineError: no file can be used; names all problems.
        """
        listed = self._listed()
        locations = listed.locations(self._channels, problems)
        for wrong in self._wrong.values():
            rest = len(wrong) - SHOWN
            problems.add([*wrong[:SHOWN], *([f"and {counted(rest, 'more file')} of this kind"] if rest > 0 else [])])
        for remedy, pairs in self._repeated.items():
            shown = first_texts(pairs, "pair", limit=SHOWN)
            problems.add([f"dataset.{self._key}: {shown}; {remedy}, or list one of them in dataset.ignore"])
        if not locations:
            problems.check()
            raise FoldlineError(self._nothing())
        columns = columns_of(self._dataset, self._split)
        target = columns.target
        if self._split == TEST and has_own_labels(self._dataset):
            target = target_of(self._dataset)
        names = list(dict.fromkeys(filter(None, [columns.id, target, *columns.names()])))
        lines = []
        for name, paths in locations.items():
            values = {target or "": listed.values[name].get("class", ""), columns.id: name}
            cells = [values.get(column, listed.values[name].get(column, "")) for column in names]
            lines.append([*cells, PATH_SEPARATOR.join(paths)])
        text = io.StringIO(newline="")
        csv.writer(text).writerows([[*names, PATH], *lines])
        storage.write_if_changed(path, text.getvalue().encode())
        return locations

    def _listed(self) -> ListedImages:
        listed = ListedImages()
        for pattern in self._files.patterns:
            self._add(pattern, listed)
        self._remove_with_spaces(listed)
        folder = self._dataset["class_folders"]
        # A path with {class} says itself which folders are the classes.
        if self._of_folders and listed.values and CLASS not in folder:
            _check_folders(listed, folder)
        if self._of_folders and listed.values:
            self._warn_of_empty_folders(listed)
        return listed

    def _warn_of_empty_folders(self, listed: ListedImages) -> None:
        """Name the folders on a disk that would be classes if they had images."""
        if self._files.is_remote:
            return
        known = {values["class"] for values in listed.values.values()}
        empty = sorted(
            f"{pattern.fixed_folder}{folder.name}"
            for pattern in self._files.patterns
            if pattern.text.removeprefix(pattern.fixed_folder).startswith(f"{CLASS}/")
            for folder in Path(storage.join(self._files.root, pattern.fixed_folder)).iterdir()
            if folder.is_dir() and folder.name not in known and not _is_hidden(folder.name)
        )
        if empty := [folder for folder in empty if not is_ignored(f"{folder}/", self._ignored)]:
            logger.warning(
                "dataset.class_folders: no image in %s, so %s no class; if it should be one, add its images",
                listing(empty),
                "this folder is" if len(empty) == 1 else "these folders are",
            )

    def _nothing(self) -> str:
        where = listing([storage.join(self._files.root, pattern.text) for pattern in self._files.patterns])
        start = f"dataset.{self._key}: no file matches {where}"
        if self._of_folders:
            hint = _close_folder(self._files)
            return f"{start}, a folder for each class with its images{hint}; correct the path or dataset.root"
        folders = listing([f"{pattern.fixed_folder}**/*" for pattern in self._files.patterns])
        return (
            f"{start}, "
            "and dataset.test_table is null, so these files are the test rows; correct the path or dataset.root, write "
            f"{folders} if the images are in folders and their paths are the ids ({{id}} has no slash), or set "
            "dataset.test_images to null as well if there is no test split"
        )

    def _add(self, pattern: ImagePattern, listed: ListedImages) -> None:
        folder = pattern.fixed_folder
        names = self._images.file_names(storage.join(self._files.root, folder), deep=pattern.has_folders)
        text, groups = pattern.regex()
        expression = re.compile(text)
        others = Counter[str]()
        unmatched = []
        for path in sorted(folder + name for name in names if not _is_hidden(name)):
            if is_ignored(path, self._ignored):
                continue
            match = expression.fullmatch(path)
            suffix = PurePosixPath(path).suffix.lower()
            # DICOM files often have no suffix.
            is_image = suffix in IMAGE_SUFFIXES if suffix else PurePosixPath(path).name.casefold() not in NO_IMAGES
            if not is_image and (match is None or pattern.leaves_suffix_open):
                others[suffix or PurePosixPath(path).name] += 1
            elif match and not is_utf8(path):
                self._refuse(
                    "name",
                    f"dataset.{self._key}: the name of the file {os.fsencode(path)!r} is no text in UTF-8, which "
                    "tables cannot hold; rename the file, or list it in dataset.ignore",
                )
            elif match:
                self._add_image(listed, path, {word: match[group] for word, group in groups.items()}, pattern)
            else:
                unmatched.append(path)
        if self._of_folders and unmatched:
            self._refuse(
                "unmatched",
                f"dataset.class_folders: {counted(len(unmatched), 'file')} ({listing(unmatched, limit=3)}) in the "
                f"folder {storage.join(self._files.root, folder)} do not match {pattern.text!r}, so they have no "
                "class; correct the path ({id}.* or *.* stands for any suffix, and case counts), move the files, or "
                "list them in dataset.ignore",
            )
        if others and (self._of_folders or pattern.leaves_suffix_open):
            passed = listing([f"{suffix} ({count})" for suffix, count in sorted(others.items())])
            logger.warning("dataset.%s: passed over files that are no images: %s", self._key, passed)

    def _add_image(self, listed: ListedImages, path: str, values: dict[str, str], pattern: ImagePattern) -> None:
        name, channel = values.get("id", path.removeprefix(pattern.fixed_folder)), values.get("channel", "")
        if channel and channel not in self._channels:
            self._refuse(
                "channel",
                f"{path}: {channel!r} is not one of dataset.channels ({listing(self._channels, limit=20)}); add the "
                "channel there (models.NAME.channels chooses the channels that a model reads), or list the files in "
                "dataset.ignore",
            )
            return
        of_sample = listed.paths.setdefault(name, {})
        if channel in of_sample:
            pair = f"{of_sample[channel]} and {path} are both the image of id {name!r}"
            self._repeated.setdefault(_longer_ids(pattern), []).append(pair)
            return
        of_sample[channel] = path
        known = listed.values.setdefault(name, values)
        differing = [word for word in values if word != "channel" and known[word] != values[word]]
        if differing:
            word = differing[0]
            self._refuse(
                "differing",
                f"dataset.{self._key}: the images of id {name!r} have the {word} {known[word]!r} and {values[word]!r} "
                f"({path}); give every sample an id of its own",
            )

    def _remove_with_spaces(self, listed: ListedImages) -> None:
        """Refuse ids and values that start or end with a space, which the cells of a table do not keep."""
        wrong = [name for name, values in listed.values.items() if any(map(_has_spaces, (name, *values.values())))]
        if wrong:
            texts = [text for name in wrong for text in (name, *listed.values[name].values()) if _has_spaces(text)]
            shown = listing([repr(text) for text in dict.fromkeys(texts)])
            self._refuse(
                "spaces",
                f"dataset.{self._key}: {shown}: a part of this path starts or ends with a space; rename the file or "
                "folder, or list it in dataset.ignore",
            )
        for name in wrong:
            del listed.values[name], listed.paths[name]

    def _refuse(self, kind: str, line: str) -> None:
        self._wrong.setdefault(kind, []).append(line)


def _check_folders(listed: ListedImages, folder: str) -> None:
    """Refuse folders that are splits and not classes: each has nothing but the same folders, or all have such names."""
    inside: dict[str, set[str]] = {}
    for name, paths in listed.paths.items():
        word = listed.values[name]["class"]
        for path in paths.values():
            rest = f"/{path}".partition(f"/{word}/")[2]
            inside.setdefault(word, set()).add(rest.partition("/")[0] if "/" in rest else "")
    words, folders = sorted(inside), next(iter(inside.values()))
    are_equal = len(folders) > 1 and "" not in folders and all(some == folders for some in inside.values())
    if len(words) < 2 or not (are_equal or all(word.casefold() in SPLIT_NAMES for word in words)):
        return
    start = "" if folder.rstrip("/") == "." else f"{folder.rstrip('/')}/"
    what = f"each have only the folders {listing(sorted(folders))}" if are_equal else "have the names of splits"
    raise FoldlineError(
        f"dataset.class_folders is {folder!r}, where the folders {listing(words)} {what}, so they look like splits and "
        f"not like classes; write {start}{_training_name(words)} to train on one of them, or "
        f"{start}*/{CLASS}/**/* to train on all; if they are the classes, write {start}{CLASS}/**/*"
    )


def _training_name(words: Sequence[str]) -> str:
    return next((word for word in words if word.casefold().startswith("train")), words[0])


def _close_folder(files: ImageTable) -> str:
    """The folder on a disk that the name of an absent one resembles, as a part of a message."""
    path = Path(storage.join(files.root, files.patterns[0].fixed_folder))
    if files.is_remote or path.exists():
        return ""
    while not path.parent.exists():
        path = path.parent
    return did_you_mean(path.name, [folder.name for folder in path.parent.iterdir() if folder.is_dir()])


def _longer_ids(pattern: ImagePattern) -> str:
    """What to write so that ids tell images of one name in several folders apart."""
    paths = pattern.text.replace(ID, NAME)
    if CHANNEL in pattern.text or not ImagePattern(paths).has_folders:
        return "write the path so that every image has an id of its own"
    return f"write {paths}, so that the ids are the paths in the folder {pattern.fixed_folder or '.'}"


def _has_spaces(text: str) -> bool:
    return any(part != part.strip() for part in text.split("/"))


def _is_hidden(path: str) -> bool:
    return path.startswith(".") or "/." in path
