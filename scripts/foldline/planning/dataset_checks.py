"""Checks of the `dataset` section of a completed configuration, before any data are read."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foldline.dataset.class_words import AUTO, NUMBERS, has_numbers
from foldline.dataset.labels import BINARY, SOFT, check_labels
from foldline.dataset.metadata import CATEGORICAL
from foldline.dataset.submission import LABELS
from foldline.errors import FoldlineError, listing
from foldline.io.storage import is_url
from foldline.planning.dataset_section import (
    OWN,
    class_names_of,
    group_columns,
    image_patterns,
    labels_of,
    reads_labels,
)
from foldline.planning.dataset_splits import TEST, has_test
from foldline.planning.external_checks import external_problems
from foldline.planning.image_checks import image_checks
from foldline.planning.image_patterns import CLASS
from foldline.planning.submission_section import submission_columns
from foldline.planning.target_checks import named_columns, record_id_problems, rename_problems, target_problems
from foldline.planning.usable_values import UnusableValueError
from foldline.planning.word_checks import word_problems

# Columns of the inventory and the fold table, and features of the records: names that metadata columns cannot have.
RESERVED = (
    *("id", "target", "group", "path", "bytes", "sha256", "width", "height"),
    *("pixels_sha256", "perceptual_hash", "contrast", "peak_sample", "white_sample", "problem"),
    *("fold", "split", "row_weight", "label", "fold_name", "withheld", "no_oof"),
    *("image", "image_name", "patient_id"),
)


def dataset_checks(dataset: Mapping[str, Any]) -> list[Iterator[str]]:
    """The checks; each gives the problems that it finds, one line for each."""
    return [
        *([target_problems(dataset)] if reads_labels(dataset) else []),
        rename_problems(dataset),
        record_id_problems(dataset),
        _column_problems(dataset),
        _label_problems(dataset),
        _submission_problems(dataset),
        _class_word_problems(dataset),
        external_problems(dataset),
        *image_checks(dataset),
        _channel_problems(dataset),
        _metadata_problems(dataset),
        word_problems(dataset),
        _example_problems(dataset),
        _test_problems(dataset),
        _test_label_problems(dataset),
    ]


def yaml_list(names: Sequence[str]) -> str:
    """Some names as a list in YAML."""
    return f"[{listing(names, limit=20)}]"


def _column_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    metadata = dataset["metadata_columns"]
    for column in metadata:
        if column in RESERVED:
            yield (
                f"config: dataset.metadata_columns has {column!r}, the name of a column that Foldline writes; rename "
                "the column in your tables, or remove it from dataset.metadata_columns"
            )
    named = named_columns(dataset)
    for column in dict.fromkeys(named):
        # A group may also be reported, or read by a model.
        as_group = column in group_columns(dataset) and column in metadata
        if named.count(column) > 1 + as_group:
            yield (
                f"config: dataset names column {column!r} twice; id_column, the target columns, group_column, "
                "weight_column and each of metadata_columns must be different columns (only the group may be a "
                "metadata column too): remove one entry"
            )
    for column in dataset["record_features"]:
        if column not in named:
            yield (
                f"config: dataset.record_features has {column!r}, which is not a column of this config "
                f"({listing(named, limit=20)}); use the name of one of these columns as the key"
            )


def _label_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    labels = labels_of(dataset)
    if (dataset["target_columns"] and labels.kind == BINARY) or (
        dataset["row_per_class"] and (labels.kind in (BINARY, SOFT) or not labels.classes)
    ):
        # `target_problems` reports it.
        return
    try:
        check_labels(labels)
    except FoldlineError as error:
        yield str(error)
    if dataset["id_column"] in labels.classes:
        yield (
            f"config: dataset.labels.classes has {dataset['id_column']!r}, the name of dataset.id_column; rename the "
            "class"
        )


def _submission_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    submission, class_names = dataset["submission"], class_names_of(dataset)
    chosen = submission["class"]
    for name in [chosen] if isinstance(chosen, str) else chosen or []:
        if name not in class_names:
            shown = repr(chosen) if isinstance(chosen, str) else yaml_list(chosen)
            yield (
                f"config: dataset.submission.class is {shown}, but {name!r} is not a class; set it to classes out of "
                f"{listing(class_names, limit=30)}, or to null to submit all classes"
            )
    if submission["form"] == LABELS and (submission["class"] is not None or len(class_names) == 1):
        why = "there is only one class" if submission["class"] is None else "dataset.submission.class is set"
        yield (
            f"config: dataset.submission.form is 'labels', which submits the predicted classes of a sample, but {why}; "
            "set dataset.submission.form to 'columns' to submit the probability of one class"
        )
    if submission["column"] is not None and submission_columns(dataset) != [submission["column"]]:
        yield (
            f"config: dataset.submission.column is {submission['column']!r}, but this submission has a column for each "
            "class; set it to null"
        )


def _class_word_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    submission, class_names = dataset["submission"], class_names_of(dataset)
    if submission["hard_labels"] and submission["form"] == LABELS:
        yield (
            "config: dataset.submission.hard_labels is true, but form is 'labels', which has predicted classes anyway; "
            "remove hard_labels, or set form to columns"
        )
    if submission["first_number"] != AUTO and submission["words"] != NUMBERS:
        yield (
            f"config: dataset.submission.first_number is {submission['first_number']}, but words is "
            f"{submission['words']!r}; set words to numbers, or remove first_number"
        )
    if submission["words"] == NUMBERS and submission["first_number"] == AUTO and has_numbers(class_names):
        yield (
            f"config: dataset.submission.words is 'numbers', but classes are called by numbers "
            f"({listing(class_names)}); set words to names to write these, or set first_number to the number of "
            f"{class_names[0]!r} in the submission"
        )


def _channel_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    channels = dataset["channels"]
    for name in channels:
        if name in (*RESERVED, *dataset["metadata_columns"]):
            yield (
                f"config: dataset.channels has {name!r}, the name of a column or of another feature of the records; "
                "rename the channel"
            )


def _metadata_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    for column in dataset["metadata"]:
        if column not in dataset["metadata_columns"]:
            yield (
                f"config: dataset.metadata has {column!r}, which is not one of dataset.metadata_columns "
                f"{yaml_list(dataset['metadata_columns'])}; add it there, or remove it from dataset.metadata"
            )
        # One with a wrong value hides no problem of the others.
        with contextlib.suppress(UnusableValueError):
            section = dataset["metadata"][column]
            if section["kind"] != CATEGORICAL and section["vocabulary"]:
                yield (
                    f"config: dataset.metadata.{column}.vocabulary is {yaml_list(section['vocabulary'])}, but kind is "
                    f"{section['kind']}; remove it, or set kind to categorical"
                )


def _test_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    """What needs a test table, where there is none."""
    listed = dataset["test_table"] is None and dataset["test_images"] is not None
    if listed and dataset["metadata"]:
        yield (
            "config: dataset.test_table is null, so the test rows are the files that match dataset.test_images, but "
            f"models read the metadata {yaml_list(list(dataset['metadata']))}; set dataset.test_table to a table with "
            "these columns"
        )
    if listed and dataset["test_labels"] == OWN:
        if any(CLASS not in pattern.text for pattern in image_patterns(dataset, TEST)):
            yield (
                "config: dataset.test_labels is 'own', but dataset.test_table is null; write {class} in "
                "dataset.test_images where the path has the class, such as 'test/{class}/**/*', or set "
                "dataset.test_labels to a table with the labels of the test rows"
            )
    elif dataset["test_labels"] is not None and not has_test(dataset):
        yield (
            f"config: dataset.test_labels is {dataset['test_labels']!r}, but dataset.test_table is null; set "
            "dataset.test_labels to a table with the labels of the test rows, or to null if there are no test rows"
        )


def _test_label_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    if dataset["test_labels"] is None or dataset["test_table"] is None:
        return
    if dataset["example"]:
        yield (
            "config: dataset.example has no labels of its test rows; set dataset.test_labels to null, or "
            "dataset.example to null for your own data"
        )
    of_sample = dataset["test_table"] if dataset["test_labels"] == "own" else dataset["test_labels"]
    if dataset["test_records"] is None and of_sample == dataset["sample_submission"]:
        yield (
            f"config: dataset.test_labels is {dataset['test_labels']!r}, which reads {of_sample}, but the labels of a "
            "sample submission are placeholders; set dataset.test_labels to a table with the labels of the test rows, "
            "or to null"
        )


def _example_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    if not dataset["example"]:
        return
    if dataset["labels"]["kind"] != BINARY or submission_columns(dataset) != class_names_of(dataset):
        yield (
            "config: dataset.example has labels of 0 and 1 and its own sample submission; remove dataset.labels and "
            "dataset.submission, or set dataset.example to null for your own data"
        )
    if dataset["weight_column"]:
        yield (
            "config: dataset.example has no weights of rows; set dataset.weight_column to null, or dataset.example to "
            "null for your own data"
        )
    if dataset["channels"]:
        yield (
            "config: dataset.example has RGB images; remove dataset.channels, or set dataset.example to null for your "
            "own data"
        )
    if is_url(dataset["root"]):
        yield (
            f"config: dataset.root is {dataset['root']!r}, but dataset.example is written to a local folder; set "
            "dataset.root to a folder such as data/example"
        )
    if dataset["external"] or None in (dataset["sample_submission"], dataset["test_table"]):
        yield (
            "config: dataset.example writes its own tables; remove dataset.external, and set dataset.test_table and "
            "dataset.sample_submission to file names such as test.csv and sample_submission.csv"
        )
