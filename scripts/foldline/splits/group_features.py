"""Rows of each label and stratum in each group, and what a fold for each group makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csc_array, csr_array

from foldline.splits.fold_audit import IntArray

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GroupFeatures:
    """How many rows of each feature a group has; a feature is "any row", a label of a class, a value, or a stratum.

    Attributes:
        counts: rows of each group and feature, float64, (n_groups, n_features), with sorted indices.
        totals: rows of each feature, (n_features,).
        shares: how much an even spread of a feature matters, (n_features,): the rows as much as all labels of a row,
            and as much as its stratum.
        n_label_features: number of features before the values.
        n_even_features: number of features before the strata; repairs make these even.
    """

    counts: csr_array
    totals: FloatArray
    shares: FloatArray
    n_label_features: int
    n_even_features: int

    @property
    def influence(self) -> FloatArray:
        """How far a group alone makes folds uneven, (n_groups,): weighted sum of its squared shares of features."""
        n_others = len(self.totals) - self.n_label_features
        # A label that no row has weighs nothing.
        weights = self.shares / np.maximum(self.totals, 1) ** 2
        weights[self.n_label_features :] /= n_others
        entries = self.counts.tocoo()
        return np.bincount(entries.row, weights=weights[entries.col] * entries.data**2).astype(np.float64)

    @cached_property
    def groups_per_label(self) -> IntArray:
        """Number of groups that have each label and value, (n_even_features,)."""
        n_groups = np.bincount(self.counts.indices, minlength=len(self.totals))
        return n_groups[: self.n_even_features].astype(np.int64)

    def has_label(self, label: int) -> npt.NDArray[np.bool_]:
        """Whether each group has a label, (n_groups,)."""
        starts, groups = self._by_feature.indptr, self._by_feature.indices
        has = np.zeros(self.counts.shape[0], dtype=np.bool_)
        has[groups[starts[label] : starts[label + 1]]] = True
        return has

    @cached_property
    def _by_feature(self) -> csc_array:
        return self.counts.tocsc()


@dataclass(frozen=True)
class Assignment:
    """A fold for each group.

    Attributes:
        group_folds: (n_groups,).
        fold_rows: rows of each feature and fold, (n_features, n_folds).
    """

    group_folds: IntArray
    fold_rows: FloatArray


def count_features(
    groups: IntArray, labels: IntArray, strata: Sequence[str], columns: Sequence[Sequence[str]] = ()
) -> GroupFeatures:
    """Count the rows of all groups; the features are all rows, negatives and positives of each class, values, strata.

    Args:
        groups: group number of each sample, (n_samples,).
        labels: 0 or 1, (n_samples, n_classes).
        strata: stratum of each sample, (n_samples,).
        columns: columns whose values are features too, (n_columns, n_samples).
    """
    n_samples, n_classes = labels.shape
    n_label_features = 1 + 2 * n_classes
    # Numbers of 32 bits are enough, and half of the memory.
    numbers = [
        np.zeros((n_samples, 1), np.int32),
        1 + 2 * np.arange(n_classes, dtype=np.int32) + labels.astype(np.int32),
    ]
    starts = [n_label_features]
    for column in [*columns, strata]:
        values, _ = pd.factorize(np.asarray(column, dtype=object), sort=True)
        numbers.append(starts[-1] + values[:, None].astype(np.int32))
        starts.append(starts[-1] + int(values.max()) + 1)
    counts = _one_hot(groups[:, None]).T.tocsr() @ _one_hot(np.concatenate(numbers, axis=1))
    counts.sort_indices()
    shares = np.repeat([1.0, 1 / n_classes, 1.0], [1, 2 * n_classes, starts[-1] - n_label_features])
    return GroupFeatures(counts, np.asarray(counts.sum(axis=0)), shares, n_label_features, starts[-2])


def _one_hot(numbers: IntArray) -> csr_array:
    """Make a matrix with a 1 in each row for each of its numbers, (n_rows, n_numbers); float64."""
    n_rows, n_numbers = numbers.shape
    indices, starts = numbers.ravel(), np.arange(0, numbers.size + 1, n_numbers)
    return csr_array((np.ones(numbers.size), indices, starts), shape=(n_rows, int(numbers.max()) + 1))
