"""Tables between the steps: their columns and types are declared, and checked when written and when read.

The suffix of a path decides the format: `.parquet` for what only steps read, CSV for what a person opens. The same rows
give the same bytes.
"""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from foldline.errors import FoldlineError, listing
from foldline.io.files import atomic_write, read_file
from foldline.io.parquet import SUFFIX, read_parquet, read_parquet_schema, write_parquet

TEXT, INTEGER, REAL, FLOAT32 = "str", "int64", "float64", "float32"
IN_WORDS = {TEXT: "text", INTEGER: "a whole number", REAL: "a number", FLOAT32: "a 32-bit number"}
ARROW_TYPES = {TEXT: pa.string(), INTEGER: pa.int64(), REAL: pa.float64(), FLOAT32: pa.float32()}

_NO_QUOTES = arrow_csv.WriteOptions(include_header=False, quoting_style="none")

# Columns of each table and their types. `target` is a label code (see `dataset.labels`), "" in the inventory of the
# test split. `split` of the fold table is "train" or an external set; see `splits.fold_membership` for the use of its
# rows. Columns that are not declared (metadata) are text.
INVENTORY = {
    "id": TEXT,
    "target": TEXT,
    "group": TEXT,
    "path": TEXT,
    "bytes": INTEGER,
    "sha256": TEXT,
    "width": INTEGER,
    "height": INTEGER,
    "pixels_sha256": TEXT,
    "perceptual_hash": TEXT,
    "contrast": REAL,
    "peak_sample": REAL,
    "white_sample": REAL,
    "problem": TEXT,
}
IMAGES = {
    "split": TEXT,
    "images": INTEGER,
    "bytes": INTEGER,
    "min_width": INTEGER,
    "max_width": INTEGER,
    "min_height": INTEGER,
    "max_height": INTEGER,
}
LEAKS = {"id": TEXT, "other_id": TEXT, "other_split": TEXT, "kind": TEXT, "distance": INTEGER, "same_label": TEXT}
DROPPED = {"id": TEXT, "split": TEXT, "kept_id": TEXT, "kept_split": TEXT, "kind": TEXT, "reason": TEXT}
LOOK_ALIKES = {
    "rank": INTEGER,
    "id": TEXT,
    "other_id": TEXT,
    "split": TEXT,
    "other_split": TEXT,
    "score": REAL,
}
LABEL_ISSUES = {
    "rank": INTEGER,
    "id": TEXT,
    "group": TEXT,
    "fold": INTEGER,
    "label": TEXT,
    "suggested": TEXT,
    "label_probability": FLOAT32,
    "suggested_probability": FLOAT32,
}
FOLDS = {"id": TEXT, "group": TEXT, "target": TEXT, "fold": INTEGER, "split": TEXT, "row_weight": REAL}


def write_table(
    table: pd.DataFrame, path: str | Path, columns: Mapping[str, str], *, key: Sequence[str] = ("id",)
) -> None:
    """Check a table and write it: the declared columns in their order, then all others.

    Args:
        table: the table.
        path: a `.parquet` file, else a CSV file.
        columns: name and type of each declared column.
        key: columns that identify a row together.

    Raises:
        FoldlineError: a column is missing or has another type, a value is missing, or `key` is not unique.
    """
    path = Path(path)
    _check_names(list(table.columns), path, columns)
    types = {**columns, **{name: TEXT for name in table.columns if name not in columns}}
    arrow = _from_pandas(table, path, types)
    if path.suffix == SUFFIX:
        write_arrow_table(arrow, path, columns, key=key)
        return
    _check_rows(arrow, path, columns, key)
    plain = _without_quotes(arrow)
    if plain is not None:
        with suppress(pa.ArrowInvalid), atomic_write(path) as handle:
            for part in plain:
                arrow_csv.write_csv(part, handle, _NO_QUOTES)
            return
    # A carriage return alone would end the row unless its cell is quoted, which the writer does not see to.
    texts = [arrow[name] for name, kind in types.items() if kind == TEXT]
    has_return = any(pc.any(pc.match_substring(text, "\r")).as_py() for text in texts)
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if has_return else csv.QUOTE_MINIMAL
    with atomic_write(path, mode="w", encoding="utf-8", newline="") as handle:
        table[list(types)].to_csv(handle, index=False, lineterminator="\n", quoting=quoting)


