"""Columns of a Parquet table as texts."""

import io
from collections.abc import Sequence
from typing import Any

from foldline.errors import FoldlineError, listing

# Arrow's types of floats, and the first whole number that each cannot tell from its neighbor.
WHOLE_FLOATS = {"halffloat": 2**11, "float": 2**24, "double": 2**53}


def read_parquet(
    path: str, data: bytes, wanted: Sequence[str] | None, *, exact: Sequence[str] = ()
) -> tuple[tuple[str, ...], dict[str, Sequence[str]]]:
    """Read columns of a Parquet file; a null is an empty text.

    Args:
        path: name of the table in an error message.
        data: bytes of the file.
        wanted: columns to read, those that are absent left out; None for all.
        exact: columns whose numbers are names, so that a float may not be rounded.

    Returns:
        Names of all columns without spaces around them, and texts of the columns read.

    Raises:
        FoldlineError: pyarrow is not installed, the file is damaged, a column holds no numbers, texts or times, or an
            exact column holds whole numbers that its type cannot tell apart.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise FoldlineError(
            f"{path}: the Python that runs Snakemake needs pyarrow to read Parquet ({error}); install it there, or "
            "save the table as CSV"
        ) from error
    try:
        names = parquet.read_schema(io.BytesIO(data)).names
        header = tuple(name.strip() for name in names)
        indices = [index for index, name in enumerate(header) if wanted is None or name in wanted]
        if len({header[index] for index in indices}) < len(indices):
            # The reader refuses a name that occurs twice.
            return header, {}
        table = parquet.read_table(io.BytesIO(data), columns=[names[index] for index in indices])
    except (pyarrow.ArrowException, OSError) as error:
        raise FoldlineError(f"{path}: the Parquet file is damaged ({error}); write or copy it again") from error
    columns = {header[index]: table[names[index]] for index in indices}
    for name in exact:
        if name in columns:
            _check_exact(path, name, columns[name])
    return header, {name: _texts(path, name, column) for name, column in columns.items()}


def _texts(path: str, name: str, column: Any) -> list[str]:
    import pyarrow
    from pyarrow import compute, types

    if types.is_nested(column.type):
        raise FoldlineError(
            f"{path}: column {name} holds lists ({column.type}); write them as texts, their items joined by the "
            "separator of dataset.labels"
        )
    try:
        texts = column.cast(pyarrow.string())
    except pyarrow.ArrowException as error:
        raise FoldlineError(
            f"{path}: column {name} holds {column.type}, which is no text, number or time ({error}); write it as text"
        ) from error
    cells = [cell.strip() for cell in compute.fill_null(texts, "").to_pylist()]
    if types.is_floating(column.type):
        # Arrow writes 10000000001.0 as 1.0000000001e+10.
        cells = [
            cell if value is None or not value.is_integer() else _whole_text(value)
            for cell, value in zip(cells, column.to_pylist(), strict=True)
        ]
    wrong = [str(number) for number, cell in enumerate(cells, start=1) if "\0" in cell]
    if wrong:
        raise FoldlineError(f"{path}, row {listing(wrong, limit=5)}: column {name} has a NUL character; remove it")
    return cells


def _whole_text(value: float) -> str:
    return str(int(value)) if abs(value) < WHOLE_FLOATS["double"] else repr(value)


def _check_exact(path: str, name: str, column: Any) -> None:
    """Refuse floats that may stand for several whole numbers: two patients would be one, or one would be two."""
    limit = WHOLE_FLOATS.get(str(column.type))
    if limit is None:
        return
    rows = [
        f"{number} ({value:.0f})"
        for number, value in enumerate(column.to_pylist(), start=1)
        if value is not None and abs(value) >= limit and value.is_integer()
    ]
    if rows:
        raise FoldlineError(
            f"{path}, row {listing(rows, limit=5)}: column {name} holds {column.type}, which rounds whole numbers from "
            f"{limit} on; write the column as text or as whole numbers"
        )
