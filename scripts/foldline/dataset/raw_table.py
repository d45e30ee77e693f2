"""The one reader of every table of the user: train, test and external rows and the sample submission.

The process that builds the DAG and the steps read tables by it, so both see the same rows. A table is CSV in UTF-8 with
a header line, separated by comma, semicolon, tab or vertical bar, maybe compressed by gzip; or Parquet, which needs
pyarrow. Cells are texts without spaces around them; nothing is converted.

Standard library only for short CSV on a local disk, because the process that builds the DAG imports it.
"""

import csv
import difflib
import io
import itertools
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from foldline.dataset.parquet_table import read_parquet
from foldline.dataset.plain_csv import read_plain
from foldline.dataset.quotes import check_quotes
from foldline.dataset.table_text import PARQUET, decode, decompressed
from foldline.errors import FoldlineError, counted, listing
from foldline.io import storage
from foldline.io.system_errors import system_error

AUTO = "auto"
SEPARATORS = {",": ",", ";": ";", "tab": "\t", "|": "|"}
NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
# The first line by which Excel is told the separator.
_EXCEL = re.compile(r"sep=[^\r\n]?\r?(?=\n)", re.IGNORECASE)
LINE, ROW = "line", "row"
# More characters than a cell can have; the standard library's limit of 131,072 is less than a mask of a large image.
MOST_CHARACTERS = 2**31 - 1
# No table holds a NUL, see `table_text`.
_END = "\0end"
ROWS_PER_BLOCK = 500
_LIMIT_LOCK = threading.Lock()


class AbsentColumnsError(FoldlineError):
    """A table lacks columns.

    Attributes:
        absent: their names.
        header: names of the columns that it has.
    """

    def __init__(self, message: str, absent: Sequence[str], header: Sequence[str]) -> None:
        super().__init__(message)
        self.absent, self.header = list(absent), list(header)


@dataclass(frozen=True)
class RawTable:
    """Some columns of a table.

    Attributes:
        path: path or URL of the table.
        header: names of all of its columns, in their order.
        lines: (n_rows,), the line on which each row starts, the header being on line 1; or numbers from 1 in Parquet.
        columns: cells of the columns that were read, (n_rows,) each, by name.
        unit: what `lines` counts, `LINE` or `ROW`.
        made_of: what messages call a table that Foldline wrote itself; "" for the user's own.
    """

    path: str
    header: tuple[str, ...]
    lines: Sequence[int]
    columns: dict[str, Sequence[str]]
    unit: str = LINE
    made_of: str = ""

    def error(self, problems: Sequence[tuple[int, str]], remedy: str, *, limit: int = 5) -> FoldlineError:
        """One error for all problems of a kind: the first ones in words, and how many more there are.

        Args:
            problems: line and what is wrong there.
            remedy: what to do.
            limit: problems to spell out.
        """
        shown = [text if self.made_of else f"{self.unit} {line}: {text}" for line, text in problems[:limit]]
        rest = len(problems) - limit
        start = f"{self.made_of}: " if self.made_of else f"{self.path}, "
        return FoldlineError(f"{start}{'; '.join(shown)}{f'; and {rest} more' if rest > 0 else ''}; {remedy}")


def read_raw_table(
    path: str | Path,
    wanted: Sequence[str],
    *,
    separator: str = AUTO,
    every: bool = False,
    optional: Sequence[str] = (),
    exact: Sequence[str] = (),
) -> RawTable:
    """Read a table.

    Args:
        path: path or URL of the table.
        wanted: columns that the table must have.
        every: read all columns, not only those that are wanted.
        optional: columns to read as well if the table has them.
        separator: `AUTO`, which takes the one that gives the wanted columns, or a key of `SEPARATORS`.
        exact: columns whose numbers are names, see `parquet_table.read_parquet`.

    Raises:
        FoldlineError: the table cannot be read, is no CSV in UTF-8 and no Parquet, has no rows, lacks a column or has
            one twice, or lines have a wrong number of cells; the message names all of these lines.
    """
    path = str(path)
    try:
        data = decompressed(path, storage.read(path))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FoldlineError(f"{path}: no such table; give its path relative to dataset.root in the config") from error
    except OSError as error:
        raise system_error(error, path=path) from error
    if data.startswith(PARQUET):
        header, columns = read_parquet(path, data, None if every else [*wanted, *optional], exact=exact)
        _check_header(path, header, wanted)
        n_rows = len(next(iter(columns.values()), []))
        table = RawTable(path, header, range(1, n_rows + 1), columns, ROW)
    else:
        table = _read_csv(path, decode(path, data), wanted, separator, None if every else optional)
    if not table.lines:
        raise FoldlineError(f"{path}: the table has a header and no rows; add a row for each sample")
    return table


