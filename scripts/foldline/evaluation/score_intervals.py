"""An estimate as a score with its interval, or with the reason why there is none."""

from foldline.evaluation.estimates import Estimate
from foldline.evaluation.intervals import FEW_GROUPS, Range, interval
from foldline.evaluation.reasons import ONE_GROUP, UNDEFINED
from foldline.evaluation.results import Score


def with_interval(
    found: Estimate | None, limits: Range | None, *, confidence: float, undefined: str = UNDEFINED
) -> Score:
    """Add the interval to an estimate.

    Args:
        found: the estimate; None if the score is not defined.
        limits: range of the score; None if it has none.
        confidence: coverage of the interval, in (0, 1).
        undefined: why the score is not defined, if it is not.
    """
    if found is None:
        return Score(None, None, None, undefined)
    between = interval(found, limits, confidence=confidence)
    if between is None:
        return Score(found.value, None, None, ONE_GROUP)
    return Score(found.value, *between, None, few_groups=found.size < FEW_GROUPS)
