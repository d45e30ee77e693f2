"""The folds as planning knows them: their numbers, and the columns of the user's tables that decide them."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from foldline.dataset.cell_values import canonical
from foldline.dataset.fold_cells import CellTable, FoldCells
from foldline.dataset.fold_table import FoldTable
from foldline.io.result_paths import Member, members_of
from foldline.planning.dataset_section import (
    class_names_of,
    columns_of,
    group_columns,
    is_made_table,
    source_of,
)
from foldline.planning.dataset_splits import TRAIN, labeled_splits
from foldline.splits.folds_config import COLUMN, GIVEN, GROUPED, TABLE, TIME

# Key of what was found in the data about folds, see `data_index.DataIndex.found`.
FOLDS = "folds"
# Key in it of what looks like groups that the configuration does not name.
GROUP_LIKE = "group_like"
# Values of `folds.holdout.column`, if `folds.holdout.values` names none.
IN_HOLDOUT = (1,)
# Column of the folds in a fold table, if `folds.column` names none.
FOLD = "fold"


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


def members(folds: Mapping[str, Any]) -> list[Member]:
    """The networks that each model trains, one for each fold of each repeat."""
    return members_of(fold_numbers(folds), folds["repeats"])


def with_found_folds(folds: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The section `folds` with what was found in the data, see `find_folds`."""
    if "numbers" not in found:
        return dict(folds)
    return {**folds, "count": len(found["numbers"]), "names": found["names"], "numbers": found["numbers"]}


def fold_columns(folds: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, str]:
    """Columns that only folds use, each with the key that names it."""
    columns = dict.fromkeys(group_columns(dataset)[1:], "dataset.group_column")
    if fold_method(folds) in (COLUMN, TIME) and folds["column"] is not None:
        columns[folds["column"]] = "folds.column"
    if folds["holdout"]["column"] is not None:
        columns[folds["holdout"]["column"]] = "folds.holdout.column"
    return columns


def holdout_values(folds: Mapping[str, Any]) -> list[str]:
    """Values of `folds.holdout.column` whose rows are held out, in canonical spelling."""
    values = folds["holdout"]["values"]
    return [canonical(str(value)) for value in (IN_HOLDOUT if values is None else values)]


def has_holdout(folds: Mapping[str, Any]) -> bool:
    """Whether some training rows are never trained on."""
    return folds["holdout"]["column"] is not None or folds["holdout"]["share"] > 0


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


def fold_settings(
    folds: Mapping[str, Any], dataset: Mapping[str, Any], policy: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Fields of `FoldsConfig`.

    Args:
        folds: the section, with what was found.
        dataset: the section `dataset`, with the classes that were found.
        policy: see `leak_plan.fold_policy`.
    """
    names = {"class_names": class_names_of(dataset), "group_columns": group_columns(dataset)[1:]}
    holdout = {**folds["holdout"], "values": holdout_values(folds)}
    # Further repeats are made by jobs of their own, and change nothing in the first.
    own = {key: value for key, value in folds.items() if key != "repeats"}
    return {**own, "method": fold_method(folds), "holdout": holdout, "leak_policy": policy, **names}


def repeat_settings(folds: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `RepeatConfig`; the arguments are those of `fold_settings`."""
    return {**{key: folds[key] for key in ("count", "seed", "stratify_by")}, "class_names": class_names_of(dataset)}


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
