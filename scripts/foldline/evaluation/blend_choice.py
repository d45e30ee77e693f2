"""Choose how models are blended, and judge the blend on rows that it was not fitted on.

A blend is judged fold by fold: the rows of a fold are blended by what was fitted on the rows of the other folds. A
difference of ROC AUC on these rows, with its interval, is what is claimed for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import SOFTMAX
from foldline.errors import FoldlineError, listing
from foldline.evaluation.blend_fitting import METHODS, BlendRows, fit_combination, fitted_classes, has_both_labels
from foldline.evaluation.calibration import NONE
from foldline.evaluation.calibrators import TEMPERATURE, Calibrator, calibrate, fit_calibrator
from foldline.evaluation.combination import Combination, blend
from foldline.evaluation.estimates import Estimate, difference
from foldline.evaluation.gains import AUTO, MEAN, Gain, Judge

FloatArray = npt.NDArray[np.float64]

BLEND_METHODS = (AUTO, *METHODS)
# What "auto" compares with the mean. Ranks are not among them: they are no probabilities, and single images have none.
# The order is that of what is fitted: nothing, which models count, how much, and what is no mean at all.
CANDIDATES = ("subset", "geometric", "weights", "greedy", "stacking")
FITTED = ("subset", "weights", "greedy", "stacking")
# A method with less to fit is preferred if its AUC is lower by at most this many standard errors of the difference: the
# one-standard-error rule (Breiman et al., Classification and regression trees, 1984).
STANDARD_ERRORS = 1.0
# Key of what is fitted on all rows, beside those of folds.
ALL = -1
# Why a class is not calibrated.
IN_ONE_FOLD = "all images with it, or all without it, are in one fold"
FLAT = "its labels do not rise with its scores, in all rows or without one of the folds"
ONE_LABEL = "all images have one label"
BESIDE = "a class beside it cannot be calibrated, and the classes exclude each other"


@dataclass(frozen=True)
class Fit:
    """A blend and its calibration, fitted on some rows."""

    combination: Combination
    calibrator: Calibrator

    def apply(self, probabilities: npt.NDArray[np.floating], activation: str) -> FloatArray:
        """Blend and calibrate, (n_models, n_rows, n_classes) to (n_rows, n_classes)."""
        return calibrate(blend(probabilities, self.combination, activation), self.calibrator, activation)


@dataclass(frozen=True)
class Choice:
    """The chosen blend.

    Attributes:
        method: one of `METHODS`.
        fit: fitted on all rows, for rows that are not out of fold.
        of_fold: fold -> fitted on the rows of the other folds, for its rows; empty if nothing is fitted, so that `fit`
            holds for all rows.
        aucs: method -> ROC AUC over all rows, each blended by what was fitted on other folds; None if it is not
            defined.
        model_aucs: model -> ROC AUC over all rows; empty if there is one model.
        gains: of the blend over the mean and over the best model; with "auto" first those of each candidate.
        uncalibrated: number of each class that the calibration leaves as it is -> why.
    """

    method: str
    fit: Fit
    of_fold: Mapping[int, Fit]
    aucs: Mapping[str, float | None]
    model_aucs: Mapping[str, float | None]
    gains: Sequence[Gain]
    uncalibrated: Mapping[int, str]


def choose_blend(rows: BlendRows, judged: Judge, *, method: str, calibration: str, models: Sequence[str]) -> Choice:
    """Fit a blend by a method, or choose one.

    "auto" is the mean of all models unless another method gains over it: the interval of its gain, widened for the
    number of methods that are compared (Bonferroni), is above 0. Of several such methods it is the first of
    `CANDIDATES` that is about as good as the best; see `STANDARD_ERRORS`.

    Args:
        rows: out-of-fold rows.
        judged: how a blend is judged.
        method: one of `BLEND_METHODS`.
        calibration: one of `CALIBRATIONS`.
        models: names of the models, (n_models,).

    Raises:
        FoldlineError: the method is unknown, or has to be fitted with a single fold.
    """
    if method not in BLEND_METHODS:
        raise FoldlineError(f"blend.method is {method!r}; set it to one of {listing(list(BLEND_METHODS), limit=10)}")
    folds = np.unique(rows.folds).tolist()
    if len(folds) < 2 and (method in FITTED or calibration != NONE):
        raise FoldlineError(
            "the out-of-fold rows are in one fold, so blend and calibration cannot be fitted on other folds; set "
            "blend.method to mean or auto, and calibration.method to none"
        )
    rows = replace(rows, fitted=fitted_classes(rows) if len(folds) > 1 else None)
    candidates = CANDIDATES if method == AUTO and rows.n_models > 1 and len(folds) > 1 else ()
    names = dict.fromkeys([MEAN, *candidates, *([method] if method != AUTO else [])])
    combinations = {name: _by_fold(name, rows, folds) for name in names}
    found = {name: judged(_blended(combination, rows)) for name, combination in combinations.items()}
    gains = [judged.gain(name, found[name], found[MEAN], of=len(candidates)) for name in candidates]
    shown = [(gain.method, one) for gain in gains if gain.is_shown and (one := found[gain.method]) is not None]
    chosen = _simplest_of_best(shown) if shown else MEAN if method == AUTO else method
    if chosen != MEAN:
        gains.append(judged.gain(chosen, found[chosen], found[MEAN]))
    of_models = dict(zip(models, map(judged, rows.probabilities), strict=True)) if rows.n_models > 1 else {}
    if of_models:
        best = max(models, key=lambda name: -1.0 if (one := of_models[name]) is None else one.value)
        gains.append(judged.gain(chosen, found[chosen], of_models[best], over_model=best))
    is_fitted = chosen in FITTED or calibration != NONE
    of_fold = {fold: combinations[chosen][fold] for fold in (folds if is_fitted else ())}
    fits, uncalibrated = _calibrated(fit_combination(chosen, rows), of_fold, rows, calibration)
    return Choice(
        method=chosen,
        fit=fits[ALL],
        of_fold={fold: fits[fold] for fold in of_fold},
        uncalibrated=uncalibrated,
        aucs=_values(found),
        model_aucs=_values(of_models),
        gains=gains,
    )


def _simplest_of_best(estimates: Sequence[tuple[str, Estimate]]) -> str:
    """The first method whose AUC is as high as the best one but for `STANDARD_ERRORS`."""
    _, best = max(estimates, key=lambda pair: pair[1].value)
    for name, one in estimates:
        lower = difference(best, one)
        if lower.value <= STANDARD_ERRORS * lower.variance**0.5:
            return name
    raise AssertionError("no method is as good as the best one")


def _values(estimates: Mapping[str, Estimate | None]) -> dict[str, float | None]:
    return {name: None if found is None else found.value for name, found in estimates.items()}


def apply_by_fold(
    of_fold: Mapping[int, Fit], probabilities: npt.NDArray[np.floating], folds: npt.NDArray[np.int64], activation: str
) -> FloatArray:
    """Blend and calibrate the rows of each fold by its own fit.

    Args:
        of_fold: fold -> its fit.
        probabilities: (n_models, n_rows, n_classes).
        folds: fold of each row, (n_rows,).
        activation: see `labels.Labels`.
    """
    found = np.empty(probabilities.shape[1:])
    for fold, fit in of_fold.items():
        found[folds == fold] = fit.apply(probabilities[:, folds == fold], activation)
    return found


def _by_fold(method: str, rows: BlendRows, folds: Sequence[int]) -> dict[int, Combination]:
    """What a method fits on the rows of all other folds, for each fold."""
    if method not in FITTED:
        return dict.fromkeys(folds, fit_combination(method, rows))
    return {fold: fit_combination(method, rows[rows.folds != fold]) for fold in folds}


def _blended(combinations: Mapping[int, Combination], rows: BlendRows) -> FloatArray:
    """The rows of each fold by its own combination."""
    if len({id(found) for found in combinations.values()}) == 1:
        return blend(rows.probabilities, next(iter(combinations.values())), rows.activation)
    fits = {fold: Fit(found, Calibrator(NONE)) for fold, found in combinations.items()}
    return apply_by_fold(fits, rows.probabilities, rows.folds, rows.activation)


def _calibrated(
    combination: Combination, of_fold: Mapping[int, Combination], rows: BlendRows, calibration: str
) -> tuple[dict[int, Fit], dict[int, str]]:
    """Fit the calibration, for all rows (`ALL`) and for each fold on the others.

    A class that one of these fits leaves as it is stays as it is in all of them, because calibrated rows cannot be
    compared with others. Returns the fits, and why classes are not calibrated.
    """
    parts = {ALL: (combination, rows), **{fold: (one, rows[rows.folds != fold]) for fold, one in of_fold.items()}}
    left_out = _left_out(rows, calibration)
    # Without positives, nothing is fitted.
    masked = [number for number, reason in left_out.items() if reason == IN_ONE_FOLD]
    found = {key: _fitted(*part, calibration, masked) for key, part in parts.items()}
    flat = {number for one in found.values() for number in one.flat}
    left_out |= dict.fromkeys(sorted(flat - set(left_out)), FLAT)
    if len(left_out) == rows.n_classes:
        found = dict.fromkeys(found, Calibrator(NONE))
    fits = {key: Fit(parts[key][0], one.without(left_out)) for key, one in found.items()}
    return fits, dict(sorted(left_out.items()))


def _left_out(rows: BlendRows, calibration: str) -> dict[int, str]:
    """Classes that are not calibrated whatever is fitted, and why; none for a temperature, which has no offsets."""
    if calibration in (NONE, TEMPERATURE):
        return {}
    reasons = {}
    for number, targets in enumerate(rows.targets.T):
        if rows.activation != SOFTMAX and not has_both_labels(targets, rows.weights):
            reasons[number] = ONE_LABEL
        elif rows.fitted is not None and not rows.fitted[number]:
            reasons[number] = IN_ONE_FOLD
    if rows.activation == SOFTMAX and reasons:
        return {number: reasons.get(number, BESIDE) for number in range(rows.n_classes)}
    return reasons


def _fitted(combination: Combination, rows: BlendRows, calibration: str, masked: Sequence[int]) -> Calibrator:
    """The calibration of a blend that is fitted on some rows, without some classes."""
    values, targets = blend(rows.probabilities, combination, rows.activation), rows.targets.copy()
    if rows.activation != SOFTMAX:
        targets[:, masked] = 0.0
    return fit_calibrator(calibration, values, targets, rows.weights, rows.activation)
