"""Parquet files: equal tables give equal bytes, and a damaged file is an error. Without pandas."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from foldline.errors import FoldlineError
from foldline.io.files import atomic_write, open_file

SUFFIX = ".parquet"
# The bytes depend on the table, on these settings and on the version of pyarrow, whose name is in the file. No time, no
# path, no metadata of pandas. Every page has a checksum, so that a reader notices a changed byte.
_FORMAT: dict[str, Any] = {
    "version": "2.6",
    "data_page_version": "1.0",
    "compression": "zstd",
    "row_group_size": 1 << 20,
    "write_page_checksum": True,
}


def write_parquet(table: pa.Table, path: str | Path) -> None:
    """Write a table, with the metadata of its schema; the file appears when it is complete.

    Raises:
        OSError: the file cannot be written.
    """
    with atomic_write(path) as handle:
        pq.write_table(table.combine_chunks(), handle, **_FORMAT)


def read_parquet(path: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table; the types, names and metadata are those of the file.

    Args:
        path: the file.
        columns: names of the columns to read, those that are absent left out; None for all.

    Raises:
        FoldlineError: the file is damaged.
        OSError: it cannot be read.
    """
    try:
        with open_file(path) as handle, pq.ParquetFile(handle, page_checksum_verification=True) as file:
            # One thread: worker processes are forked from steps that read tables, and small tables gain nothing.
            table = file.read(columns=columns, use_threads=False)
            table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            # Of the operating system.
            raise
        raise _damaged(path, error) from error
    return table


def read_parquet_schema(path: str | Path) -> pa.Schema:
    """Read the types, names and metadata of a table without its rows; errors as `read_parquet`."""
    try:
        with open_file(path) as handle, pq.ParquetFile(handle) as file:
            return file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            # Of the operating system.
            raise
        raise _damaged(path, error) from error


def _damaged(path: str | Path, error: Exception) -> FoldlineError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return FoldlineError(
        f"{path}: cannot be read as a Parquet file ({reason}); remove the file and run the workflow again"
    )
