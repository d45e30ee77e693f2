"""Encode metadata columns as numbers for a model.

Numeric columns are scaled by the training rows of a fold, categorical ones are one-hot encoded by a vocabulary.

Standard library only, because the process that builds the DAG imports it.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from foldline.dataset.cell_values import canonical, number
from foldline.errors import FoldlineError, listing

NUMERIC, CATEGORICAL = "numeric", "categorical"


@dataclass(frozen=True)
class MetadataColumnConfig:
    """How to read a metadata column: an entry of the section `dataset.metadata` of the configuration.

    Attributes:
        kind: "numeric" or "categorical".
        vocabulary: all values of a categorical column.
        missing: texts that mean "missing", beside those of `dataset.missing`, which are empty when the table was read.
    """

    kind: str
    vocabulary: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, section: Mapping[str, Any]) -> "MetadataColumnConfig":
        """Column from a completed entry of `dataset.metadata`."""
        return cls(section["kind"], tuple(section["vocabulary"]), tuple(map(str, section["missing"])))

    def is_missing(self, text: str) -> bool:
        """Whether a text means "missing"."""
        return text == "" or canonical(text) in map(canonical, self.missing)

    def problem(self, text: str) -> str:
        """Why a value cannot be encoded, as the end of an error message; "" if it can."""
        if self.is_missing(text):
            return ""
        if self.kind == CATEGORICAL:
            known = canonical(text) in self.words
            return "" if known else f"is {text!r}, not in the vocabulary {listing(self.vocabulary, limit=20)}"
        return f"is {text!r}, not a finite number" if number(text) is None else ""

    @property
    def words(self) -> list[str]:
        """The vocabulary in canonical spelling, as the cells of a table are."""
        return [canonical(word) for word in self.vocabulary]


@dataclass(frozen=True, kw_only=True)
class Column(MetadataColumnConfig):
    """The encoding of one column.

    A numeric column gives two numbers: (x - mean) / deviation and 0, or 0 and 1 for a missing value. A categorical one
    gives one number for each word of the vocabulary and one for a missing value: 1 for the value, 0 for all others.

    Attributes:
        name: the column.
        mean: mean of a numeric column over the training rows of a fold.
        deviation: its standard deviation over them; 1 if all values are equal.
    """

    name: str
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def width(self) -> int:
        """Count of numbers."""
        return 2 if self.kind == NUMERIC else len(self.vocabulary) + 1

    def encode(self, text: str) -> list[float]:
        """Numbers of a value, (width,).

        Raises:
            FoldlineError: the value is not a number, or not in the vocabulary.
        """
        problem = self.problem(text)
        if problem:
            raise FoldlineError(f"column {self.name}: a value {problem}")
        missing = self.is_missing(text)
        if self.kind == NUMERIC:
            value = None if missing else number(text)
            return [0.0, 1.0] if value is None else [(value - self.mean) / self.deviation, 0.0]
        one = len(self.vocabulary) if missing else self.words.index(canonical(text))
        return [float(one == index) for index in range(self.width)]


@dataclass(frozen=True)
class Encoding:
    """The encoding of the metadata of a sample as one vector.

    Attributes:
        columns: the columns, in the order of the vector.
    """

    columns: tuple[Column, ...]

    @property
    def width(self) -> int:
        """Length of the vector."""
        return sum(column.width for column in self.columns)

    def encode(self, values: Mapping[str, str]) -> list[float]:
        """Vector of a sample, (width,), from the texts of its columns; errors as `Column.encode`."""
        return [entry for column in self.columns for entry in column.encode(values[column.name])]

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


def fit_encoding(configs: Mapping[str, MetadataColumnConfig], values: Mapping[str, Sequence[str]]) -> Encoding:
    """Fit the mean and standard deviation of numeric columns.

    Args:
        configs: how to read each column, by name.
        values: texts of each column, (n_samples,), by name: the training rows of a fold and no others.

    Returns:
        The encoding; mean and population standard deviation are over the values that are not missing.

    Raises:
        FoldlineError: a column is absent, or a numeric one has only missing values.
    """
    columns = []
    for name, config in configs.items():
        if name not in values:
            raise FoldlineError(f"no metadata column {name!r}; the table has {listing(sorted(values)) or 'none'}")
        mean, deviation = _fit_scale(name, config, values[name]) if config.kind == NUMERIC else (0.0, 1.0)
        # In canonical spelling, because the input pipeline compares texts and the cells of shards are canonical.
        missing = tuple(dict.fromkeys(["", *map(canonical, config.missing)]))
        columns.append(
            Column(
                name=name,
                kind=config.kind,
                vocabulary=tuple(config.words),
                missing=missing,
                mean=mean,
                deviation=deviation,
            )
        )
    return Encoding(tuple(columns))


def _fit_scale(name: str, config: MetadataColumnConfig, texts: Sequence[str]) -> tuple[float, float]:
    problem = next(filter(None, map(config.problem, texts)), "")
    if problem:
        raise FoldlineError(f"metadata column {name!r}: a value {problem}; run the workflow again")
    numbers = [value for text in texts if not config.is_missing(text) and (value := number(text)) is not None]
    if not numbers:
        raise FoldlineError(
            f"metadata column {name!r} has only missing values in the training rows; remove it from dataset.metadata"
        )
    deviation = statistics.pstdev(numbers)
    return statistics.fmean(numbers), deviation if deviation > 0 else 1.0
