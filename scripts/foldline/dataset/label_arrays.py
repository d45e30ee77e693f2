"""Convert label codes of many samples to an array and back."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import is_code
from foldline.errors import FoldlineError, counted


def label_array(codes: Sequence[str], class_names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Labels of each sample and class, 0 or 1: int64, (n_samples, n_classes).

    Args:
        codes: label code of each sample, (n_samples,); see `labels`.
        class_names: (n_classes,).

    Raises:
        FoldlineError: a text is not a code of that many classes.
    """
    wrong = next((code for code in codes if not is_code(code, len(class_names))), None)
    if wrong is not None:
        raise FoldlineError(
            f"label code {wrong!r} does not have one 0 or 1 for each of "
            f"{counted(len(class_names), 'class', 'classes')}; run the workflow again"
        )
    joined = np.frombuffer("".join(codes).encode("ascii"), np.uint8) - ord("0")
    return joined.reshape(len(codes), len(class_names)).astype(np.int64)


def label_codes(labels: npt.ArrayLike) -> list[str]:
    """Label code of each sample, (n_samples,); the inverse of `label_array`."""
    return ["".join(map(str, row)) for row in np.asarray(labels, np.int64)]
