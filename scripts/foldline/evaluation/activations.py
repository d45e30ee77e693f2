"""Activations: probabilities of logits, per class (sigmoid) or over classes that exclude each other (softmax)."""

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import SOFTMAX

FloatArray = npt.NDArray[np.float64]


def probabilities(logits: npt.NDArray[np.floating], activation: str) -> FloatArray:
    """Compute the probabilities of logits without overflow for large absolute values.

    Args:
        logits: (..., n_classes).
        activation: "sigmoid", or "softmax", whose probabilities of a sample sum to 1.

    Returns:
        float64 in [0, 1], shape as `logits`.
    """
    logits = np.asarray(logits, np.float64)
    if activation == SOFTMAX:
        return np.asarray(np.exp(ordering(logits, activation)))
    return np.asarray((1 + np.tanh(logits / 2)) / 2)


def ordering(logits: npt.NDArray[np.floating], activation: str) -> npt.NDArray[np.floating]:
    """Compute scores that order samples as their probabilities do, even where those are rounded to 0 or 1.

    Args:
        logits: (..., n_classes).
        activation: see `probabilities`.

    Returns:
        The logits for "sigmoid", log-probabilities for "softmax"; shape as `logits`.
    """
    if activation != SOFTMAX:
        return logits
    shifted = np.asarray(logits, np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def accuracy(labels: npt.NDArray[np.number], logits: npt.NDArray[np.floating], activation: str) -> float:
    """Compute the share of correct predictions, in [0, 1].

    A prediction is the class with the highest logit of a sample for "softmax", and whether the probability of a class
    is above 0.5 for "sigmoid".

    Args:
        labels: 0 or 1, (n_samples, n_classes).
        logits: (n_samples, n_classes).
        activation: see `probabilities`.
    """
    if activation == SOFTMAX:
        return float(np.mean(logits.argmax(axis=1) == labels.argmax(axis=1)))
    return float(np.mean((logits > 0) == (labels > 0.5)))
