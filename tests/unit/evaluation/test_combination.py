"""Combinations follow their formulas."""

import json

import numpy as np
import pytest
from foldline.evaluation.combination import LOG, PROBABILITY, RANK, Combination, blend, scaled_ranks
from scipy.special import expit, logit, softmax
from scipy.stats import gmean, rankdata


def test_scaled_ranks_are_mean_ranks_within_the_unit_interval() -> None:
    values = np.round(np.random.default_rng(0).random(200), 1)
    assert scaled_ranks(values) == pytest.approx((rankdata(values) - 0.5) / 200)
    assert scaled_ranks(np.array([7.0])).tolist() == [0.5]
    assert 0 < scaled_ranks(values).min() < scaled_ranks(values).max() < 1


def test_equal_blends_are_means_of_scores_or_ranks() -> None:
    models = np.array([[[0.1], [0.2], [0.9]], [[0.3], [0.2], [0.1]]])
    mean, ranks = (Combination.equal(scale, 2, 1) for scale in (PROBABILITY, RANK))
    assert blend(models, mean, "sigmoid")[:, 0] == pytest.approx([0.2, 0.2, 0.5])
    assert blend(models, ranks, "sigmoid")[:, 0] == pytest.approx([0.5, 0.5, 0.5])
    assert blend(np.ones((7, 2, 1)), Combination.equal(PROBABILITY, 7, 1), "sigmoid").max() <= 1


def test_a_mean_of_many_is_exact() -> None:
    models = np.random.default_rng(0).random((20, 500, 3), np.float32)
    found = blend(models, Combination.equal(PROBABILITY, 20, 3), "sigmoid")
    assert found == pytest.approx(models.astype(np.float64).mean(axis=0), rel=1e-12)
    ranks = np.stack([rankdata(model, axis=0) for model in models]).mean(axis=0)
    assert blend(models, Combination.equal(RANK, 20, 3), "sigmoid") == pytest.approx((ranks - 0.5) / 500)


def test_a_mean_of_logarithms_is_the_geometric_mean() -> None:
    models = np.random.default_rng(0).dirichlet([1, 1, 1], size=(4, 50))
    products = gmean(models, axis=0)
    equal = Combination.equal(LOG, 4, 3)
    assert blend(models, equal, "softmax") == pytest.approx(products / products.sum(axis=1, keepdims=True), rel=1e-5)
    assert blend(models, equal, "sigmoid") == pytest.approx(expit(logit(models).mean(axis=0)), rel=1e-5)


def test_weights_and_intercepts_are_those_of_a_class() -> None:
    models = np.random.default_rng(0).random((2, 50, 2))
    combination = Combination(LOG, np.array([[1.0, 0.0], [2.0, 0.5]]), np.array([0.3, -1.0]))
    logs = logit(models)
    first, second = 0.3 + logs[0, :, 0] + 2 * logs[1, :, 0], -1 + 0.5 * logs[1, :, 1]
    assert blend(models, combination, "sigmoid") == pytest.approx(np.stack([expit(first), expit(second)], axis=1))
    logs = combination.intercepts + (combination.weights[:, None] * np.log(models)).sum(axis=0)
    assert blend(models, combination, "softmax") == pytest.approx(softmax(logs, axis=1))
    again = Combination.from_json(json.loads(json.dumps(combination.as_json(["b", "a"]))), ["b", "a"])
    assert (blend(models, again, "sigmoid") == blend(models, combination, "sigmoid")).all()


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_probabilities_of_0_and_1_stay_finite(activation: str) -> None:
    models = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    assert blend(models, Combination.equal(LOG, 2, 2), activation) == pytest.approx(np.array([[0.5, 0.5]]))
