"""The out-of-fold (OOF) table: scores of every model and of the blend for rows that they were not trained on.

Steps read the Parquet file, which has all models. The CSV file is for people: it has the same rows, targets and blend,
and the models as long as they are few enough to be read by a person's program.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from foldline.dataset.label_arrays import hard_labels
from foldline.dataset.labels import SIGMOID, SOFTMAX
from foldline.errors import FoldlineError, listing
from foldline.io.parquet import read_parquet_schema
from foldline.io.tables import FLOAT32, INTEGER, TEXT, arrow_schema, read_arrow_table, write_arrow_table, write_table

BLEND, TARGET = "blend", "target"
LABEL, PREDICTED = "label", "predicted"
KEYS = {"id": TEXT, "fold": INTEGER}
# Most scores of single models (rows x classes x models) in the CSV file, some 10 MB of text; with more it has the blend
# alone.
MOST_MODEL_SCORES = 1_000_000


@dataclass(frozen=True)
class Oof:
    """The out-of-fold table as arrays.

    Attributes:
        class_names: (n_classes,).
        ids: ids of the samples, (n_samples,).
        folds: fold of each sample, int64, (n_samples,).
        labels: 0 or 1, int64, (n_samples, n_classes). A soft label counts as the class with its largest share.
        scores: each model in order, then the blend -> scores in [0, 1], (n_samples, n_classes). The table stores them
            as float32; what is read from it is float64 with the same values.
        shares: share of each class in soft labels, float32, (n_samples, n_classes), in [0, 1]; None for other labels.
        repeats: tables of the repeats of the folds, of which this is the mean; none if there is one.
    """

    class_names: list[str]
    ids: list[str]
    folds: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    scores: Mapping[str, npt.NDArray[np.floating]]
    shares: npt.NDArray[np.float32] | None = None
    repeats: Sequence["Oof"] = ()

    @property
    def targets(self) -> npt.NDArray[np.number]:
        """The labels as the table stores them, (n_samples, n_classes): the shares of soft labels, or 0 or 1."""
        return self.labels if self.shares is None else self.shares

    @property
    def models(self) -> list[str]:
        """Names of the models."""
        return [name for name in self.scores if name != BLEND]

    def pairs(self) -> pd.DataFrame:
        """Convert to a row per sample and class: id, fold, class, target, and a column per model and for the blend."""
        n_classes = len(self.class_names)
        table = {
            "id": np.repeat(np.array(self.ids, dtype=object), n_classes),
            "fold": np.repeat(self.folds, n_classes),
            "class": np.tile(np.array(self.class_names, dtype=object), len(self.ids)),
            "target": self.labels.ravel(),
        }
        return pd.DataFrame({**table, **{name: values.ravel() for name, values in self.scores.items()}})


def class_columns(name: str, class_names: Sequence[str]) -> list[str]:
    """Name the columns of a model, the blend or the target: NAME/CLASS per class, or NAME if there is one class."""
    return [name] if len(class_names) == 1 else [f"{name}/{class_name}" for class_name in class_names]


def write_oof(path: str | Path, oof: Oof) -> None:
    """Write the Parquet file: id, fold, the targets, the scores of each model, and those of the blend.

    Raises:
        FoldlineError: a model has the name of another column.
    """
    taken = sorted(name for name in oof.models if name in (*KEYS, LABEL, PREDICTED, TARGET))
    if taken:
        raise FoldlineError(
            f"models: {listing(taken)} is the name of a column of the OOF table; rename the model in the config"
        )
    types = _column_types(list(oof.scores), oof.class_names, soft=oof.shares is not None)
    columns = [pa.array(oof.ids, pa.string()), pa.array(oof.folds), *map(pa.array, oof.targets.T)]
    columns += [pa.array(column) for values in oof.scores.values() for column in values.astype(np.float32).T]
    write_arrow_table(pa.table(columns, schema=arrow_schema(types)), path, types)


def write_oof_csv(path: str | Path, oof: Oof, activation: str, predicted: npt.NDArray[np.int64] | None = None) -> bool:
    """Write the CSV file; scores are the shortest text that gives the same float32.

    If each sample has exactly one of several classes, the file also names it (`label`) and the class that the blend
    predicts (`predicted`), unless the blend is a mean of ranks: these compare images, not classes.

    Args:
        path: the file.
        oof: the table.
        activation: see `labels.Labels`; with "softmax" each sample has exactly one class.
        predicted: number of the class that the blend predicts, (n_samples,); None if it predicts none.

    Returns:
        Whether it has the models, which it has up to `MOST_MODEL_SCORES` scores; if not, it has the blend alone.
    """
    has_models = oof.labels.size * len(oof.models) <= MOST_MODEL_SCORES
    scores = oof.scores if has_models else {BLEND: oof.scores[BLEND]}
    columns = {"id": np.array(oof.ids, dtype=object), "fold": oof.folds}
    columns |= zip(class_columns(TARGET, oof.class_names), oof.targets.T, strict=True)
    types = _column_types(list(scores), oof.class_names, soft=oof.shares is not None)
    if activation == SOFTMAX:
        names = np.array(oof.class_names, dtype=object)
        words = {LABEL: names[oof.labels.argmax(axis=1)]}
        if predicted is not None:
            words[PREDICTED] = names[predicted]
        columns |= words
        types = {**KEYS, **dict.fromkeys(words, TEXT), **types}
    for name, values in scores.items():
        columns |= zip(class_columns(name, oof.class_names), values.astype(np.float32).T, strict=True)
    write_table(pd.DataFrame(columns), path, types)
    return has_models


def read_oof(path: str | Path, class_names: Sequence[str]) -> Oof:
    """Read the Parquet file.

    Raises:
        FoldlineError: a column or a value is missing, a label is not 0 or 1 or a soft one not in [0, 1], or a score is
            not in [0, 1].
    """
    schema = read_parquet_schema(path)
    models = list(dict.fromkeys(name.partition("/")[0] for name in schema.names))
    models = [name for name in models if name not in (*KEYS, TARGET, BLEND)]
    first = class_columns(TARGET, class_names)[0]
    soft = first in schema.names and pa.types.is_floating(schema.field(first).type)
    table = read_arrow_table(path, _column_types([*models, BLEND], class_names, soft=soft))
    ids = table["id"].to_pylist()
    labels, shares = _values(table, TARGET, class_names), None
    if soft:
        _check_range(path, TARGET, ids, (labels >= 0) & (labels <= 1), "in [0, 1]")
        shares, labels = labels, hard_labels(labels, SOFTMAX if len(class_names) > 1 else SIGMOID)
    else:
        _check_range(path, TARGET, ids, np.isin(labels, (0, 1)), "0 or 1")
    scores = {}
    for name in [*models, BLEND]:
        values = _values(table, name, class_names).astype(np.float64)
        _check_range(path, name, ids, (values >= 0) & (values <= 1), "in [0, 1]")
        scores[name] = values
    return Oof(list(class_names), ids, table["fold"].to_numpy(), labels, scores, shares)


def _values(table: pa.Table, name: str, class_names: Sequence[str]) -> npt.NDArray[Any]:
    """The columns of a model, the blend or the target, (n_samples, n_classes)."""
    return np.stack([table[column].to_numpy() for column in class_columns(name, class_names)], axis=1)


def _check_range(path: str | Path, name: str, ids: Sequence[str], valid: npt.NDArray[np.bool_], allowed: str) -> None:
    """Raise an error that names the ids whose values are not all valid, (n_samples, n_classes)."""
    invalid = [ids[number] for number in np.flatnonzero(~valid.all(axis=1)).tolist()]
    if invalid:
        raise FoldlineError(
            f"{path}: column {name} is not {allowed} for id {listing(invalid)}; remove the file and run the workflow "
            "again"
        )


def _column_types(names: Sequence[str], class_names: Sequence[str], *, soft: bool) -> dict[str, str]:
    """List the columns of the table, in order, with their types."""
    types = {**KEYS, **dict.fromkeys(class_columns(TARGET, class_names), FLOAT32 if soft else INTEGER)}
    return types | {column: FLOAT32 for name in names for column in class_columns(name, class_names)}
