"""How much the scores of held-out folds vary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from foldline.evaluation.metrics import METRICS
from foldline.evaluation.results import MetricValues, Score


@dataclass(frozen=True)
class FoldSummary:
    """Mean and standard deviation (n - 1) of the scores of the folds, and the difference of the pooled score.

    A value is None unless the metric is defined in every fold.
    """

    mean: MetricValues
    sd: MetricValues
    pooled_minus_mean: MetricValues


def summarize_folds(folds: Sequence[Mapping[str, Score]], pooled: Mapping[str, Score]) -> FoldSummary:
    """Summarize the scores of folds.

    Args:
        folds: metric -> score, for each fold.
        pooled: metric -> score over all rows.
    """
    values = {name: [fold[name].value for fold in folds] for name in METRICS}
    defined = {name: np.array(row, np.float64) for name, row in values.items() if None not in row}
    means = {name: float(row.mean()) for name, row in defined.items()}
    deviations = {name: float(row.std(ddof=1)) for name, row in defined.items() if len(row) > 1}
    differences = {name: value - mean for name, mean in means.items() if (value := pooled[name].value) is not None}
    return FoldSummary(*(_metric_values(row) for row in (means, deviations, differences)))


def _metric_values(values: Mapping[str, float]) -> MetricValues:
    return MetricValues(**{name: values.get(name) for name in METRICS})
