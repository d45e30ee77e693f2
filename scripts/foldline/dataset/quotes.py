"""Quotation marks of a CSV table: text behind the end of a quoted cell is refused; rows may be lost in the cell.

Two marks that open cells and never close them make one cell of all rows between them, with text behind its end.

Standard library only, because the process that builds the DAG imports it.
"""

import collections
import csv
import io
import re

from foldline.errors import FoldlineError


def check_quotes(path: str, text: str, delimiter: str) -> None:
    """Refuse a table with text behind a quoted cell; spaces are allowed there.

    Args:
        path: name of the table in an error message.
        text: the table.
        delimiter: one character.

    Raises:
        FoldlineError: names the line on which the first such row starts.
    """
    if '"' not in text:
        return
    lines = io.StringIO(text, newline="")
    try:
        collections.deque(csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True), maxlen=0)
    except csv.Error:
        _find_text_behind(path, text, delimiter)


def _find_text_behind(path: str, text: str, delimiter: str) -> None:
    """Look at each cell; the module csv does not say what is wrong where."""
    other = rf"[^{re.escape(delimiter)}\r\n]*"
    cell = re.compile(rf' *(?:"[^"]*(?:""[^"]*)*"(?P<behind>{other})|{other})(?P<end>\r\n|\r|\n|.|\Z)')
    row, position = 0, 0
    while position < len(text) and (match := cell.match(text, position)):
        if (match["behind"] or "").strip():
            behind = match["behind"].strip()[:40]
            raise FoldlineError(
                f"{path}, line {_line(text, row)}: {behind!r} stands behind the quotation mark that closes a cell; "
                "close every cell that a mark opens, and write a mark within such a cell twice"
            )
        position = match.end()
        if match["end"] in ("\r\n", "\r", "\n"):
            row = position


def _line(text: str, position: int) -> int:
    """Number of the line that starts at a position, from 1."""
    return len(re.findall(r"\r\n|\r|\n", text[:position])) + 1
