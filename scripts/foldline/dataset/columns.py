"""The meaning of the columns of a user's table.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from foldline.dataset.cell_values import DEFAULT_MISSING, canonical, is_missing
from foldline.dataset.labels import BINARY_LABELS, Labels
from foldline.dataset.own_labels import Words
from foldline.dataset.raw_table import AUTO
from foldline.dataset.row_per_class import RowPerClass


@dataclass(frozen=True)
class Columns:
    """The meaning of the columns of a table, and how to read it.

    Columns are called as in the training table; `renamed` has the names that differ in this table.

    Attributes:
        id: column of the sample's name.
        target: column of the label; None for a test table. With `target_columns`, a name for them together.
        group: column whose equal values must stay in one fold; None if every sample is a group of its own.
        metadata: other columns that are carried along.
        labels: how the target column writes labels.
        missing: texts that mean "missing" in each column but `id`; see `cell_values.is_missing`.
        separator: see `raw_table.read_raw_table`.
        target_columns: columns with a 0 or 1 for each class, (n_classes,); empty if `target` is one column.
        optional: columns of `metadata` that the table may lack; all of their values are missing then.
        renamed: name of a column in this table, where it has another one.
        row_per_class: how ids are made if the table has one row per sample and class; None if it has one per sample.
        external: name of the external set, whose rows may have no group; "" for training and test rows.
        own_labels: the words in which an external set writes its labels; None if it writes them like the training rows.
        absent: columns that this table does not have, whatever it has under their names; all values are missing.
        of_paths: columns that the paths of the images name; their cells stay as they are written.
        made_of: what messages call a table that Foldline wrote itself, of which the user knows nothing; "" for the
            user's own.
    """

    id: str
    target: str | None
    group: str | None
    metadata: tuple[str, ...] = ()
    labels: Labels = BINARY_LABELS
    missing: tuple[str, ...] = DEFAULT_MISSING
    separator: str = AUTO
    target_columns: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    row_per_class: RowPerClass | None = None
    external: str = ""
    own_labels: Words | None = None
    absent: tuple[str, ...] = ()
    of_paths: tuple[str, ...] = ()
    made_of: str = ""

    def names(self) -> list[str]:
        """Names of the columns, each once: the group may also be a metadata column."""
        return list(dict.fromkeys(name for name in (self.id, self.target, self.group, *self.metadata) if name))

    def in_table(self, name: str) -> str:
        """Name of a column in this table."""
        return self.renamed.get(name, name)

    def required(self) -> list[str]:
        """Columns that the table must have, by their names in it."""
        targets = self.target_columns or ((self.target,) if self.target else ())
        names = (self.id, *(targets if self.target else ()), self.group, *self.metadata, *self.of_paths)
        needed = (self.group, *self.of_paths)
        optional = [*(name for name in self.optional if name not in needed), *self.absent]
        return list(dict.fromkeys(self.in_table(name) for name in names if name and name not in optional))

    def absence(self, in_table: str, header: Sequence[str]) -> str:
        """What to set if a table lacks a column by its name in it; "" if it needs the column.

        Args:
            in_table: the name.
            header: columns of the table.
        """
        if in_table == self.in_table(self.id) and header and (self.external or self.target is None):
            key = f"dataset.external.{self.external}.columns" if self.external else "dataset.test_columns"
            return f"if another column has the ids, set {key}, for example to {{{self.id}: {header[0]}}}"
        possible = [name for name in (self.group, *self.metadata) if name and name not in self.of_paths]
        name = next((name for name in possible if self.in_table(name) == in_table), None)
        if name is None or not self.external:
            return ""
        return f"if the set has no such column, set dataset.external.{self.external}.columns to {{{name}: null}}"

    def of_made_table(self, made_of: str = "") -> "Columns":
        """The columns of a table that Foldline itself writes, with one column of label cells.

        Args:
            made_of: see `made_of`.
        """
        return replace(
            self,
            made_of=made_of,
            separator=",",
            target_columns=(),
            optional=(),
            renamed={},
            row_per_class=None,
            own_labels=None,
            absent=(),
            of_paths=(),
        )

    def value(self, text: str) -> str:
        """Canonical text of a cell of a group, label or metadata column; "" if it is missing."""
        value = canonical(text)
        return "" if is_missing(value, self.missing, is_canonical=True) else value
