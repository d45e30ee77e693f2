"""Results of an evaluation: the content of `metrics.json`, by name."""

from dataclasses import asdict, dataclass
from typing import Any

from foldline.evaluation.calibration import ReliabilityBin

# Why a value is missing.
RANKS = "a blend of ranks is no probability"
UNDEFINED = "not defined: these rows have one label only"
UNDEFINED_WEIGHTED = "not defined: the rows with a weight above 0 have one label only"
UNSTABLE = "no interval: not defined in more than a tenth of the draws"


@dataclass(frozen=True)
class Score:
    """A score with its confidence interval.

    Attributes:
        value: the score; None if it is not defined.
        low: lower limit of its interval; None without an interval.
        high: upper limit.
        reason: why the value or the interval is missing; None if neither is.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None


@dataclass(frozen=True)
class MetricScores:
    """A score for each metric, over all rows."""

    auc: Score
    average_precision: Score
    log_loss: Score
    brier: Score
    accuracy: Score
    f1: Score


@dataclass(frozen=True)
class MetricValues:
    """A value for each metric; None where it is not defined."""

    auc: float | None
    average_precision: float | None
    log_loss: float | None
    brier: float | None
    accuracy: float | None
    f1: float | None


@dataclass(frozen=True, kw_only=True)
class FoldScores(MetricValues):
    """Mean scores over the classes on the rows of one held-out fold.

    Attributes:
        fold: the fold.
        rows: its rows.
        positives: positive labels of the scored classes.
        defined_classes: scored classes with an AUC in this fold.
    """

    fold: int
    rows: int
    positives: int
    defined_classes: int


@dataclass(frozen=True)
class ClassFoldScores:
    """Scores of one class on the rows of one held-out fold.

    Attributes:
        fold: the fold.
        rows: its rows.
        positives: its positives.
        auc: ROC AUC; None if all rows have the same label.
        average_precision: average precision; None without positives.
        reason: why there is no AUC.
    """

    fold: int
    rows: int
    positives: int
    auc: float | None
    average_precision: float | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class ClassScores(MetricScores):
    """Scores of one class.

    Attributes:
        name: name of the class.
        positives: rows with the class.
        negatives: rows without it.
        threshold: lowest score that predicts the class.
        folds: scores of each fold.
    """

    name: str
    positives: int
    negatives: int
    threshold: float
    folds: tuple[ClassFoldScores, ...]


@dataclass(frozen=True)
class SubgroupScores:
    """Mean ROC AUC over the classes, among the rows with one value of a metadata column.

    Attributes:
        value: the value.
        rows: its rows.
        positives: positive labels of the classes that the mean is over.
        auc: ROC AUC.
    """

    value: str
    rows: int
    positives: int
    auc: Score


@dataclass(frozen=True)
class OmittedValues:
    """Values of a metadata column that have no score.

    Attributes:
        values: number of values.
        rows: number of their rows.
        reason: why they have none.
    """

    values: int
    rows: int
    reason: str


@dataclass(frozen=True)
class Subgroups:
    """Scores per value of a metadata column, the most frequent value first."""

    values: tuple[SubgroupScores, ...]
    left_out: OmittedValues


@dataclass(frozen=True)
class Calibration:
    """Calibration of the scored classes together.

    Attributes:
        error: expected calibration error in [0, 1]; None for ranks.
        bins: reliability table; empty for ranks.
        reason: why both are missing.
    """

    error: float | None
    bins: tuple[ReliabilityBin, ...]
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class ColumnScores(MetricScores):
    """Scores of one model or of the blend; a metric is the mean over the scored classes that have it.

    Attributes:
        top_accuracy: share of samples whose class has the highest score; None unless each sample has exactly one class.
        soft_cross_entropy: mean over the samples of `cross_entropy.cross_entropy`; None without soft labels.
        folds: scores of each fold.
        folds_mean: mean of each metric over the folds; None unless all folds have it.
        folds_sd: standard deviation (n - 1) over the folds; likewise.
        pooled_minus_folds_mean: score over all rows minus mean over the folds; likewise.
        reason: why metrics are missing.
        calibration: calibration of the scored classes together.
        subgroups: metadata column -> scores of its values.
        classes: scores of every class, scored or not.
    """

    top_accuracy: Score | None = None
    soft_cross_entropy: Score | None = None
    folds: tuple[FoldScores, ...]
    folds_mean: MetricValues
    folds_sd: MetricValues
    pooled_minus_folds_mean: MetricValues
    reason: str | None
    calibration: Calibration
    subgroups: dict[str, Subgroups]
    classes: tuple[ClassScores, ...]

    def as_json(self) -> dict[str, Any]:
        """Convert to mappings and lists, without the keys `top_accuracy` and `soft_cross_entropy` if there is none."""
        content = asdict(self)
        for key in ("top_accuracy", "soft_cross_entropy"):
            if content[key] is None:
                del content[key]
        return content


def split_scores(scores: ColumnScores) -> dict[str, Any]:
    """Content of `scores` for rows without folds and subgroups, as mappings and lists."""
    content = scores.as_json()
    for key in ("folds", "folds_mean", "folds_sd", "pooled_minus_folds_mean", "subgroups"):
        del content[key]
    for row in content["classes"]:
        del row["folds"]
    return content


@dataclass(frozen=True)
class ClassCounts:
    """Rows of one class.

    Attributes:
        name: name of the class.
        positives: rows with the class.
        negatives: rows without it.
        positive_groups: groups that have a row with the class.
        rare: whether the positives or the negatives are in fewer groups than there are folds.
        share_sum: sum of the shares of the class in soft labels, whose positives are the rows in which its share is the
            largest; None for other labels.
    """

    name: str
    positives: int
    negatives: int
    positive_groups: int
    rare: bool
    share_sum: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Convert to a mapping, without the key `share_sum` if labels are not soft."""
        return {key: value for key, value in asdict(self).items() if key != "share_sum" or value is not None}
