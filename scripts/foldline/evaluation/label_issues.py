"""Labels that the predictions of models that did not see them contradict: some of them are wrong."""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.evaluation.estimates import Rows
from foldline.evaluation.intervals import SHARE
from foldline.evaluation.ranking import auc_estimate
from foldline.evaluation.score_intervals import with_interval

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

COLUMNS = ("row", "label", "suggested", "label_probability", "suggested_probability")


def unproven_classes(labels: IntArray, scores: FloatArray, rows: Rows, *, confidence: float) -> dict[int, str]:
    """Find the classes that the scores are not shown to tell from others: they say nothing about a label.

    Args:
        labels: 0 or 1, (n_rows, n_classes).
        scores: (n_rows, n_classes).
        rows: weights and groups.
        confidence: coverage of the intervals, in (0, 1).

    Returns:
        Number of a class -> why, of those whose ROC AUC has no interval above 0.5.
    """
    found = {}
    for number, column in enumerate(zip(labels.T, scores.T, strict=True)):
        area = with_interval(auc_estimate(*column, rows), SHARE, confidence=confidence)
        if area.low is None or area.high is None:
            found[number] = f"ROC AUC: {area.reason}"
        elif area.low <= 0.5:
            found[number] = f"ROC AUC {area.value:.3f} ({area.low:.3f} to {area.high:.3f}), where 0.5 is chance"
    return found


def find_label_issues(
    labels: IntArray,
    scores: FloatArray,
    class_names: Sequence[str],
    *,
    one_class_per_sample: bool,
    unproven: Collection[int] = (),
) -> pd.DataFrame:
    """List the rows whose prediction is confident in another label (confident learning, Northcutt et al., 2021).

    A prediction is confident in a class if its probability is at least the mean probability of that class among the
    rows that are labeled with it, so classes that a model underrates count as much as others. Rows whose label is more
    probable than that class are left out. Without exactly one class per sample, having and not having a class are two
    labels for each class.

    Args:
        labels: 0 or 1, (n_samples, n_classes).
        scores: out-of-fold probabilities, (n_samples, n_classes).
        class_names: (n_classes,).
        one_class_per_sample: whether each sample has exactly one class.
        unproven: numbers of classes that are never suggested, and not questioned unless another class is suggested;
            see `unproven_classes`.

    Returns:
        The columns `COLUMNS`, the least probable label first: number of the row, label and suggested label by name,
        and their probabilities. A row may be listed once for each class.
    """
    if one_class_per_sample:
        tables = [_confident_others(labels.argmax(axis=1), scores, list(class_names))]
        tables = [table[~table["suggested"].isin([class_names[number] for number in unproven])] for table in tables]
    else:
        tables = [
            _confident_others(label, np.stack([1 - score, score], axis=1), [f"not {name}", name])
            for number, (name, label, score) in enumerate(zip(class_names, labels.T, scores.T, strict=True))
            if number not in unproven
        ]
    issues = pd.concat([_confident_others(labels[:0, 0], scores[:0, :1], [""]), *tables], ignore_index=True)
    return issues.sort_values(["label_probability", "row"], kind="stable", ignore_index=True)


def _confident_others(label: IntArray, scores: FloatArray, names: Sequence[str]) -> pd.DataFrame:
    """Rows with exactly one of the named labels, (n_samples,), whose prediction is confident in another one."""
    numbers = range(len(names))
    limits = np.array(
        [scores[label == number, number].mean() if (label == number).any() else np.inf for number in numbers]
    )
    confident = np.where(scores >= limits, scores, -np.inf)
    suggested = confident.argmax(axis=1)
    every = np.arange(len(scores))
    contradicted = scores[every, suggested] > scores[every, label]
    rows = np.flatnonzero(contradicted & np.isfinite(confident.max(axis=1)))
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
