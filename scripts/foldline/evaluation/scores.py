"""Scores of all columns of an out-of-fold table: pooled with intervals, per class, fold and subgroup; calibration.

A score of several classes is the mean over the scored classes for which it is defined. If each sample has exactly one
class, the probability metrics count all classes together instead; see `multiclass`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.evaluation.calibration_estimates import class_calibration, score_calibration
from foldline.evaluation.comparison import COMPARED, Comparison, compare
from foldline.evaluation.estimates import Estimate, average, mean_estimate
from foldline.evaluation.fold_scores import RowScores, ScoredFold, repeat_scores, summarize_folds
from foldline.evaluation.intervals import LOSS, SHARE, Range
from foldline.evaluation.metrics import LIMITS, METRICS, RANKING_METRICS, class_estimates
from foldline.evaluation.multiclass import (
    MULTICLASS_LIMITS,
    PredictedRows,
    confusion_counts,
    multiclass_estimates,
    recall_estimate,
)
from foldline.evaluation.oof import BLEND, Oof
from foldline.evaluation.operating_points import operating_points
from foldline.evaluation.ranking import ranking_estimates
from foldline.evaluation.reasons import NOT_PREDICTED, NOT_PRESENT, ONE_OF_SEVERAL, RANKS
from foldline.evaluation.results import (
    Calibration,
    ClassCalibration,
    ClassFoldScores,
    ClassScores,
    ColumnScores,
    Confusion,
    MostFrequent,
    Score,
    Subgroups,
    SubgroupScores,
)
from foldline.evaluation.score_columns import DecidedThresholds, ScoreColumn, score_columns
from foldline.evaluation.score_intervals import with_interval
from foldline.evaluation.subgroups import MetadataColumn, Subgroup, find_subgroups

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EvaluationConfig:
    """What is scored, and how; see `evaluation` in `config/config.schema.yaml`.

    Attributes:
        class_names: (n_classes,).
        scored_classes: the classes whose mean score is the score of a model.
        activation: see `labels.Labels`; with "softmax" each sample has exactly one class.
        threshold: lowest score that predicts a class, or a rule; see `best_threshold`.
        confidence: coverage of the intervals, in (0, 1).
        metadata_columns: columns whose values are scored as subgroups.
        weighted: whether rows count by their weights.
        operating_points: "sensitivity 0.9" or "specificity 0.9" each, whose other share is scored for each class of the
            blend.
    """

    class_names: tuple[str, ...]
    scored_classes: tuple[str, ...]
    activation: str
    threshold: float | str
    confidence: float
    metadata_columns: tuple[str, ...]
    weighted: bool
    operating_points: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """Scores of every column, and the comparison of every two of them if there are several models."""

    columns: dict[str, ColumnScores]
    comparisons: tuple[Comparison, ...]


def column_scores(
    oof: Oof,
    *,
    groups: Sequence[str],
    metadata: Mapping[str, pd.Series],
    rank_columns: Collection[str],
    config: EvaluationConfig,
    decided: Mapping[str, DecidedThresholds] | None = None,
    weights: FloatArray | None = None,
) -> Evaluation:
    """Score every model and the blend, and compare them.

    Args:
        oof: the table; with several repeats, folds are scored in each of them.
        groups: group of each sample, (n_samples,); samples of different groups are independent.
        metadata: metadata column -> value of each sample, (n_samples,).
        rank_columns: the score columns that are ranks instead of probabilities.
        config: what is scored, and how.
        decided: see `score_columns`.
        weights: weight of each sample in all metrics, (n_samples,); None if each counts the same.
    """
    scored = [oof.class_names.index(name) for name in config.scored_classes]
    subgroups = {name: find_subgroups(values, oof.labels, scored) for name, values in metadata.items()}
    of_models = replace(config, operating_points=())

    def scorers_of(table: Oof, config_of_blend: EvaluationConfig) -> dict[str, _Scorer]:
        columns = score_columns(
            table,
            groups=groups,
            threshold=config.threshold,
            rank_columns=rank_columns,
            activation=config.activation,
            decided=decided,
            weights=weights,
        )
        return {
            name: _Scorer(
                column, oof.class_names, scored, config_of_blend if name == BLEND else of_models, name == BLEND
            )
            for name, column in columns.items()
        }

    scorers, of_repeats = scorers_of(oof, config), [scorers_of(table, of_models) for table in oof.repeats]
    pooled = {name: scorer.row_scores() for name, scorer in scorers.items()}
    blend_first = sorted(pooled, key=lambda name: name != BLEND)
    comparisons = compare({name: pooled[name].compared for name in blend_first}, confidence=config.confidence)
    return Evaluation(
        columns={
            name: scorer.column_scores(pooled[name], subgroups, [of_repeat[name] for of_repeat in of_repeats])
            for name, scorer in scorers.items()
        },
        comparisons=comparisons if len(oof.models) > 1 else (),
    )


@dataclass(frozen=True)
class _Scorer:
    """Puts the scores of one column together.

    Attributes:
        column: the column.
        class_names: names of all classes.
        scored: numbers of the scored classes.
        config: what is scored, and how.
        is_blend: whether the column is the blend, of which more is scored.
    """

    column: ScoreColumn
    class_names: Sequence[str]
    scored: list[int]
    config: EvaluationConfig
    is_blend: bool

    def column_scores(
        self, pooled: RowScores, subgroups: Mapping[str, MetadataColumn], repeats: Sequence["_Scorer"]
    ) -> ColumnScores:
        """Compute all scores.

        Args:
            pooled: scores of all rows.
            subgroups: subgroups, by metadata column.
            repeats: scorer of the same column in each repeat; none if there is one.
        """
        column = self.column
        numbered = enumerate(repeats, start=1)
        folds = [fold for number, scorer in numbered for fold in scorer.folds(number)] or self.folds()
        of_repeats = [scorer.row_scores().scores for scorer in repeats]
        found, repeats_mean, repeats_sd = repeat_scores(of_repeats)
        summary = summarize_folds([fold.found.scores for fold in folds], of_repeats or [pooled.scores])
        return ColumnScores(
            **pooled.scores,
            confusion=self._confusion(),
            most_frequent=self._most_frequent(),
            soft_cross_entropy=self._soft_cross_entropy(),
            folds=tuple(fold.scores() for fold in folds),
            folds_mean=summary.mean,
            folds_sd=summary.sd,
            pooled_minus_folds_mean=summary.pooled_minus_mean,
            repeats=found,
            repeats_mean=repeats_mean,
            repeats_sd=repeats_sd,
            reason=RANKS if column.are_ranks else None,
            calibration=self._calibration(),
            subgroups={name: self._subgroups(metadata_column) for name, metadata_column in subgroups.items()},
            classes=tuple(
                self._class_scores(number, scores, [fold.class_scores(number) for fold in folds])
                for number, scores in enumerate(pooled.classes)
            ),
        )

    def folds(self, repeat: int | None = None) -> list[ScoredFold]:
        """Score the rows of each fold; `repeat` is that of the folds, None if there is one."""
        found = []
        for number in sorted(set(self.column.folds.tolist())):
            scorer = replace(self, column=self.column[self.column.folds == number])
            found.append(ScoredFold(number, repeat, scorer.column.labels, self.scored, scorer.row_scores()))
        return found

    def row_scores(self) -> RowScores:
        """Score all rows of the column."""
        column = self.column
        classes = [
            class_estimates(*values, column.rows)
            for values in zip(column.labels.T, column.scores.T, column.predicted.T, strict=True)
        ]
        found = {name: average([classes[number][name] for number in self.scored]) for name in METRICS}
        of_classes = [{name: self._score(name, one[name]) for name in METRICS} for one in classes]
        limits, rows = dict(LIMITS), column.predicted_rows
        if rows is not None:
            found |= multiclass_estimates(rows, column.rows)
            limits |= MULTICLASS_LIMITS
            of_classes = [one | self._predicted_class_scores(rows, number) for number, one in enumerate(of_classes)]
        else:
            masks = zip((column.labels == 1).T, column.predicted.T, strict=True)
            of_classes = [one | self._hits(*both) for one, both in zip(of_classes, masks, strict=True)]
        comparable = RANKING_METRICS if column.are_ranks else COMPARED
        return RowScores(
            scores={name: self._score(name, one, limits=limits[name]) for name, one in found.items()},
            classes=of_classes,
            compared={name: one for name in comparable if (one := found[name]) is not None},
        )

    def _predicted_class_scores(self, rows: PredictedRows, number: int) -> dict[str, Score]:
        """Precision and recall of a class, which replace its accuracy."""
        hits = self._hits(rows.true == number, rows.predicted == number)
        return hits | {"accuracy": Score(None, None, None, RANKS if self.column.are_ranks else ONE_OF_SEVERAL)}

    def _hits(self, true: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]) -> dict[str, Score]:
        """Precision and recall of a class, of masks of the rows that have it and that are predicted to, (n_rows,)."""
        precision, recall = (
            recall_estimate(*masks, self.column.rows) for masks in ((predicted, true), (true, predicted))
        )
        return {
            "precision": self._score("precision", precision, undefined=NOT_PREDICTED),
            "recall": self._score("recall", recall, undefined=NOT_PRESENT),
        }

    def _score(
        self, metric: str, found: Estimate | None, *, limits: Range | None = None, undefined: str | None = None
    ) -> Score:
        """Add the interval to an estimate; ranks have no probability metrics."""
        if self.column.are_ranks and metric not in RANKING_METRICS:
            return Score(None, None, None, RANKS)
        return with_interval(
            found,
            limits or LIMITS.get(metric, SHARE),
            confidence=self.config.confidence,
            undefined=undefined or self.column.undefined,
        )

    def _class_scores(self, number: int, scores: Mapping[str, Score], folds: Sequence[ClassFoldScores]) -> ClassScores:
        """Scores of a class, from its number, its scores over all rows and on each fold."""
        labels = self.column.labels[:, number]
        return ClassScores(
            **scores,
            name=self.class_names[number],
            positives=int(labels.sum()),
            negatives=int((labels == 0).sum()),
            threshold=None if self.column.thresholds is None else self.column.thresholds[number],
            operating_points=operating_points(
                self.column, number, self.config.operating_points, confidence=self.config.confidence
            ),
            folds=tuple(folds),
            calibration=self._class_calibration(number),
        )

    def _class_calibration(self, number: int) -> ClassCalibration | None:
        column, config = self.column, self.config
        if column.are_ranks or not self.is_blend:
            return None
        labels, scores = column.labels[:, number], column.scores[:, number]
        return class_calibration(labels, scores, column.rows, confidence=config.confidence)

    def _confusion(self) -> Confusion | None:
        rows = self.column.predicted_rows
        if rows is None:
            return None
        if self.column.are_ranks:
            return Confusion((), (), RANKS)
        weighted = confusion_counts(rows, self.column.rows.weights)
        shares = [[value / line.sum() if line.any() else None for value in line.tolist()] for line in weighted]
        counts = confusion_counts(rows).astype(int).tolist()
        return Confusion(tuple(map(tuple, counts)), tuple(map(tuple, shares)), None)

    def _most_frequent(self) -> MostFrequent | None:
        rows, own = self.column.predicted_rows, self.column.rows
        if rows is None or self.column.are_ranks:
            return None
        number = int(np.bincount(rows.true, own.weights, rows.n_classes).argmax())
        frequent = (rows.true == number).astype(np.int64)
        share = mean_estimate(frequent, own.weights, own)
        gain = mean_estimate((rows.true == rows.predicted) - frequent, own.weights, own)
        score = with_interval(gain, None, confidence=self.config.confidence, undefined=self.column.undefined)
        return MostFrequent(self.class_names[number], None if share is None else share.value, score)

    def _soft_cross_entropy(self) -> Score | None:
        values, rows = self.column.cross_entropy, self.column.rows
        if values is None:
            return None
        return self._score("soft_cross_entropy", mean_estimate(values, rows.weights, rows), limits=LOSS)

    def _calibration(self) -> Calibration:
        if self.column.are_ranks:
            return Calibration(None, (), RANKS)
        labels, scores = self.column.labels[:, self.scored], self.column.scores[:, self.scored]
        exclusive = self.column.one_class_per_sample and len(self.scored) == len(self.class_names)
        return score_calibration(
            labels, scores, self.column.rows, confidence=self.config.confidence, exclusive=exclusive
        )

    def _subgroups(self, metadata_column: MetadataColumn) -> Subgroups:
        return Subgroups(
            values=tuple(self._subgroup_scores(subgroup) for subgroup in metadata_column.subgroups),
            left_out=metadata_column.omitted,
        )

    def _subgroup_scores(self, subgroup: Subgroup) -> SubgroupScores:
        column, classes = self.column[subgroup.mask], subgroup.classes
        labels, scores, rows = column.labels[:, classes], column.scores[:, classes], column.rows
        ranking = [ranking_estimates(*values, rows) for values in zip(labels.T, scores.T, strict=True)]
        areas, precisions = zip(*ranking, strict=True)
        right, excess = (column.predicted == column.labels)[:, classes], (scores - labels).mean(axis=1)
        if column.one_class_per_sample:
            right = (column.predicted == column.labels).all(axis=1)[:, np.newaxis]
            excess = column.scores.max(axis=1) - right[:, 0]
        calibrated = not column.one_class_per_sample and not column.are_ranks
        return SubgroupScores(
            value=subgroup.value,
            rows=len(labels),
            positives=int(labels.sum()),
            auc=self._score("auc", average(areas)),
            average_precision=self._score("average_precision", average(precisions)),
            accuracy=self._score("accuracy", average([mean_estimate(one, rows.weights, rows) for one in right.T])),
            score_excess=self._score(
                "score_excess", mean_estimate(excess, rows.weights, rows), limits=Range(-1.0, 1.0)
            ),
            positive_share=_mean(labels, rows.weights) if calibrated else None,
            mean_score=_mean(scores, rows.weights) if calibrated else None,
        )


def _mean(values: npt.NDArray[np.generic], weights: FloatArray) -> float | None:
    """Weighted mean over rows and classes; None if no row has a weight."""
    return float(np.average(values.mean(axis=1), weights=weights)) if weights.any() else None
