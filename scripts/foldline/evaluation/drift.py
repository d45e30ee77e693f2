"""Drift: how well test images can be told from training images, and by what.

A classifier predicts for each image whether it is a test image, on folds that it was not trained on (adversarial
validation). If both splits are samples of the same images, its ROC AUC is 0.5. Images of one group are never divided
between folds. The AUC is the mean of those within the folds, because scores of different folds are not comparable
(LeDell, Petersen and van der Laan, Computationally efficient confidence intervals for cross-validated area under the
ROC curve estimates, 2015).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from foldline.dataset.id_hash import id_hash
from foldline.evaluation.combination import scaled_ranks
from foldline.evaluation.estimates import Estimate, Rows, average
from foldline.evaluation.log_linear import fit_logistic
from foldline.evaluation.ranking import auc_estimate

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

FOLDS = 5
# With fewer groups in a split nothing is said.
FEWEST_GROUPS = 10
# Numbers are divided into this many bands of equal size; of text, so many of the most frequent values are kept.
BANDS, MOST_VALUES = 10, 100
TREES, ROWS_PER_LEAF = 50, 10
# Principal components of embeddings, and what draws the coefficients of one with the variance 1 to 0.
COMPONENTS, PENALTY, RIDGE = 50, 10.0, 1e-9


@dataclass(frozen=True)
class SplitRows:
    """Images of both splits.

    Attributes:
        is_test: (n_rows,).
        folds: fold of each image, (n_rows,).
        rows: groups; each image counts the same.
    """

    is_test: BoolArray
    folds: IntArray
    rows: Rows

    @classmethod
    def of(cls, is_test: BoolArray, groups: Sequence[str]) -> "SplitRows | None":
        """Divide groups into folds by the hash of their names; None if a split has too few groups.

        Groups with images of one split and those with images of both are dealt out separately, so that the folds have
        about the same share of test images.
        """
        rows = Rows.of(groups)
        counts = np.stack([np.bincount(rows.groups, is_test == split, rows.n_groups) for split in (0, 1)])
        if (np.count_nonzero(counts, axis=1) < FEWEST_GROUPS).any():
            return None
        kind = (counts > 0).T @ np.array([1, 2])
        names = np.unique(np.asarray(groups, dtype=object))
        order = sorted(range(rows.n_groups), key=lambda number: (int(kind[number]), id_hash(str(names[number]))))
        fold_of_group = np.empty(rows.n_groups, np.int64)
        fold_of_group[order] = np.arange(rows.n_groups) % FOLDS
        return cls(is_test, fold_of_group[rows.groups], rows)

    def auc(self, scores: FloatArray) -> Estimate | None:
        """ROC AUC of scores that were made fold by fold, (n_rows,).

        Without drift what a fold teaches about another one is what that one teaches about it, so the AUCs of the folds
        are not independent: every pair of folds counts twice, which doubles the variance of their mean. With drift this
        is too much, and the interval is wider than it would have to be.
        """
        labels = self.is_test.astype(np.int64)
        masks = [self.folds == fold for fold in range(FOLDS)]
        found = average([auc_estimate(labels[own], scores[own], self.rows[own]) for own in masks])
        return found and replace(found, added_variance=found.added_variance + found.variance)

    def ranks(self, scores: FloatArray) -> FloatArray:
        """Rank of each score among those of its fold, in (0, 1), (n_rows,)."""
        found = np.empty(len(scores))
        for fold in range(FOLDS):
            found[self.folds == fold] = scaled_ranks(scores[self.folds == fold])
        return found


def coded(values: pd.Series) -> IntArray:
    """Number the values of a column, (n_rows,): 0 is missing; numbers by bands, text by value, rare ones together.

    Args:
        values: numbers with NaN, or text with "" where a value is missing.
    """
    if pd.api.types.is_numeric_dtype(values):
        known = values.notna().to_numpy()
        borders = np.unique(np.quantile(values[known], np.arange(1, BANDS) / BANDS)) if known.any() else np.empty(0)
        return np.where(known, 1 + np.searchsorted(borders, values.fillna(0), side="left"), 0)
    counts = values[values != ""].value_counts()
    order = sorted(counts.index, key=lambda value: (-counts[value], value))[:MOST_VALUES]
    numbers = {"": 0, **{value: number for number, value in enumerate(order, start=1)}}
    return np.array([numbers.get(value, len(numbers)) for value in values], np.int64)


def column_scores(codes: IntArray, split: SplitRows) -> FloatArray:
    """Score each image by its value alone: the share of test images with this value in the other folds, (n_rows,).

    One more image with the share of all values keeps rare values near it.
    """
    size = int(codes.max()) + 1
    found = np.empty(len(codes))
    for fold in range(FOLDS):
        own = split.folds == fold
        counts = np.bincount(codes[~own], minlength=size)
        tests = np.bincount(codes[~own], split.is_test[~own], size)
        found[own] = ((tests + split.is_test[~own].mean()) / (counts + 1))[codes[own]]
    return found


def forest_scores(columns: Mapping[str, IntArray], split: SplitRows) -> FloatArray:
    """Score each image by a random forest on coded columns that was trained on the other folds, (n_rows,)."""
    features = np.stack(list(columns.values()), axis=1)
    found = np.empty(len(features))
    for fold in range(FOLDS):
        own = split.folds == fold
        # One thread, so that the sums are the same on every machine.
        forest = RandomForestClassifier(
            TREES, min_samples_leaf=ROWS_PER_LEAF, max_features="sqrt", n_jobs=1, random_state=fold
        )
        forest.fit(features[~own], split.is_test[~own])
        found[own] = forest.predict_proba(features[own])[:, 1]
    return found


def linear_scores(vectors: FloatArray, split: SplitRows) -> FloatArray:
    """Score each image by a logistic regression on its vector that was trained on the other folds, (n_rows,).

    It sees the principal components with the largest variance, of vectors of length 1, each with the variance 1.

    Args:
        vectors: (n_rows, n_values).
        split: the images.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    centered = vectors / np.where(lengths > 0, lengths, 1.0)
    centered -= centered.mean(axis=0)
    variances, directions = np.linalg.eigh(centered.T @ centered / len(centered))
    kept = np.argsort(-variances, kind="stable")[:COMPONENTS]
    kept = kept[variances[kept] > RIDGE * variances[kept[0]]]
    components = centered @ directions[:, kept] / variances[kept] ** 0.5
    found = np.empty(len(components))
    for fold in range(FOLDS):
        own = split.folds == fold
        labels = split.is_test[~own].astype(np.float64)
        coefficients, intercept = fit_logistic(components[~own].T, labels, np.ones(len(labels)), penalty=PENALTY)
        found[own] = components[own] @ coefficients + intercept
    return found
