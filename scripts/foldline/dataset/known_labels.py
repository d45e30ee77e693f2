"""Labels of the test rows, where they are known. The step that scores the test predictions reads them, and no other.

Standard library only for a table on a local disk, because the process that builds the DAG imports it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from foldline.dataset.cell_values import DEFAULT_MISSING
from foldline.dataset.columns import Columns
from foldline.dataset.labels import Labels
from foldline.dataset.raw_table import AUTO
from foldline.dataset.row_per_class import RowPerClass
from foldline.dataset.sample_table import read_rows, read_sample_table
from foldline.errors import FoldlineError
from foldline.io.files import digest_of


@dataclass(frozen=True)
class KnownLabels:
    """Where the labels of the test rows are, and how to read them.

    Attributes:
        table: path or URL of a table with an id and a label in each row.
        id_column: column of the sample's name.
        target_column: column of the label; with `target_columns`, a name for them together.
        labels: how the cells write labels, as read from the training rows.
        missing: see `sample_table.Columns`.
        separator: see `raw_table.read_raw_table`.
        target_columns: see `sample_table.Columns`.
        column_names: see `sample_table.Columns`, `renamed`.
        row_per_class: see `sample_table.Columns`.
        made_of: see `sample_table.Columns`.
        digest: `digest_of_codes` of the table as the run was planned; "" before it is known.
    """

    table: str
    id_column: str
    target_column: str
    labels: Labels
    missing: tuple[str, ...] = DEFAULT_MISSING
    separator: str = AUTO
    target_columns: tuple[str, ...] = ()
    column_names: Mapping[str, str] = field(default_factory=dict)
    row_per_class: RowPerClass | None = None
    made_of: str = ""
    digest: str = ""

    def read(self) -> dict[str, str]:
        """Label code of each test id, in the order of the table.

        Raises:
            FoldlineError: the table cannot be used, or is not the one that was planned with.
        """
        codes = {row.id: row.target for row in read_rows(self.table, self._columns)}
        if self.digest and digest_of_codes(codes) != self.digest:
            raise FoldlineError(f"{self.table}: its labels changed after the run was planned; run the workflow again")
        return codes

    def ids(self) -> Sequence[str]:
        """The test ids, also if labels are wrong.

        Raises:
            FoldlineError: the rows cannot be told apart.
        """
        return read_sample_table(self.table, self._columns).ids

    @property
    def _columns(self) -> Columns:
        return Columns(
            id=self.id_column,
            target=self.target_column,
            group=None,
            labels=self.labels,
            missing=self.missing,
            separator=self.separator,
            target_columns=self.target_columns,
            renamed=self.column_names,
            row_per_class=self.row_per_class,
            made_of=self.made_of,
        )


def digest_of_codes(codes: Mapping[str, str]) -> str:
    """Digest of ids and label codes, whatever their order."""
    return digest_of(sorted(codes.items()))
