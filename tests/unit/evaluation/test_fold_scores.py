"""Mean and spread of the scores of folds, where every fold has them."""

import numpy as np
import pytest
from foldline.evaluation.fold_scores import summarize_folds
from foldline.evaluation.metrics import METRICS
from foldline.evaluation.reasons import RANKS
from foldline.evaluation.results import Score


def folds(**values: list[float | None]) -> list[dict[str, Score]]:
    count = len(next(iter(values.values())))
    rows = {name: values.get(name, [0.5] * count) for name in METRICS}
    return [{name: Score(row[number], None, None, None) for name, row in rows.items()} for number in range(count)]


POOLED = {name: Score(0.6, 0.5, 0.7, None) for name in METRICS}


def test_folds_have_a_mean_a_standard_deviation_and_a_difference() -> None:
    areas: list[float | None] = [0.7, 0.8, 0.95]
    summary = summarize_folds(folds(auc=areas), [POOLED])
    assert summary.mean.auc == pytest.approx(np.mean(np.array(areas, float)))
    assert summary.sd.auc == pytest.approx(np.std(np.array(areas, float), ddof=1))
    assert summary.pooled_minus_mean.auc == pytest.approx(0.6 - np.mean(np.array(areas, float)))
    assert (summary.mean.brier, summary.sd.brier) == (0.5, 0)


def test_a_metric_that_a_fold_or_all_rows_lack_is_not_summarized() -> None:
    summary = summarize_folds(folds(auc=[0.7, None]), [POOLED | {"brier": Score(None, None, None, RANKS)}])
    assert (summary.mean.auc, summary.sd.auc, summary.pooled_minus_mean.auc) == (None, None, None)
    assert summary.mean.brier == 0.5
    assert summary.pooled_minus_mean.brier is None


def test_one_fold_has_no_standard_deviation() -> None:
    summary = summarize_folds(folds(auc=[0.7]), [POOLED])
    assert (summary.mean.auc, summary.sd.auc) == (0.7, None)
