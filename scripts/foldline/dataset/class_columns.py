"""Label cells from a column of 0 and 1 for each class, as one-hot tables have them.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Mapping, Sequence

from foldline.dataset.cell_values import canonical, number
from foldline.dataset.raw_table import RawTable
from foldline.errors import FoldlineError, listing


def flags_cell(names: Sequence[str], texts: Sequence[str], separator: str) -> str:
    """Label cell with a 0 or 1 for each class, joined by `separator`.

    Args:
        names: the columns of the classes, (n_classes,), for the error message.
        texts: the cells of a row, (n_classes,).
        separator: see `labels.Labels`.

    Raises:
        FoldlineError: a cell is not 0 or 1; the message goes on from "... of id 'a'".
    """
    flags = [canonical(text) for text in texts]
    wrong = [(name, text) for name, text, flag in zip(names, texts, flags, strict=True) if flag not in ("0", "1")]
    if not wrong:
        return separator.join(flags)
    values = [number(text) for _, text in wrong]
    told = listing([f"{text!r} in column {name}" for name, text in wrong])
    if all(value is not None and 0 < value < 1 for value in values):
        raise FoldlineError(
            f"has {told}: probabilities are soft labels, which Foldline does not learn yet; write 1 for the class of "
            "the sample and 0 for the others"
        )
    raise FoldlineError(f"has {told}, not 0 or 1")


def flag_cells(raw: RawTable, ids: Sequence[str], columns: Mapping[str, str], separator: str) -> list[str]:
    """Label cell of each row from the columns of the classes, (n_rows,).

    Args:
        raw: the table.
        ids: (n_rows,), for the error message.
        columns: the columns of the classes in order, with the name of each in the file, for the error message.
        separator: see `labels.Labels`.

    Raises:
        FoldlineError: cells are not 0 or 1; names all lines.
    """
    names = list(columns.values())
    rows = list(zip(*(raw.columns[name] for name in columns), strict=True))
    cells: dict[tuple[str, ...], str] = {}
    problems: dict[tuple[str, ...], str] = {}
    for row in dict.fromkeys(rows):
        try:
            cells[row] = flags_cell(names, row, separator)
        except FoldlineError as error:
            problems[row] = str(error)
    if problems:
        wrong = [
            (line, f"the label of id {name!r} {problems[row]}")
            for line, name, row in zip(raw.lines, ids, rows, strict=True)
            if row in problems
        ]
        raise raw.error(wrong, "correct the table, or dataset.target_columns in the config")
    return [cells[row] for row in rows]
