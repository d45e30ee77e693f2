"""Tables of embeddings: one vector per sample of a split, and the same from a table of the user."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from foldline.errors import FoldlineError, counted, listing, problems_error
from foldline.io.parquet import read_parquet, write_parquet

Vectors = npt.NDArray[np.float16]
ID, SPLIT, VECTOR = "id", "split", "vector"
# The largest number of 16 bits.
LARGEST = float(np.finfo(np.float16).max)


def write_embeddings(path: str | Path, ids: Sequence[str], vectors: npt.NDArray[Any]) -> None:
    """Write vectors as numbers of 16 bits, sorted by id.

    Args:
        path: the Parquet file.
        ids: (n_rows,).
        vectors: floats, (n_rows, n_values).

    Raises:
        FoldlineError: an id is empty or occurs more than once, or a value is no finite number of 16 bits.
    """
    problems = id_problems(ids)
    with np.errstate(over="ignore"):
        rounded = np.asarray(vectors, np.float16)
    if not np.isfinite(rounded).all():
        rows = [ids[row] for row in np.flatnonzero(~np.isfinite(rounded).all(axis=-1)).tolist()]
        problems.append(f"{counted(len(rows), 'vector')} with values beyond the numbers of 16 bits: {listing(rows)}")
    if problems:
        raise problems_error([f"{path}: {problem}" for problem in problems])
    order = np.argsort(np.array(ids, dtype=object), kind="stable")
    lists = pa.FixedSizeListArray.from_arrays(pa.array(rounded[order].ravel()), vectors.shape[1])
    names = pa.array([ids[row] for row in order], pa.string())
    write_parquet(pa.table([names, lists], schema=_schema(vectors.shape[1])), path)


def read_embeddings(path: str | Path) -> tuple[list[str], Vectors]:
    """Read a table that `write_embeddings` wrote.

    Returns:
        Ids, ascending, (n_rows,), and vectors, float16, (n_rows, n_values).

    Raises:
        FoldlineError: the file is damaged or no table of embeddings.
        OSError: it cannot be read.
    """
    table = read_parquet(path)
    length = table.schema.field(VECTOR).type.list_size if _is_fixed(table.schema) else 0
    ids = table[ID].to_pylist() if length else []
    if not length or table.schema != _schema(length) or id_problems(ids) or ids != sorted(ids):
        raise FoldlineError(f"{path}: is no table of embeddings; remove the file and run the workflow again")
    return ids, _values(table[VECTOR]).reshape(len(ids), length)


def embeddings_of(path: str | Path, ids: Sequence[str]) -> Vectors:
    """Vectors of samples, in the order of their ids, float16, (n_samples, n_values).

    Raises:
        FoldlineError: as `read_embeddings`, or an id is missing.
    """
    names, vectors = read_embeddings(path)
    row_of = {name: row for row, name in enumerate(names)}
    missing = [name for name in ids if name not in row_of]
    if missing:
        raise FoldlineError(f"{path}: no vector of {listing(missing)}; remove the file and run the workflow again")
    return vectors[[row_of[name] for name in ids]]


def id_problems(ids: Sequence[str]) -> list[str]:
    """What is wrong with ids that must be unique: a line for each problem."""
    problems = ["an id is empty"] if "" in ids else []
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        repeated = sorted({name for name in ids if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
        problems.append(f"{counted(len(repeated), 'id')} more than once: {listing(repeated)}")
    return problems


def feature_problems(path: str | Path, ids: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with a table of the user's own vectors: a line for each problem, with rows from 1.

    Args:
        path: a Parquet file with a column `id`, of text, and a column `vector`, of lists of numbers. If it also has a
            column `split`, a row is of that split, else of all samples with its id.
        ids: ids of the samples of each split, all of which must have a vector.
    """
    try:
        table = read_parquet(path)
    except FileNotFoundError:
        return ["there is no such file"]
    except FoldlineError as error:
        return [str(error).removeprefix(f"{path}: ").partition(";")[0] + "; write it anew"]
    types = {field.name: field.type for field in table.schema}
    if ID not in types or VECTOR not in types or not _is_list(types[VECTOR]):
        return [
            f"has the columns {listing([f'{name} ({kind})' for name, kind in types.items()])}; write a column id of "
            "text and a column vector of lists of numbers"
        ]
    names = ["" if name is None else str(name) for name in table[ID].to_pylist()]
    vectors = pc.is_valid(table[VECTOR]).to_pylist()
    absent = [
        f"row {row} has no {'id' if not name else f'vector (id {name})'}"
        for row, (name, has_vector) in enumerate(zip(names, vectors, strict=True), start=1)
        if not name or not has_vector
    ]
    if absent:
        return [f"{listing(absent)}; write an id and a vector in each row, or remove the row"]
    problems = []
    for split, wanted in ids.items():
        of_split = _of_split(table, names, split)
        where = f"split {split}: "
        if repeated := _repeated(of_split):
            problems.append(f"{where}{counted(len(repeated), 'id')} more than once: {listing(repeated)}")
        missing = sorted(set(wanted) - set(of_split.values()))
        if missing:
            found = f"; the file has {listing(list(dict.fromkeys(of_split.values())), limit=3)}"
            if not of_split:
                splits = [str(name) for name in dict.fromkeys(table[SPLIT].to_pylist())] if SPLIT in types else []
                found = f"; the column {SPLIT} has {listing(splits)}" if splits else ""
            problems.append(f"{where}{counted(len(missing), 'sample')} without a vector: {listing(missing)}{found}")
    used = set(chain.from_iterable(ids.values()))
    return problems + _vector_problems(table, names, [row for row, name in enumerate(names) if name in used])


