"""Scores of all columns of an out-of-fold table: pooled with intervals, per class, fold and subgroup; calibration.

A score of several classes is the mean over the scored classes for which it is defined.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.evaluation.bootstrap import ColumnDraws, draw_scores, mean_of_defined
from foldline.evaluation.calibration import expected_calibration_error, reliability_bins
from foldline.evaluation.fold_scores import ClassFold, class_folds, summarize_folds
from foldline.evaluation.intervals import bootstrap_weights, percentile_interval
from foldline.evaluation.metrics import METRICS, PROBABILITY_METRICS, plain_scores
from foldline.evaluation.oof import Oof
from foldline.evaluation.results import (
    RANKS,
    UNSTABLE,
    Calibration,
    ClassScores,
    ColumnScores,
    Score,
    Subgroups,
    SubgroupScores,
)
from foldline.evaluation.roc_auc import roc_auc
from foldline.evaluation.score_columns import ScoreColumn, score_columns
from foldline.evaluation.subgroups import MetadataColumn, Subgroup, find_subgroups

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EvaluationConfig:
    """What is scored, and how; see `evaluation` in `config/config.schema.yaml`.

    Attributes:
        class_names: (n_classes,).
        scored_classes: the classes whose mean score is the score of a model.
        activation: see `labels.Labels`; with "softmax" each sample has exactly one class.
        threshold: lowest score that predicts a class, or "best_f1"; see `class_thresholds`.
        confidence: coverage of the intervals, in (0, 1).
        bootstrap_draws: number of bootstrap draws, which are the same for every column.
        seed: seed of the draws.
        metadata_columns: columns whose values are scored as subgroups.
        weighted: whether rows count by their weights.
    """

    class_names: tuple[str, ...]
    scored_classes: tuple[str, ...]
    activation: str
    threshold: float | str
    confidence: float
    bootstrap_draws: int
    seed: int
    metadata_columns: tuple[str, ...]
    weighted: bool


def column_scores(
    oof: Oof,
    *,
    groups: Sequence[str],
    metadata: Mapping[str, pd.Series],
    rank_columns: Collection[str],
    config: EvaluationConfig,
    thresholds: Mapping[str, list[float]] | None = None,
    weights: FloatArray | None = None,
) -> dict[str, ColumnScores]:
    """Score every model and the blend.

    Args:
        oof: the table.
        groups: group of each sample, (n_samples,); the bootstrap draws whole groups.
        metadata: metadata column -> value of each sample, (n_samples,).
        rank_columns: the score columns that are ranks instead of probabilities.
        config: what is scored, and how.
        thresholds: see `score_columns`.
        weights: weight of each sample in all metrics, (n_samples,); None if each counts the same. A draw of the
            bootstrap counts a row by its weight as often as its group is drawn.

    Returns:
        Column -> its scores.
    """
    scored = [oof.class_names.index(name) for name in config.scored_classes]
    subgroups = {name: find_subgroups(values, oof.labels, scored) for name, values in metadata.items()}
    columns = score_columns(
        oof,
        threshold=config.threshold,
        rank_columns=rank_columns,
        activation=config.activation,
        thresholds=thresholds,
        weights=weights,
    )
    blocks = bootstrap_weights(groups, draws=config.bootstrap_draws, seed=config.seed)
    draws = draw_scores(columns, subgroups, blocks if weights is None else (block * weights for block in blocks))
    scorers = {
        name: _Scorer(column, draws[name], oof.class_names, scored, config.confidence)
        for name, column in columns.items()
    }
    return {name: scorer.column_scores(subgroups) for name, scorer in scorers.items()}


@dataclass(frozen=True)
class _Scorer:
    """Puts the scores of one column together.

    Attributes:
        column: the column.
        draws: its bootstrap values.
        class_names: names of all classes.
        scored: numbers of the scored classes.
        confidence: coverage of the intervals, in (0, 1).
    """

    column: ScoreColumn
    draws: ColumnDraws
    class_names: Sequence[str]
    scored: list[int]
    confidence: float

    def column_scores(self, subgroups: Mapping[str, MetadataColumn]) -> ColumnScores:
        """Compute all scores.

        Args:
            subgroups: subgroups, by metadata column.
        """
        column = self.column
        pooled = [
            plain_scores(*rows, threshold=threshold, weights=column.weights)
            for *rows, threshold in zip(column.labels.T, column.scores.T, column.thresholds, strict=True)
        ]
        macro = {name: self._macro_score(name, [values[name] for values in pooled]) for name in METRICS}
        folds = class_folds(column)
        summary = summarize_folds(
            [folds[number] for number in self.scored],
            {name: score.value for name, score in macro.items()},
            are_ranks=column.are_ranks,
        )
        return ColumnScores(
            **macro,
            top_accuracy=self._top_accuracy(),
            soft_cross_entropy=self._soft_cross_entropy(),
            folds=summary.folds,
            folds_mean=summary.mean,
            folds_sd=summary.sd,
            pooled_minus_folds_mean=summary.pooled_minus_mean,
            reason=RANKS if column.are_ranks else None,
            calibration=self._calibration(),
            subgroups={name: self._subgroups(name, metadata_column) for name, metadata_column in subgroups.items()},
            classes=tuple(
                self._class_scores(number, *values) for number, values in enumerate(zip(pooled, folds, strict=True))
            ),
        )

    def _score(self, value: float, draws: FloatArray) -> Score:
        """Add the interval to a value; NaN has none."""
        if not np.isfinite(value):
            return Score(None, None, None, self.column.undefined)
        limits = percentile_interval(draws, confidence=self.confidence)
        if limits is None:
            return Score(value, None, None, UNSTABLE)
        return Score(value, *limits, None)

    def _metric_score(self, metric: str, value: float, draws: FloatArray) -> Score:
        """Score of a metric; ranks have no probability metrics."""
        if self.column.are_ranks and metric in PROBABILITY_METRICS:
            return Score(None, None, None, RANKS)
        return self._score(value, draws)

    def _macro_score(self, metric: str, values: Sequence[float]) -> Score:
        """Mean of a metric over the scored classes that have it; its draws average the same classes."""
        defined = [number for number in self.scored if np.isfinite(values[number])]
        draws = mean_of_defined(self.draws.metrics[metric][defined])
        return self._metric_score(metric, _mean([values[number] for number in defined]), draws)

    def _top_accuracy(self) -> Score | None:
        correct = self.column.top_correct
        if correct is None or self.draws.top_accuracy is None:
            return None
        if self.column.are_ranks:
            return Score(None, None, None, RANKS)
        return self._score(_average(correct, self.column.weights), self.draws.top_accuracy)

    def _soft_cross_entropy(self) -> Score | None:
        values = self.column.cross_entropy
        if values is None or self.draws.cross_entropy is None:
            return None
        if self.column.are_ranks:
            return Score(None, None, None, RANKS)
        return self._score(_average(values, self.column.weights), self.draws.cross_entropy)

    def _class_scores(self, number: int, metrics: Mapping[str, float], folds: Sequence[ClassFold]) -> ClassScores:
        """Scores of a class, from its number and its metrics over all rows and on each fold."""
        labels = self.column.labels[:, number]
        return ClassScores(
            **{name: self._metric_score(name, metrics[name], self.draws.metrics[name][number]) for name in METRICS},
            name=self.class_names[number],
            positives=int(labels.sum()),
            negatives=int((labels == 0).sum()),
            threshold=self.column.thresholds[number],
            folds=tuple(fold.as_scores() for fold in folds),
        )

    def _calibration(self) -> Calibration:
        if self.column.are_ranks:
            return Calibration(None, (), RANKS)
        labels, scores = self.column.labels[:, self.scored], self.column.scores[:, self.scored]
        weights = None if self.column.weights is None else self.column.weights.repeat(len(self.scored))
        bins = reliability_bins(labels.ravel(), scores.ravel(), weights=weights)
        return Calibration(expected_calibration_error(bins), bins, None)

    def _subgroups(self, name: str, metadata_column: MetadataColumn) -> Subgroups:
        pairs = zip(metadata_column.subgroups, self.draws.subgroups[name], strict=True)
        return Subgroups(
            values=tuple(self._subgroup_scores(subgroup, draws) for subgroup, draws in pairs),
            left_out=metadata_column.omitted,
        )

    def _subgroup_scores(self, subgroup: Subgroup, draws: FloatArray) -> SubgroupScores:
        labels = self.column.labels[subgroup.mask][:, subgroup.classes]
        scores = self.column.scores[subgroup.mask][:, subgroup.classes]
        weights = self.column.weights_of(subgroup.mask)
        areas = [
            roc_auc(*rows) if weights is None else plain_scores(*rows, weights=weights)["auc"]
            for rows in zip(labels.T, scores.T, strict=True)
        ]
        areas = [area for area in areas if np.isfinite(area)]
        return SubgroupScores(
            value=subgroup.value,
            rows=len(labels),
            positives=int(labels.sum()),
            auc=self._score(_mean(areas), draws),
        )


def _average(values: npt.NDArray[np.generic], weights: FloatArray | None) -> float:
    """Mean of the values of the samples; NaN if no sample has a weight."""
    if weights is not None and not weights.any():
        return float("nan")
    return float(np.average(values.astype(np.float64), weights=weights))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
