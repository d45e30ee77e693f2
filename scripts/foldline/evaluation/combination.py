"""A blend of models as numbers: how the probabilities of models become those of the blend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from foldline.dataset.labels import SOFTMAX

FloatArray = npt.NDArray[np.float64]

PROBABILITY, LOG, RANK = "probability", "log", "rank"
# Probabilities are limited to [CLIP, 1 - CLIP] before a logarithm; float32 rounds what is closer to 1 to 1.
CLIP = 1e-7


@dataclass(frozen=True)
class Combination:
    """A weighted sum of the models on one of three scales.

    Attributes:
        scale: "probability"; "log", log-odds for "sigmoid" and log-probabilities for "softmax", whose weighted sum is
            converted back to probabilities; or "rank", `scaled_ranks` among the rows that are blended, which are no
            probabilities.
        weights: of each model and class, (n_models, n_classes).
        intercepts: added to the sum of each class, (n_classes,); 0 except on the scale "log".
    """

    scale: str
    weights: FloatArray
    intercepts: FloatArray

    @classmethod
    def equal(cls, scale: str, n_models: int, n_classes: int) -> "Combination":
        """The mean of the models on a scale."""
        return cls(scale, np.full((n_models, n_classes), 1 / n_models), np.zeros(n_classes))

    def as_json(self, models: Sequence[str]) -> dict[str, Any]:
        """Convert to a mapping of the scale, the weights of each model, and the intercepts."""
        weights = dict(zip(models, self.weights.tolist(), strict=True))
        return {"scale": self.scale, "weights": weights, "intercepts": self.intercepts.tolist()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], models: Sequence[str]) -> "Combination":
        """Read what `as_json` gives."""
        weights = np.array([content["weights"][model] for model in models], np.float64)
        return cls(content["scale"], weights, np.array(content["intercepts"], np.float64))


def blend(probabilities: npt.NDArray[np.floating], combination: Combination, activation: str) -> FloatArray:
    """Blend models.

    The sum is taken in float64, one model after the other, so that its bits are the same on every machine.

    Args:
        probabilities: (n_models, n_rows, n_classes), in [0, 1].
        combination: how; its models are those of `probabilities`.
        activation: see `labels.Labels`.

    Returns:
        (n_rows, n_classes), in [0, 1].
    """
    total = np.tile(combination.intercepts, (probabilities.shape[1], 1))
    for model, weights in zip(probabilities, combination.weights, strict=True):
        if weights.any():
            total += weights * scaled(model, combination.scale, activation)
    if combination.scale == LOG:
        return activated(total, activation)
    return np.clip(total, 0, 1)


def scaled(probabilities: npt.NDArray[np.floating], scale: str, activation: str) -> FloatArray:
    """Probabilities on a scale of `Combination`, (..., n_rows, n_classes)."""
    values = probabilities.astype(np.float64)
    if scale == RANK:
        return np.stack([scaled_ranks(column) for column in values.T], axis=1)
    if scale == PROBABILITY:
        return values
    values = np.clip(values, CLIP, 1 - CLIP)
    return np.asarray(np.log(values) if activation == SOFTMAX else np.log(values / (1 - values)))


def activated(logs: FloatArray, activation: str) -> FloatArray:
    """Convert log-odds ("sigmoid") or log-probabilities ("softmax"), (n_rows, n_classes), to probabilities."""
    return np.asarray(softmax(logs, axis=1) if activation == SOFTMAX else expit(logs))


def scaled_ranks(values: npt.NDArray[np.floating]) -> FloatArray:
    """Compute ranks in (0, 1): (rank - 1/2) / n_samples, counted from 1, where ties have their mean rank.

    Args:
        values: (n_samples,).
    """
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray(((last - (counts - 1) / 2) - 0.5)[index] / len(values))
