"""The submission file: ids, row order and header of the sample submission, checked before it is written.

Standard library only: the process that builds the DAG looks at the sample submission too.
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
    """Columns of a submission and what their cells hold; see `dataset.submission` in `config/config.schema.yaml`.

    Attributes:
        id_column: column of the ids.
        columns: the other columns.
        form: "columns", a score of one class per column, or `LABELS`, one column with the predicted classes.
        separator: text between the classes of a cell; this and all that follow only for `LABELS`.
        words: "names" or "numbers" of the classes, counted from 0.
        threshold: lowest score that predicts a class, or "best_f1"; see `thresholds.class_thresholds`.
        empty: whether a sample may have no class.
        exclusive: class that excludes all others; None if there is none.
    """

    id_column: str
    columns: tuple[str, ...]
    form: str
    separator: str = " "
    words: str = "names"
    threshold: float | str = 0.5
    empty: bool = False
    exclusive: str | None = None


@dataclass(frozen=True)
class Sample:
    """A sample submission: its header and, in its order, its ids."""

    id_column: str
    header: list[str]
    ids: list[str]


def read_sample(path: str | Path, *, id_column: str, columns: Sequence[str]) -> Sample:
    """Read a sample submission (a path or URL); its values do not matter.

    Args:
        path: the CSV file.
        id_column: column of the ids.
        columns: the other columns, in any order.

    Raises:
        FoldlineError: no rows, an id is empty or repeated, a line has other cells than the header, or the columns are
            others.
    """
    with storage.open_text(path) as handle:
        reader = csv.reader(handle)
        header = next(reader, [])
        rows = [(reader.line_num, cells) for cells in reader if cells]
    check_header(path, header, id_column=id_column, columns=columns)
    if not rows:
        raise FoldlineError(f"{path}: the sample submission has no rows")
    place = header.index(id_column)
    first_line: dict[str, int] = {}
    for line, cells in rows:
        if len(cells) != len(header):
            raise FoldlineError(f"{path}, line {line}: {len(cells)} cells where the header has {len(header)}")
        name = cells[place].strip()
        if not name:
            raise FoldlineError(f"{path}, line {line}: the id is empty")
        if name in first_line:
            raise FoldlineError(f"{path}: id {name!r} stands in line {first_line[name]} and again in line {line}")
        first_line[name] = line
    return Sample(id_column, header, list(first_line))


def check_header(path: str | Path, header: Sequence[str], *, id_column: str, columns: Sequence[str]) -> None:
    """Refuse a sample submission of other columns than the submission will have.

    Raises:
        FoldlineError: a column is missing, foreign or there twice.
    """
    wanted = [id_column, *columns]
    if sorted(header) != sorted(wanted):
        raise FoldlineError(
            f"{path}: columns {listing(list(header), limit=30) or 'none'}; a submission by this config has the columns "
            f"{listing(wanted, limit=30)}"
        )


def check_values(ids: Sequence[str], values: Sequence[Sequence[float]]) -> None:
    """Check what is about to be written as a submission.

    Args:
        ids: (n_samples,).
        values: (n_samples, n_classes).

    Raises:
        FoldlineError: sizes do not fit, or a value is missing or not in [0, 1].
    """
    if len(values) != len(ids):
        raise FoldlineError(f"submission: values for {len(values)} of {len(ids)} ids")
    wrong = [name for name, row in zip(ids, values, strict=True) if not all(0 <= value <= 1 for value in row)]
    if wrong:
        raise FoldlineError(f"submission: the value of id {listing(wrong)} is not in [0, 1]")


def write_submission(path: str | Path, *, sample: Sample, columns: Sequence[str], cells: Sequence[Sequence]) -> None:
    """Write a submission; every float is written with all its bits.

    Args:
        path: where it goes.
        sample: the sample submission.
        columns: the columns beside the id.
        cells: value of each sample and column: (n_samples, n_columns), floats or texts.
    """
    with atomic_write(path, mode="w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(sample.header)
        for name, row in zip(sample.ids, cells, strict=True):
            values = {sample.id_column: name, **dict(zip(columns, row, strict=True))}
            writer.writerow([values[column] for column in sample.header])
