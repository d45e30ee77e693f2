"""Every score against scikit-learn and against counting by hand; intervals against slow resampling."""

import time

import numpy as np
import pytest
from foldline.evaluation.metrics import (
    METRICS,
    bootstrap_weights,
    cumulative_counts,
    expected_calibration_error,
    interval,
    plain_scores,
    ranked,
    reliability,
    weighted_roc_auc,
    weighted_scores,
    wilson,
)
from foldline.evaluation.roc_auc import roc_auc
from sklearn import metrics as theirs


def drawn(seed: int, *, rows: int = 200, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.25).astype(int)
    scores = 1 / (1 + np.exp(-(random.normal(size=rows) + labels - 1)))
    return labels, np.round(scores, 1) if ties else scores


def sklearn_scores(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> dict[str, float]:
    called = scores >= 0.5
    return {
        "auc": theirs.roc_auc_score(labels, scores, sample_weight=weights),
        "average_precision": theirs.average_precision_score(labels, scores, sample_weight=weights),
        "log_loss": theirs.log_loss(labels, scores, sample_weight=weights),
        "brier": theirs.brier_score_loss(labels, scores, sample_weight=weights),
        "accuracy": theirs.accuracy_score(labels, called, sample_weight=weights),
        "f1": theirs.f1_score(labels, called, sample_weight=weights),
    }


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_plain_scores_are_those_of_scikit_learn(seed: int, ties: bool) -> None:
    labels, scores = drawn(seed, ties=ties)
    found = plain_scores(labels, scores)
    assert list(found) == list(METRICS)
    assert found == pytest.approx(sklearn_scores(labels, scores), rel=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_weighted_scores_are_those_of_scikit_learn(ties: bool) -> None:
    labels, scores = drawn(9, ties=ties)
    weights = np.random.default_rng(1).integers(0, 4, (5, len(labels))).astype(float)
    found = weighted_scores(ranked(labels, scores), weights)
    for number, row in enumerate(weights):
        assert {name: value[number] for name, value in found.items()} == pytest.approx(
            sklearn_scores(labels, scores, row), rel=1e-12
        )


def test_auc_is_the_share_of_pairs_in_order() -> None:
    labels, scores = drawn(3, rows=60, ties=True)
    pairs = [
        (positive > negative) + (positive == negative) / 2
        for positive in scores[labels == 1]
        for negative in scores[labels == 0]
    ]
    assert roc_auc(labels, scores) == pytest.approx(np.mean(pairs), rel=1e-13)


def test_squeezed_scores_lose_nothing() -> None:
    """A metric on a grid of 200 thresholds sees these as two or three values."""
    labels, scores = drawn(8)
    assert roc_auc(labels, 0.3 + 1e-9 * scores) == roc_auc(labels, scores)


def test_perfect_and_reversed_scores() -> None:
    labels = np.array([0, 0, 1, 1])
    assert roc_auc(labels, np.array([0.1, 0.2, 0.3, 0.4])) == 1
    assert roc_auc(labels, np.array([0.4, 0.3, 0.2, 0.1])) == 0
    assert roc_auc(labels, np.full(4, 0.5)) == 0.5
    assert plain_scores(labels, np.array([0.0, 0.0, 1.0, 1.0]))["log_loss"] == pytest.approx(0, abs=1e-15)
    # A certain miss costs 36 nats, the logarithm of the smallest step of float64, and is not infinite.
    assert plain_scores(labels, np.array([1.0, 0.0, 1.0, 1.0]))["log_loss"] == pytest.approx(36.04 / 4, abs=0.01)


@pytest.mark.parametrize("label", [0, 1])
def test_one_label_alone_has_no_auc_but_an_accuracy(label: int) -> None:
    found = plain_scores(np.full(5, label), np.full(5, 0.2))
    assert np.isnan(found["auc"])
    assert np.isnan(found["average_precision"]) == (label == 0)
    assert np.isnan(found["f1"]) == (label == 0)
    assert found["accuracy"] == 1 - label


def test_draws_without_a_label_are_not_defined() -> None:
    labels, scores = np.array([1, 0, 0]), np.array([0.9, 0.1, 0.5])
    found = weighted_scores(ranked(labels, scores), np.array([[0, 1, 2], [1, 0, 0], [1, 1, 1], [0, 0, 0.0]]))
    assert list(np.isnan(found["auc"])) == [True, True, False, True]
    assert list(np.isnan(found["accuracy"])) == [False, False, False, True]


def test_rows_outside_do_not_count() -> None:
    labels, scores = drawn(2, ties=True)
    inside = np.random.default_rng(0).random(len(labels)) < 0.5
    weights = np.random.default_rng(1).integers(0, 3, (4, len(labels))).astype(float)
    found = weighted_roc_auc(ranked(labels, scores, inside=inside), weights)
    expected = weighted_roc_auc(ranked(labels[inside], scores[inside]), weights[:, inside])
    assert found == pytest.approx(expected, rel=1e-13)


def test_curves_are_those_of_scikit_learn() -> None:
    labels, scores = drawn(5, ties=True)
    true, false = cumulative_counts(labels, scores)
    their_false, their_true, _ = theirs.roc_curve(labels, scores, drop_intermediate=False)
    assert true / true[-1] == pytest.approx(their_true)
    assert false / false[-1] == pytest.approx(their_false)


def test_bootstrap_draws_whole_groups_with_replacement() -> None:
    groups = ["b", "a", "b", "c", "c", "c"]
    weights = np.concatenate(list(bootstrap_weights(groups, draws=400, seed=3)))
    assert weights.shape == (400, 6)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(6), abs=0.15)
    again = np.concatenate(list(bootstrap_weights(groups, draws=400, seed=3)))
    assert (again == weights).all()
    assert (np.concatenate(list(bootstrap_weights(groups, draws=400, seed=4))) != weights).any()


def test_blocks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [f"g{number // 2}" for number in range(50)]
    whole = np.concatenate(list(bootstrap_weights(groups, draws=30, seed=1)))
    monkeypatch.setattr("foldline.evaluation.metrics.BLOCK", 170)
    blocks = list(bootstrap_weights(groups, draws=30, seed=1))
    assert len(blocks) == 10
    assert (np.concatenate(blocks) == whole).all()


def test_the_interval_is_that_of_slow_resampling() -> None:
    labels, scores = drawn(6, rows=300)
    groups = np.array([f"g{number // 3}" for number in range(300)])
    values = []
    for weights in bootstrap_weights(list(groups), draws=300, seed=5):
        for row in weights:
            index = np.repeat(np.arange(300), row.astype(int))
            values.append(theirs.roc_auc_score(labels[index], scores[index]))
    fast = np.concatenate(
        [weighted_roc_auc(ranked(labels, scores), w) for w in bootstrap_weights(list(groups), draws=300, seed=5)]
    )
    assert fast == pytest.approx(np.array(values), rel=1e-12)
    low, high = interval(fast, confidence=0.9)
    assert (low, high) == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])), rel=1e-12)
    assert low < roc_auc(labels, scores) < high


