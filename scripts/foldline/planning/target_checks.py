"""Checks of the columns that a configuration names, before any data are read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foldline.dataset.labels import AUTO, BINARY, FLAGS, SOFT
from foldline.dataset.submission import LABELS
from foldline.errors import listing
from foldline.planning.dataset_section import (
    POSITION,
    class_names_of,
    column_names,
    group_columns,
    path_columns,
    record_patterns,
)
from foldline.planning.dataset_splits import external_sets, key_of, splits_of


def named_columns(dataset: Mapping[str, Any]) -> list[str]:
    """All columns that the configuration names, in the words of the training table."""
    columns = [dataset["id_column"], dataset["target_column"], *(dataset["target_columns"] or [])]
    columns += [*group_columns(dataset), dataset["weight_column"], *dataset["metadata_columns"]]
    return [column for column in columns if column is not None]


def target_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    """A line for each problem of the columns with the labels."""
    column, columns, labels = dataset["target_column"], dataset["target_columns"], dataset["labels"]
    if (column is None) == (columns is None) and (columns is not None or dataset["class_folders"] is None):
        which = "neither" if column is None else "both"
        yield (
            f"config: {which} of dataset.target_column and dataset.target_columns {'is' if column is None else 'are'} "
            "set; set one of them: target_column to the column of the labels, or target_columns to a list of columns "
            "with a 0 or 1 for each class, such as [MEL, NV]"
        )
    yield from _row_per_class_problems(dataset)
    if labels["values"] and (columns is None or labels["kind"] == SOFT):
        yield (
            "config: dataset.labels.values is set, but only the cells of dataset.target_columns are 0 or 1, and not if "
            "dataset.labels.kind is soft; remove values"
        )
    if columns is None:
        return
    shown = listing(columns, limit=20)
    if labels["kind"] == BINARY:
        yield (
            f"config: dataset.target_columns is [{shown}], a column for each class, but dataset.labels.kind is binary; "
            "set it to multiclass if every row has exactly one 1, to multilabel if it has any number of them, or to "
            "soft if columns hold probabilities or votes"
        )
    if labels["cells"] not in (AUTO, FLAGS) or labels["first_number"] != AUTO:
        yield (
            f"config: dataset.labels.cells is {labels['cells']} and first_number is {labels['first_number']}, but "
            "dataset.target_columns have a 0 or 1 for each class; remove cells and first_number"
        )
    classes = labels["classes"]
    if classes and (len(classes) != len(columns) or (set(classes) == set(columns) and classes != columns)):
        yield (
            f"config: dataset.labels.classes is [{listing(classes, limit=20)}], but dataset.target_columns is "
            f"[{shown}]; remove classes, or name the class of each column in the same order"
        )
    if dataset["submission"]["form"] == LABELS and dataset["submission"]["column"] is None:
        yield (
            "config: dataset.submission.form is 'labels', so the submission has one column of predicted classes, but "
            "dataset.target_columns gives it no name; set dataset.submission.column"
        )


def _row_per_class_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    pattern, labels = dataset["row_per_class"], dataset["labels"]
    if pattern is None:
        return
    where = f"config: dataset.row_per_class is {pattern!r}, so a sample has a row for each class"
    if dataset["target_columns"] is not None:
        yield f"{where}, but dataset.target_columns is set; remove one of them"
    if dataset["train_records"] is not None or dataset["test_records"] is not None:
        yield f"{where}, but TFRecords have one record per sample; set dataset.row_per_class to null"
    if labels["kind"] in (BINARY, SOFT):
        yield (
            f"{where}; set dataset.labels.kind to multilabel, or to multiclass if every sample has exactly one class, "
            "and name the classes in dataset.labels.classes as the ids do"
        )
    elif len(labels["classes"]) < 2:
        yield f"{where}; name the classes in dataset.labels.classes as the ids do, such as [epidural, any]"
    if labels["cells"] not in (AUTO, FLAGS) or labels["first_number"] != AUTO:
        yield f"{where} with a label of 0 or 1; remove dataset.labels.cells and first_number"
    if dataset["submission"]["form"] == LABELS:
        yield f"{where}, in the submission too, but dataset.submission.form is 'labels'; set it to columns"


def record_id_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    """A line for each value that does not fit to records without ids."""
    if dataset["record_ids"] != POSITION:
        return
    where = "config: dataset.record_ids is position, so files and numbers of records are ids"
    if not any(record_patterns(dataset, split) for split in splits_of(dataset)):
        yield f"{where}, but there are no TFRecords; remove record_ids, or set dataset.train_records"
    if dataset["channels"]:
        yield (
            f"{where}, but dataset.channels joins records by the ids in dataset.record_name; set record_ids to feature"
        )
    if dataset["id_column"] in dataset["record_features"]:
        yield (
            f"{where}, but dataset.record_features names a feature for {dataset['id_column']!r}; remove it there, or "
            "set record_ids to feature"
        )


def rename_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    """A line for each entry that renames a column which the configuration does not name."""
    columns = named_columns(dataset)
    # The same path may be written for all splits, with the names of the training table.
    of_paths = [name for split in splits_of(dataset) for name in path_columns(dataset, split)]
    columns = list(dict.fromkeys([*columns, *of_paths]))
    yield from _rename_problems("dataset.test_columns", dataset["test_columns"], columns)
    for name in external_sets(dataset):
        names = column_names(dataset, name)
        yield from _rename_problems(key_of(name, "columns"), names, columns)
        yield from _absent_problems(dataset, name)
    submitted = [dataset["id_column"], *class_names_of(dataset)]
    submitted += [] if dataset["target_column"] is None else [dataset["target_column"]]
    names = dataset["submission"]["columns"]
    yield from _rename_problems("dataset.submission.columns", names, list(dict.fromkeys(submitted)))


def _absent_problems(dataset: Mapping[str, Any], name: str) -> Iterator[str]:
    """A line for each column that an external set does without, but needs."""
    for column, in_table in dataset["external"][name]["columns"].items():
        possible = (*group_columns(dataset), dataset["weight_column"], *dataset["metadata_columns"])
        if in_table is None and column not in possible:
            yield (
                f"config: {key_of(name, 'columns')} says that the table has no column {column!r}, but only "
                "dataset.group_column, weight_column and metadata_columns can be absent; write the name that it has in "
                "the table"
            )


def _rename_problems(key: str, names: Mapping[str, str], known: Sequence[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            yield (
                f"config: {key} has {name!r}, which is not a column of this config ({listing(known, limit=20)}); use "
                "the name of one of these columns as the key, and the name in the other table as the value"
            )
    table = [names.get(name, name) for name in known]
    for name in dict.fromkeys(names.values()):
        if table.count(name) > 1:
            yield f"config: {key} gives two columns the name {name!r}; name a column once"
