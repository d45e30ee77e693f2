"""Bootstrap draws, percentile intervals and Wilson intervals: against slow resampling and published numbers."""

import numpy as np
import pytest
from foldline.evaluation.intervals import bootstrap_weights, percentile_interval, wilson_interval
from foldline.evaluation.metrics import SortedRows, sort_rows, weighted_roc_auc
from foldline.evaluation.roc_auc import roc_auc
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score


def random_rows(seed: int, *, rows: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.25).astype(int)
    return labels, random.normal(size=rows) + labels


def auc_draws(rows: SortedRows, groups: list[str], *, draws: int, seed: int) -> np.ndarray:
    return np.concatenate(
        [weighted_roc_auc(rows, weights) for weights in bootstrap_weights(groups, draws=draws, seed=seed)]
    )


def test_whole_groups_are_drawn_with_replacement() -> None:
    groups = ["b", "a", "b", "c", "c", "c"]
    weights = np.concatenate(list(bootstrap_weights(groups, draws=400, seed=3)))
    assert weights.shape == (400, 6)
    assert weights.dtype == np.float64
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(6), abs=0.15)


def test_draws_depend_on_the_seed() -> None:
    groups = ["b", "a", "b", "c", "c", "c"]
    first, again, other = (np.concatenate(list(bootstrap_weights(groups, draws=400, seed=seed))) for seed in (3, 3, 4))
    assert (again == first).all()
    assert (other != first).any()


def test_draws_do_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [f"g{number // 2}" for number in range(50)]
    whole = np.concatenate(list(bootstrap_weights(groups, draws=30, seed=1)))
    monkeypatch.setattr("foldline.evaluation.intervals.BLOCK_SIZE", 170)
    blocks = list(bootstrap_weights(groups, draws=29, seed=1))
    assert [len(block) for block in blocks] == [3] * 9 + [2]
    assert (np.concatenate(blocks) == whole[:29]).all()


def test_the_interval_equals_slow_resampling() -> None:
    labels, scores = random_rows(6, rows=300)
    groups = [f"g{number // 3}" for number in range(300)]
    slow = []
    for weights in bootstrap_weights(groups, draws=300, seed=5):
        for row in weights:
            index = np.repeat(np.arange(300), row.astype(int))
            slow.append(roc_auc_score(labels[index], scores[index]))
    fast = auc_draws(sort_rows(labels, scores), groups, draws=300, seed=5)
    assert fast == pytest.approx(np.array(slow), rel=1e-12)
    low, high = percentile_interval(fast, confidence=0.9)
    assert (low, high) == pytest.approx(tuple(np.quantile(slow, [0.05, 0.95])), rel=1e-12)
    assert low < roc_auc(labels, scores) < high


def test_groups_widen_the_interval() -> None:
    """Ten copies of each row carry no more information than one."""
    labels, scores = (np.repeat(values, 10) for values in random_rows(1, rows=60))
    rows = sort_rows(labels, scores)

    def width(groups: list[str]) -> float:
        low, high = percentile_interval(auc_draws(rows, groups, draws=300, seed=2), confidence=0.95)
        return high - low

    grouped = width([f"g{number // 10}" for number in range(600)])
    ungrouped = width([f"g{number}" for number in range(600)])
    assert grouped > 2 * ungrouped


def test_there_is_no_interval_if_too_many_draws_are_undefined() -> None:
    values = np.linspace(0, 1, 100)
    values[:11] = np.nan
    assert percentile_interval(values, confidence=0.95) is None
    values[0] = 0
    assert percentile_interval(values, confidence=0.95) == pytest.approx(tuple(np.nanquantile(values, [0.025, 0.975])))
    assert percentile_interval(np.full(3, np.nan), confidence=0.95) is None


@pytest.mark.parametrize(("positives", "rows"), [(81, 263), (0, 20), (20, 20), (1, 1), (5, 7)])
def test_the_wilson_interval_is_that_of_scipy(positives: int, rows: int) -> None:
    expected = binomtest(positives, rows).proportion_ci(0.95, method="wilson")
    assert wilson_interval(positives, rows) == pytest.approx((expected.low, expected.high), abs=1e-12)
    low, high = wilson_interval(positives, rows)
    assert 0 <= low < high <= 1


def test_the_wilson_interval_is_that_of_the_literature() -> None:
    # Newcombe, Statistics in Medicine 1998, table I: 81 of 263 and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)
