"""Checks of the section `folds` of a completed configuration, before any data are read."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from foldline.io.storage import is_url
from foldline.io.system_errors import file_problem
from foldline.planning.dataset_checks import yaml_list
from foldline.planning.dataset_section import group_columns, is_made_table
from foldline.planning.dataset_splits import TRAIN
from foldline.planning.fold_plan import fold_columns, fold_method, holdout_values
from foldline.splits.folds_config import COLUMN, FILES, GROUPED, LEAVE_ONE_GROUP_OUT, TABLE, TIME

# The fold table that the run writes.
RESULT = "results/folds.csv"


def fold_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """A line for each problem."""
    folds, dataset = config["folds"], config["dataset"]
    method = fold_method(folds)
    for index, column in enumerate(folds["stratify_by"]):
        if column not in dataset["metadata_columns"]:
            yield (
                f"config: folds.stratify_by[{index}] is {column!r}, which is not one of dataset.metadata_columns "
                f"{yaml_list(dataset['metadata_columns'])}; add it there, or remove it from folds.stratify_by"
            )
    if method == FILES and (dataset["train_records"] is None or dataset["channels"]):
        yield (
            "config: folds.method is 'files', which needs dataset.train_records and no dataset.channels; set "
            "folds.method to 'grouped'"
        )
    if folds["stratify_by"] and method in (COLUMN, FILES, LEAVE_ONE_GROUP_OUT, TIME):
        yield (
            f"config: folds.stratify_by is {yaml_list(folds['stratify_by'])}, but folds.method {method!r} spreads "
            "nothing; set folds.stratify_by to []"
        )
    if method == COLUMN and folds["column"] is None:
        yield (
            "config: folds.method is 'column', but folds.column is null; set it to the column of the training table "
            "with the fold of each row"
        )
    if method == TABLE and folds["table"] is None:
        yield (
            "config: folds.method is 'table', but folds.table is null; set it to a table with the columns id and fold, "
            "such as a copy of an old results/folds.csv"
        )
    if folds["table"] is not None:
        if method != TABLE:
            yield f"config: folds.table is {folds['table']!r}, but folds.method is {method!r}; remove one of them"
        elif Path(folds["table"]).resolve() == Path(RESULT).resolve():
            yield (
                f"config: folds.table is {folds['table']!r}, which this run writes; copy it, for example to "
                "config/folds.csv, and set folds.table to the copy"
            )
        elif not is_url(folds["table"]) and (problem := file_problem(folds["table"])):
            yield (
                f"config: folds.table is {folds['table']!r}, but the file cannot be read ({problem}); correct the "
                "path, relative to the working directory"
            )
    if folds["repeats"] > 1 and method != GROUPED:
        yield (
            f"config: folds.repeats is {folds['repeats']}, but folds.method is {method!r}, and only grouped folds can "
            f"be repeated; set folds.repeats to 1{_or_grouped(method)}"
        )
    yield from _time_problems(folds, method)
    yield from _holdout_problems(folds, method)
    if folds["column"] is not None and method not in (COLUMN, TABLE, TIME):
        yield f"config: folds.column is {folds['column']!r}, but folds.method is {method!r}; remove one of them"
    if method == LEAVE_ONE_GROUP_OUT and not group_columns(dataset):
        yield (
            f"config: folds.method is {method!r}, but dataset.group_column is null; set it to the column of the "
            "groups, such as site"
        )
    yield from _column_problems(fold_columns(folds, dataset), dataset)


def _time_problems(folds: Mapping[str, Any], method: str) -> Iterator[str]:
    if method == TIME and folds["column"] is None:
        yield (
            "config: folds.method is 'time', but folds.column is null; set it to the column of the training table with "
            "the time of each row, such as year or date"
        )
    if folds["gap"] and method != TIME:
        yield f"config: folds.gap is {folds['gap']:g}, but folds.method is {method!r}; set gap to 0, or method to time"


def _holdout_problems(folds: Mapping[str, Any], method: str) -> Iterator[str]:
    holdout = folds["holdout"]
    if holdout["values"] is not None and holdout["column"] is None:
        yield (
            f"config: folds.holdout.values is {yaml_list(holdout_values(folds))}, but folds.holdout.column "
            "is null, so no rows have these values; set column to the column of the training table that has them, or "
            "remove values"
        )
    if holdout["share"] and holdout["column"] is not None:
        yield (
            f"config: folds.holdout has a share ({holdout['share']:g}) and a column ({holdout['column']!r}); set share "
            "to 0 to hold out the rows of the column, or column to null"
        )
    if holdout["share"] and method != GROUPED:
        yield (
            f"config: folds.holdout.share is {holdout['share']:g}, but folds.method is {method!r}; name a column with "
            f"the rows of the holdout in folds.holdout.column{_or_grouped(method)}"
        )


def _or_grouped(method: str) -> str:
    """The further remedy of grouped folds; folds by time are made for another question."""
    return "" if method == TIME else ", or set folds.method to grouped"


def _column_problems(columns: Mapping[str, str], dataset: Mapping[str, Any]) -> Iterator[str]:
    """Columns that cannot be read, because the training table is made by Foldline."""
    given = (*group_columns(dataset)[:1], *dataset["metadata_columns"])
    for column, key in columns.items():
        if dataset["example"]:
            yield (
                f"config: {key} has {column!r}, which dataset.example does not have; remove it, or set "
                "dataset.example to null for your own data"
            )
        elif is_made_table(dataset, TRAIN) and column not in (*given, *_further_of_records(dataset)):
            yield (
                f"config: {key} has {column!r}, but there is no training table to read it from; add it to "
                f"dataset.metadata_columns, which are {yaml_list(dataset['metadata_columns'])}"
            )


def _further_of_records(dataset: Mapping[str, Any]) -> list[str]:
    """Group columns beside the first that the table made of TFRecords has."""
    return [] if dataset["train_records"] is None else group_columns(dataset)[1:]
