"""The submission file: ids, row order, header and further columns of the sample submission.

Standard library only, because the process that builds the DAG imports it.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foldline.dataset.class_words import BY_NAME, ClassWords
from foldline.dataset.raw_table import AUTO, AbsentColumnsError, RawTable, read_raw_table
from foldline.dataset.row_per_class import RowPerClass
from foldline.dataset.sample_ids import id_of
from foldline.errors import FoldlineError, Problems, counted, listing
from foldline.io.files import atomic_write

# Form of a submission with one column of joined classes.
LABELS = "labels"


@dataclass(frozen=True)
class SubmissionForm:
    """Layout of the submission; see `dataset.submission` in `config/config.schema.yaml`.

    Attributes:
        id_column: column of the ids.
        columns: the columns of the predictions. Any other column of the sample submission is copied from it.
        form: "columns" (one column of probabilities per class) or "labels" (one column of predicted classes).
        hard_labels: for "columns": whether to write 0 or 1 instead of a probability.
        separator: for "labels": text between two classes.
        class_words: for "labels": how classes are written.
        threshold: probability from which a class counts as predicted, in [0, 1], or a rule such as "best_f1"; see
            `thresholds.best_threshold`.
        empty: whether a sample may have no class; see `labels.Labels`.
        exclusive: class that is never predicted together with another one; None if there is none.
        row_per_class: how ids are made if there is one row per sample and submitted class; None if there is one per
            sample.
    """

    id_column: str
    columns: tuple[str, ...]
    form: str
    hard_labels: bool = False
    separator: str = "|"
    class_words: ClassWords = BY_NAME
    threshold: float | str = 0.5
    empty: bool = False
    exclusive: str | None = None
    row_per_class: RowPerClass | None = None

    @property
    def has_probabilities(self) -> bool:
        """Whether probabilities are submitted, and no predicted classes."""
        return self.form != LABELS and not self.hard_labels

    def description(self, sample: "SampleSubmission") -> str:
        """What the submission holds and what decided it, in sentences for the log and the report.

        Args:
            sample: the sample submission.
        """
        columns = listing(self.columns, limit=30)
        if self.form == LABELS:
            words = self.class_words
            text = f"Column {columns} of the submission has the predicted classes as {words}, {words.source}."
        elif self.hard_labels:
            text = f"The submission has 1 for predicted classes and 0 for others (column {columns})."
        else:
            text = f"The submission has probabilities (column {columns})."
        if self.row_per_class:
            text = f"{text[:-1]}, in one row per sample and class."
        if sample.copied:
            text += f" Copied from the sample submission: column {listing(sample.copied, limit=30)}."
        return text


@dataclass(frozen=True)
class SampleSubmission:
    """A sample submission.

    Attributes:
        path: path or URL of the file.
        id_column: column of the ids.
        predicted: columns of the predictions, in the order of the configuration.
        columns: cells of all columns in the order of the file, (n_rows,) each.
        row_per_class: see `SubmissionForm`.
        table: the table as it is in the file.
    """

    path: str
    id_column: str
    predicted: tuple[str, ...]
    columns: Mapping[str, Sequence[str]]
    row_per_class: RowPerClass | None
    table: RawTable

    @property
    def names(self) -> list[str]:
        """Cells of the id column, (n_rows,)."""
        return list(self.columns[self.id_column])

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Sample and class of each row that has such an id, (n_rows,)."""
        form = self.row_per_class
        found = [form.split(name) for name in self.names] if form else []
        return [(id_of(row[0]), row[1]) for row in found if row]

    @property
    def ids(self) -> list[str]:
        """Ids of the samples in the order of the file, (n_samples,)."""
        return list(dict.fromkeys(name for name, _ in self.rows) if self.row_per_class else map(id_of, self.names))

    @property
    def copied(self) -> list[str]:
        """Columns that the submission takes as they are."""
        return [name for name in self.columns if name != self.id_column and name not in self.predicted]

    @property
    def suspects(self) -> list[str]:
        """Copied columns with one cell in all rows, which may be columns of predictions that nothing fills."""
        return [name for name in self.copied if len(set(self.columns[name])) == 1]

    def facts(self) -> list[str]:
        """Everything that a submission takes from it, in one list: header, ids and copied cells."""
        copied = [cell for name in self.copied for cell in self.columns[name]]
        return [*self.columns, *self.names, *copied]


