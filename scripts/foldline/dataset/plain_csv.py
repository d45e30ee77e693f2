"""A fast reader of long tables without quotes; `raw_table` reads all others, and says what is wrong with a table."""

from collections.abc import Sequence

# Characters from which on the reader saves more time than pyarrow takes to be imported.
LONG = 1 << 21


def read_plain(text: str, delimiter: str, width: int, indices: Sequence[int]) -> list[list[str]] | None:
    """Cells of some columns without spaces around them, (n_columns,)(n_rows,), each row on a line of its own.

    Args:
        text: a CSV table without NUL, its header on the first line.
        delimiter: one character.
        width: number of cells that a row must have.
        indices: indices of the columns to read.

    Returns:
        None if the table is short, has quotes, empty lines, bare CR or rows of another width, or pyarrow is missing.
    """
    if len(text) < LONG or '"' in text or text.startswith(("\n", "\r")):
        return None
    if "\n\n" in text or "\n\r" in text or text.count("\r") != text.count("\r\n"):
        return None
    try:
        import pyarrow as pa
        from pyarrow import csv
    except ImportError:
        return None
    names = [str(index) for index in range(width)]
    try:
        table = csv.read_csv(
            pa.BufferReader(text.encode()),
            # One thread: steps that read tables fork worker processes.
            read_options=csv.ReadOptions(column_names=names, skip_rows=1, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=delimiter, quote_char=False, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=[names[index] for index in indices],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowException:
        return None
    return [[cell.strip() for cell in table[names[index]].to_pylist()] for index in indices]
