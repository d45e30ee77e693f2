"""Blends follow their formulas."""

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.evaluation.blending import blend, choose_rule, detect_rule, scaled_ranks
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score


def test_scaled_ranks_are_mean_ranks_within_the_unit_interval() -> None:
    values = np.round(np.random.default_rng(0).random(200), 1)
    assert scaled_ranks(values) == pytest.approx((rankdata(values) - 0.5) / 200)
    assert scaled_ranks(np.array([7.0])).tolist() == [0.5]
    assert 0 < scaled_ranks(values).min() < scaled_ranks(values).max() < 1


def test_blends_are_means_of_scores_or_ranks() -> None:
    models = np.array([[[0.1], [0.2], [0.9]], [[0.3], [0.2], [0.1]]])
    assert blend(models, "mean")[:, 0] == pytest.approx([0.2, 0.2, 0.5])
    assert blend(models, "rank_mean")[:, 0] == pytest.approx([0.5, 0.5, 0.5])
    assert blend(np.ones((7, 2, 1)), "mean").max() == 1


def test_a_blend_is_the_float32_of_the_float64_mean() -> None:
    models = np.random.default_rng(0).random((20, 500, 3), np.float32)
    found = blend(models, "mean")
    assert found.dtype == np.float32
    assert (found == models.astype(np.float64).mean(axis=0).astype(np.float32)).mean() > 0.999
    ranks = np.stack([rankdata(model, axis=0) for model in models]).mean(axis=0)
    assert blend(models, "rank_mean") == pytest.approx((ranks - 0.5) / 500, rel=1e-6)


@pytest.fixture
def models() -> tuple[np.ndarray, np.ndarray]:
    """Make a good model with a small range and a bad one with a large range, which ranks blend better."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, (300, 1))
    good = 0.001 * (labels + random.normal(size=(300, 1))) + 0.1
    bad = random.random((300, 1))
    return np.stack([good, bad]), labels


def test_the_out_of_fold_score_decides_the_best_rule(models: tuple[np.ndarray, np.ndarray]) -> None:
    rule, scores = choose_rule(*models, "best")
    assert rule == "rank_mean"
    assert scores["rank_mean"] > scores["mean"] + 0.05
    assert choose_rule(*models, "mean") == ("mean", scores)
    assert choose_rule(models[0][:1], models[1], "best")[0] == "mean"
    with pytest.raises(FoldlineError, match=r"blend\.method is 'median'; allowed: mean, rank_mean, best"):
        choose_rule(*models, "median")


@pytest.mark.parametrize("rule", ["mean", "rank_mean"])
def test_the_rule_of_a_blend_is_detected(rule: str, models: tuple[np.ndarray, np.ndarray]) -> None:
    blended = blend(models[0], rule)
    assert detect_rule(models[0], blended) == rule
    blended[3] += 0.001
    with pytest.raises(FoldlineError, match="column blend is neither the mean nor the rank_mean of the model columns"):
        detect_rule(models[0], blended)


def test_the_best_rule_of_weighted_rows() -> None:
    """Ranks order the rows that have a weight better, the mean orders all rows better."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, (80, 1))
    first = np.where(np.arange(80)[:, None] < 40, labels * 0.01 + 0.5, random.random((80, 1)))
    second = np.where(np.arange(80)[:, None] < 40, random.random((80, 1)), labels * 0.9 + 0.05)
    probabilities = np.stack([first, second])
    for weights in (np.repeat([1.0, 0.0], 40), np.repeat([0.0, 1.0], 40)):
        rule, scores = choose_rule(probabilities, labels, "best", weights)
        expected = {name: roc_auc_score(labels, blend(probabilities, name), sample_weight=weights) for name in scores}
        assert scores == pytest.approx(expected)
        assert rule == ("rank_mean" if expected["rank_mean"] > expected["mean"] else "mean")
    rule, scores = choose_rule(probabilities, labels, "best")
    assert choose_rule(probabilities, labels, "best", np.ones(80)) == (rule, pytest.approx(scores))