def check_columns(path: str, header: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuse a table that lacks a column.

    Raises:
        AbsentColumnsError: names the absent columns and those of the table.
    """
    absent = [name for name in wanted if name not in header]
    if absent:
        close = [name for name in header if name.casefold() in {other.casefold() for other in absent}]
        # A column that is needed itself is not meant for another one.
        free = [name for name in header if name not in wanted]
        close = close or [name for other in absent for name in difflib.get_close_matches(other, free, n=1)]
        hint = f"; did you mean {listing(close)}?" if close else ""
        if len(header) == 1 and len(wanted) > 1:
            hint = f"; cells are separated by {listing(list(NAMES.values()))}, so write the table with one of these"
        has = f"the table has {_shown(header)}" if header else "the file is empty"
        message = f"{path}: no column {listing(absent)}; {has}{hint}"
        raise AbsentColumnsError(message, absent, header)


def _check_header(path: str, header: Sequence[str], wanted: Sequence[str]) -> None:
    # Spreadsheets write empty names for empty columns at the right edge.
    repeated = [name for name, count in Counter(header).items() if name and count > 1]
    if repeated:
        absent = [name for name in wanted if name not in header]
        also = f", and there is no column {listing(absent)}" if absent else ""
        raise FoldlineError(
            f"{path}: a column name occurs twice ({listing(repeated)}) in {_shown(header)}{also}; rename a column"
        )
    check_columns(path, header, wanted)


def _shown(header: Sequence[str]) -> str:
    """Names of columns for a message; those with characters that one cannot see in quotes."""
    return listing([name if name.isprintable() and name else repr(name) for name in header], limit=30) or "none"


def _read_csv(path: str, text: str, wanted: Sequence[str], separator: str, optional: Sequence[str] | None) -> RawTable:
    """Read the wanted columns, and the optional ones that exist; all columns if `optional` is None."""
    with _long_cells():
        if excel := _EXCEL.match(text):
            # Empty lines are passed over, and the numbers of the others stay.
            text = text[excel.end() :]
        delimiter = _find_separator(path, text, wanted, separator)
        check_quotes(path, text, delimiter)
        rows = _rows(text, delimiter)
        header = _header(rows)
        if any(_END in name for name in header):
            raise _unclosed(path, 1)
        _check_header(path, header, wanted)
        present = [name for name in optional or () if name in header]
        names = list(dict.fromkeys(header if optional is None else [*wanted, *present]))
        indices = [header.index(name) for name in names]
        plain = read_plain(text, delimiter, len(header), indices)
        if plain:
            return RawTable(path, header, range(2, len(plain[0]) + 2), dict(zip(names, plain, strict=True)))
        lines, columns, wrong = _read_lines(path, rows, len(header), indices)
    table = RawTable(path, header, lines, dict(zip(names, columns, strict=True)))
    if wrong:
        problems = [(line, counted(cells, "cell")) for line, cells in wrong]
        remedy = f"the header has {len(header)}, separated by {NAMES[delimiter]}; correct these lines"
        raise table.error(problems, remedy, limit=20)
    return table


# A row: the line on which it starts, and its cells.
_Rows = Iterator[tuple[int, list[str]]]


def _rows(text: str, delimiter: str) -> _Rows:
    """Rows of a text that are not empty, and last `[_END]`, which is in a cell of the last row if a quote is open."""
    lines = itertools.chain(io.StringIO(text, newline=""), ("\n", f"{_END}\n"))
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    first = 1
    for cells in reader:
        if cells:
            yield first, cells
        first = reader.line_num + 1


def _header(rows: _Rows) -> tuple[str, ...]:
    _, cells = next(rows)
    # An empty table: its first row is the end.
    return () if cells == [_END] else tuple(cell.strip() for cell in cells)


def _read_lines(
    path: str, rows: _Rows, width: int, indices: Sequence[int]
) -> tuple[list[int], list[list[str]], list[tuple[int, int]]]:
    """Read all rows after the header.

    Args:
        path: name of the table in an error message.
        rows: the rows.
        width: number of cells that a row must have.
        indices: indices of the columns to read.

    Returns:
        Line of each row; cells of each column without spaces around them; line and number of cells of each row that has
        a wrong number.

    Raises:
        FoldlineError: a quote is open at the end.
    """
    lines: list[int] = []
    columns: list[list[str]] = [[] for _ in indices]
    wrong: list[tuple[int, int]] = []
    # Few rows at a time: Python would search the lists of a million rows for garbage again and again.
    block: list[list[str]] = []
    last, last_line = [_END], 1
    for line, cells in rows:
        last, last_line = cells, line
        if len(cells) == width and cells[0] != _END:
            lines.append(line)
            block.append(cells)
            if len(block) == ROWS_PER_BLOCK:
                _extend(columns, block, indices)
                block = []
        elif len(cells) > 1 or (cells[0].strip() and cells[0] != _END):
            wrong.append((line, len(cells)))
    if last != [_END]:
        raise _unclosed(path, last_line)
    _extend(columns, block, indices)
    return lines, columns, wrong


def _unclosed(path: str, line: int) -> FoldlineError:
    return FoldlineError(f"{path}, line {line}: a quotation mark opens a cell that never ends; close or remove it")


def _extend(columns: Sequence[list[str]], block: Sequence[Sequence[str]], indices: Sequence[int]) -> None:
    """Add the cells of some rows to the columns."""
    for column, index in zip(columns, indices, strict=True):
        column += [cells[index].strip() for cells in block]


def _find_separator(path: str, text: str, wanted: Sequence[str], separator: str) -> str:
    if separator != AUTO:
        return SEPARATORS[separator]
    headers = {delimiter: _header(_rows(text, delimiter)) for delimiter in SEPARATORS.values()}
    fitting = [delimiter for delimiter, header in headers.items() if set(wanted) <= set(header)]
    widest = max(fitting or headers, key=lambda delimiter: len(headers[delimiter]))
    if wanted and len({headers[delimiter] for delimiter in fitting}) > 1:
        names = listing([NAMES[delimiter] for delimiter in fitting])
        raise FoldlineError(
            f"{path}, line 1: the header has the column {listing(wanted)} with each of the separators {names}; set "
            "dataset.separator"
        )
    return widest


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let the csv module read cells of any length; its limit is one for all threads."""
    with _LIMIT_LOCK:
        before = csv.field_size_limit(MOST_CHARACTERS)
        try:
            yield
        finally:
            csv.field_size_limit(before)