def _without_quotes(table: pa.Table) -> tuple[pa.Table, pa.Table] | None:
    """Header and rows for the fast writer, which gives the bytes of pandas but refuses a cell that needs quotes.

    None for a table that it would write otherwise.
    """
    columns = []
    for column in table.columns:
        if column.type == pa.float64():
            # Arrow would leave out the point of a whole number.
            different = pc.unique(column)
            texts = pa.array(map(repr, different.to_pylist()), pa.string())
            columns.append(texts.take(pc.index_in(column, different)))
        elif column.type in (pa.string(), pa.int64()):
            columns.append(column)
        else:
            return None
    names = list(map(str, range(len(columns))))
    header = pa.table([pa.array([name]) for name in table.column_names], names)
    # A single empty cell is quoted, because a line without any is none.
    return (header, pa.table(columns, names)) if len(columns) > 1 else None


def write_arrow_table(
    table: pa.Table, path: str | Path, columns: Mapping[str, str], *, key: Sequence[str] = ("id",)
) -> None:
    """Check an Arrow table and write it as `write_table` does, with the metadata of its schema; a Parquet file only."""
    _check_columns(table.schema, Path(path), columns)
    _check_rows(table, Path(path), columns, key)
    metadata = {name: value for name, value in (table.schema.metadata or {}).items() if name != b"pandas"}
    write_parquet(table.replace_schema_metadata(metadata or None), path)


def read_table(path: str | Path, columns: Mapping[str, str], *, key: Sequence[str] = ("id",)) -> pd.DataFrame:
    """Read a table that a step wrote; columns that are not declared (metadata) are text.

    Raises:
        FoldlineError: the file is empty or damaged, or as `write_table`.
        OSError: it cannot be read.
    """
    return _to_pandas(read_arrow_table(path, columns, key=key))


def read_arrow_table(
    path: str | Path, columns: Mapping[str, str], *, key: Sequence[str] = ("id",), skipped: Collection[str] = ()
) -> pa.Table:
    """Read a table as `read_table` does, without pandas and, from a Parquet file, without the columns to skip."""
    path = Path(path)
    if path.suffix == SUFFIX:
        names = [name for name in read_parquet_schema(path).names if name not in skipped] if skipped else None
        table = read_parquet(path, names)
    else:
        table = _read_csv(path, columns)
    _check_columns(table.schema, path, columns)
    _check_rows(table, path, columns, key)
    return table


def read_tables(
    paths: Sequence[str | Path],
    columns: Mapping[str, str],
    *,
    key: Sequence[str] = ("id",),
    skipped: Collection[str] = (),
) -> pd.DataFrame:
    """Read the shards of one table and join them, sorted by `key`, which must be unique over all shards.

    Args:
        paths: Parquet files.
        columns: name and type of each declared column.
        key: columns that identify a row together.
        skipped: declared columns that the caller does not use, which are not read: they are most of the memory.

    Raises:
        FoldlineError: as `read_table`; also if the shards have different columns.
    """
    columns = {name: kind for name, kind in columns.items() if name not in skipped}
    tables = [read_arrow_table(path, columns, key=key, skipped=skipped) for path in paths]
    names = tables[0].column_names
    for path, table in zip(paths, tables, strict=True):
        if sorted(table.column_names) != sorted(names):
            raise FoldlineError(
                f"{path}: the columns are {listing(table.column_names)}, those of {paths[0]} are {listing(names)}; "
                "remove the files and run the workflow again"
            )
    joined = pa.concat_tables([table.select(names).replace_schema_metadata(None) for table in tables])
    _check_rows(joined, Path(paths[0]).parent, columns, key)
    # Arrow sorts text by bytes of UTF-8, which is the order of Python, and ten times as fast.
    return _to_pandas(joined.sort_by([(name, "ascending") for name in key]))


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    """Convert to pandas: text is `str` objects, each distinct one once."""
    frame: pd.DataFrame = table.to_pandas(use_threads=False)
    return frame


def _from_pandas(table: pd.DataFrame, path: Path, types: Mapping[str, str]) -> pa.Table:
    """Convert columns of the given types.

    Raises:
        FoldlineError: a column has another type.
    """
    arrays = []
    for name, kind in types.items():
        values = table[name]
        # A column without rows can have any type.
        valid = kind == TEXT or str(values.dtype) == kind or not len(values)
        try:
            arrays.append(pa.array(values, ARROW_TYPES[kind], from_pandas=kind == TEXT) if valid else None)
        except (pa.ArrowException, UnicodeError):
            valid = False
        if not valid:
            raise FoldlineError(f"{path}: column {name} is {values.dtype}; every value must be {IN_WORDS[kind]}")
    return pa.table(arrays, schema=arrow_schema(types))