def read_sample(
    path: str | Path,
    *,
    id_column: str,
    columns: Sequence[str],
    separator: str = AUTO,
    row_per_class: RowPerClass | None = None,
) -> SampleSubmission:
    """Read a sample submission.

    Args:
        path: path or URL of the table.
        id_column: column of the ids.
        columns: columns of the predictions, in any order.
        separator: see `raw_table.read_raw_table`.
        row_per_class: see `SubmissionForm`.

    Raises:
        AbsentColumnsError: a column is missing.
        FoldlineError: as `raw_table.read_raw_table`.
    """
    # The other columns are looked for below, with those of the configuration.
    table = read_raw_table(path, [id_column], separator=separator, every=True, exact=[id_column])
    wanted = [id_column, *columns]
    absent = [name for name in wanted if name not in table.header]
    if absent:
        message = (
            f"{path}: the sample submission has no column {listing(absent, limit=30)}; it has "
            f"{listing(table.header, limit=30)}, but this configuration submits {listing(wanted, limit=30)}"
        )
        raise AbsentColumnsError(message, absent, table.header)
    if len(table.columns) < len(table.header):
        raise FoldlineError(f"{path}: several columns of the sample submission have no name; name or remove them")
    return SampleSubmission(str(path), id_column, tuple(columns), table.columns, row_per_class, table)


def check_sample_ids(sample: SampleSubmission) -> None:
    """Refuse ids of a sample submission that cannot be told apart.

    Raises:
        FoldlineError: an id is empty, repeated or not of the form of `row_per_class`; names all lines.
    """
    table, problems = sample.table, Problems()
    ids, lines, form = list(map(id_of, sample.names)), table.lines, sample.row_per_class
    with problems.collected():
        if empty := [(line, "the id is empty") for name, line in zip(ids, lines, strict=True) if not name]:
            raise table.error(empty, "every row needs the id of a test row")
    with problems.collected():
        _check_repeated(table, ids)
    with problems.collected():
        names = zip(lines, sample.names, strict=True)
        if wrong := [(line, f"id {name!r}") for line, name in names if form and name and form.split(name) is None]:
            raise table.error(wrong, f"an id is {form.words if form else ''}; correct dataset.row_per_class")
    problems.check()


def _check_repeated(table: RawTable, ids: Sequence[str]) -> None:
    line_of: dict[str, int] = {}
    repeated = []
    for name, line in zip(ids, table.lines, strict=True):
        first = line_of.setdefault(name, line)
        if name and first != line:
            repeated.append((line, f"id {name!r} is also in {table.unit} {first}"))
    if repeated:
        raise table.error(repeated, "keep one row of each id")


def check_values(ids: Sequence[str], values: Sequence[Sequence[float]]) -> None:
    """Check the values of a submission before it is written.

    Args:
        ids: (n_samples,).
        values: probabilities, (n_samples, n_classes).

    Raises:
        FoldlineError: sizes differ, or a value is NaN or not in [0, 1].
    """
    if len(values) != len(ids):
        raise FoldlineError(f"submission: values for {len(values)} of {counted(len(ids), 'id')}")
    wrong = [name for name, row in zip(ids, values, strict=True) if not all(0 <= value <= 1 for value in row)]
    if wrong:
        raise FoldlineError(f"submission: the value of id {listing(wrong)} is not in [0, 1]")


def write_submission(
    path: str | Path,
    *,
    sample: SampleSubmission,
    columns: Sequence[str],
    cells: Sequence[Sequence[float | int | str]],
) -> None:
    """Write a submission; floats are written exactly.

    Args:
        path: the CSV file.
        sample: the sample submission.
        columns: the columns of the predictions.
        cells: their cells, (n_samples, n_columns), numbers or texts; with one row per sample and class, those of each
            class, (n_samples, n_classes).
    """
    if sample.row_per_class:
        cells_of = dict(zip(sample.ids, cells, strict=True))
        index = {name: number for number, name in enumerate(sample.row_per_class.classes)}
        cells = [[cells_of[name][index[class_name]]] for name, class_name in sample.rows]
    predicted = zip(columns, zip(*cells, strict=True), strict=True)
    written: dict[str, Sequence[float | int | str]] = {**sample.columns, **dict(predicted)}
    with atomic_write(path, mode="w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(written)
        writer.writerows(zip(*written.values(), strict=True))
