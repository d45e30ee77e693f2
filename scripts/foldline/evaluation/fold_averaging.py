"""What the mean over the folds adds to predictions of rows that no fold holds out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.evaluation.estimates import average
from foldline.evaluation.gains import Judge


@dataclass(frozen=True)
class FoldAveraging:
    """The blend of networks of single folds beside that of their means.

    Attributes:
        networks: networks of each model, one for each fold (of each repeat).
        single_auc: mean over them of the ROC AUC of the blend of one network of each model; None if it is not defined.
        gain: ROC AUC of the blend of the means minus `single_auc`.
        low: lower limit of the interval of the gain; None without an interval.
        high: upper limit.
    """

    networks: int
    single_auc: float | None
    gain: float | None
    low: float | None
    high: float | None


def fold_averaging(
    singles: Sequence[npt.NDArray[np.floating]], mean: npt.NDArray[np.floating], judge: Judge
) -> FoldAveraging:
    """Compare the blend of the means over the folds with the blends of single folds.

    Args:
        singles: scores of the blend of one network of each model, for each fold, (n_rows, n_classes).
        mean: scores of the blend of the means, (n_rows, n_classes).
        judge: labels and groups.
    """
    single = average([judge(scores) for scores in singles])
    gain = judge.gain("", judge(mean), single)
    return FoldAveraging(len(singles), None if single is None else single.value, gain.value, gain.low, gain.high)
