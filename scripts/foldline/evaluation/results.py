"""Results of an evaluation: the content of `metrics.json`, by name."""

from dataclasses import asdict, dataclass
from typing import Any

from foldline.evaluation.calibration import ReliabilityBin

OF_REPEATS = ("repeats", "repeats_mean", "repeats_sd")
# Scores that only some kinds of labels or folds have.
OPTIONAL = ("balanced_accuracy", "cohen_kappa", "confusion", "most_frequent", "soft_cross_entropy", *OF_REPEATS)
OPTIONAL_OF_CLASS = ("precision", "recall", "calibration")


@dataclass(frozen=True)
class Score:
    """A score with its confidence interval.

    Attributes:
        value: the score; None if it is not defined.
        low: lower limit of its interval; None without an interval.
        high: upper limit.
        reason: why the value or the interval is missing; None if neither is.
        few_groups: whether so few groups are behind the interval that it is approximate; see `intervals.FEW_GROUPS`.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None
    few_groups: bool = False


@dataclass(frozen=True)
class MetricScores:
    """A score for each metric, over all rows; `definitions` says what the metrics of several classes are."""

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
class FoldScores(MetricScores):
    """Scores of the classes together on the rows of one held-out fold; see `definitions`.

    Attributes:
        fold: the fold.
        rows: its rows.
        positives: positive labels of the scored classes.
        defined_classes: scored classes with an AUC in this fold.
        repeat: the repeat of the fold, from 1; None if there is one.
    """

    fold: int
    rows: int
    positives: int
    defined_classes: int
    repeat: int | None = None


@dataclass(frozen=True, kw_only=True)
class RepeatScores(MetricScores):
    """Scores of the rows of all folds of one repeat, from 1."""

    repeat: int


@dataclass(frozen=True)
class ClassFoldScores:
    """Scores of one class on the rows of one held-out fold.

    Attributes:
        fold: the fold.
        rows: its rows.
        positives: its positives.
        auc: ROC AUC.
        average_precision: average precision.
        repeat: see `FoldScores`.
    """

    fold: int
    rows: int
    positives: int
    auc: Score
    average_precision: Score
    repeat: int | None = None


@dataclass(frozen=True)
class OperatingPoint:
    """A point of the ROC curve of a class.

    Attributes:
        rule: what is given, such as "sensitivity 0.9".
        score: the specificity at a given sensitivity, or the reverse: the highest one of all thresholds, on these rows.
        threshold: the threshold of these rows, or the one that was decided on other rows; None for ranks.
        sensitivity: share of the positives that reach a threshold that was chosen on other rows: on the other folds, or
            on the out-of-fold rows.
        specificity: share of the negatives that do not reach it.
    """

    rule: str
    score: Score
    threshold: float | None
    sensitivity: Score
    specificity: Score


@dataclass(frozen=True)
class ClassCalibration:
    """Calibration of one class against all others; see `calibration_estimates.calibration_estimates`."""

    slope: Score
    intercept: Score
    brier_skill: Score


@dataclass(frozen=True, kw_only=True)
class ClassScores(MetricScores):
    """Scores of one class against all others.

    Attributes:
        name: name of the class.
        positives: rows with the class (its support).
        negatives: rows without it.
        threshold: lowest score that predicts the class, or what its score is divided by where one class is predicted;
            None if the class with the highest score is predicted.
        precision: share of the rows that are predicted as this class that have it.
        recall: share of the rows with this class that are predicted as it (its sensitivity).
        operating_points: one for each rule of the configuration; none of single models.
        folds: scores of each fold.
        calibration: calibration of the class; None of ranks and of single models.
    """

    name: str
    positives: int
    negatives: int
    threshold: float | None
    precision: Score | None = None
    recall: Score | None = None
    operating_points: tuple[OperatingPoint, ...] = ()
    folds: tuple[ClassFoldScores, ...]
    calibration: ClassCalibration | None = None


@dataclass(frozen=True)
class SubgroupScores:
    """Scores of the rows with one value of a metadata column, or with numbers in one band.

    Attributes:
        value: the value, or the band.
        rows: its rows.
        positives: positive labels of the classes that the means are over.
        auc: mean ROC AUC over the classes.
        average_precision: mean average precision.
        accuracy: mean accuracy, or the share of rows whose class is predicted.
        positive_share: share of positive labels; None if each sample has exactly one class or no row has a weight.
        score_excess: mean score minus share of positive labels; if each sample has exactly one class, mean of the
            highest probability minus accuracy (Guo et al., On calibration of modern neural networks, 2017). 0 is best.
        mean_score: mean score, which is that share if scores are right on average; likewise, and None for ranks.
    """

    value: str
    rows: int
    positives: int
    auc: Score
    average_precision: Score
    accuracy: Score
    score_excess: Score
    positive_share: float | None
    mean_score: float | None


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
        reason: why all are missing.
        slope: see `calibration_estimates.calibration_estimates`, as the two that follow.
        intercept: of the log-odds.
        brier_skill: against the share of positives.
    """

    error: float | None
    bins: tuple[ReliabilityBin, ...]
    reason: str | None
    slope: Score | None = None
    intercept: Score | None = None
    brier_skill: Score | None = None


