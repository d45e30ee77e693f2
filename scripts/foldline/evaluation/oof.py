"""The out-of-fold table: what every model and the blend say about rows that they did not see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foldline.errors import FoldlineError, listing
from foldline.io.tables import INTEGER, REAL, TEXT, read_table, write_table

BLEND, TARGET = "blend", "target"
KEYS = {"id": TEXT, "fold": INTEGER}


@dataclass(frozen=True)
class Oof:
    """The out-of-fold table as arrays.

    Attributes:
        class_names: (n_classes,).
        ids: names of the samples, (n_samples,).
        folds: fold of each sample, int64, (n_samples,).
        labels: 0 or 1, int64, (n_samples, n_classes).
        scores: each model in order, then the blend -> scores in [0, 1], (n_samples, n_classes).
    """

    class_names: list[str]
    ids: list[str]
    folds: np.ndarray
    labels: np.ndarray
    scores: Mapping[str, np.ndarray]

    @property
    def models(self) -> list[str]:
        """Names of the models."""
        return [name for name in self.scores if name != BLEND]

    def pairs(self) -> pd.DataFrame:
        """A row for each sample and class: id, fold, class, target, and a column for each model and the blend."""
        n_classes = len(self.class_names)
        table = {
            "id": np.repeat(np.array(self.ids, dtype=object), n_classes),
            "fold": np.repeat(self.folds, n_classes),
            "class": np.tile(np.array(self.class_names, dtype=object), len(self.ids)),
            "target": self.labels.ravel(),
        }
        return pd.DataFrame({**table, **{name: values.ravel() for name, values in self.scores.items()}})


def class_columns(name: str, class_names: Sequence[str]) -> list[str]:
    """Columns of a model, the blend or the target: NAME/CLASS for each class, NAME alone where there is one class."""
    return [name] if len(class_names) == 1 else [f"{name}/{class_name}" for class_name in class_names]


def write_oof(path: str | Path, oof: Oof) -> None:
    """Write the table: id, fold, the targets, then the scores of each model and of the blend.

    Raises:
        FoldlineError: a model is named like another column.
    """
    taken = sorted(name for name in oof.models if name in (*KEYS, TARGET))
    if taken:
        raise FoldlineError(f"model {listing(taken)} has the name of a column of the OOF table; rename the model")
    columns = {"id": oof.ids, "fold": oof.folds}
    for name, values in ((TARGET, oof.labels), *oof.scores.items()):
        columns.update(zip(class_columns(name, oof.class_names), values.T, strict=True))
    write_table(pd.DataFrame(columns), path, _kinds(list(oof.scores), oof.class_names))


def read_oof(path: str | Path, class_names: Sequence[str]) -> Oof:
    """Read the out-of-fold table.

    Raises:
        FoldlineError: a column is absent or a value missing, a label is not 0 or 1, or a score is not in [0, 1].
    """
    header = list(pd.read_csv(path, nrows=0, dtype=str).columns)
    models = list(dict.fromkeys(name.partition("/")[0] for name in header))
    models = [name for name in models if name not in (*KEYS, TARGET, BLEND)]
    table = read_table(path, _kinds([*models, BLEND], class_names))
    values = {name: table[class_columns(name, class_names)].to_numpy() for name in (TARGET, *models, BLEND)}
    for name, numbers in values.items():
        right = np.isin(numbers, (0, 1)) if name == TARGET else (numbers >= 0) & (numbers <= 1)
        wrong = list(table.loc[~right.all(axis=1), "id"])
        if wrong:
            limits = "0 or 1" if name == TARGET else "in [0, 1]"
            raise FoldlineError(f"{path}: column {name} is not {limits} for id {listing(wrong)}")
    labels = values.pop(TARGET)
    return Oof(list(class_names), list(table["id"]), table["fold"].to_numpy(), labels, values)


def _kinds(names: Sequence[str], class_names: Sequence[str]) -> dict[str, str]:
    """Columns of the table and their types, in order."""
    kinds = {**KEYS, **dict.fromkeys(class_columns(TARGET, class_names), INTEGER)}
    return kinds | {column: REAL for name in names for column in class_columns(name, class_names)}
