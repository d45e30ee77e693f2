"""The sample of a ready-made record, checked as a row of a table."""

from collections.abc import Mapping
from typing import NamedTuple

from foldline.dataset.columns import Columns
from foldline.dataset.sample_ids import id_problem
from foldline.dataset.sample_table import GROUP_REMEDY, own_group
from foldline.errors import FoldlineError


class RecordCells(NamedTuple):
    """The sample of a ready-made record, its label still the text of its cell.

    Attributes:
        id: see `Row`.
        label: text of the label; "" in a test split.
        group: see `Row`.
        metadata: see `Row`.
    """

    id: str
    label: str
    group: str
    metadata: tuple[str, ...]


class RecordError(FoldlineError):
    """A record that cannot be used.

    Attributes:
        where: file and number of the record, and its id if it has one.
        problem: what is wrong, in the same words for all records with the same problem.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where, self.problem = where, problem


def parse_record(where: str, cells: Mapping[str, str], columns: Columns) -> RecordCells:
    """Check the texts of a record as those of a table.

    Args:
        where: name of the record in an error message.
        cells: text of every column of `columns.names()`; white space around it is ignored.
        columns: the meaning of the columns.

    Raises:
        RecordError: the id is empty or not allowed in a file name, or the group is missing.
    """
    name = cells[columns.id].strip()
    problem = id_problem(name, columns.id, kind="feature")
    if problem:
        raise RecordError(where, f"{problem}; rename the sample")
    group = name
    if columns.group:
        text = cells[columns.group].strip()
        group = columns.value(text) or (own_group(columns, name) if columns.external else "")
        if not group:
            raise RecordError(
                f"{where}, id {name!r}",
                f"the group (feature {columns.group}) is {text!r}, which counts as missing; {GROUP_REMEDY}",
            )
    label = cells[columns.target].strip() if columns.target else ""
    return RecordCells(name, label, group, tuple(columns.value(cells[column]) for column in columns.metadata))
