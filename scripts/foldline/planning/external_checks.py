"""Checks of the sets of external rows in a configuration, before any data are read."""

from collections.abc import Iterator, Mapping
from typing import Any

from foldline.dataset.cell_values import canonical
from foldline.dataset.own_labels import class_problem
from foldline.errors import listing
from foldline.planning.dataset_section import labels_of, own_words
from foldline.planning.dataset_splits import TEST, TRAIN, external_sets, key_of


def external_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    """A line for each problem."""
    for name in external_sets(dataset):
        section = dataset["external"][name]
        if name in (TRAIN, TEST):
            yield f"config: dataset.external.{name}: other rows have this name; rename the set, such as isic2019"
        if section["records"] is None and section["table"] is None:
            yield (
                f"config: neither {key_of(name, 'table')} nor {key_of(name, 'records')} is set; set table to a table "
                "such as external.csv, and images to the path of an image"
            )
        if section["records"] is not None and section["table"] is not None:
            yield (
                f"config: both {key_of(name, 'table')} and {key_of(name, 'records')} are set, but records have the "
                "labels too; remove one of them"
            )
        yield from _label_problems(dataset, name, section)


def _label_problems(dataset: Mapping[str, Any], name: str, section: Mapping[str, Any]) -> Iterator[str]:
    words, key = section["labels"], key_of(name, "labels")
    per_class = bool(dataset["target_columns"] or dataset["row_per_class"])
    if section["target_column"] is not None and (words is None or not per_class):
        columns = key_of(name, "columns")
        remedy = f"set {key} to the class of each word" if per_class else f"rename the column in {columns}"
        yield (
            f"config: {key_of(name, 'target_column')} is {section['target_column']!r}, which is for a table with the "
            f"labels in one column, unlike the training table; {remedy}"
        )
    if words is None:
        if dataset["row_per_class"] and section["records"] is not None:
            yield f"config: {key} is not set, but records have no row for each class; set it to the class of each word"
        return
    if per_class and section["target_column"] is None:
        yield (
            f"config: {key} is set, but the training table has a column or a row for each class; set "
            f"{key_of(name, 'target_column')} to the column with the labels of this table"
        )
    if problem := class_problem(own_words(words), labels_of(dataset), key):
        yield problem
    values = [canonical(word) for word in words]
    repeated = [word for word, value in zip(words, values, strict=True) if values.count(value) > 1]
    if repeated:
        yield f"config: {key} has {listing(repeated)}, which are one value; keep one of them"
