"""The folds as planning knows them: their numbers, and the columns of the user's tables that decide them."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from foldline.dataset.fold_cells import CellTable, FoldCells
from foldline.dataset.sample_table import SampleTable
from foldline.dataset.soft_labels import hard_code
from foldline.errors import FoldlineError, counted, listing
from foldline.planning.dataset_section import class_names_of, columns_of, is_made_table, scored_classes_of
from foldline.planning.dataset_splits import TRAIN
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Samples
from foldline.splits.folds_config import COLUMN, GIVEN, GROUPED
from foldline.splits.given_folds import number_folds, one_label_problems, split_groups

# Key of what was found in the data about folds, see `data_index.DataIndex.found`.
FOLDS = "folds"
MOST_FOLDS = 100
MOST_TOLD = 5


def fold_method(folds: Mapping[str, Any]) -> str:
    """The method of the section `folds`; without one, the key that is set decides."""
    if folds["method"] is not None:
        return str(folds["method"])
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


def fold_columns(folds: Mapping[str, Any]) -> list[str]:
    """Columns of the tables that only folds use."""
    return [folds["column"]] if fold_method(folds) == COLUMN else []


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
    names = tuple(fold_columns(folds))
    if not names or TRAIN not in tables:
        return None
    columns = columns_of(dataset, TRAIN)
    columns = columns.of_made_table() if is_made_table(dataset, TRAIN) else columns
    columns = replace(columns, group=None, metadata=names, optional=(), of_paths=())
    return FoldCells(names, {TRAIN: CellTable(tables[TRAIN], columns)}, digest)


def find_folds(folds: Mapping[str, Any], dataset: Mapping[str, Any], data: RawData) -> dict[str, Any]:
    """What the data say of folds, in values that JSON can hold; empty if they say nothing.

    Args:
        folds: the section.
        dataset: the section `dataset`, with the classes that were found.
        data: the data; its training rows could be read.

    Returns:
        `digest` of the cells that decide folds; where the data decide how many folds there are, also `names` and
        `numbers` of the folds, in this order.

    Raises:
        FoldlineError: a table cannot be read, or its folds cannot be used.
    """
    cells = fold_cells(folds, dataset, data.tables)
    if cells is None:
        return {}
    tables = cells.read()
    found: dict[str, Any] = {"digest": cells.digest_of(tables)}
    if fold_method(folds) == COLUMN:
        found |= _given_folds(folds["column"], dataset, tables[TRAIN], data.splits[TRAIN])
    return found


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


def _given_folds(column: str, dataset: Mapping[str, Any], table: SampleTable, train: Samples) -> dict[str, Any]:
    """Names and numbers of the folds in a column.

    Raises:
        FoldlineError: a row has no fold, there are too few or too many, a group is in two, or the rows without a fold
            all have one label.
    """
    (cells,) = table.metadata
    where = f"{table.raw.path}: column {column} (folds.column)"
    wrong = [
        (line, f"the fold (column {column}) of id {name!r} is {cell or 'missing'!r}")
        for line, name, cell in zip(table.raw.lines, table.ids, cells, strict=True)
        if not cell or cell.startswith("-")
    ]
    if wrong:
        raise table.raw.error(
            wrong, "give every row a fold, such as 0 or the name of a site, or remove folds.column to have folds made"
        )
    number_of = number_folds(cells)
    if not 2 <= len(number_of) <= MOST_FOLDS:
        raise FoldlineError(
            f"{where} has {counted(len(number_of), 'value')} ({listing(list(number_of), limit=5)}), but there may be "
            f"2 to {MOST_FOLDS}: every model is trained once for each; correct folds.column"
        )
    name_of_id = dict(zip(table.ids, cells, strict=True))
    names = [name_of_id[name] for name in train.rows.id]
    if broken := split_groups(train.rows.id, train.rows.group, names):
        raise FoldlineError(
            f"{where} has {counted(len(broken), 'group')} of dataset.group_column in more than one fold: "
            f"{listing(broken, limit=MOST_TOLD)}; give all rows of a group one fold, or set folds.method to grouped"
        )
    scored = scored_classes_of(dataset)
    if len(scored) == 1:
        index = class_names_of(dataset).index(scored[0])
        labels = [hard_code(code)[index] for code in train.rows.target]
        if problems := one_label_problems(labels, names):
            raise FoldlineError(
                f"{where}: {listing(problems, limit=MOST_TOLD)}, so there is nothing to learn; correct the folds, or "
                "set folds.method to grouped"
            )
    return {"names": list(number_of), "numbers": list(number_of.values())}
