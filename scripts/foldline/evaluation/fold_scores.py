"""Scores on the rows of each held-out fold, and how much they vary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.evaluation.metrics import METRICS, PROBABILITY_METRICS, plain_scores
from foldline.evaluation.multiclass import plain_multiclass
from foldline.evaluation.results import ClassFoldScores, FoldScores, MetricValues
from foldline.evaluation.score_columns import ScoreColumn


@dataclass(frozen=True)
class ClassFold:
    """Metrics of one class on the rows of one fold; NaN where not defined, for the reason `undefined`."""

    fold: int
    rows: int
    positives: int
    metrics: dict[str, float]
    undefined: str

    def as_scores(self) -> ClassFoldScores:
        """Convert to the form of the results."""
        area, precision = self.metrics["auc"], self.metrics["average_precision"]
        return ClassFoldScores(
            fold=self.fold,
            rows=self.rows,
            positives=self.positives,
            auc=area if np.isfinite(area) else None,
            average_precision=precision if np.isfinite(precision) else None,
            reason=None if np.isfinite(area) else self.undefined,
        )


@dataclass(frozen=True)
class FoldSummary:
    """Scores of each fold, and their mean, standard deviation and difference from the scores over all rows."""

    folds: tuple[FoldScores, ...]
    mean: MetricValues
    sd: MetricValues
    pooled_minus_mean: MetricValues


def class_folds(column: ScoreColumn) -> list[list[ClassFold]]:
    """Compute the metrics of each class and, ascending, each fold."""
    masks = [(fold, column.folds == fold) for fold in sorted(set(column.folds.tolist()))]
    return [
        [
            ClassFold(
                fold=fold,
                rows=int(mask.sum()),
                positives=int(labels[mask].sum()),
                metrics=plain_scores(
                    labels[mask], scores[mask], predicted=predicted[mask], weights=column.weights_of(mask)
                ),
                undefined=column.undefined,
            )
            for fold, mask in masks
        ]
        for labels, scores, predicted in zip(column.labels.T, column.scores.T, column.predicted.T, strict=True)
    ]


def multiclass_folds(column: ScoreColumn) -> dict[str, npt.NDArray[np.float64]]:
    """Compute the metrics that count all classes together on each fold, ascending: metric -> (n_folds,).

    Returns:
        Nothing unless each sample has exactly one class; these metrics replace the means over the classes.
    """
    if not column.one_class_per_sample:
        return {}
    masks = [column.folds == fold for fold in sorted(set(column.folds.tolist()))]
    values = [plain_multiclass(column.labels[mask], column.scores[mask], column.weights_of(mask)) for mask in masks]
    return {name: np.array([float(row[name]) for row in values]) for name in PROBABILITY_METRICS}


def summarize_folds(
    classes: Sequence[Sequence[ClassFold]],
    pooled: Mapping[str, float | None],
    *,
    are_ranks: bool,
    multiclass: Mapping[str, npt.NDArray[np.float64]],
) -> FoldSummary:
    """Average over the classes in each fold, then summarize the folds.

    Args:
        classes: folds of each scored class.
        pooled: metric -> score over all rows; None where not defined.
        are_ranks: whether the scores are ranks, which have no probability metrics.
        multiclass: see `multiclass_folds`.
    """
    folds = list(zip(*classes, strict=True))
    values = {name: np.array([_macro(fold, name) for fold in folds]) for name in METRICS} | dict(multiclass)
    if are_ranks:
        values |= {name: np.full(len(folds), np.nan) for name in PROBABILITY_METRICS}
    complete = {name: bool(np.isfinite(values[name]).all()) for name in METRICS}
    means = {name: float(values[name].mean()) if complete[name] else None for name in METRICS}
    deviations = {
        name: float(values[name].std(ddof=1)) if complete[name] and len(folds) > 1 else None for name in METRICS
    }
    return FoldSummary(
        folds=tuple(
            FoldScores(
                fold=fold[0].fold,
                rows=fold[0].rows,
                positives=sum(row.positives for row in fold),
                defined_classes=sum(bool(np.isfinite(row.metrics["auc"])) for row in fold),
                **{name: _finite_or_none(values[name][number]) for name in METRICS},
            )
            for number, fold in enumerate(folds)
        ),
        mean=MetricValues(**means),
        sd=MetricValues(**deviations),
        pooled_minus_mean=MetricValues(**{name: _difference(pooled[name], means[name]) for name in METRICS}),
    )


def _macro(fold: Sequence[ClassFold], metric: str) -> float:
    """Mean of a metric over the classes that have it in a fold; NaN if none has."""
    defined = [row.metrics[metric] for row in fold if np.isfinite(row.metrics[metric])]
    return float(np.mean(defined)) if defined else float("nan")


def _finite_or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _difference(pooled: float | None, mean: float | None) -> float | None:
    return None if pooled is None or mean is None else pooled - mean