def test_groups_widen_the_interval() -> None:
    """Ten copies of each row carry no more knowledge than one."""
    labels, scores = (np.repeat(values, 10) for values in drawn(1, rows=60))
    rows = ranked(labels, scores)

    def width(groups: list[str]) -> float:
        values = np.concatenate(
            [weighted_roc_auc(rows, weights) for weights in bootstrap_weights(groups, draws=300, seed=2)]
        )
        low, high = interval(values, confidence=0.95)
        return high - low

    together = width([f"g{number // 10}" for number in range(600)])
    apart = width([f"g{number}" for number in range(600)])
    assert together > 2 * apart


def test_no_interval_where_too_many_draws_are_not_defined() -> None:
    values = np.linspace(0, 1, 100)
    values[:11] = np.nan
    assert interval(values, confidence=0.95) is None
    values[0] = 0
    assert interval(values, confidence=0.95) is not None
    assert interval(np.full(3, np.nan), confidence=0.95) is None


def test_reliability_counts_by_hand() -> None:
    labels = np.array([0, 1, 1, 0, 1])
    scores = np.array([0.0, 0.1, 0.19, 0.95, 1.0])
    table = reliability(labels, scores, bins=10)
    assert [row["rows"] for row in table] == [1, 2, 0, 0, 0, 0, 0, 0, 0, 2]
    assert table[1]["mean_score"] == pytest.approx(0.145)
    assert [table[number]["positive_share"] for number in (0, 1, 2, 9)] == [0, 1, None, 0.5]
    assert table[2]["share_low"] is None
    expected = (1 * 0 + 2 * abs(0.145 - 1) + 2 * abs(0.975 - 0.5)) / 5
    assert expected_calibration_error(table) == pytest.approx(expected)


def test_well_calibrated_scores_have_a_small_error() -> None:
    random = np.random.default_rng(0)
    scores = random.random(20_000)
    honest = (random.random(20_000) < scores).astype(int)
    assert expected_calibration_error(reliability(honest, scores)) < 0.02
    assert expected_calibration_error(reliability(honest, scores**3)) > 0.1


def test_wilson() -> None:
    # Newcombe, Statistics in Medicine 1998, table I: 81 of 263 and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


def test_a_thousand_draws_are_quick() -> None:
    """0.1 s on two shared cores; the bound leaves room for a loaded machine."""
    labels, scores = drawn(4, rows=2600)
    rows = ranked(labels, scores)
    start = time.perf_counter()
    for weights in bootstrap_weights([f"g{number // 2}" for number in range(2600)], draws=1000, seed=0):
        weighted_scores(rows, weights)
    assert time.perf_counter() - start < 2
