"""Calibration maps: from blended probabilities to calibrated ones, fitted on out-of-fold rows.

A map of several classes that exclude each other ("softmax") gives probabilities that sum to 1. Temperature and Platt
scaling of them are those of log-probabilities: one slope, and for Platt an intercept for each class (Alexandari,
Kundaje and Shrikumar, Maximum likelihood with bias-corrected calibration, 2020). Beta and isotonic calibrate each class
against all others and divide by the sum (Zadrozny and Elkan, Transforming classifier scores into accurate multiclass
probability estimates, 2002).
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from cattrs import structure
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from foldline.dataset.labels import SOFTMAX
from foldline.evaluation.blend_fitting import has_both_labels
from foldline.evaluation.calibration import NONE
from foldline.evaluation.combination import CLIP, LOG, activated, scaled
from foldline.evaluation.log_linear import fit_logistic, fit_multinomial, rounded, smoothed_targets

FloatArray = npt.NDArray[np.float64]
Numbers = tuple[float, ...]

TEMPERATURE = "temperature"
# Knots of a map that changes nothing.
SAME = (0.0, 1.0)
CALIBRATIONS = (NONE, TEMPERATURE, "platt", "beta", "isotonic")


@dataclass(frozen=True)
class Calibrator:
    """A calibration map.

    Attributes:
        method: one of `CALIBRATIONS`.
        slopes: "temperature" and "platt": factor of the log-odds or log-probability of each class, (n_classes,).
            "beta": factor of ln(p).
        complement_slopes: "beta": factor of -ln(1 - p), (n_classes,).
        intercepts: "temperature", "platt" and "beta": what is added, (n_classes,).
        scores: "isotonic": ascending scores of each class, (n_classes, n_knots of the class).
        probabilities: "isotonic": probability at each of them; linear between them.
        flat: numbers of the classes whose labels do not rise with their scores, so that a map would turn the order of
            rows around or make all rows equal; they are left as they are.
    """

    method: str
    slopes: Numbers = ()
    complement_slopes: Numbers = ()
    intercepts: Numbers = ()
    scores: tuple[Numbers, ...] = ()
    probabilities: tuple[Numbers, ...] = ()
    flat: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Convert to a mapping, without what the method does not have."""
        return {key: value for key, value in asdict(self).items() if value}

    def without(self, classes: Collection[int]) -> "Calibrator":
        """This map without some classes, by number, which stay as they are; not for a map with one slope of all."""
        if self.method == NONE or not classes:
            return replace(self, flat=())

        def changed(values: tuple[Any, ...], same: Any) -> tuple[Any, ...]:
            return tuple(same if number in classes else value for number, value in enumerate(values))

        slopes, complements = changed(self.slopes, 1.0), changed(self.complement_slopes, 1.0)
        scores, probabilities = changed(self.scores, SAME), changed(self.probabilities, SAME)
        return Calibrator(self.method, slopes, complements, changed(self.intercepts, 0.0), scores, probabilities)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Calibrator":
        """Read what `as_json` gives."""
        return structure(content, cls)


def calibrate(values: FloatArray, calibrator: Calibrator, activation: str) -> FloatArray:
    """Apply a calibration map.

    Args:
        values: probabilities, (n_rows, n_classes).
        calibrator: the map.
        activation: see `labels.Labels`.

    Returns:
        Probabilities, (n_rows, n_classes).
    """
    if calibrator.method == NONE:
        return values
    if calibrator.method in (TEMPERATURE, "platt"):
        logs = scaled(values, LOG, activation)
        return activated(logs * np.array(calibrator.slopes) + np.array(calibrator.intercepts), activation)
    if calibrator.method == "beta":
        features = _beta_features(values)
        slopes = np.array([calibrator.slopes, calibrator.complement_slopes])[:, None]
        found = expit((features * slopes).sum(axis=0) + np.array(calibrator.intercepts))
    else:
        knots = zip(values.T, calibrator.scores, calibrator.probabilities, strict=True)
        found = np.stack([np.interp(*column) for column in knots], axis=1)
    return np.asarray(found / found.sum(axis=1, keepdims=True) if activation == SOFTMAX else found)


def fit_calibrator(
    method: str, values: FloatArray, targets: FloatArray, weights: FloatArray, activation: str
) -> Calibrator:
    """Fit a calibration map.

    Args:
        method: "none"; "temperature", one slope of all classes (Guo et al., On calibration of modern neural networks,
            2017); "platt", slope and intercept (Platt, 1999); "beta" (Kull, Silva Filho and Flach, 2017); "isotonic"
            (Zadrozny and Elkan, 2002), within [1 / (n + 2), (n + 1) / (n + 2)] for n rows. None of them falls: a class
            that no rising map fits better than a constant is left as it is; see `Calibrator.flat`.
        values: probabilities, (n_rows, n_classes).
        targets: in [0, 1], (n_rows, n_classes).
        weights: at least 0, (n_rows,).
        activation: see `labels.Labels`.
    """
    if method != NONE and not _varies(values, weights).any():
        # Whatever is fitted to equal rows is an intercept.
        return unchanged(values.shape[1])
    if method in (TEMPERATURE, "platt"):
        return _fit_log_scaling(method, values, targets, weights, activation)
    if method == "beta":
        return _fit_beta(values, targets, weights)
    return _fit_isotonic(values, targets, weights) if method == "isotonic" else Calibrator(NONE)


