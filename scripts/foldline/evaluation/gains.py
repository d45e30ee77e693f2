"""How much a blend gains: differences of ROC AUC with their intervals."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.evaluation.estimates import Estimate, Rows, average, difference
from foldline.evaluation.intervals import interval
from foldline.evaluation.ranking import auc_estimate

AUTO, MEAN = "auto", "mean"
# Coverage of the intervals of gains.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Gain:
    """How much higher the ROC AUC of a blend is, on rows that it was not fitted on.

    Attributes:
        method: method of the blend.
        over_model: name of the model that it is compared with; None for the mean of all models.
        value: difference of the AUC; None if it is not defined.
        low: lower limit of its interval; None without an interval.
        high: upper limit.
        confidence: coverage of the interval, in (0, 1).
    """

    method: str
    over_model: str | None
    value: float | None
    low: float | None
    high: float | None
    confidence: float

    @property
    def over(self) -> str:
        """What the blend is compared with, in words."""
        return "the mean of all models" if self.over_model is None else f"model {self.over_model}"

    @property
    def is_shown(self) -> bool:
        """Whether the interval is above 0."""
        return self.low is not None and self.low > 0


@dataclass(frozen=True)
class Judge:
    """Computes ROC AUCs and their differences.

    Attributes:
        labels: 0 or 1, (n_rows, n_classes).
        rows: weights and groups.
        scored: numbers of the classes over which the AUC is the mean.
    """

    labels: npt.NDArray[np.int64]
    rows: Rows
    scored: list[int]

    def __call__(self, scores: npt.NDArray[np.floating]) -> Estimate | None:
        """Mean ROC AUC over the scored classes, of scores, (n_rows, n_classes)."""
        columns = [(self.labels[:, number], scores[:, number].astype(np.float64)) for number in self.scored]
        return average([auc_estimate(*column, self.rows) for column in columns])

    def gain(
        self,
        method: str,
        first: Estimate | None,
        second: Estimate | None,
        *,
        over_model: str | None = None,
        of: int = 1,
    ) -> Gain:
        """Difference of two estimates; its interval is one of several, `of`, that all hold at once."""
        confidence = 1 - (1 - CONFIDENCE) / of
        if first is None or second is None:
            return Gain(method, over_model, None, None, None, confidence)
        found = difference(first, second)
        low, high = interval(found, None, confidence=confidence) or (None, None)
        return Gain(method, over_model, found.value, low, high, confidence)
