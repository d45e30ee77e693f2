"""Checks of a configuration against the rows of its data, before the DAG is built."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from foldline.dataset.labels import BINARY, SOFT, names_of
from foldline.dataset.metadata import NUMERIC, MetadataColumnConfig
from foldline.dataset.sample_table import RowColumns
from foldline.dataset.soft_labels import hard_code, shares_of
from foldline.errors import FoldlineError, Problems, counted, listing, problems_error
from foldline.planning.dataset_section import (
    class_names_of,
    group_columns,
    is_made_table,
    scored_classes_of,
    source_of,
    target_of,
)
from foldline.planning.dataset_splits import TEST, TRAIN
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Samples

# Problems of one kind that a message spells out.
MOST_TOLD = 5
# Groups that a message lists; more are no sign of a wrong column or path.
SHOWN_GROUPS = 5


def check_data(
    dataset: Mapping[str, Any], data: RawData, *, fold_count: int | None, stratify_by: Sequence[str] = ()
) -> None:
    """Raise an error if the data cannot be used as the configuration says.

    Splits without rows, because their tables are wrong, are left out.

    Args:
        dataset: the `dataset` section of the completed configuration.
        data: rows of the data.
        fold_count: `folds.count`; None if the data decide how many folds there are, and which rows they have.
        stratify_by: `folds.stratify_by`.

    Raises:
        FoldlineError: a metadata column has a value that models cannot read; a class has no row; there are fewer groups
            than folds (of all training rows, of the rows with one label of the only class, or of the only submitted
            class); or most rows have values of the columns to stratify by that are in fewer groups than there are
            folds.
    """
    problems = Problems()
    checked = [*data.unlabeled.items(), *((split, samples.rows) for split, samples in data.splits.items())]
    for split, rows in dict(checked).items():
        with problems.collected():
            _check_metadata(dataset, split, data.tables[split], rows)
            if split == TRAIN:
                _check_scales(dataset, data.tables[split], rows)
    if data.held_out is not None:
        with problems.collected():
            _check_metadata(dataset, TRAIN, data.tables[TRAIN], data.held_out.rows)
    if TRAIN in data.splits:
        with problems.collected():
            _check_classes(dataset, data)
        if fold_count is not None:
            with problems.collected():
                _check_groups(dataset, data.splits[TRAIN], fold_count, data.links)
            with problems.collected():
                _check_strata(dataset, data.splits[TRAIN], fold_count, stratify_by)
    elif fold_count is not None and data.most_groups is not None:
        with problems.collected():
            _check_most_groups(dataset, data.most_groups, fold_count)
    problems.check()


def _check_classes(dataset: Mapping[str, Any], data: RawData) -> None:
    """Refuse a class without a row that is trained on, which is a wrong list of classes or a wrong reading of cells."""
    kind, class_names = dataset["labels"]["kind"], class_names_of(dataset)
    if kind == BINARY or len(class_names) == 1:
        return
    table = source_of(dataset, TRAIN) if is_made_table(dataset, TRAIN) else data.tables[TRAIN]
    labeled = [samples for split, samples in data.splits.items() if split != TEST]
    codes = {code for samples in labeled for code in samples.rows.target}
    rows = [shares_of(code) for code in codes] if kind == SOFT else [[bit == "1" for bit in code] for code in codes]
    present = {name for index, name in enumerate(class_names) if any(row[index] for row in rows)}
    allowed = dataset["labels"]["absent"]
    absent = [name for name in class_names if name not in present and name not in allowed]
    if absent:
        raise FoldlineError(
            f"{table}: no training row has the class {listing(absent)} of dataset.labels.classes (the "
            f"cells of column {target_of(dataset)} are read as {data.labels.reading}); correct "
            "dataset.labels.classes or dataset.labels.cells, or list classes without rows in dataset.labels.absent"
        )
    largest = {hard_code(code) for code in data.splits[TRAIN].rows.target} if kind == SOFT else set()
    if len(largest) == 1:
        (name,) = names_of(largest.pop(), class_names)
        raise FoldlineError(
            f"{table}: {name} has the largest share in every training row, but folds and metrics count a row to the "
            "class with the largest share, so there is nothing to tell apart; correct the table, or the columns and "
            "their order in dataset.target_columns or dataset.labels.classes"
        )
    wrong = [name for name in allowed if name in present]
    if wrong:
        raise FoldlineError(
            f"config: dataset.labels.absent has {listing(wrong)}, but training rows have this class; remove it there"
        )


def _check_strata(dataset: Mapping[str, Any], samples: Samples, fold_count: int, stratify_by: Sequence[str]) -> None:
    """Refuse columns to stratify by whose values are mostly too rare to be in every fold, such as an age in days."""
    if not stratify_by:
        return
    indices = [dataset["metadata_columns"].index(column) for column in stratify_by]
    combinations = list(zip(*(samples.rows.metadata[index] for index in indices), strict=True))
    rows = Counter(combinations)
    groups = Counter(values for values, _ in set(zip(combinations, samples.rows.group, strict=True)))
    rare = [values for values, count in groups.items() if count < fold_count]
    rare_rows = sum(rows[values] for values in rare)
    if 2 * rare_rows > len(samples):
        what = "value" if len(indices) == 1 else "combination of values"
        raise FoldlineError(
            f"config: folds.stratify_by is [{listing(stratify_by)}], but {len(rare)} of {len(groups)} {what}s, with "
            f"{rare_rows} of {counted(len(samples), 'training row')}, are in fewer groups than there are folds "
            f"({fold_count}), so they cannot be in every fold; remove a column from folds.stratify_by, or add one "
            "with fewer values, such as ranges, to your tables"
        )


def _check_metadata(dataset: Mapping[str, Any], split: str, table: str, rows: RowColumns) -> None:
    index_of, told = {name: index for index, name in enumerate(dataset["metadata_columns"])}, []
    for column, section in dataset["metadata"].items():
        index, config = index_of[column], MetadataColumnConfig.from_config(section)
        problems = {value: config.problem(value) for value in set(rows.metadata[index])}
        if any(problems.values()):
            wrong = [row for row in rows.rows() if problems[row.metadata[index]]]
            line = "" if is_made_table(dataset, split) else "line {}: "
            cells = [
                f"{line.format(row.line)}{column} of id {row.id!r} {problems[row.metadata[index]]}"
                for row in wrong[:MOST_TOLD]
            ]
            where = f"{source_of(dataset, split)}: " if is_made_table(dataset, split) else f"{table}, "
            rest = f"; and {len(wrong) - MOST_TOLD} more" if len(wrong) > MOST_TOLD else ""
            told.append(
                f"{where}{'; '.join(cells)}{rest}; correct the rows, or change dataset.metadata.{column} in the config"
            )
    if told:
        raise problems_error(told)


def _check_scales(dataset: Mapping[str, Any], table: str, rows: RowColumns) -> None:
    """Refuse numeric columns whose scale models cannot learn, at least while one group is held out."""
    told = []
    for column, section in dataset["metadata"].items():
        config = MetadataColumnConfig.from_config(section)
        cells = rows.metadata[dataset["metadata_columns"].index(column)]
        if config.kind != NUMERIC or any(map(config.problem, set(cells))):
            continue
        groups = {group for value, group in zip(cells, rows.group, strict=True) if not config.is_missing(value)}
        if len(groups) < 2:
            where = f" but those of {next(iter(groups))!r}" if groups else ""
            told.append(
                f"{source_of(dataset, TRAIN) if is_made_table(dataset, TRAIN) else table}: {column} (dataset.metadata) "
                f"is missing in all training rows{where}, so models cannot learn its scale; correct the column or "
                "dataset.missing, or remove it from dataset.metadata"
            )
    if told:
        raise problems_error(told)


def _check_most_groups(dataset: Mapping[str, Any], most: int, fold_count: int) -> None:
    """Refuse folds of which some would be empty, whatever becomes of the rows with other problems."""
    if most < fold_count:
        column = " and ".join(group_columns(dataset))
        what = counted(most, "group") + f" (column {column})" if column else counted(most, "row")
        raise FoldlineError(
            f"config: folds.count is {fold_count}, but the training data have at most {what}; lower folds.count, or "
            "add training data"
        )


def _check_groups(dataset: Mapping[str, Any], samples: Samples, fold_count: int, links: str) -> None:
    class_names, scored = class_names_of(dataset), scored_classes_of(dataset)
    rows = samples.rows
    groups = {"": set(rows.group)}
    if len(scored) == 1:
        index, codes = class_names.index(scored[0]), list(map(hard_code, rows.target))
        for label in ("0", "1"):
            which = f" with label {label}" + (f" of {scored[0]}" if len(class_names) > 1 else "")
            groups[which] = {group for group, code in zip(rows.group, codes, strict=True) if code[index] == label}
    column = " and ".join(group_columns(dataset))
    for which, names in groups.items():
        if len(names) < fold_count:
            kind = ("group" if column else "row") + ("" if len(names) == 1 else "s")
            kind += f" (column {column})" if column else ""
            remedy = f"set folds.count to {len(names)} or less" if len(names) >= 2 else "add training data"
            if not names:
                remedy = "correct the key of dataset that names the column of the labels, or add training data"
            if len(groups[""]) < 2 and column and dataset["class_folders"] is None:
                remedy = "name another column in dataset.group_column, or set it to null if rows are independent"
            if which and dataset["labels"]["kind"] == SOFT:
                remedy += (
                    ", or correct the soft labels: shares above 0.5, the largest ones of several, count as label 1"
                )
            if column:
                which += f": {listing(sorted(names))}" if 0 < len(names) <= SHOWN_GROUPS else ""
                if dataset["class_folders"] is not None:
                    remedy += (
                        f", or correct dataset.class_folders {dataset['class_folders']!r}: a value ends where the rest "
                        "of the path fits first"
                    )
            raise FoldlineError(
                f"config: folds.count is {fold_count}, but the training data have only {len(names)} {kind}{which}; "
                f"{links or remedy}"
            )
