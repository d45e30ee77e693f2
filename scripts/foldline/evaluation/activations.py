"""From logits to probabilities: of each class by itself, or of classes of which a sample has one."""

import numpy as np

from foldline.dataset.labels import SOFTMAX


def probabilities(logits: np.ndarray, activation: str) -> np.ndarray:
    """Probabilities of logits, float64, without overflow at either end.

    Args:
        logits: (..., n_classes).
        activation: "sigmoid", or "softmax", whose probabilities of a sample sum to 1.
    """
    logits = np.asarray(logits, np.float64)
    return np.exp(ordering(logits, activation)) if activation == SOFTMAX else (1 + np.tanh(logits / 2)) / 2


def ordering(logits: np.ndarray, activation: str) -> np.ndarray:
    """Scores that order samples as their probabilities do, also where those are rounded to 0 or 1.

    Logits themselves for "sigmoid", log-probabilities for "softmax"; shapes as in `probabilities`.
    """
    if activation != SOFTMAX:
        return logits
    shifted = np.asarray(logits, np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def accuracy(labels: np.ndarray, logits: np.ndarray, activation: str) -> float:
    """Share of samples whose class has the highest logit ("softmax"), or of classes called right at 0.5 ("sigmoid").

    Args:
        labels: (n_samples, n_classes).
        logits: (n_samples, n_classes).
        activation: see `probabilities`.
    """
    if activation == SOFTMAX:
        return float(np.mean(logits.argmax(axis=1) == labels.argmax(axis=1)))
    return float(np.mean((logits > 0) == (labels > 0.5)))
