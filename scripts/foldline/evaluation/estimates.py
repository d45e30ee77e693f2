"""Scores together with what each group of rows adds to them: their intervals need no resampling.

A score is a function of the weights of the rows. Its derivative by the weight of a row is the influence of the row
(Hampel, The influence curve and its role in robust estimation, 1974). Rows of one group (patient, lesion, copies) are
not independent, groups are: the variance of the score is the sum over the groups of their squared influence (LeDell,
Petersen and van der Laan, Computationally efficient confidence intervals for cross-validated area under the ROC curve
estimates, 2015). Each group's influence is divided by the share of rows that are in other groups, which makes the
variance of a mean that of the jackknife over groups (Bell and McCaffrey, Bias reduction in standard errors for linear
regression with multi-stage samples, 2002).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Weight and group of the rows that a score is computed from.

    Attributes:
        weights: at least 0, (n_rows,).
        groups: number of each row's group, (n_rows,).
        n_groups: number of groups of the whole data set; some may have no row here.
    """

    weights: FloatArray
    groups: IntArray
    n_groups: int

    @classmethod
    def of(cls, groups: Sequence[object], weights: FloatArray | None = None) -> "Rows":
        """Number the groups, given by name for each row; weights are 1 if there are none."""
        names, numbers = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
        return cls(np.ones(len(numbers)) if weights is None else weights, numbers, len(names))

    @classmethod
    def single(cls, n_rows: int, weights: FloatArray | None = None) -> "Rows":
        """Rows that are a group of their own each."""
        return cls(np.ones(n_rows) if weights is None else weights, np.arange(n_rows), n_rows)

    def __getitem__(self, index: npt.NDArray[np.bool_ | np.integer]) -> "Rows":
        """Some of the rows, by a mask, (n_rows,), or by their numbers."""
        return Rows(self.weights[index], self.groups[index], self.n_groups)

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum values, (n_rows,), in each group, (n_groups,)."""
        return np.bincount(self.groups, values, self.n_groups).astype(np.float64)


@dataclass(frozen=True)
class Estimate:
    """A score with its uncertainty.

    Attributes:
        value: the score.
        influence: what each group adds to it, (n_groups,); their squares sum to its variance.
        added_variance: variance that the influence misses.
        degrees: degrees of freedom of the variance.
        size: effective number of groups behind the score, (sum of weights)^2 / sum of squared weights (Kish, Survey
            Sampling, 1965); of the rarer label if it compares two.
        averaged: the scores that this one is the mean of, if it is one.
    """

    value: float
    influence: FloatArray
    degrees: float
    size: float
    added_variance: float = 0.0
    averaged: tuple["Estimate", ...] = ()

    @property
    def variance(self) -> float:
        """Variance of the score."""
        return float(self.influence @ self.influence) + self.added_variance


@dataclass(frozen=True)
class Part:
    """What rows of one kind add to a score, for example the positives to the ROC AUC.

    Attributes:
        influence: of each row, times its weight, (n_rows,).
        weights: weight of each row of this kind, 0 for other rows, (n_rows,); at least one is above 0.
    """

    influence: FloatArray
    weights: FloatArray


def estimate(value: float, parts: Sequence[Part], rows: Rows, *, added_variance: float = 0.0) -> Estimate:
    """Combine the parts of a score.

    The degrees of freedom are those of a sum of independent variances (Satterthwaite, An approximate distribution of
    estimates of variance components, 1946), where each part has one less than its effective number of groups.
    """
    n_present = np.count_nonzero(sum(rows.sums(part.weights) for part in parts))
    influence, variances, sizes = np.zeros(rows.n_groups), [], []
    for part in parts:
        own = rows.sums(part.influence)
        share = rows.sums(part.weights) / part.weights.sum()
        influence += own / np.where(share < 1, 1 - share, 1)
        variances.append(float(own @ own))
        sizes.append(1 / float(share @ share))
    return Estimate(
        value=float(value),
        influence=influence * (1 - 1 / n_present) ** 0.5,
        degrees=_degrees(variances, [size - 1 for size in sizes]),
        size=min(sizes),
        added_variance=added_variance,
    )


def effective_rows(part: Part, rows: Rows) -> float:
    """Number of independent rows that would give the variance of a part.

    The effective number of rows divided by the design effect, the ratio of the variances with groups and without
    (Kish, Survey Sampling, 1965); at least the effective number of groups.
    """
    sums = rows.sums(part.weights)
    total = part.weights.sum()
    most, least = total**2 / (part.weights @ part.weights), total**2 / (sums @ sums)
    influence = rows.sums(part.influence)
    clustered = influence @ influence
    if not clustered > 0:
        return float(least)
    return float(np.clip(most * (part.influence @ part.influence) / clustered, least, most))


def mean_estimate(values: npt.NDArray[np.generic], masses: FloatArray, rows: Rows) -> Estimate | None:
    """Estimate a weighted mean.

    Args:
        values: (n_rows,).
        masses: how much each row counts, its weight included, (n_rows,).
        rows: weights and groups.

    Returns:
        The estimate; None if no row counts.
    """
    total = masses.sum()
    if not total > 0:
        return None
    numbers = values.astype(np.float64)
    value = (masses * numbers).sum() / total
    return estimate(value, [Part(masses * (numbers - value) / total, masses)], rows)


def average(estimates: Sequence[Estimate | None]) -> Estimate | None:
    """Average the scores that are defined, for example over classes; None if none is."""
    defined = [one for one in estimates if one is not None]
    if not defined:
        return None
    count = len(defined)
    return Estimate(
        value=sum(one.value for one in defined) / count,
        influence=sum((one.influence for one in defined), np.zeros(1)) / count,
        degrees=_degrees([one.variance for one in defined], [one.degrees for one in defined]),
        size=min(one.size for one in defined),
        added_variance=sum(one.added_variance for one in defined) / count**2,
        averaged=tuple(defined),
    )


def difference(first: Estimate, second: Estimate) -> Estimate:
    """Subtract the second score from the first, both of the same groups: what they have in common cancels out."""
    return Estimate(
        value=first.value - second.value,
        influence=first.influence - second.influence,
        degrees=min(first.degrees, second.degrees),
        size=min(first.size, second.size),
    )


def _degrees(variances: Sequence[float], degrees: Sequence[float]) -> float:
    """Degrees of freedom of a sum of variances, at least 1."""
    total = sum(variances)
    if not total > 0:
        return max(1.0, min(degrees))
    squares = sum(variance**2 / max(degree, 0.5) for variance, degree in zip(variances, degrees, strict=True))
    return max(1.0, total**2 / squares)
