"""Weights of the labeled rows: how much each counts in the loss, and in the metrics if they are weighted.

They are in no shard and in no inventory. The step that makes the fold table reads them from the user's tables, so that
a changed weight makes no image stale.

Standard library only for a table on a local disk, because the process that builds the DAG imports it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from foldline.dataset.cell_values import number
from foldline.dataset.columns import Columns
from foldline.dataset.sample_table import open_sample_table
from foldline.dataset.soft_labels import hard_code
from foldline.errors import FoldlineError, Problems, listing
from foldline.io import files


@dataclass(frozen=True)
class WeightTable:
    """Where the weights of a split are.

    Attributes:
        table: path or URL of the table of the split.
        columns: how to read it; the last metadata column holds the weights.
    """

    table: str
    columns: Columns

    def read(self) -> dict[str, float]:
        """Weight of each row by its id; problems of ids are reported with the samples.

        Raises:
            FoldlineError: the table cannot be read, or a weight is no number of at least 0; names all lines.
        """
        rows = open_sample_table(self.table, self.columns)
        if self.columns.metadata[-1] not in rows.raw.columns:
            rows.problems.check()
        cells = rows.metadata[-1]
        values = {text: number(text) for text in set(cells)}
        column = self.columns.in_table(self.columns.metadata[-1])
        wrong = [
            (line, f"the weight (column {column}) of id {name!r} is {repr(text) if text else 'missing'}")
            for line, name, text in zip(rows.raw.lines, rows.ids, cells, strict=True)
            if (value := values[text]) is None or value < 0
        ]
        if wrong:
            raise rows.raw.error(
                wrong,
                "give every row a number of at least 0, such as 0.5; rows with 0 are predicted, not trained on",
            )
        return {name: values[text] or 0.0 for name, text in zip(rows.ids, cells, strict=True)}


@dataclass(frozen=True)
class RowWeights:
    """The weights of all labeled rows.

    Attributes:
        tables: split -> its table; the rows of other splits have the weight 1.
        factors: external set -> factor of the weights of its rows; 1 for others.
        digest: digest of the weights, as the run was planned; "" before they are known.
    """

    tables: Mapping[str, WeightTable]
    factors: Mapping[str, float]
    digest: str = ""

    def read(self) -> dict[str, dict[str, float]]:
        """Weight of each row by its id, without the factor, of each split with a table.

        Raises:
            FoldlineError: tables are wrong; names all problems.
        """
        problems, found = Problems(), dict[str, dict[str, float]]()
        for split, table in self.tables.items():
            with problems.collected():
                found[split] = table.read()
        problems.check()
        return found

    def digest_of(self, weights: Mapping[str, Mapping[str, float]]) -> str:
        """Digest of what `read` returned, and of the factors."""
        rows = {split: sorted(of_split.items()) for split, of_split in sorted(weights.items())}
        return files.digest_of([rows, sorted(self.factors.items())])

    def of_rows(self, splits: Sequence[str], ids: Sequence[str]) -> list[float]:
        """Weight of each row, (n_rows,).

        Args:
            splits: split of each row, (n_rows,).
            ids: id of each row, (n_rows,).

        Raises:
            FoldlineError: the tables are not those that were planned with.
        """
        weights = self.read()
        if self.digest_of(weights) != self.digest:
            raise FoldlineError(
                f"{listing([table.table for table in self.tables.values()])}: weights of rows changed after the run "
                "was planned; leave tables alone while a workflow runs, and run the same command again"
            )
        return [
            (weights[split][name] if split in weights else 1.0) * self.factors.get(split, 1.0)
            for split, name in zip(splits, ids, strict=True)
        ]


def unweighted_labels(every: Iterable[str], weighted: Iterable[str], class_names: Sequence[str]) -> str:
    """Labels that some rows have, but none with a weight above 0, in words; "" if there is none.

    A soft label counts as the class with the largest share.

    Args:
        every: codes of the labels of all rows, see `labels.Labels`.
        weighted: codes of those with a weight above 0.
        class_names: (n_classes,).
    """
    is_binary = len(class_names) == 1

    def labels_of(codes: Iterable[str]) -> set[tuple[int, str]]:
        bits = (pair for code in codes for pair in enumerate(hard_code(code)))
        return {(number, bit) for number, bit in bits if is_binary or bit == "1"}

    lost = sorted(labels_of(every) - labels_of(weighted))
    if is_binary:
        return " and ".join(f"the label {bit} of {class_names[number]}" for number, bit in lost)
    return f"the class {listing([class_names[number] for number, _ in lost])}" if lost else ""
