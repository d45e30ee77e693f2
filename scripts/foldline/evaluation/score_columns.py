"""Columns of scores, one per model and one for the blend, with all that their evaluation needs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import SOFTMAX
from foldline.evaluation.cross_entropy import cross_entropy
from foldline.evaluation.estimates import Rows
from foldline.evaluation.multiclass import PredictedRows
from foldline.evaluation.oof import Oof
from foldline.evaluation.reasons import UNDEFINED, UNDEFINED_WEIGHTED
from foldline.evaluation.thresholds import class_thresholds, fold_thresholds


@dataclass(frozen=True)
class DecidedThresholds:
    """Lowest scores that predict each class, decided on other rows than those that are scored.

    Attributes:
        classes: those of predicted classes, (n_classes,); none if each sample has exactly one class.
        points: rule of an operating point -> those of the point, (n_classes,); None for ranks.
    """

    classes: list[float]
    points: Mapping[str, list[float | None]]


@dataclass(frozen=True)
class ScoreColumn:
    """Scores of one model or of the blend.

    Attributes:
        labels: 0 or 1, (n_samples, n_classes).
        scores: in [0, 1], (n_samples, n_classes).
        folds: fold of each sample, (n_samples,).
        thresholds: lowest score that predicts each class, (n_classes,); without effect if each sample has exactly one
            class.
        are_ranks: whether the scores are ranks, which have no probability metrics.
        one_class_per_sample: whether each sample has exactly one class.
        cross_entropy: of each sample's soft label and its scores in nats, (n_samples,); None without soft labels.
        rows: group of each sample, and its weight in all metrics.
        weighted: whether weights differ.
        thresholds_of_fold: thresholds of the rows of each fold, chosen on other folds; None if `thresholds` were chosen
            on other rows or are given.
        decided: thresholds that were decided on other rows; None if these rows decide them.
    """

    labels: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    folds: npt.NDArray[np.int64]
    rows: Rows
    thresholds: list[float]
    are_ranks: bool
    one_class_per_sample: bool
    cross_entropy: npt.NDArray[np.float64] | None = None
    weighted: bool = False
    thresholds_of_fold: Mapping[int, list[float]] | None = None
    decided: DecidedThresholds | None = None

    def __getitem__(self, mask: npt.NDArray[np.bool_]) -> "ScoreColumn":
        """The column of some samples, by a mask, (n_samples,)."""
        return replace(
            self,
            labels=self.labels[mask],
            scores=self.scores[mask],
            folds=self.folds[mask],
            rows=self.rows[mask],
            cross_entropy=None if self.cross_entropy is None else self.cross_entropy[mask],
        )

    @property
    def undefined(self) -> str:
        """Why a score is not defined."""
        return UNDEFINED_WEIGHTED if self.weighted else UNDEFINED

    @property
    def predicted(self) -> npt.NDArray[np.bool_]:
        """Whether each class is predicted, (n_samples, n_classes).

        The class with the highest score if each sample has exactly one class, else those that reach their threshold.
        """
        if self.one_class_per_sample:
            return np.asarray(np.arange(self.scores.shape[1]) == self.scores.argmax(axis=1)[:, None])
        if self.thresholds_of_fold is None:
            return np.asarray(self.scores >= self.thresholds)
        numbers, index = np.unique(self.folds, return_inverse=True)
        return np.asarray(self.scores >= np.array([self.thresholds_of_fold[fold] for fold in numbers.tolist()])[index])

    @property
    def predicted_rows(self) -> PredictedRows | None:
        """The rows for the metrics of exactly one class per sample; None of other samples."""
        return PredictedRows.of(self.labels, self.scores) if self.one_class_per_sample else None


def score_columns(
    oof: Oof,
    *,
    groups: Sequence[str],
    threshold: float | str,
    rank_columns: Collection[str],
    activation: str,
    decided: Mapping[str, DecidedThresholds] | None = None,
    weights: npt.NDArray[np.float64] | None = None,
) -> dict[str, ScoreColumn]:
    """List the columns of an out-of-fold table.

    Args:
        oof: the table.
        groups: group of each sample, (n_samples,).
        threshold: a number for all classes or a rule of `best_threshold`, which is applied to the rows of each fold by
            thresholds that were chosen on the other folds.
        rank_columns: names of the columns whose scores are ranks.
        activation: see `labels.Labels`; with "softmax" each sample has exactly one class.
        decided: column -> thresholds that were decided on other rows; None decides them on these rows.
        weights: weight of each sample, (n_samples,); None if each counts the same.
    """
    rows = Rows.of(groups, weights)
    choose = isinstance(threshold, str) and activation != SOFTMAX and len(set(oof.folds.tolist())) > 1
    return {
        name: ScoreColumn(
            labels=oof.labels,
            scores=scores,
            folds=oof.folds,
            rows=rows,
            thresholds=decided[name].classes if decided else class_thresholds(oof.labels, scores, threshold, weights),
            are_ranks=name in rank_columns,
            one_class_per_sample=activation == SOFTMAX,
            cross_entropy=None if oof.shares is None else cross_entropy(oof.shares, scores, activation),
            weighted=weights is not None,
            thresholds_of_fold=(
                fold_thresholds(oof.labels, scores, oof.folds, str(threshold), weights)
                if choose and not decided
                else None
            ),
            decided=decided[name] if decided else None,
        )
        for name, scores in ((name, values.astype(np.float64)) for name, values in oof.scores.items())
    }