@dataclass(frozen=True)
class Confusion:
    """Predicted and true classes, in the order of the classes.

    Attributes:
        counts: number of rows of each true class, and in it of each predicted class.
        row_shares: shares of the predicted classes among the rows of each true class, by their weights; None in a class
            whose rows have no weight. The diagonal is the recall.
        reason: why both are missing.
    """

    counts: tuple[tuple[int, ...], ...]
    row_shares: tuple[tuple[float | None, ...], ...]
    reason: str | None


@dataclass(frozen=True)
class MostFrequent:
    """The most frequent class: its name, its share (the accuracy of predicting it alone), the accuracy minus that."""

    name: str
    share: float | None
    gain: Score


@dataclass(frozen=True, kw_only=True)
class ColumnScores(MetricScores):
    """Scores of one model or of the blend; `definitions` says what they are.

    Attributes:
        balanced_accuracy: mean recall of the classes; None unless each sample has exactly one class.
        cohen_kappa: Cohen's kappa; likewise.
        confusion: confusion matrix; likewise.
        most_frequent: comparison of the accuracy with that of the most frequent class; likewise.
        soft_cross_entropy: mean over the samples of `cross_entropy.cross_entropy`; None without soft labels.
        folds: scores of each fold.
        folds_mean: mean of each metric over the folds; None unless all folds have it.
        folds_sd: standard deviation (n - 1) over the folds; likewise.
        pooled_minus_folds_mean: score over all rows minus mean over the folds; likewise. With several repeats, the mean
            over their scores of all rows.
        repeats: scores of each repeat; None if there is one. The other scores over all rows are then those of the mean
            of the predictions over the repeats, and those of folds are of each repeat.
        repeats_mean: mean of each metric over the repeats; None unless all have it.
        repeats_sd: standard deviation (n - 1) over the repeats, which is not the uncertainty of the score: the rows are
            the same; likewise.
        reason: why metrics are missing.
        calibration: calibration of the scored classes together.
        subgroups: metadata column -> scores of its values.
        classes: scores of every class, scored or not.
    """

    balanced_accuracy: Score | None = None
    cohen_kappa: Score | None = None
    confusion: Confusion | None = None
    most_frequent: MostFrequent | None = None
    soft_cross_entropy: Score | None = None
    folds: tuple[FoldScores, ...]
    folds_mean: MetricValues
    folds_sd: MetricValues
    pooled_minus_folds_mean: MetricValues
    repeats: tuple[RepeatScores, ...] | None = None
    repeats_mean: MetricValues | None = None
    repeats_sd: MetricValues | None = None
    reason: str | None
    calibration: Calibration
    subgroups: dict[str, Subgroups]
    classes: tuple[ClassScores, ...]

    def as_json(self) -> dict[str, Any]:
        """Convert to mappings and lists, without the optional scores that there are none of."""
        content = asdict(self)
        folds = [*content["folds"], *(row for one in content["classes"] for row in one["folds"])]
        optional = [(content, OPTIONAL), *((row, OPTIONAL_OF_CLASS) for row in content["classes"])]
        for part, keys in (*optional, *((row, ("repeat",)) for row in folds)):
            for key in keys:
                if part[key] is None:
                    del part[key]
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
