"""The submission file: ids, row order and header of the sample submission, checked before it is written.

Standard library only, because the process that builds the DAG imports it.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foldline.errors import FoldlineError, listing
from foldline.io import storage
from foldline.io.files import atomic_write

# Form of a submission with one column of joined classes.
LABELS = "labels"


@dataclass(frozen=True)
class SubmissionForm:
    """Layout of the submission; see `dataset.submission` in `config/config.schema.yaml`.

    Attributes:
        id_column: column of the ids.
        columns: the other columns.
        form: "columns" (one column of probabilities per class) or "labels" (one column of predicted classes). The
            attributes below count for "labels" only.
        separator: text between two classes.
        words: "names" or "numbers" of classes.
        threshold: probability from which a class counts as predicted, in [0, 1], or "best_f1".
        empty: whether a cell may be empty; see `labels.Labels`.
        exclusive: class that is never predicted together with another one; None if there is none.
    """

    id_column: str
    columns: tuple[str, ...]
    form: str
    separator: str = "|"
    words: str = "names"
    threshold: float | str = 0.5
    empty: bool = False
    exclusive: str | None = None


@dataclass(frozen=True)
class SampleSubmission:
    """A sample submission: its header and its ids, in order."""

    id_column: str
    header: list[str]
    ids: list[str]


def read_sample(path: str | Path, *, id_column: str, columns: Sequence[str]) -> SampleSubmission:
    """Read a sample submission; its values are ignored.

    Args:
        path: path or URL of the CSV file.
        id_column: column of the ids.
        columns: the other columns, in any order.

    Raises:
        FoldlineError: the file has no rows or other columns, an id is empty or repeated, or a line has a wrong number
            of cells.
    """
    with storage.open_text(path) as handle:
        reader = csv.reader(handle)
        header = next(reader, [])
        rows = [(reader.line_num, cells) for cells in reader if cells]
    check_header(path, header, id_column=id_column, columns=columns)
    if not rows:
        raise FoldlineError(f"{path}: the sample submission has no rows; it needs one for each test id")
    id_index = header.index(id_column)
    line_of: dict[str, int] = {}
    for line, cells in rows:
        if len(cells) != len(header):
            raise FoldlineError(f"{path}, line {line}: {len(cells)} cells, but the header has {len(header)}")
        name = cells[id_index].strip()
        if not name:
            raise FoldlineError(f"{path}, line {line}: the id is empty")
        if name in line_of:
            raise FoldlineError(f"{path}: id {name!r} occurs in line {line_of[name]} and in line {line}; keep one")
        line_of[name] = line
    return SampleSubmission(id_column, header, list(line_of))


def check_header(path: str | Path, header: Sequence[str], *, id_column: str, columns: Sequence[str]) -> None:
    """Refuse a sample submission whose columns are not those of the submission.

    Raises:
        FoldlineError: a column is missing, unknown or repeated.
    """
    wanted = [id_column, *columns]
    if sorted(header) != sorted(wanted):
        raise FoldlineError(
            f"{path}: the sample submission has the columns {listing(header, limit=30) or 'none'}, but this "
            f"configuration submits {listing(wanted, limit=30)}; see dataset.id_column and dataset.submission"
        )


def check_values(ids: Sequence[str], values: Sequence[Sequence[float]]) -> None:
    """Check the values of a submission before it is written.

    Args:
        ids: (n_samples,).
        values: probabilities, (n_samples, n_classes).

    Raises:
        FoldlineError: sizes differ, or a value is NaN or not in [0, 1].
    """
    if len(values) != len(ids):
        raise FoldlineError(f"submission: values for {len(values)} of {len(ids)} ids")
    wrong = [name for name, row in zip(ids, values, strict=True) if not all(0 <= value <= 1 for value in row)]
    if wrong:
        raise FoldlineError(f"submission: the value of id {listing(wrong)} is not in [0, 1]")


def write_submission(
    path: str | Path, *, sample: SampleSubmission, columns: Sequence[str], cells: Sequence[Sequence[float | str]]
) -> None:
    """Write a submission; floats are written exactly.

    Args:
        path: the CSV file.
        sample: the sample submission.
        columns: the columns beside the id.
        cells: (n_samples, n_columns), numbers or texts.
    """
    with atomic_write(path, mode="w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(sample.header)
        for name, row in zip(sample.ids, cells, strict=True):
            values = {sample.id_column: name, **dict(zip(columns, row, strict=True))}
            writer.writerow([values[column] for column in sample.header])
