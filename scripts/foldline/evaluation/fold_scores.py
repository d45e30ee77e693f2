"""Scores of the rows of held-out folds and of repeats, and how much they vary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.evaluation.estimates import Estimate
from foldline.evaluation.metrics import METRICS
from foldline.evaluation.results import ClassFoldScores, FoldScores, MetricValues, RepeatScores, Score


@dataclass(frozen=True)
class RowScores:
    """Scores of some rows.

    Attributes:
        scores: metric -> score of the scored classes, or of all classes together.
        classes: metric -> score, of each class.
        compared: metric of `COMPARED` -> `scores` with their uncertainty, as far as they are defined.
    """

    scores: dict[str, Score]
    classes: list[dict[str, Score]]
    compared: dict[str, Estimate]


@dataclass(frozen=True)
class ScoredFold:
    """A fold and the scores of its rows.

    Attributes:
        fold: number of the fold.
        repeat: its repeat, from 1; None if there is one.
        labels: 0 or 1, (n_rows, n_classes).
        scored: numbers of the scored classes.
        found: scores of the rows.
    """

    fold: int
    repeat: int | None
    labels: npt.NDArray[np.int64]
    scored: list[int]
    found: RowScores

    def scores(self) -> FoldScores:
        """Scores of the classes together."""
        return FoldScores(
            **{name: self.found.scores[name] for name in METRICS},
            fold=self.fold,
            rows=len(self.labels),
            positives=int(self.labels[:, self.scored].sum()),
            defined_classes=sum(self.found.classes[number]["auc"].value is not None for number in self.scored),
            repeat=self.repeat,
        )

    def class_scores(self, number: int) -> ClassFoldScores:
        """Scores of a class."""
        labels, scores = self.labels[:, number], self.found.classes[number]
        both = scores["auc"], scores["average_precision"]
        return ClassFoldScores(self.fold, len(labels), int(labels.sum()), *both, repeat=self.repeat)


@dataclass(frozen=True)
class FoldSummary:
    """Mean and standard deviation (n - 1) of the scores of the folds, and the difference of the pooled score.

    A value is None unless the metric is defined in every fold.
    """

    mean: MetricValues
    sd: MetricValues
    pooled_minus_mean: MetricValues


def summarize_folds(folds: Sequence[Mapping[str, Score]], pooled: Sequence[Mapping[str, Score]]) -> FoldSummary:
    """Summarize the scores of folds.

    Args:
        folds: metric -> score, for each fold of each repeat.
        pooled: metric -> score over all rows, for each repeat.
    """
    defined, of_repeats = _defined(folds), _defined(pooled)
    means = {name: float(row.mean()) for name, row in defined.items()}
    deviations = {name: float(row.std(ddof=1)) for name, row in defined.items() if len(row) > 1}
    differences = {name: float(of_repeats[name].mean()) - mean for name, mean in means.items() if name in of_repeats}
    return FoldSummary(*(_metric_values(row) for row in (means, deviations, differences)))


def repeat_scores(
    repeats: Sequence[Mapping[str, Score]],
) -> tuple[tuple[RepeatScores, ...] | None, MetricValues | None, MetricValues | None]:
    """Scores of repeats as `ColumnScores` has them, with their mean and their standard deviation (n - 1).

    Args:
        repeats: metric -> score over all rows, for each repeat; empty if there is one, which gives None.
    """
    if not repeats:
        return None, None, None
    summary = summarize_folds(repeats, repeats)
    found = [
        RepeatScores(repeat=number, **{name: scores[name] for name in METRICS})
        for number, scores in enumerate(repeats, start=1)
    ]
    return tuple(found), summary.mean, summary.sd


def _defined(scores: Sequence[Mapping[str, Score]]) -> dict[str, npt.NDArray[np.float64]]:
    """Values of each metric that all of some scores have."""
    values = {name: [one[name].value for one in scores] for name in METRICS}
    return {name: np.array(row, np.float64) for name, row in values.items() if None not in row}


def _metric_values(values: Mapping[str, float]) -> MetricValues:
    return MetricValues(**{name: values.get(name) for name in METRICS})
