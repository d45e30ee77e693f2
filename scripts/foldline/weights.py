"""Weights of the two labels of each class in the loss, from the training rows of one fold."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from foldline.errors import FoldlineError, listing

METHODS = ("none", "balanced")


def label_weights(labels: np.ndarray, *, method: str, class_names: Sequence[str]) -> list[dict[str, Any]]:
    """Weights of positives and negatives of each class.

    "balanced" weighs a row by n / (2 n_label), so that both labels of a class sum to n / 2 (King and Zeng, Logistic
    Regression in Rare Events Data, 2001; scikit-learn's class_weight="balanced"). "none" weighs every row by 1.

    Args:
        labels: 0 or 1, (n_samples, n_classes), the training rows of a fold and no others.
        method: "none" or "balanced".
        class_names: (n_classes,).

    Returns:
        One dict a class: name, positives, negatives (rows), positive_weight, negative_weight.

    Raises:
        FoldlineError: unknown method, no rows, or a class without a positive or without a negative.
    """
    if method not in METHODS:
        raise FoldlineError(f"class_weights.method is {method!r}; allowed: {listing(list(METHODS))}")
    if labels.shape[1] != len(class_names):
        raise FoldlineError(f"{labels.shape[1]} columns of labels for {len(class_names)} classes")
    rows = len(labels)
    classes = []
    for name, column in zip(class_names, labels.T, strict=True):
        positives = int(column.sum())
        negatives = rows - positives
        for number, word in ((positives, "positive"), (negatives, "negative")):
            if number == 0:
                raise FoldlineError(f"class {name}: no {word} among {rows} training rows; lower folds.count")
        balanced = method == "balanced"
        classes.append(
            {
                "name": name,
                "positives": positives,
                "negatives": negatives,
                "positive_weight": rows / (2 * positives) if balanced else 1.0,
                "negative_weight": rows / (2 * negatives) if balanced else 1.0,
            }
        )
    return classes
