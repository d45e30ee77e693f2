"""Columns of a Parquet table as texts."""

import io
from collections.abc import Sequence
from typing import Any

from foldline.errors import FoldlineError, listing


def read_parquet(
    path: str, data: bytes, wanted: Sequence[str] | None
) -> tuple[tuple[str, ...], dict[str, Sequence[str]]]:
    """Read columns of a Parquet file; a null is an empty text.

    Args:
        path: name of the table in an error message.
        data: bytes of the file.
        wanted: columns to read, those that are absent left out; None for all.

    Returns:
        Names of all columns without spaces around them, and texts of the columns read.

    Raises:
        FoldlineError: pyarrow is not installed, the file is damaged, or a column holds no numbers, texts or times.
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
    return header, {header[index]: _texts(path, header[index], table[names[index]]) for index in indices}


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
    wrong = [str(number) for number, cell in enumerate(cells, start=1) if "\0" in cell]
    if wrong:
        raise FoldlineError(f"{path}, row {listing(wrong, limit=5)}: column {name} has a NUL character; remove it")
    return cells
