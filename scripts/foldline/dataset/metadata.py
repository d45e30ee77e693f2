"""Metadata columns as numbers for a model: scaled by the training rows of a fold, or by the words of a vocabulary.

Standard library only: the process that builds the DAG checks values here too.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from foldline.errors import FoldlineError, listing

NUMERIC, CATEGORICAL = "numeric", "categorical"


@dataclass(frozen=True)
class Column:
    """How one column becomes numbers.

    A numeric column gives (x - mean) / deviation and 0, or 0 and 1 where it is missing. A categorical one gives a 1 at
    the place of its word, the last place being that of a missing value.

    Attributes:
        name: the column.
        kind: "numeric" or "categorical".
        vocabulary: words of a categorical column.
        missing: texts that mean missing, "" among them.
        mean: mean of a numeric column over the training rows of a fold.
        deviation: its standard deviation there; 1 where all values are equal.
    """

    name: str
    kind: str
    vocabulary: tuple[str, ...]
    missing: tuple[str, ...]
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def width(self) -> int:
        """How many numbers it gives."""
        return 2 if self.kind == NUMERIC else len(self.vocabulary) + 1

    def encode(self, text: str) -> list[float]:
        """Numbers of a value.

        Raises:
            FoldlineError: it is no number, or no word of the vocabulary.
        """
        problem = problem_of(text, {"kind": self.kind, "vocabulary": self.vocabulary, "missing": self.missing})
        if problem:
            raise FoldlineError(f"column {self.name}: a value {problem}")
        absent = text in self.missing
        if self.kind == NUMERIC:
            return [0.0, 1.0] if absent else [(float(text) - self.mean) / self.deviation, 0.0]
        place = len(self.vocabulary) if absent else self.vocabulary.index(text)
        return [float(place == index) for index in range(self.width)]


@dataclass(frozen=True)
class Encoding:
    """How the metadata of a sample become one vector.

    Attributes:
        columns: the columns, in the order of the vector.
    """

    columns: tuple[Column, ...]

    @property
    def width(self) -> int:
        """Length of the vector."""
        return sum(column.width for column in self.columns)

    def encode(self, values: Mapping[str, str]) -> list[float]:
        """Vector of a sample from the texts of its columns; see `Column.encode`."""
        return [number for column in self.columns for number in column.encode(values[column.name])]

    def as_json(self) -> list[dict[str, Any]]:
        """Value for a JSON file, which `from_json` reads."""
        return [asdict(column) for column in self.columns]

    @classmethod
    def from_json(cls, columns: Sequence[Mapping[str, Any]]) -> "Encoding":
        """Encoding from the value that `as_json` returned."""
        return cls(
            tuple(
                Column(**{**column, "vocabulary": tuple(column["vocabulary"]), "missing": tuple(column["missing"])})
                for column in columns
            )
        )


def fit_encoding(read: Mapping[str, Mapping[str, Any]], values: Mapping[str, Sequence[str]]) -> Encoding:
    """Fit the scales of numeric columns.

    Args:
        read: the `dataset.metadata` section of the config: kind, vocabulary and missing of each column.
        values: texts of each column, (n_samples,), the training rows of a fold and no others.

    Returns:
        The encoding; mean and population standard deviation are over the values that are not missing.

    Raises:
        FoldlineError: a column is absent, or a numeric one has no value at all.
    """
    columns = []
    for name, how in read.items():
        if name not in values:
            raise FoldlineError(f"no metadata column {name!r}; there are {listing(sorted(values)) or 'none'}")
        missing = tuple(dict.fromkeys(["", *how["missing"]]))
        column = Column(name, how["kind"], tuple(how["vocabulary"]), missing)
        if column.kind == NUMERIC:
            numbers = [float(text) for text in values[name] if text not in missing]
            if not numbers:
                raise FoldlineError(f"metadata column {name!r} has no value in the training rows; leave it out")
            deviation = statistics.pstdev(numbers)
            column = replace(column, mean=statistics.fmean(numbers), deviation=deviation if deviation > 0 else 1.0)
        columns.append(column)
    return Encoding(tuple(columns))


def problem_of(text: str, read: Mapping[str, Any]) -> str:
    """What keeps a value from being read by a `dataset.metadata` entry; "" if nothing does."""
    if text == "" or text in read["missing"]:
        return ""
    if read["kind"] == CATEGORICAL:
        known = text in read["vocabulary"]
        return "" if known else f"is {text!r}, not in the vocabulary {listing(list(read['vocabulary']), limit=20)}"
    try:
        finite = math.isfinite(float(text))
    except ValueError:
        finite = False
    return "" if finite else f"is {text!r}, not a finite number"
