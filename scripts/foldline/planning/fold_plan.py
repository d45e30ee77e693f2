"""The folds as planning knows them: their numbers, and the columns of the user's tables that decide them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from foldline.dataset.fold_cells import CellTable, FoldCells, ReadCells
from foldline.dataset.fold_table import FoldTable
from foldline.dataset.sample_table import GROUP_REMEDY
from foldline.dataset.soft_labels import hard_code
from foldline.errors import FoldlineError, Problems, counted, listing
from foldline.planning.dataset_section import (
    class_names_of,
    columns_of,
    group_columns,
    is_made_table,
    scored_classes_of,
    source_of,
)
from foldline.planning.dataset_splits import TRAIN, labeled_splits
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Samples
from foldline.splits.connected_groups import connected_groups
from foldline.splits.folds_config import COLUMN, GIVEN, GROUPED, LEAVE_ONE_GROUP_OUT, TABLE
from foldline.splits.given_folds import number_folds, one_label_problems, split_groups

# Key of what was found in the data about folds, see `data_index.DataIndex.found`.
FOLDS = "folds"
# Column of the folds in a fold table, if `folds.column` names none.
FOLD = "fold"
MOST_FOLDS = 100
MOST_TOLD = 5


def fold_method(folds: Mapping[str, Any]) -> str:
    """The method of the section `folds`; without one, the key that is set decides."""
    if folds["method"] is not None:
        return str(folds["method"])
    if folds["table"] is not None:
        return TABLE
    return COLUMN if folds["column"] is not None else GROUPED


def follows_data(folds: Mapping[str, Any]) -> bool:
    """Whether the data decide how many folds there are."""
    return fold_method(folds) in GIVEN


def fold_numbers(folds: Mapping[str, Any]) -> list[int]:
    """Numbers of the folds, ascending.

    Args:
        folds: the section, with what was found in the data if the data decide (`with_found_folds`).
    """
    return list(folds.get("numbers") or range(folds["count"]))


def with_found_folds(folds: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The section `folds` with what was found in the data, see `find_folds`."""
    if "numbers" not in found:
        return dict(folds)
    return {**folds, "count": len(found["numbers"]), "names": found["names"], "numbers": found["numbers"]}


def fold_columns(folds: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, str]:
    """Columns that only folds use, each with the key that names it."""
    columns = dict.fromkeys(group_columns(dataset)[1:], "dataset.group_column")
    if fold_method(folds) == COLUMN and folds["column"] is not None:
        columns[folds["column"]] = "folds.column"
    return columns


def fold_cells(
    folds: Mapping[str, Any], dataset: Mapping[str, Any], tables: Mapping[str, str], *, digest: str = ""
) -> FoldCells | None:
    """Where the cells are that decide folds; None if folds need no column.

    Args:
        folds: the section.
        dataset: the section `dataset`.
        tables: table of each split that can be read.
        digest: digest of the cells; "" if it is not known yet.
    """
    names, of_groups = tuple(fold_columns(folds, dataset)), group_columns(dataset)[1:]
    old = old_table(folds, dataset)
    if not (names or old) or TRAIN not in tables:
        return None
    found = {}
    # External rows have groups, and nothing else that decides folds.
    for split in labeled_splits(dataset) if of_groups else [TRAIN] if names else []:
        columns = columns_of(dataset, split)
        absent = tuple(name for name in names if split != TRAIN and (name not in of_groups or name in columns.absent))
        columns = columns.of_made_table(source_of(dataset, split)) if is_made_table(dataset, split) else columns
        columns = replace(columns, group=None, metadata=names, optional=(), absent=absent, of_paths=())
        if split in tables:
            found[split] = CellTable(tables[split], columns)
    return FoldCells(names, found, old, digest)


def old_table(folds: Mapping[str, Any], dataset: Mapping[str, Any]) -> FoldTable | None:
    """The old fold table; None if the method needs none."""
    if fold_method(folds) != TABLE or folds["table"] is None:
        return None
    return FoldTable(folds["table"], (dataset["id_column"], "id"), folds["column"] or FOLD)


def read_cells(folds: Mapping[str, Any], dataset: Mapping[str, Any], tables: Mapping[str, str]) -> ReadCells:
    """The cells that decide folds; see `fold_cells`.

    Raises:
        FoldlineError: a table cannot be read, or a training row has no value of a further group column.
    """
    cells = fold_cells(folds, dataset, tables)
    if cells is None:
        return ReadCells({}, {})
    found, problems = cells.read(), Problems()
    for column in group_columns(dataset)[1:]:
        table = found.tables[TRAIN]
        wrong = [
            (line, f"the group (column {column}) of id {name!r} is missing")
            for line, name, cell in zip(table.raw.lines, table.ids, found.column(TRAIN, column), strict=True)
            if not cell
        ]
        with problems.collected():
            if wrong:
                raise table.raw.error(wrong, GROUP_REMEDY)
    problems.check()
    return found


