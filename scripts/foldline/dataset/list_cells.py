"""Label cells that are lists, as Python, NumPy, JSON and PostgreSQL write them: ['a', 'b'], ['a' 'b'], ["a"], {a,b}.

Standard library only, because the process that builds the DAG imports it.
"""

import ast
import re
from collections.abc import Sequence

from foldline.dataset.cell_values import is_missing, number
from foldline.dataset.columns import Columns
from foldline.dataset.labels import BINARY, MULTICLASS
from foldline.dataset.raw_table import RawTable
from foldline.errors import FoldlineError

_WORD = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,'"][^,'"]*""")
_QUOTES = "'\""


def listed_words(cell: str) -> list[str] | None:
    """The words of a list in brackets, in braces or, if they are quoted, in parentheses; None if it is no list."""
    text = cell.strip()
    if text[:1] + text[-1:] not in ("[]", "{}", "()") or (text[0] == "(" and text[1:2] not in (*_QUOTES, ")")):
        return None
    inner = text[1:-1].strip()
    if re.sub(r"[\s,]", "", _WORD.sub("", inner)):
        return None
    words = [word.strip() for word in _WORD.findall(inner)]
    # NumPy writes [0 1].
    if "," not in inner and len(words) == 1 and all(number(part) is not None for part in inner.split()):
        return inner.split()
    return [_unquoted(word) if word[0] in _QUOTES else word for word in words]


def cells_without_brackets(raw: RawTable, cells: Sequence[str], columns: Columns) -> Sequence[str]:
    """Label cells with the separator between the words, if all of them are lists; else the cells as they are.

    If a row has one class, lists of several words are left as they are, unless the words are 0 and 1.

    Args:
        raw: the table.
        cells: its label cells, (n_rows,).
        columns: the meaning of its columns.

    Raises:
        FoldlineError: a word has the separator.
    """
    kind, separator = columns.labels.kind, columns.labels.separator
    if kind == BINARY:
        return cells
    changed = {}
    for cell in dict.fromkeys(cells):
        if is_missing(cell, columns.missing):
            changed[cell] = cell
            continue
        words = listed_words(cell)
        if words is None or (kind == MULTICLASS and len(words) > 1 and not {*words} <= {"0", "1"}):
            return cells
        if any(separator in word for word in words):
            raise FoldlineError(
                f"{raw.path}, column {columns.in_table(columns.target or '')}: label {cell!r} is a list, and one of "
                f"its words contains {separator!r}; set dataset.labels.separator to a text that is in no word, such "
                "as ';'"
            )
        changed[cell] = separator.join(words)
    return [changed[cell] for cell in cells]


def _unquoted(word: str) -> str:
    try:
        return str(ast.literal_eval(word))
    except (SyntaxError, ValueError):
        return word[1:-1]
