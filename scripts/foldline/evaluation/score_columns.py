"""Columns of scores, one per model and one for the blend, with all that their evaluation needs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import SOFTMAX
from foldline.evaluation.cross_entropy import cross_entropy
from foldline.evaluation.estimates import Rows
from foldline.evaluation.multiclass import PredictedRows
from foldline.evaluation.oof import BLEND, Oof
from foldline.evaluation.reasons import UNDEFINED, UNDEFINED_WEIGHTED
from foldline.evaluation.rules import uses_thresholds
from foldline.evaluation.thresholds import class_thresholds, fold_thresholds, highest


@dataclass(frozen=True)
class DecidedThresholds:
    """Lowest scores that predict each class, decided on other rows than those that are scored.

    Attributes:
        classes: those of predicted classes, (n_classes,); None as in `ScoreColumn`.
        points: rule of an operating point -> those of the point, (n_classes,); None for ranks.
    """

    classes: list[float] | None
    points: Mapping[str, list[float | None]]


@dataclass(frozen=True)
class ScoreColumn:
    """Scores of one model or of the blend.

    Attributes:
        labels: 0 or 1, (n_samples, n_classes).
        scores: in [0, 1], (n_samples, n_classes).
        folds: fold of each sample, (n_samples,).
        thresholds: lowest score that predicts each class, (n_classes,), or what its score is divided by if each sample
            has exactly one class; None if that is the class with the highest score.
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
    thresholds: list[float] | None
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
            return np.asarray(np.arange(self.scores.shape[1]) == self.one_class[:, None])
        thresholds = self._thresholds_of_rows
        assert thresholds is not None
        return np.asarray(self.scores >= thresholds)

    @property
    def one_class(self) -> npt.NDArray[np.int64]:
        """Number of the predicted class, if each sample has exactly one, (n_samples,)."""
        return highest(self.scores, self._thresholds_of_rows)

    @property
    def predicted_rows(self) -> PredictedRows | None:
        """The rows for the metrics of exactly one class per sample; None of other samples."""
        return PredictedRows.of(self.labels, self.scores, self.one_class) if self.one_class_per_sample else None

    @property
    def _thresholds_of_rows(self) -> npt.NDArray[np.float64] | None:
        """Thresholds for all samples, (n_classes,), or for each, (n_samples, n_classes)."""
        if self.thresholds_of_fold is None:
            return None if self.thresholds is None else np.array(self.thresholds)
        numbers, index = np.unique(self.folds, return_inverse=True)
        return np.array([self.thresholds_of_fold[fold] for fold in numbers.tolist()])[index]


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
    used = uses_thresholds(threshold, activation)
    choose = isinstance(threshold, str) and used and len(set(oof.folds.tolist())) > 1

    def thresholds_of(name: str, scores: npt.NDArray[np.float64]) -> list[float] | None:
        if decided:
            return decided[name].classes
        return class_thresholds(oof.labels, scores, threshold, weights) if used else None

    return {
        name: ScoreColumn(
            labels=oof.labels,
            scores=scores,
            folds=oof.folds,
            rows=rows,
            thresholds=thresholds_of(name, scores),
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


def one_class_of(
    oof: Oof, threshold: float | str | None, weights: npt.NDArray[np.float64] | None = None
) -> npt.NDArray[np.int64]:
    """Number of the class that the blend predicts for each sample with exactly one class, (n_samples,).

    Args:
        oof: the table.
        threshold: see `score_columns`; None predicts the class with the highest score.
        weights: weight of each sample, (n_samples,); None if each counts the same.
    """
    blend, threshold = replace(oof, scores={BLEND: oof.scores[BLEND]}), 0.5 if threshold is None else threshold
    columns = score_columns(
        blend, groups=oof.ids, threshold=threshold, rank_columns=(), activation=SOFTMAX, weights=weights
    )
    return columns[BLEND].one_class
