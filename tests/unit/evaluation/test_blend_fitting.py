"""Fitted blends find what is best on their rows."""

from itertools import product

import numpy as np
import pytest
from foldline.evaluation.blend_fitting import METHODS, BlendRows, fit_combination
from foldline.evaluation.combination import blend
from foldline.evaluation.log_linear import fit_logistic, fit_multinomial
from scipy.special import expit, logit, softmax

N = 600


def rows(seed: int, *, signal: tuple[float, ...], activation: str = "sigmoid", classes: int = 2) -> BlendRows:
    """Models whose logits have more or less of the label, and noise of their own."""
    random = np.random.default_rng(seed)
    if activation == "softmax":
        targets = np.eye(classes)[random.integers(0, classes, N)]
    else:
        targets = (random.random((N, classes)) < 0.2).astype(float)
    logits = np.stack([strength * targets - 1 + random.normal(size=targets.shape) for strength in signal])
    values = softmax(logits, axis=2) if activation == "softmax" else expit(logits)
    return BlendRows(
        probabilities=values.astype(np.float32),
        targets=targets,
        weights=random.integers(0, 3, N).astype(float),
        folds=random.integers(0, 3, N),
        activation=activation,
        scored=list(range(classes)),
    )


def correlation(made: BlendRows, weights: np.ndarray) -> float:
    """Mean over the scored classes of the correlation of the weighted mean with the label."""
    blended = np.tensordot(weights, made.probabilities, 1)
    return float(
        np.mean(
            [
                np.corrcoef(np.repeat(np.stack([blended[:, k], made.targets[:, k]]), made.weights.astype(int), axis=1))[
                    0, 1
                ]
                for k in made.scored
            ]
        )
    )


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_weights_are_near_the_best_of_a_grid(activation: str) -> None:
    made = rows(0, signal=(1.5, 1.0, 0.0), activation=activation)
    found = fit_combination("weights", made).weights
    assert (found >= 0).all()
    assert found.sum(axis=0) == pytest.approx(1)
    assert (found == found[:, :1]).all()
    steps = np.linspace(0, 1, 21)
    grid = [np.array([a, b, 1 - a - b]) for a, b in product(steps, steps) if a + b <= 1]
    assert correlation(made, found[:, 0]) > max(correlation(made, point) for point in grid) - 1e-3


def test_greedy_selection_is_that_of_a_loop() -> None:
    made = rows(1, signal=(1.5, 1.2, 0.0, 0.3))
    counts, found, best = np.zeros(4), np.zeros(4), -1.0
    for _ in range(50):
        chosen = [counts + unit for unit in np.eye(4)]
        scores = [correlation(made, one / one.sum()) for one in chosen]
        counts = chosen[int(np.argmax(scores))]
        if max(scores) > best + 1e-6:
            best, found = max(scores), counts
    assert found.sum() > 2
    assert fit_combination("greedy", made).weights[:, 0] == pytest.approx(found / found.sum())


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_a_subset_grows_while_the_information_criterion_falls(activation: str) -> None:
    made = rows(1, signal=(1.5, 1.4, 0.0, 0.1), activation=activation)
    weights = made.weights
    size, chosen, best = weights.sum() ** 2 / (weights**2).sum(), np.zeros(4), np.inf
    while True:
        larger = [chosen + unit for unit in np.eye(4)[chosen == 0]]
        criteria = [
            size * np.log(1 - correlation(made, one / one.sum()) ** 2) + one.sum() * np.log(size) for one in larger
        ]
        if min(criteria) >= best:
            break
        best, chosen = min(criteria), larger[int(np.argmin(criteria))]
    assert chosen.tolist() == [1, 1, 0, 0]
    assert fit_combination("subset", made).weights[:, 0] == pytest.approx(chosen / 2)


def test_stacking_is_a_logistic_regression_on_log_odds() -> None:
    made = rows(2, signal=(1.5, 0.5))
    combination = fit_combination("stacking", made)
    for number in range(2):
        features = logit(made.probabilities[:, :, number].astype(float))
        found, intercept = fit_logistic(features, made.targets[:, number], made.weights, prior=0.5, penalty=1)
        assert combination.weights[:, number] == pytest.approx(found)
        assert combination.intercepts[number] == pytest.approx(intercept)
    made = rows(2, signal=(1.5, 0.5), activation="softmax", classes=3)
    combination = fit_combination("stacking", made)
    features = np.log(made.probabilities.astype(float))
    found, intercepts = fit_multinomial(features, made.targets, made.weights, prior=0.5, penalty=1)
    assert combination.weights == pytest.approx(np.repeat(found[:, None], 3, axis=1))
    assert combination.intercepts == pytest.approx(intercepts)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_every_method_takes_degenerate_rows(method: str, activation: str) -> None:
    """Equal models, constant scores, a class without positives, rows without a weight."""
    made = rows(3, signal=(0.0, 1.0, 1.0), activation=activation, classes=3)
    made.probabilities[2] = made.probabilities[1]
    made.probabilities[0] = 1 / 3
    made.targets[:, 0] += made.targets[:, 2]
    made.targets[:, 2] = 0
    found = blend(made.probabilities, fit_combination(method, made), activation)
    assert np.isfinite(found).all()
    assert 0 <= found.min() <= found.max() <= 1
    if activation == "softmax" and method != "rank_mean":
        assert found.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("method", ["weights", "greedy"])
def test_models_that_are_all_upside_down_count_the_same(method: str) -> None:
    made = rows(4, signal=(-3.0, -3.0))
    found = fit_combination(method, made).weights
    assert np.isfinite(found).all()
    if method == "weights":
        assert found == pytest.approx(np.full((2, 2), 0.5))


def test_scores_in_a_narrow_range_count_as_much_as_others() -> None:
    """Neither shift nor range of a model's scores is taken for quality."""
    made = rows(5, signal=(2.5, 0.0))
    narrow = made.probabilities.copy()
    narrow[0] = 0.1 + 0.001 * narrow[0]
    for method in ("weights", "greedy"):
        found = fit_combination(method, BlendRows(narrow, *list(vars(made).values())[1:])).weights
        assert found[0, 0] > 0.95
