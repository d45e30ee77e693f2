"""A blend is judged on rows that it was not fitted on, and "auto" leaves the mean for a shown gain only."""

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.evaluation.blend_choice import (
    BESIDE,
    BLEND_METHODS,
    FLAT,
    IN_ONE_FOLD,
    Choice,
    apply_by_fold,
    choose_blend,
)
from foldline.evaluation.blend_fitting import BlendRows, fit_combination
from foldline.evaluation.calibrators import calibrate, fit_calibrator
from foldline.evaluation.combination import blend
from foldline.evaluation.estimates import Rows
from foldline.evaluation.gains import Judge
from scipy.special import expit
from sklearn.metrics import roc_auc_score


def rows(seed: int, signal: tuple[float, ...], *, n: int = 900, folds: int = 3) -> BlendRows:
    random = np.random.default_rng(seed)
    labels = (random.random((n, 1)) < 0.3).astype(float)
    logits = np.stack([strength * labels - 1 + random.normal(size=(n, 1)) for strength in signal])
    values = expit(logits).astype(np.float32)
    return BlendRows(values, labels, np.ones(n), random.integers(0, folds, n), "sigmoid", [0])


def choose(made: BlendRows, method: str = "auto", calibration: str = "none") -> Choice:
    judge = Judge(made.targets.astype(int), Rows.single(len(made.targets), made.weights), made.scored)
    models = [f"m{number}" for number in range(made.n_models)]
    return choose_blend(made, judge, method=method, calibration=calibration, models=models)


def test_one_good_model_among_random_ones_is_found() -> None:
    choice = choose(rows(0, (2.5, *[0.0] * 9)))
    assert choice.method == "subset"
    assert choice.fit.combination.weights[:, 0].tolist() == [1.0, *[0.0] * 9]
    assert choice.aucs["subset"] == choice.model_aucs["m0"]
    over_mean, over_best = choice.gains[-2:]
    assert over_mean.over_model is None
    assert over_mean.is_shown
    assert (over_best.over_model, over_best.is_shown) == ("m0", False)


def test_what_needs_more_is_taken_only_if_it_is_clearly_better() -> None:
    """Three equal models are averaged; one that needs half the weight of another is weighed."""
    assert choose(rows(8, (1.5, 1.5, 1.5, 0.0, 0.0, 0.0))).method == "subset"
    assert choose(rows(9, (3.0, 1.2, 1.2, *[0.0] * 6), n=4000)).method in ("weights", "greedy", "stacking")


def test_two_models_that_complement_each_other_gain() -> None:
    choice = choose(rows(1, (1.2, 1.2)))
    gain = choice.gains[-1]
    assert gain.is_shown
    assert gain.over_model in ("m0", "m1")
    assert gain.low < gain.value < gain.high  # type: ignore[operator]
    assert gain.value == pytest.approx(
        (choice.aucs[choice.method] or 0) - max(filter(None, choice.model_aucs.values()))
    )
    assert [one.confidence for one in choice.gains[:5]] == pytest.approx([0.99] * 5)
    assert gain.confidence == 0.95


@pytest.mark.parametrize("method", BLEND_METHODS)
@pytest.mark.parametrize("calibration", ["none", "platt"])
def test_a_fold_is_blended_by_what_the_other_folds_fitted(method: str, calibration: str) -> None:
    if (method, calibration) == ("rank_mean", "platt"):
        return
    made = rows(2, (2.0, 0.0, 1.0))
    choice = choose(made, method, calibration)
    expected = np.empty_like(made.targets)
    for fold in range(3):
        held_out = made.folds == fold
        combination = fit_combination(choice.method, made[~held_out])
        others = blend(made.probabilities[:, ~held_out], combination, "sigmoid")
        fitted = fit_calibrator(calibration, others, made.targets[~held_out], made.weights[~held_out], "sigmoid")
        if method != "rank_mean":
            values = blend(made.probabilities[:, held_out], combination, "sigmoid")
            expected[held_out] = calibrate(values, fitted, "sigmoid")
    if choice.of_fold:
        found = apply_by_fold(choice.of_fold, made.probabilities, made.folds, "sigmoid")
        assert sorted(choice.of_fold) == [0, 1, 2]
    else:
        found = choice.fit.apply(made.probabilities, "sigmoid")
        assert choice.method in ("mean", "geometric", "rank_mean")
    if method != "rank_mean":
        assert found == pytest.approx(expected)
    if calibration == "none":
        assert choice.aucs[choice.method] == pytest.approx(roc_auc_score(made.targets, found))


def test_labels_of_a_fold_do_not_change_its_own_blend() -> None:
    made = rows(3, (2.0, 0.5, 1.0))
    other = made.targets.copy()
    other[made.folds == 1] = 1 - other[made.folds == 1]
    changed = BlendRows(made.probabilities, other, made.weights, made.folds, "sigmoid", [0])
    first, second = (choose(one, "stacking", "beta").of_fold for one in (made, changed))
    values = made.probabilities
    assert (first[1].apply(values, "sigmoid") == second[1].apply(values, "sigmoid")).all()
    assert (first[0].apply(values, "sigmoid") != second[0].apply(values, "sigmoid")).any()


