"""Bootstrap values are the scores of resampled rows, the same for any size of the blocks."""

import numpy as np
import pandas as pd
import pytest
from foldline.evaluation.bootstrap import draw_scores
from foldline.evaluation.metrics import METRICS, plain_scores
from foldline.evaluation.multiclass import POOLED_METRICS, plain_multiclass
from foldline.evaluation.roc_auc import roc_auc
from foldline.evaluation.score_columns import ScoreColumn
from foldline.evaluation.subgroups import MetadataColumn, find_subgroups

THRESHOLDS = [0.4, 0.7]


@pytest.fixture
def column() -> ScoreColumn:
    random = np.random.default_rng(1)
    labels = np.eye(2, dtype=np.int64)[random.integers(0, 2, 120)]
    scores = 1 / (1 + np.exp(-random.normal(size=(120, 2)) - labels))
    return ScoreColumn(labels, scores, np.arange(120) % 3, THRESHOLDS, are_ranks=False, one_class_per_sample=True)


@pytest.fixture
def metadata(column: ScoreColumn) -> dict[str, MetadataColumn]:
    """Subgroups "arm" and "leg" by site, none by age."""
    sites = pd.Series(["arm", "leg"] * 60)
    ages = pd.Series([str(number) for number in range(120)])
    return {
        name: find_subgroups(values, column.labels, [0, 1]) for name, values in {"site": sites, "age": ages}.items()
    }


@pytest.fixture
def weights() -> np.ndarray:
    """How often each of 120 rows is drawn in each of 7 draws."""
    return np.random.default_rng(2).multinomial(120, [1 / 120] * 120, size=7).astype(np.float64)


def test_draws_are_scores_of_resampled_rows(
    column: ScoreColumn, metadata: dict[str, MetadataColumn], weights: np.ndarray
) -> None:
    found = draw_scores({"a": column}, metadata, [weights])["a"]
    assert list(found.metrics) == list(METRICS)
    assert found.subgroups["age"].shape == (0, 7)
    for draw, row in enumerate(weights.astype(int)):
        index = np.repeat(np.arange(120), row)
        labels, scores = column.labels[index], column.scores[index]
        for number, predicted in enumerate(np.eye(2)[scores.argmax(axis=1)].T == 1):
            expected = plain_scores(labels[:, number], scores[:, number], predicted=predicted)
            assert {name: found.metrics[name][number, draw] for name in METRICS} == pytest.approx(expected, rel=1e-12)
        together = plain_multiclass(labels, scores)
        for name in POOLED_METRICS:
            assert found.multiclass[name][draw] == pytest.approx(float(together[name]), rel=1e-12)
        assert found.multiclass["recall"][:, draw] == pytest.approx(together["recall"], rel=1e-12)
        for subgroup, values in zip(metadata["site"].subgroups, found.subgroups["site"], strict=True):
            mask = subgroup.mask[index]
            areas = [roc_auc(labels[mask, number], scores[mask, number]) for number in (0, 1)]
            assert values[draw] == pytest.approx(np.mean(areas))


def test_blocks_of_draws_are_joined_in_order(
    column: ScoreColumn, metadata: dict[str, MetadataColumn], weights: np.ndarray
) -> None:
    whole = draw_scores({"a": column}, metadata, [weights])["a"]
    joined = draw_scores({"a": column}, metadata, [weights[:3], weights[3:4], weights[4:]])["a"]
    for name in METRICS:
        np.testing.assert_allclose(joined.metrics[name], whole.metrics[name], rtol=1e-12)
    np.testing.assert_allclose(joined.subgroups["site"], whole.subgroups["site"], rtol=1e-12)
    for name, values in whole.multiclass.items():
        np.testing.assert_allclose(joined.multiclass[name], values, rtol=1e-12)


def test_columns_are_drawn_separately(column: ScoreColumn, weights: np.ndarray) -> None:
    other = ScoreColumn(column.labels, 1 - column.scores, column.folds, THRESHOLDS, False, False)
    found = draw_scores({"a": column, "b": other}, {}, [weights])
    assert found["b"].metrics["auc"] == pytest.approx(1 - found["a"].metrics["auc"])
    assert found["b"].multiclass is None
    # One class is predicted by its own threshold if samples may have several.
    expected = plain_scores(other.labels[:, 1], other.scores[:, 1], threshold=0.7)["f1"]
    assert draw_scores({"b": other}, {}, [np.ones((1, 120))])["b"].metrics["f1"][1] == pytest.approx(expected)
