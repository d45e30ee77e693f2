"""Scores of folds: against scikit-learn, with means over the classes that have a score."""

from dataclasses import replace

import numpy as np
import pytest
from foldline.evaluation.fold_scores import class_folds, multiclass_folds, summarize_folds
from foldline.evaluation.metrics import METRICS, RANKING_METRICS
from foldline.evaluation.results import UNDEFINED
from foldline.evaluation.score_columns import ScoreColumn
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, log_loss, roc_auc_score

THRESHOLDS = [0.4, 0.7]


@pytest.fixture
def column() -> ScoreColumn:
    """Two classes and three folds, numbered 0, 2 and 5; the second class has no positive in fold 5."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, (90, 2))
    folds = np.repeat([5, 0, 2], [20, 30, 40])
    labels[folds == 5, 1] = 0
    scores = 1 / (1 + np.exp(-random.normal(size=(90, 2)) - labels))
    return ScoreColumn(labels, scores, folds, THRESHOLDS, are_ranks=False, one_class_per_sample=False)


def test_each_class_is_scored_on_each_fold(column: ScoreColumn) -> None:
    classes = class_folds(column)
    assert [[row.fold for row in folds] for folds in classes] == [[0, 2, 5]] * 2
    for number, folds in enumerate(classes):
        for row in folds:
            labels = column.labels[column.folds == row.fold, number]
            scores = column.scores[column.folds == row.fold, number]
            assert (row.rows, row.positives) == (len(labels), labels.sum())
            assert list(row.metrics) == list(METRICS)
            accuracy = accuracy_score(labels, scores >= THRESHOLDS[number])
            assert row.metrics["accuracy"] == pytest.approx(accuracy)
            if labels.any():
                assert row.metrics["auc"] == pytest.approx(roc_auc_score(labels, scores))
                assert row.metrics["average_precision"] == pytest.approx(average_precision_score(labels, scores))
    assert np.isnan(classes[1][2].metrics["auc"])


def test_a_fold_without_an_auc_has_the_reason(column: ScoreColumn) -> None:
    defined, undefined = (class_folds(column)[1][number].as_scores() for number in (0, 2))
    assert (undefined.fold, undefined.rows, undefined.positives) == (5, 20, 0)
    assert (undefined.auc, undefined.average_precision, undefined.reason) == (None, None, UNDEFINED)
    assert defined.reason is None
    assert 0 < defined.auc < 1
    assert 0 < defined.average_precision <= 1


def test_folds_average_the_classes_that_have_the_metric(column: ScoreColumn) -> None:
    classes = class_folds(column)
    pooled = dict.fromkeys(METRICS, 0.5)
    summary = summarize_folds(classes, pooled, are_ranks=False, multiclass={})
    first, second = ([row.metrics["auc"] for row in folds] for folds in classes)
    expected = [(first[0] + second[0]) / 2, (first[1] + second[1]) / 2, first[2]]
    assert [row.auc for row in summary.folds] == pytest.approx(expected)
    assert [(row.fold, row.rows, row.defined_classes) for row in summary.folds] == [(0, 30, 2), (2, 40, 2), (5, 20, 1)]
    positives = [int(column.labels[column.folds == fold].sum()) for fold in (0, 2, 5)]
    assert [row.positives for row in summary.folds] == positives
    assert summary.mean.auc == pytest.approx(np.mean(expected))
    assert summary.sd.auc == pytest.approx(np.std(expected, ddof=1))
    assert summary.pooled_minus_mean.auc == pytest.approx(0.5 - np.mean(expected))


def test_a_metric_that_a_fold_lacks_is_not_summarized(column: ScoreColumn) -> None:
    pooled = {**dict.fromkeys(METRICS, 0.5), "brier": None}
    summary = summarize_folds(class_folds(column)[1:], pooled, are_ranks=False, multiclass={})
    assert [row.auc is None for row in summary.folds] == [False, False, True]
    assert (summary.mean.auc, summary.sd.auc, summary.pooled_minus_mean.auc) == (None, None, None)
    assert summary.mean.brier is not None
    assert summary.pooled_minus_mean.brier is None


def test_ranks_have_ranking_metrics_only(column: ScoreColumn) -> None:
    summary = summarize_folds(class_folds(column)[:1], dict.fromkeys(METRICS, 0.5), are_ranks=True, multiclass={})
    for name in METRICS:
        is_missing = name not in RANKING_METRICS
        for values in (summary.mean, summary.sd, summary.pooled_minus_mean, *summary.folds):
            assert (getattr(values, name) is None) == is_missing, name


def test_one_fold_has_no_standard_deviation(column: ScoreColumn) -> None:
    classes = [folds[:1] for folds in class_folds(column)]
    summary = summarize_folds(classes, dict.fromkeys(METRICS, 0.5), are_ranks=False, multiclass={})
    assert summary.mean.auc == summary.folds[0].auc
    assert summary.sd.auc is None


def test_folds_of_one_class_per_sample_count_all_classes_together() -> None:
    random = np.random.default_rng(2)
    labels, scores = np.eye(3, dtype=np.int64)[random.integers(0, 3, 90)], random.dirichlet([1, 1, 1], 90)
    column = ScoreColumn(labels, scores, np.arange(90) % 3, [0.5] * 3, are_ranks=False, one_class_per_sample=True)
    pooled = dict.fromkeys(METRICS, 0.5)
    summary = summarize_folds(class_folds(column), pooled, are_ranks=False, multiclass=multiclass_folds(column))
    true, predicted = labels.argmax(axis=1), scores.argmax(axis=1)
    for fold in summary.folds:
        rows = column.folds == fold.fold
        assert fold.accuracy == pytest.approx(accuracy_score(true[rows], predicted[rows]))
        assert fold.log_loss == pytest.approx(log_loss(true[rows], scores[rows]))
        assert fold.f1 == pytest.approx(f1_score(true[rows], predicted[rows], average="macro"))
    assert summary.mean.accuracy == pytest.approx(np.mean([fold.accuracy for fold in summary.folds]))
    ranks = summarize_folds(class_folds(column), pooled, are_ranks=True, multiclass=multiclass_folds(column))
    assert ranks.mean.accuracy is ranks.folds[0].log_loss is None
    assert multiclass_folds(replace(column, one_class_per_sample=False)) == {}