def arrow_schema(columns: Mapping[str, str], metadata: Mapping[str, str] | None = None) -> pa.Schema:
    """Make the Arrow schema of declared columns, none of which can be null."""
    fields = [pa.field(name, ARROW_TYPES[kind], nullable=False) for name, kind in columns.items()]
    return pa.schema(fields, metadata=dict(metadata) if metadata else None)


def _read_csv(path: Path, columns: Mapping[str, str]) -> pa.Table:
    data = read_file(path)
    try:
        names = next(csv.reader(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")), [])
        if not names:
            raise FoldlineError(f"{path}: the file is empty; remove it and run the workflow again")
        _check_names(names, path, columns)
        return _parse_csv(data, {name: columns.get(name, TEXT) for name in names})
    except pa.ArrowInvalid as error:
        reason = _wrong_cell(data, names, columns) or error
        raise FoldlineError(f"{path}: {reason}; remove the file and run the workflow again") from error
    except UnicodeError as error:
        raise FoldlineError(f"{path}: is not UTF-8 ({error}); remove the file and run the workflow again") from error


def _parse_csv(data: bytes, types: Mapping[str, str]) -> pa.Table:
    options = arrow_csv.ConvertOptions(
        column_types={name: ARROW_TYPES[kind] for name, kind in types.items()},
        null_values=[],
    )
    # The whole file is one block, because a row must not be longer than a block.
    return arrow_csv.read_csv(
        pa.BufferReader(data),
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=options,
    )


def _wrong_cell(data: bytes, names: Sequence[str], columns: Mapping[str, str]) -> str | None:
    """Describe the first cell that is not of the declared type; None if the file is no table."""
    parse = {INTEGER: int, REAL: float, FLOAT32: float}
    try:
        table = _parse_csv(data, dict.fromkeys(names, TEXT))
    except pa.ArrowInvalid:
        return None
    for name, kind in columns.items():
        for number, cell in enumerate(table[name].to_pylist() if kind != TEXT else (), start=1):
            try:
                parse[kind](cell)
            except ValueError:
                return f"column {name} of row {number} is {cell!r}; it must be {IN_WORDS[kind]}"
    return None


def _check_names(names: Sequence[str], path: Path, columns: Mapping[str, str]) -> None:
    missing = [name for name in columns if name not in names]
    if missing:
        raise FoldlineError(
            f"{path}: no column {listing(missing)}; the table has {listing(list(names))}; remove the file and run the "
            "workflow again"
        )
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if repeated:
        raise FoldlineError(
            f"{path}: column {listing(repeated)} occurs more than once; remove the file and run the workflow again"
        )


def _check_columns(schema: pa.Schema, path: Path, columns: Mapping[str, str]) -> None:
    """Refuse missing and repeated columns, and those of another type than declared."""
    _check_names(schema.names, path, columns)
    for field in schema:
        kind = columns.get(field.name, TEXT)
        if field.type != ARROW_TYPES[kind]:
            raise FoldlineError(
                f"{path}: column {field.name} is {field.type}; every value must be {IN_WORDS[kind]}; remove the file "
                "and run the workflow again"
            )


def _check_rows(table: pa.Table, path: Path, columns: Mapping[str, str], key: Sequence[str]) -> None:
    """Refuse missing values, empty ids and repeated keys."""
    for name in table.column_names:
        values = table[name]
        if values.null_count or (pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py()):
            raise FoldlineError(f"{path}: column {name} has missing values")
    if "id" in columns and pc.any(pc.equal(table["id"], "")).as_py():
        raise FoldlineError(f"{path}: an id is empty")
    counts = table.select(list(key)).group_by(list(key), use_threads=False).aggregate([([], "count_all")])
    repeated = counts.filter(pc.greater(counts["count_all"], 1)).select(list(key)).to_pylist()
    if repeated:
        names = sorted("/".join(str(value) for value in row.values()) for row in repeated)
        raise FoldlineError(f"{path}: {'/'.join(key)} {listing(names)} occurs more than once; it must be unique")
