"""Tables between the steps: CSV files whose declared columns are checked when written and when read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from foldline.errors import FoldlineError, listing
from foldline.io.files import atomic_write

TEXT, INTEGER, REAL = "str", "int64", "float64"
IN_WORDS = {TEXT: "text", INTEGER: "a whole number", REAL: "a number"}

# Columns of each table and their types. `target` is a label code (see `dataset.labels`), "" in the inventory of the
# test split. `split` of the fold table is "train" or "external"; see `splits.fold_membership` for the use of its rows.
INVENTORY = {
    "id": TEXT,
    "target": TEXT,
    "group": TEXT,
    "path": TEXT,
    "bytes": INTEGER,
    "sha256": TEXT,
    "width": INTEGER,
    "height": INTEGER,
    "perceptual_hash": TEXT,
    "problem": TEXT,
}
LEAKS = {"id": TEXT, "other_id": TEXT, "other_split": TEXT, "kind": TEXT, "distance": INTEGER, "same_label": TEXT}
FOLDS = {"id": TEXT, "group": TEXT, "target": TEXT, "fold": INTEGER, "split": TEXT}
PREDICTIONS = {"id": TEXT, "class": TEXT, "probability": REAL, "model": TEXT, "fold": INTEGER, "views": INTEGER}


def write_table(
    table: pd.DataFrame, path: str | Path, columns: Mapping[str, str], *, key: Sequence[str] = ("id",)
) -> None:
    """Check a table and write it as CSV: the declared columns in their order, then all others.

    Args:
        table: the table.
        path: the CSV file.
        columns: name and type of each declared column.
        key: columns that identify a row together.

    Raises:
        FoldlineError: a column is missing or has another type, a value is missing, or `key` is not unique.
    """
    _check(table, Path(path), columns, key)
    ordered = table[[*columns, *(name for name in table.columns if name not in columns)]]
    with atomic_write(path, mode="w", encoding="utf-8", newline="") as handle:
        ordered.to_csv(handle, index=False, lineterminator="\n")


def read_table(path: str | Path, columns: Mapping[str, str], *, key: Sequence[str] = ("id",)) -> pd.DataFrame:
    """Read a CSV table that a step wrote; columns that are not declared (metadata) are read as text.

    Raises:
        FoldlineError: the file is empty, or as `write_table`.
    """
    try:
        text = pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False)
    except pd.errors.EmptyDataError as error:
        raise FoldlineError(f"{path}: the file is empty; remove it and run the workflow again") from error
    _check_names(text, Path(path), columns)
    try:
        table = text.astype({name: kind for name, kind in columns.items() if kind != TEXT})
    except ValueError as error:
        raise FoldlineError(f"{path}: {error}; remove the file and run the workflow again") from error
    _check(table, Path(path), columns, key)
    return table


def read_tables(
    paths: Sequence[str | Path], columns: Mapping[str, str], *, key: Sequence[str] = ("id",)
) -> pd.DataFrame:
    """Read the shards of one table and join them, sorted by `key`, which must be unique over all shards."""
    table = pd.concat([read_table(path, columns, key=key) for path in paths], ignore_index=True)
    _check(table, Path(paths[0]).parent, columns, key)
    return table.sort_values(list(key), kind="stable", ignore_index=True)


def _check_names(table: pd.DataFrame, path: Path, columns: Mapping[str, str]) -> None:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise FoldlineError(
            f"{path}: no column {listing(missing)}; the table has {listing(list(table.columns))}; remove the file and "
            "run the workflow again"
        )


def _check(table: pd.DataFrame, path: Path, columns: Mapping[str, str], key: Sequence[str]) -> None:
    _check_names(table, path, columns)
    for name, kind in columns.items():
        if kind == TEXT:
            wrong = not table[name].map(lambda value: isinstance(value, str)).all()
        else:
            wrong = str(table[name].dtype) != kind
        if wrong:
            raise FoldlineError(f"{path}: column {name} is {table[name].dtype}; every value must be {IN_WORDS[kind]}")
        if table[name].isna().any():
            raise FoldlineError(f"{path}: column {name} has missing values")
    if "id" in columns and (table["id"] == "").any():
        raise FoldlineError(f"{path}: an id is empty")
    repeated = table.duplicated(list(key))
    if repeated.any():
        names = sorted(set(table.loc[repeated, list(key)].astype(str).agg("/".join, axis=1)))
        raise FoldlineError(f"{path}: {'/'.join(key)} {listing(names)} occurs more than once; it must be unique")
