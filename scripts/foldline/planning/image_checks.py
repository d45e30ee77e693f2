"""Checks of where images are, before any data are read."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from foldline.dataset.channels import CHANNEL
from foldline.errors import listing
from foldline.io.storage import is_url, join
from foldline.planning.dataset_section import (
    class_folder_pattern,
    group_columns,
    has_own_labels,
    image_patterns,
    is_made_table,
    record_patterns,
)
from foldline.planning.dataset_splits import TEST, TRAIN, key_of, splits_of, value_of
from foldline.planning.image_patterns import CLASS, ID, WORD, ImagePattern

# An HDF5 file without `::`, or with a slash in its place.
_HDF5_FILE = re.compile(r"(.+?\.(?:hdf5|h5))(?:/.*)?", re.IGNORECASE)


def image_checks(dataset: Mapping[str, Any]) -> list[Iterator[str]]:
    """The checks; each gives the problems that it finds, one line for each."""
    return [
        _source_problems(dataset),
        _record_pattern_problems(dataset),
        _pattern_problems(dataset),
        _hdf5_problems(dataset),
        _channel_problems(dataset),
        _class_folder_problems(dataset),
        _ignore_problems(dataset),
    ]


def images_key(dataset: Mapping[str, Any], split: str) -> str:
    """The key that says where the images of a split are."""
    if split == TRAIN and dataset["class_folders"] is not None:
        return "dataset.class_folders"
    given = value_of(dataset, split, "images") is not None or dataset["image_column"] is None
    return key_of(split, "images") if given else "dataset.image_column"


def _source_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    for split in splits_of(dataset):
        sources = {key_of(split, name): value_of(dataset, split, name) for name in ("images", "records")}
        images, records = sources
        if split == TRAIN:
            sources["dataset.class_folders"] = dataset["class_folders"]
        given = [key for key, value in sources.items() if value is not None]
        if len(given) > 1:
            yield (
                f"config: {listing(given)} are both set, but each says where images of the {split} split are; keep one "
                "of them"
            )
        elif not given and (dataset["image_column"] is None or value_of(dataset, split, "table") is None):
            end = "; if there is no test split, set dataset.test_table to null" if split == TEST else ""
            folders = ", dataset.class_folders to a folder with a folder for each class" if split == TRAIN else ""
            yield (
                f"config: neither of {images} and {records} is set; set {images} to a path such as images/{{id}}.jpg, "
                f"dataset.image_column to a column of paths{folders}, or {records} to a list such as "
                f"[{split}*.tfrec]{end}"
            )


def _record_pattern_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    for split in splits_of(dataset):
        for index, pattern in enumerate(record_patterns(dataset, split) or []):
            for word in WORD.findall(pattern):
                yield (
                    f"config: {key_of(split, 'records')}[{index}] is {pattern!r} with {{{word}}}, but nothing is "
                    "replaced in it; correct the name, or remove the braces"
                )


def _pattern_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    """Words in braces that a path cannot have, or lacks."""
    for split in splits_of(dataset):
        key = images_key(dataset, split)
        if key == "dataset.class_folders":
            continue
        for pattern in image_patterns(dataset, split):
            where = f"config: {key} is {pattern.text!r}"
            if file := _HDF5_FILE.fullmatch(pattern.text):
                yield (
                    f"{where}, an HDF5 file; write :: between the file and the path of an image in it, such as "
                    f"{file[1]}::{{id}}"
                )
            elif is_made_table(dataset, split):
                yield from _listed_problems(pattern, where, has_labels=has_own_labels(dataset))
            elif not pattern.columns and ID not in pattern.text:
                yield (
                    f"{where}, which has no value of a row; write {{id}} where the path has the id of the sample, such "
                    "as images/{id}.jpg, or a column of the table, such as {folder}/{id}.jpg"
                )


def _listed_problems(pattern: ImagePattern, where: str, *, has_labels: bool) -> Iterator[str]:
    """What a path of the files that are the test rows cannot have, or lacks."""
    rows = "dataset.test_table is null, so the test rows are the files that match"
    if ID not in pattern.text and (CHANNEL in pattern.text or not pattern.has_folders):
        yield (
            f"{where}, and {rows}; write {{id}} where the path has the id of the sample, such as test/{{id}}.*, or, if "
            "ids are paths in a folder, the folder with **/*, such as test/**/*"
        )
    if CLASS in pattern.text and not has_labels:
        yield (
            f"{where} with {CLASS}, but dataset.test_labels is not own; set it to own to score the test predictions "
            "with these classes, or write * for any folder"
        )
    for column in pattern.columns:
        if column == CLASS.strip("{}"):
            continue
        yield f"{where} with {{{column}}}, but {rows}, and there are no columns; write * for any characters"


def _hdf5_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    """What cannot be said of images in an HDF5 file."""
    for split in splits_of(dataset):
        patterns = image_patterns(dataset, split)
        for pattern in patterns:
            if not pattern.is_in_hdf5:
                continue
            where = f"config: {images_key(dataset, split)} is {pattern.text!r}, in an HDF5 file"
            if is_url(join(dataset["root"], pattern.text)):
                yield f"{where} in a bucket, which cannot be read there; copy the file to a disk"
            elif is_made_table(dataset, split):
                yield (
                    f"{where}, but its keys are not listed as rows; set {key_of(split, 'table')} to a table with the "
                    "ids"
                )
            elif len(patterns) > 1:
                yield (
                    f"{where}, which cannot be one of several paths; write it alone, or set dataset.image_column to a "
                    "column with the path of each image, such as a.hdf5::ISIC_1"
                )
            elif pattern.has_wildcards:
                yield f"{where}, but with *; write file and key in full, such as train-image.hdf5::{{id}}"


def _channel_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    for split in splits_of(dataset):
        patterns = image_patterns(dataset, split)
        with_channel = [pattern.text for pattern in patterns if CHANNEL in pattern.text]
        key = images_key(dataset, split)
        if with_channel and not dataset["channels"]:
            yield (
                f"config: {key} is {with_channel[0]!r}, with {CHANNEL}, but dataset.channels is empty; list the names "
                "of the channels in dataset.channels, such as [red, green]"
            )
        elif with_channel and len(with_channel) < len(patterns):
            # Without it, a file has all channels.
            without = next(pattern.text for pattern in patterns if pattern.text not in with_channel)
            yield (
                f"config: {key} has {with_channel[0]!r}, with {CHANNEL}, and {without!r}, without it; write {CHANNEL} "
                "in all paths if each channel has a file of its own, or in none if one file has all channels"
            )


def _class_folder_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    folder = dataset["class_folders"]
    if folder is None:
        return
    where = f"dataset.class_folders is {folder!r}"
    words = [f"{{{word}}}" for word in WORD.findall(class_folder_pattern(folder))]
    columns = {"group_column": group_columns(dataset), "metadata_columns": dataset["metadata_columns"]}
    named = set[str]()
    for key, names in columns.items():
        for name in names:
            named.add(f"{{{name}}}")
            if f"{{{name}}}" not in words:
                yield (
                    f"config: dataset.{key} has {name!r}, but there is no training table, and {where} without "
                    f"{{{name}}}; write it where the path has the value, such as train/{CLASS}/{{{name}}}_*.jpg, or "
                    f"remove {name!r} from dataset.{key}"
                )
    for word in words:
        if word not in (ID, CLASS, CHANNEL, *named):
            yield (
                f"config: {where} with {word}, which no key names; name it in dataset.group_column or "
                "dataset.metadata_columns, or write * for any characters"
            )
    for key in ("target_column", "target_columns", "row_per_class"):
        if dataset[key] is not None:
            yield f"config: dataset.{key} is set, but {where}, whose folders are the labels; remove one of them"


def _ignore_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    for pattern in dataset["ignore"]:
        if not pattern.strip("*?./"):
            yield (
                f"config: dataset.ignore has {pattern!r}, which is every file; write a part of the names, such as "
                "'*_mask.png'"
            )
