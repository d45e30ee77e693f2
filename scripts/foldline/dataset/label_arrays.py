"""Labels of many samples as arrays, and back."""

from collections.abc import Sequence

import numpy as np

from foldline.dataset.labels import is_code
from foldline.errors import FoldlineError


def label_array(codes: Sequence[str], class_names: Sequence[str]) -> np.ndarray:
    """0 or 1 for each sample and class, int64, (n_samples, n_classes).

    Args:
        codes: label code of each sample, (n_samples,); see `labels`.
        class_names: (n_classes,).

    Raises:
        FoldlineError: a text is no code of so many classes.
    """
    wrong = next((code for code in codes if not is_code(code, len(class_names))), None)
    if wrong is not None:
        raise FoldlineError(f"label {wrong!r} is no text of {len(class_names)} times 0 or 1, one for each class")
    joined = np.frombuffer("".join(codes).encode("ascii"), np.uint8) - ord("0")
    return joined.reshape(len(codes), len(class_names)).astype(np.int64)


def label_codes(labels: np.ndarray) -> list[str]:
    """Code of each sample, (n_samples,); the reverse of `label_array`."""
    return ["".join(map(str, row)) for row in np.asarray(labels, np.int64)]
