"""Labels that are probably wrong, by the predictions of models that did not see them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

COLUMNS = ("row", "label", "suggested", "label_probability", "suggested_probability")


def find_label_issues(
    labels: IntArray, scores: FloatArray, class_names: Sequence[str], *, one_class_per_sample: bool
) -> pd.DataFrame:
    """List the rows whose prediction is confident in another label (confident learning, Northcutt et al., 2021).

    A prediction is confident in a class if its probability is at least the mean probability of that class among the
    rows that are labeled with it, so classes that a model underrates count as much as others. Without exactly one
    class per sample, having and not having a class are two labels for each class.

    Args:
        labels: 0 or 1, (n_samples, n_classes).
        scores: out-of-fold probabilities, (n_samples, n_classes).
        class_names: (n_classes,).
        one_class_per_sample: whether each sample has exactly one class.

    Returns:
        The columns `COLUMNS`, the least probable label first: number of the row, label and suggested label by name,
        and their probabilities. A row may be listed once for each class.
    """
    if one_class_per_sample:
        tables = [_confident_others(labels.argmax(axis=1), scores, list(class_names))]
    else:
        tables = [
            _confident_others(label, np.stack([1 - score, score], axis=1), [f"not {name}", name])
            for name, label, score in zip(class_names, labels.T, scores.T, strict=True)
        ]
    issues = pd.concat(tables, ignore_index=True)
    return issues.sort_values(["label_probability", "row"], kind="stable", ignore_index=True)


def _confident_others(label: IntArray, scores: FloatArray, names: Sequence[str]) -> pd.DataFrame:
    """Rows with exactly one of the named labels, (n_samples,), whose prediction is confident in another one."""
    numbers = range(len(names))
    limits = np.array(
        [scores[label == number, number].mean() if (label == number).any() else np.inf for number in numbers]
    )
    confident = np.where(scores >= limits, scores, -np.inf)
    suggested = confident.argmax(axis=1)
    rows = np.flatnonzero((suggested != label) & np.isfinite(confident.max(axis=1)))
    texts = np.asarray(names, dtype=object)
    return pd.DataFrame(
        {
            "row": rows,
            "label": texts[label[rows]],
            "suggested": texts[suggested[rows]],
            "label_probability": scores[rows, label[rows]],
            "suggested_probability": scores[rows, suggested[rows]],
        }
    )