def _repeated(names: Mapping[int, str]) -> list[str]:
    """The ids that are in several rows, and these rows: "a (rows 1, 6)"."""
    rows_of: dict[str, list[str]] = {}
    for row, name in names.items():
        rows_of.setdefault(name, []).append(str(row))
    return [f"{name} (rows {listing(rows)})" for name, rows in sorted(rows_of.items()) if len(rows) > 1]


def read_features(path: str | Path, split: str, ids: Sequence[str]) -> npt.NDArray[np.float64]:
    """Vectors of the samples of a split from a table without `feature_problems`, float64, (n_samples, n_values)."""
    table = read_parquet(path)
    names = [str(name) for name in table[ID].to_pylist()]
    if SPLIT in table.column_names:
        mask = pc.equal(table[SPLIT], split)
        names = list(_of_split(table, names, split).values())
        table = table.filter(mask)
    row_of = {name: row for row, name in enumerate(names)}
    vectors = _values(table[VECTOR].cast(pa.list_(pa.float64())))
    return np.asarray(vectors.reshape(len(names), -1)[[row_of[name] for name in ids]], np.float64)


def _of_split(table: pa.Table, names: Sequence[str], split: str) -> dict[int, str]:
    """The ids of the rows of a split, by their row, from 1."""
    rows = dict(enumerate(names, start=1))
    if SPLIT not in table.column_names:
        return rows
    return {row: rows[row] for row, of in enumerate(table[SPLIT].to_pylist(), start=1) if of == split}


def _vector_problems(table: pa.Table, names: Sequence[str], used: Sequence[int]) -> list[str]:
    """Problems of all vectors, or else of those in the rows that are used, which are counted from 0."""
    problems = []
    lengths = pc.list_value_length(table[VECTOR]).to_pylist()
    usual = max(set(lengths), key=lengths.count, default=0)
    odd = [
        f"{name} (row {row}: {length})"
        for row, (name, length) in enumerate(zip(names, lengths, strict=True), start=1)
        if length != usual
    ]
    if odd:
        problems.append(f"vectors of another length than the usual {usual}: {listing(odd)}")
    if not usual:
        problems.append("vectors without values")
    values = pc.list_flatten(table[VECTOR]).combine_chunks().cast(pa.float64())
    owners = pc.list_parent_indices(table[VECTOR]).combine_chunks()
    fine = pc.fill_null(pc.less_equal(pc.abs(values), LARGEST), False)
    wrong = sorted(set(owners.filter(pc.invert(pc.and_(fine, pc.is_finite(pc.fill_null(values, 0.0))))).to_pylist()))
    if wrong:
        problems.append(
            f"{counted(len(wrong), 'vector')} with values that are missing, infinite or beyond {LARGEST:,.0f}: "
            f"{_in_rows(wrong, names)}"
        )
    if problems:
        return problems
    vectors = np.asarray(values, np.float16).reshape(len(names), -1)
    return _empty_problems(vectors[list(used)], names, used)


def _empty_problems(vectors: Vectors, names: Sequence[str], used: Sequence[int]) -> list[str]:
    """Vectors that tell nothing, in the 16 bits in which they are compared.

    Args:
        vectors: (n_rows, n_values).
        names: ids of all rows of the table.
        used: the rows, counted from 0, (n_rows,).
    """
    # A vector of one value may be 0.
    zeros = [used[row] for row in np.flatnonzero(~vectors.any(axis=1)).tolist()] if vectors.shape[1] > 1 else []
    if zeros:
        return [
            f"{counted(len(zeros), 'vector')} of zeros alone, or of less than 16 bits can hold (6e-08): "
            f"{_in_rows(zeros, names)}; compute these vectors, or scale all of them"
        ]
    if len(vectors) > 1 and (vectors == vectors[0]).all():
        return [f"all {len(vectors)} vectors are equal, so they tell no images apart; write the vector of each image"]
    return []


def _in_rows(rows: Sequence[int], names: Sequence[str]) -> str:
    """Ids of rows, which are counted from 0, with these rows, counted from 1: "c (row 3), d (row 4)"."""
    return listing([f"{names[row]} (row {row + 1})" for row in rows])


def _schema(length: int) -> pa.Schema:
    return pa.schema(
        [
            pa.field(ID, pa.string(), nullable=False),
            pa.field(VECTOR, pa.list_(pa.float16(), length), nullable=False),
        ]
    )


def _is_fixed(schema: pa.Schema) -> bool:
    return VECTOR in schema.names and ID in schema.names and pa.types.is_fixed_size_list(schema.field(VECTOR).type)


def _is_list(kind: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_list(kind) for is_list in lists):
        return False
    return bool(pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))


def _values(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    return np.asarray(column.combine_chunks().flatten().to_numpy(zero_copy_only=False))
