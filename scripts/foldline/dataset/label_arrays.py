"""Convert label codes of many samples to an array and back."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import SOFTMAX, is_code
from foldline.dataset.soft_labels import hard_code, is_soft, is_soft_code, shares_of
from foldline.errors import FoldlineError, counted


def label_array(codes: Sequence[str], class_names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Labels of each sample and class, 0 or 1: int64, (n_samples, n_classes).

    A soft label counts as the class with the largest share, the first of equal ones.

    Args:
        codes: label code of each sample, (n_samples,); see `labels` and `soft_labels`.
        class_names: (n_classes,).

    Raises:
        FoldlineError: a text is not a code of that many classes.
    """
    _check_codes(codes, class_names)
    if any(map(is_soft, codes)):
        codes = list(map(hard_code, codes))
    joined = np.frombuffer("".join(codes).encode("ascii"), np.uint8) - ord("0")
    return joined.reshape(len(codes), len(class_names)).astype(np.int64)


def share_array(codes: Sequence[str], class_names: Sequence[str]) -> npt.NDArray[np.float32] | None:
    """Share of each class in soft labels: float32, (n_samples, n_classes), in [0, 1].

    Args:
        codes: see `label_array`.
        class_names: (n_classes,).

    Returns:
        None if the labels are not soft.

    Raises:
        FoldlineError: as `label_array`.
    """
    if not any(map(is_soft, codes)):
        return None
    _check_codes(codes, class_names)
    shares = [shares_of(code) if is_soft(code) else list(map(float, code)) for code in codes]
    return np.array(shares, np.float32).reshape(len(codes), len(class_names))


def label_names(codes: Sequence[str], class_names: Sequence[str]) -> list[str]:
    """Label of each sample in words, (n_samples,): its classes, joined by "|"; 0 or 1 if there is one class.

    A soft label counts as in `label_array`.

    Args:
        codes: see `label_array`.
        class_names: (n_classes,).
    """
    labels = label_array(codes, class_names).tolist()
    if len(class_names) == 1:
        return [str(label) for (label,) in labels]
    return ["|".join(name for name, label in zip(class_names, row, strict=True) if label) for row in labels]


def is_label_code(text: str, n_classes: int) -> bool:
    """Whether a text is a label code of that many classes, soft or not."""
    return is_code(text, n_classes) or is_soft_code(text, n_classes)


def hard_labels(labels: npt.NDArray[np.floating], activation: str) -> npt.NDArray[np.int64]:
    """The labels of 0 and 1 that soft labels count as, see `soft_labels.hard_code`; others stay as they are.

    Args:
        labels: in [0, 1], (n_samples, n_classes).
        activation: see `labels.Labels`.

    Returns:
        (n_samples, n_classes).
    """
    if activation == SOFTMAX:
        return np.asarray(np.eye(labels.shape[1], dtype=np.int64)[labels.argmax(axis=1)])
    return (labels > 1 / 2).astype(np.int64)


def _check_codes(codes: Sequence[str], class_names: Sequence[str]) -> None:
    wrong = next((code for code in codes if not is_label_code(code, len(class_names))), None)
    if wrong is not None:
        raise FoldlineError(
            f"label code {wrong!r} does not have one 0 or 1, or one share, for each of "
            f"{counted(len(class_names), 'class', 'classes')}; run the workflow again"
        )


def label_codes(labels: npt.ArrayLike) -> list[str]:
    """Label code of each sample, (n_samples,); the inverse of `label_array`."""
    return ["".join(map(str, row)) for row in np.asarray(labels, np.int64)]
