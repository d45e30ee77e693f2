"""Subgroups: rows that share a value of a metadata column and are many enough for a score of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.evaluation.results import OmittedValues

# With fewer rows of a label the AUC of a subgroup depends more on chance than on the subgroup.
MIN_ROWS_PER_LABEL = 10


@dataclass(frozen=True)
class Subgroup:
    """Rows with one value of a metadata column.

    Attributes:
        value: the value.
        mask: which samples have it, (n_samples,).
        classes: numbers of the scored classes with enough positives and negatives among these rows.
    """

    value: str
    mask: npt.NDArray[np.bool_]
    classes: list[int]


@dataclass(frozen=True)
class MetadataColumn:
    """Subgroups of one metadata column, the most frequent value first, and the values that are omitted."""

    subgroups: list[Subgroup]
    omitted: OmittedValues


def find_subgroups(values: pd.Series, labels: npt.NDArray[np.int64], scored: Sequence[int]) -> MetadataColumn:
    """Find the values of a metadata column that have enough rows of both labels of at least one scored class.

    Args:
        values: value of each sample, (n_samples,).
        labels: 0 or 1, (n_samples, n_classes).
        scored: numbers of the scored classes.
    """
    subgroups = []
    omitted_values, omitted_rows = 0, 0
    counts = values.value_counts()
    for value in sorted(counts.index, key=lambda value: (-counts[value], value)):
        mask = (values == value).to_numpy()
        rows = int(mask.sum())
        positives = labels[mask].sum(axis=0)
        rarer = np.minimum(positives, rows - positives)
        classes = [number for number in scored if rarer[number] >= MIN_ROWS_PER_LABEL]
        if classes:
            subgroups.append(Subgroup(value, mask, classes))
        else:
            omitted_values += 1
            omitted_rows += rows
    reason = f"fewer than {MIN_ROWS_PER_LABEL} positives or negatives"
    return MetadataColumn(subgroups, OmittedValues(omitted_values, omitted_rows, reason))