def _varies(values: FloatArray, weights: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether the rows with a weight have several values of each class, (n_classes,)."""
    counted = values[weights > 0]
    return np.asarray((counted != counted[:1]).any(axis=0))


def unchanged(n_classes: int) -> Calibrator:
    """A calibration that changes nothing, because the labels of no class rise with its scores."""
    return Calibrator(NONE, flat=tuple(range(n_classes)))


def _fit_log_scaling(
    method: str, values: FloatArray, targets: FloatArray, weights: FloatArray, activation: str
) -> Calibrator:
    logs, n_classes, platt = scaled(values, LOG, activation), values.shape[1], method == "platt"
    slopes, intercepts, flat = np.ones(n_classes), np.zeros(n_classes), list[int]()
    varies = _varies(values, weights)
    if activation == SOFTMAX:
        # As one more row that has an equal share of all classes.
        share = 1 / (weights.sum() + 1)
        smoothed = targets * (1 - share) + share / n_classes
        slope, intercepts = fit_multinomial(logs[None], smoothed, weights, intercepts=platt)
        slopes = slope.repeat(n_classes)
        if not slope[0] > 0:
            return unchanged(n_classes)
    elif platt:
        for number, column in enumerate(targets.T):
            if has_both_labels(column, weights):
                smoothed = smoothed_targets(column, weights)
                slope, intercept = fit_logistic(logs[None, :, number], smoothed, weights)
                if slope[0] > 0 and varies[number]:
                    slopes[number], intercepts[number] = slope[0], intercept
                else:
                    flat.append(number)
    else:
        smoothed = np.stack([smoothed_targets(column, weights) for column in targets.T], axis=1)
        every = weights.repeat(n_classes)
        slopes = fit_logistic(logs.reshape(1, -1), smoothed.ravel(), every, intercept=False)[0].repeat(n_classes)
        if not slopes[0] > 0:
            return unchanged(n_classes)
    return Calibrator(method, slopes=_numbers(slopes), intercepts=_numbers(intercepts), flat=tuple(flat))


def _beta_features(values: FloatArray) -> FloatArray:
    """ln(p) and -ln(1 - p), (2, ...)."""
    clipped = np.clip(values, CLIP, 1 - CLIP)
    return np.stack([np.log(clipped), -np.log(1 - clipped)])


def _fit_beta(values: FloatArray, targets: FloatArray, weights: FloatArray) -> Calibrator:
    """Slopes below 0 are 0, and the rest is fitted again, as its authors do."""
    slopes, intercepts, flat = np.ones((2, values.shape[1])), np.zeros(values.shape[1]), list[int]()
    varies = _varies(values, weights)
    for number, column in enumerate(targets.T):
        if not has_both_labels(column, weights):
            continue
        features, smoothed = _beta_features(values[:, number]), smoothed_targets(column, weights)
        used = [0, 1]
        found, intercept = fit_logistic(features, smoothed, weights)
        if (found < 0).any():
            used = [int(np.argmax(found))]
            found, intercept = fit_logistic(features[used], smoothed, weights)
        if not found.max() > 0 or not varies[number]:
            flat.append(number)
            continue
        slopes[:, number] = 0
        slopes[used, number], intercepts[number] = found, intercept
    first, second = map(_numbers, slopes)
    return Calibrator("beta", slopes=first, complement_slopes=second, intercepts=_numbers(intercepts), flat=tuple(flat))


def _fit_isotonic(values: FloatArray, targets: FloatArray, weights: FloatArray) -> Calibrator:
    limit = 1 / (float(weights.sum()) + 2)
    scores, probabilities, flat = list[Numbers](), list[Numbers](), list[int]()
    for number, (column, labels) in enumerate(zip(values.T, targets.T, strict=True)):
        knots: tuple[Numbers, Numbers] = (SAME, SAME)
        if has_both_labels(labels, weights):
            counted = weights > 0
            regression = IsotonicRegression(y_min=limit, y_max=1 - limit, out_of_bounds="clip")
            regression.fit(column[counted], labels[counted], sample_weight=weights[counted])
            knots = _numbers(regression.X_thresholds_), _numbers(regression.y_thresholds_)
            if len(set(knots[1])) == 1:
                knots = (SAME, SAME)
                flat.append(number)
        scores.append(knots[0])
        probabilities.append(knots[1])
    return Calibrator("isotonic", scores=tuple(scores), probabilities=tuple(probabilities), flat=tuple(flat))


def _numbers(values: npt.ArrayLike) -> Numbers:
    return tuple(rounded(values).tolist())
