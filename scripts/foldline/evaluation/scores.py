"""Scores of all columns of an out-of-fold table: pooled with intervals, per class, fold and subgroup; calibration.

A score of several classes is the mean over the scored classes for which it is defined. If each sample has exactly one
class, the probability metrics count all classes together instead; see `multiclass`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.evaluation.bootstrap import ColumnDraws, draw_scores
from foldline.evaluation.calibration import expected_calibration_error, reliability_bins
from foldline.evaluation.fold_scores import ClassFold, class_folds, multiclass_folds, summarize_folds
from foldline.evaluation.intervals import bootstrap_weights, percentile_interval
from foldline.evaluation.metrics import METRICS, PROBABILITY_METRICS, plain_scores
from foldline.evaluation.multiclass import CLASS_METRICS, confusion_counts, mean_of_defined, weighted_multiclass
from foldline.evaluation.oof import Oof
from foldline.evaluation.results import (
    NOT_PREDICTED,
    NOT_PRESENT,
    ONE_OF_SEVERAL,
    RANKS,
    UNSTABLE,
    Calibration,
    ClassScores,
    ColumnScores,
    Confusion,
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
            plain_scores(*rows, predicted=predicted, weights=column.weights)
            for *rows, predicted in zip(column.labels.T, column.scores.T, column.predicted.T, strict=True)
        ]
        scores = {name: self._macro_score(name, [values[name] for values in pooled]) for name in METRICS}
        together = self._multiclass_values()
        scores |= {name: self._multiclass_score(name, values) for name, values in together.items() if values.ndim == 0}
        folds = class_folds(column)
        summary = summarize_folds(
            [folds[number] for number in self.scored],
            {name: score.value for name, score in scores.items()},
            are_ranks=column.are_ranks,
            multiclass=multiclass_folds(column),
        )
        return ColumnScores(
            **scores,
            confusion=self._confusion(),
            soft_cross_entropy=self._soft_cross_entropy(),
            folds=summary.folds,
            folds_mean=summary.mean,
            folds_sd=summary.sd,
            pooled_minus_folds_mean=summary.pooled_minus_mean,
            reason=RANKS if column.are_ranks else None,
            calibration=self._calibration(),
            subgroups={name: self._subgroups(name, metadata_column) for name, metadata_column in subgroups.items()},
            classes=tuple(
                self._class_scores(number, *values, together)
                for number, values in enumerate(zip(pooled, folds, strict=True))
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

    def _multiclass_values(self) -> dict[str, FloatArray]:
        """Metrics of exactly one class per sample, of shape () and (n_classes,); nothing for other samples."""
        rows, weights = self.column.predicted_rows, self.column.weights
        if rows is None:
            return {}
        weights = np.ones(len(rows.true)) if weights is None else weights
        return {name: values[..., 0] for name, values in weighted_multiclass(rows, weights[None]).items()}

    def _multiclass_score(self, name: str, values: FloatArray, number: int | None = None) -> Score:
        """Score of a metric of exactly one class per sample, of all classes together or of one, by its number."""
        if self.column.are_ranks or self.draws.multiclass is None:
            return Score(None, None, None, RANKS)
        draws = self.draws.multiclass[name]
        if number is None:
            return self._score(float(values), draws)
        if not np.isfinite(values[number]):
            return Score(None, None, None, NOT_PREDICTED if name == "precision" else NOT_PRESENT)
        return self._score(float(values[number]), draws[number])

    def _confusion(self) -> Confusion | None:
        rows = self.column.predicted_rows
        if rows is None:
            return None
        if self.column.are_ranks:
            return Confusion((), (), RANKS)
        weighted = confusion_counts(rows, self.column.weights)
        shares = [[value / line.sum() if line.any() else None for value in line.tolist()] for line in weighted]
        counts = confusion_counts(rows).astype(int).tolist()
        return Confusion(tuple(map(tuple, counts)), tuple(map(tuple, shares)), None)

    def _soft_cross_entropy(self) -> Score | None:
        values = self.column.cross_entropy
        if values is None or self.draws.cross_entropy is None:
            return None
        if self.column.are_ranks:
            return Score(None, None, None, RANKS)
        return self._score(_average(values, self.column.weights), self.draws.cross_entropy)

    def _class_scores(
        self,
        number: int,
        metrics: Mapping[str, float],
        folds: Sequence[ClassFold],
        together: Mapping[str, FloatArray],
    ) -> ClassScores:
        """Scores of a class, from its number, its metrics over all rows and on each fold, and `_multiclass_values`."""
        labels = self.column.labels[:, number]
        scores = {name: self._metric_score(name, metrics[name], self.draws.metrics[name][number]) for name in METRICS}
        if together:
            scores["accuracy"] = Score(None, None, None, RANKS if self.column.are_ranks else ONE_OF_SEVERAL)
            scores |= {name: self._multiclass_score(name, together[name], number) for name in CLASS_METRICS}
        return ClassScores(
            **scores,
            name=self.class_names[number],
            positives=int(labels.sum()),
            negatives=int((labels == 0).sum()),
            threshold=None if together else self.column.thresholds[number],
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