def with_connected_groups(data: RawData, dataset: Mapping[str, Any], cells: ReadCells) -> RawData:
    """The data with one group for the training rows that any of the group columns connects.

    Args:
        data: the data.
        dataset: the section `dataset`.
        cells: see `read_cells`.
    """
    names = group_columns(dataset)[1:]
    if not names or TRAIN not in cells.tables or TRAIN not in data.splits:
        return data
    train = data.splits[TRAIN]
    columns = [cells.of_ids(TRAIN, column, train.rows.id) for column in names]
    rows = replace(train.rows, group=connected_groups(train.rows.group, columns))
    return replace(data, splits={**data.splits, TRAIN: replace(train, rows=rows)})


def find_folds(folds: Mapping[str, Any], dataset: Mapping[str, Any], data: RawData, cells: ReadCells) -> dict[str, Any]:
    """What the data say of folds, in values that JSON can hold; empty if they say nothing.

    Args:
        folds: the section.
        dataset: the section `dataset`, with the classes that were found.
        data: the data, with connected groups; its training rows could be read.
        cells: see `read_cells`.

    Returns:
        `digest` of the cells that decide folds; where the data decide how many folds there are, also `names` and
        `numbers` of the folds, in this order.

    Raises:
        FoldlineError: folds that the data give cannot be used.
    """
    found = dict[str, Any]()
    if cells.tables or cells.old:
        found["digest"] = cells.digest
    train, method = data.splits[TRAIN], fold_method(folds)
    if method == COLUMN:
        where = f"{cells.tables[TRAIN].raw.path}: column {folds['column']} (folds.column)"
        names = _names_of_column(folds["column"], cells, train)
    elif method == LEAVE_ONE_GROUP_OUT:
        where = f"config: folds.method is {method!r}, and column {' and '.join(group_columns(dataset))}"
        names = list(train.rows.group)
    elif method == TABLE:
        where = f"{folds['table']}: column {folds['column'] or FOLD}"
        names = [cells.old.get(name, "") for name in train.rows.id]
        if not any(names):
            shown = listing(list(cells.old), limit=3) or "none"
            raise FoldlineError(
                f"{where}: no training row has a fold in it; its ids with a fold are {shown}, and those of the "
                f"training rows {listing(train.rows.id, limit=3)}; correct folds.table"
            )
    else:
        return found
    return found | _checked(names, where, dataset, train)


def fold_settings(folds: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `FoldsConfig`.

    Args:
        folds: the section, with what was found.
        dataset: the section `dataset`, with the classes that were found.
    """
    names = {"class_names": class_names_of(dataset), "group_columns": group_columns(dataset)[1:]}
    return {**folds, "method": fold_method(folds), **names}


def fold_arguments(
    folds: Mapping[str, Any], dataset: Mapping[str, Any], tables: Mapping[str, str], digest: str
) -> dict[str, Any]:
    """Arguments of the step that makes the fold table: `cells`, or none if folds need no column.

    Args:
        folds: the section.
        dataset: the section `dataset`.
        tables: table of each split.
        digest: see `find_folds`.
    """
    cells = fold_cells(folds, dataset, tables, digest=digest)
    if cells is None:
        return {}
    return {"cells": asdict(cells)}


def _names_of_column(column: str, read: ReadCells, train: Samples) -> list[str]:
    """Name of the fold of each training row, (n_rows,).

    Raises:
        FoldlineError: a row has none.
    """
    table = read.tables[TRAIN]
    wrong = [
        (line, f"the fold (column {column}) of id {name!r} is {cell or 'missing'!r}")
        for line, name, cell in zip(table.raw.lines, table.ids, read.column(TRAIN, column), strict=True)
        if not cell or cell.startswith("-")
    ]
    if wrong:
        raise table.raw.error(
            wrong, "give every row a fold, such as 0 or the name of a site, or remove folds.column to have folds made"
        )
    return read.of_ids(TRAIN, column, train.rows.id)


def _checked(names: Sequence[str], where: str, dataset: Mapping[str, Any], train: Samples) -> dict[str, Any]:
    """Names and numbers of the folds, as `find_folds` gives them.

    Args:
        names: name of the fold of each training row, "" if it has none yet, (n_rows,).
        where: the start of messages.
        dataset: the section `dataset`.
        train: the training rows, with connected groups.

    Raises:
        FoldlineError: there are too few folds or too many, a group is in two, or the rows without a fold all have one
            label.
    """
    number_of = number_folds(filter(None, names))
    if not 2 <= len(number_of) <= MOST_FOLDS:
        raise FoldlineError(
            f"{where} has {counted(len(number_of), 'value')} ({listing(list(number_of), limit=5)}), but there may be "
            f"2 to {MOST_FOLDS}: every model is trained once for each; name another column, or set folds.method to "
            "grouped"
        )
    if broken := split_groups(train.rows.id, train.rows.group, names):
        raise FoldlineError(
            f"{where} has {counted(len(broken), 'group')} of dataset.group_column in more than one fold: "
            f"{listing(broken, limit=MOST_TOLD)}; give all rows of a group one fold, or set folds.method to grouped"
        )
    scored = scored_classes_of(dataset)
    if len(scored) == 1 and all(names):
        index = class_names_of(dataset).index(scored[0])
        labels = [hard_code(code)[index] for code in train.rows.target]
        if problems := one_label_problems(labels, names):
            raise FoldlineError(
                f"{where}: {listing(problems, limit=MOST_TOLD)}, so there is nothing to learn; correct the folds, or "
                "set folds.method to grouped"
            )
    return {"names": list(number_of), "numbers": list(number_of.values())}
