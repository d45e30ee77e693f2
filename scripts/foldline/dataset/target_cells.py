"""The label cells of a table, whatever its columns are: one column of classes or of lists, or a column for each class.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Sequence

from foldline.dataset.cell_values import canonical, is_missing
from foldline.dataset.class_columns import flags_cell
from foldline.dataset.columns import Columns
from foldline.dataset.labels import BLANK
from foldline.dataset.list_cells import cells_without_brackets
from foldline.dataset.raw_table import RawTable
from foldline.errors import FoldlineError, Problems

REMEDY = (
    "correct the table, say what other cells mean in dataset.labels.values, such as {blank: 0, -1: 1}, or correct "
    "dataset.target_columns in the config"
)


def fill_target(raw: RawTable, columns: Columns, problems: Problems) -> None:
    """Give the target column of a table its label cells, or remove it if they cannot be read.

    Args:
        raw: the table, whose `columns` are changed.
        columns: the meaning of its columns.
        problems: gets what is wrong.
    """
    target = columns.target
    if not target or target not in raw.columns:
        return
    cells = raw.columns.pop(target) if columns.target_columns else raw.columns[target]
    if raw.columns.keys() >= set(columns.target_columns):
        with problems.collected():
            raw.columns[target] = (
                _flag_cells(raw, columns) if columns.target_columns else cells_without_brackets(raw, cells, columns)
            )


def _flag_cells(raw: RawTable, columns: Columns) -> list[str]:
    """Label cell of each row from the columns of the classes, (n_rows,).

    Args:
        raw: the table.
        columns: the meaning of its columns.

    Raises:
        FoldlineError: cells are not allowed; names all lines, also those whose joined cell is not allowed.
    """
    ids, labels, names = raw.columns[columns.id], columns.labels, list(map(columns.in_table, columns.target_columns))
    given = [_meant(raw.columns[name], columns) for name in columns.target_columns]
    rows = list(zip(*given, strict=True))
    cells: dict[tuple[str, ...], str] = {}
    problems: dict[tuple[str, ...], str] = {}
    for row in dict.fromkeys(rows):
        try:
            cells[row] = flags_cell(names, row, labels.separator, soft=labels.is_soft)
        except FoldlineError as error:
            problems[row] = str(error)
    if problems:
        for row, cell in cells.items():
            try:
                labels.code(cell)
            except FoldlineError as error:
                problems[row] = str(error)
        wrong = [
            (line, f"the label of id {name!r} {problems[row]}")
            for line, name, row in zip(raw.lines, ids, rows, strict=True)
            if row in problems
        ]
        raise raw.error(wrong, REMEDY)
    return [cells[row] for row in rows]


def _meant(cells: Sequence[str], columns: Columns) -> list[str]:
    """Cells of a class, with 0 or 1 in place of those that `Labels.values` list."""
    values = {canonical(cell): flag for cell, flag in columns.labels.values}
    if not values:
        return list(cells)
    blank = values.get(BLANK)
    meant = {
        cell: blank if blank is not None and is_missing(cell, columns.missing) else values.get(canonical(cell), cell)
        for cell in set(cells)
    }
    return [meant[cell] for cell in cells]