def test_a_single_model_or_fold_has_nothing_to_choose() -> None:
    choice = choose(rows(4, (2.0,)))
    assert (choice.method, choice.of_fold, choice.gains, choice.model_aucs) == ("mean", {}, [], {})
    choice = choose(rows(4, (2.0, *[0.0] * 5), folds=1))
    assert (choice.method, [gain.over_model for gain in choice.gains]) == ("mean", ["m0"])
    for method, calibration in (("greedy", "none"), ("mean", "platt")):
        with pytest.raises(FoldlineError, match=r"are in one fold.*set blend\.method to mean or auto"):
            choose(rows(4, (2.0, 1.0), folds=1), method, calibration)


def test_an_unknown_method_is_an_error() -> None:
    with pytest.raises(FoldlineError, match=r"blend\.method is 'best'; set it to one of auto, mean,"):
        choose(rows(5, (1.0, 1.0)), "best")


def test_rows_with_one_label_have_no_gain() -> None:
    made = rows(6, (1.0, 1.0))
    none = BlendRows(made.probabilities, np.zeros_like(made.targets), made.weights, made.folds, "sigmoid", [0])
    choice = choose(none)
    assert choice.method == "mean"
    assert {gain.value for gain in choice.gains} == {None}


def test_rows_without_a_weight_decide_nothing() -> None:
    made = rows(7, (2.0, 0.0, 0.0))
    weights = np.where(np.arange(900) < 600, 1.0, 0.0)
    labels = np.where(np.arange(900)[:, None] < 600, made.targets, 1 - made.targets)
    noisy = BlendRows(made.probabilities, labels, weights, made.folds, "sigmoid", [0])
    first, second = choose(noisy, "stacking", "isotonic"), choose(made[weights > 0], "stacking", "isotonic")
    assert first.fit.combination.weights == pytest.approx(second.fit.combination.weights)
    assert first.aucs == pytest.approx(second.aucs)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("calibration", ["none", "platt", "beta", "isotonic"])
@pytest.mark.parametrize("method", ["auto", "stacking"])
def test_a_class_of_one_fold_is_not_told_by_its_fold(activation: str, calibration: str, method: str) -> None:
    """Models of noise: what is fitted on the folds without positives must not lower their scores alone."""
    random = np.random.default_rng(3)
    n, folds = 1200, np.arange(1200) % 4
    labels = np.zeros((n, 3))
    labels[np.arange(n), random.integers(0, 2, n)] = 1
    labels[np.flatnonzero(folds == 1)[:60]] = [0, 0, 1]
    values = expit(random.normal(size=(3, n, 3)))
    if activation == "softmax":
        values /= values.sum(axis=2, keepdims=True)
    made = BlendRows(values.astype(np.float32), labels, np.ones(n), folds, activation, [0, 1, 2])
    choice = choose(made, method, calibration)
    fitted = apply_by_fold(choice.of_fold, made.probabilities, folds, activation) if choice.of_fold else None
    scores = blend(made.probabilities, choice.fit.combination, activation) if fitted is None else fitted
    assert roc_auc_score(labels[:, 2], scores[:, 2]) == pytest.approx(0.5, abs=0.1)
    # Noise of the other classes may fall with their labels by chance.
    if activation == "softmax":
        assert choice.uncalibrated == ({} if calibration == "none" else {0: BESIDE, 1: BESIDE, 2: IN_ONE_FOLD})
    else:
        assert choice.uncalibrated.get(2) == (None if calibration == "none" else IN_ONE_FOLD)


@pytest.mark.parametrize("calibration", ["temperature", "platt", "beta", "isotonic"])
@pytest.mark.parametrize("seed", range(6))
def test_noise_is_calibrated_in_all_folds_or_in_none(calibration: str, seed: int) -> None:
    """One fold whose fit falls would turn its rows around, or make all of them equal, beside calibrated ones."""
    made = rows(seed, (0.0,), n=300)
    choice = choose(made, "mean", calibration)
    methods = {fit.calibrator.method for fit in (choice.fit, *choice.of_fold.values())}
    assert methods == ({"none"} if choice.uncalibrated else {calibration})
    assert choice.uncalibrated in ({}, {0: FLAT})
    plain = choose(made, "mean", "none")
    for fold, fit in choice.of_fold.items():
        values = made.probabilities[:, made.folds == fold]
        order = np.argsort(plain.fit.apply(values, "sigmoid")[:, 0])
        assert (np.diff(fit.apply(values, "sigmoid")[order, 0]) >= 0).all()


def test_noise_of_a_class_beside_a_good_one_is_left_as_it_is() -> None:
    good, noise = rows(1, (2.5,)), rows(4, (0.0,))
    turned = 1 - noise.probabilities if choose(noise, "mean", "platt").uncalibrated == {} else noise.probabilities
    made = BlendRows(
        np.concatenate([good.probabilities, turned], axis=2),
        np.concatenate([good.targets, noise.targets], axis=1),
        good.weights,
        good.folds,
        "sigmoid",
        [0, 1],
    )
    choice = choose(made, "mean", "platt")
    assert choice.uncalibrated == {1: FLAT}
    assert choice.fit.calibrator.slopes[1] == 1
    assert choice.fit.calibrator.slopes[0] != 1
