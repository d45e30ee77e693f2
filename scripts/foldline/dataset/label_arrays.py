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
    distinct, numbers = _distinct(codes)
    _check_codes(distinct, class_names)
    joined = np.frombuffer("".join(map(hard_code, distinct)).encode("ascii"), np.uint8) - ord("0")
    return joined.reshape(len(distinct), len(class_names)).astype(np.int64)[numbers]


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
    distinct, numbers = _distinct(codes)
    if not any(map(is_soft, distinct)):
        return None
    _check_codes(distinct, class_names)
    shares = [shares_of(code) if is_soft(code) else list(map(float, code)) for code in distinct]
    return np.array(shares, np.float32).reshape(len(distinct), len(class_names))[numbers]


def label_names(codes: Sequence[str], class_names: Sequence[str]) -> list[str]:
    """Label of each sample in words, (n_samples,): its classes, joined by "|"; 0 or 1 if there is one class.

    A soft label counts as in `label_array`.

    Args:
        codes: see `label_array`.
        class_names: (n_classes,).
    """
    distinct, numbers = _distinct(codes)
    labels = label_array(distinct, class_names).tolist()
    if len(class_names) == 1:
        names = [str(label) for (label,) in labels]
    else:
        names = ["|".join(name for name, label in zip(class_names, row, strict=True) if label) for row in labels]
    return [names[number] for number in numbers]


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


def _distinct(codes: Sequence[str]) -> tuple[list[str], npt.NDArray[np.intp]]:
    """The different codes, and the number of each sample's among them, (n_samples,): there are few of most labels."""
    number_of = {code: number for number, code in enumerate(dict.fromkeys(codes))}
    return list(number_of), np.fromiter(map(number_of.__getitem__, codes), np.intp, len(codes))


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
