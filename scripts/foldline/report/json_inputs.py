"""The JSON files that the report reads, with types: metrics, blend recipe, class weights, provenance of the weights.

Each class names the keys that the report uses; the files may hold more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cattrs import BaseValidationError, Converter, transform_error

from foldline.errors import FoldlineError, listing
from foldline.io.files import read_json
from foldline.models.stage import Stage

Content = TypeVar("Content")
_CONVERTER = Converter()
_CONVERTER.register_structure_hook(float | str, lambda value, _: value)


@dataclass(frozen=True)
class Score:
    """A score with its interval; None where it is not defined.

    Attributes:
        value: the score.
        low: lower limit of its interval.
        high: upper limit of its interval.
        reason: why the value or the interval is missing.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None


@dataclass(frozen=True)
class FoldAuc:
    """ROC AUC on the rows of one held-out fold; None where the rows have one label only."""

    fold: int
    rows: int
    positives: int
    auc: float | None


@dataclass(frozen=True)
class FoldSummary:
    """Mean, standard deviation or difference of the ROC AUC over the folds; None where it is not defined."""

    auc: float | None


@dataclass(frozen=True)
class ReliabilityBin:
    """Scores in [low, high): mean score and share of positives, with its 95% interval; None in an empty bin."""

    low: float
    high: float
    rows: int
    positives: int
    mean_score: float | None
    positive_share: float | None
    share_low: float | None
    share_high: float | None


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error and its bins; None and no bins, with the reason, for scores that are ranks."""

    error: float | None
    bins: tuple[ReliabilityBin, ...]
    reason: str | None


@dataclass(frozen=True)
class SubgroupScore:
    """ROC AUC among the rows with one value of a metadata column."""

    value: str
    rows: int
    positives: int
    auc: Score


@dataclass(frozen=True)
class OmittedValues:
    """Values of a metadata column without a score: how many, their rows, and why."""

    values: int
    rows: int
    reason: str


@dataclass(frozen=True)
class Subgroups:
    """ROC AUC per value of a metadata column."""

    values: tuple[SubgroupScore, ...]
    left_out: OmittedValues


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class; `threshold` is the score from which it is predicted."""

    name: str
    positives: int
    threshold: float
    auc: Score
    average_precision: Score
    f1: Score
    folds: tuple[FoldAuc, ...]


@dataclass(frozen=True)
class ColumnScores:
    """Scores of one model or of the blend; `top_accuracy` exists only where each sample has exactly one class."""

    auc: Score
    average_precision: Score
    log_loss: Score
    brier: Score
    accuracy: Score
    f1: Score
    folds: tuple[FoldAuc, ...]
    folds_mean: FoldSummary
    folds_sd: FoldSummary
    pooled_minus_folds_mean: FoldSummary
    calibration: Calibration
    subgroups: Mapping[str, Subgroups]
    classes: tuple[ClassScores, ...]
    top_accuracy: Score | None = None


@dataclass(frozen=True)
class ClassCounts:
    """Rows of a class; a rare class has one of its labels in fewer groups than there are folds."""

    name: str
    positives: int
    negatives: int
    rare: bool


@dataclass(frozen=True)
class Metrics:
    """Content of `metrics.json`; see `evaluate`. `models` maps each model, and the blend, to its scores."""

    rows: int
    groups: int
    folds: int
    blend_rule: str
    confidence: float
    bootstrap_draws: int
    seed: int
    threshold: float | str
    calibration_bins: int
    scored_classes: tuple[str, ...]
    classes: tuple[ClassCounts, ...]
    models: Mapping[str, ColumnScores]


@dataclass(frozen=True)
class BlendRecipe:
    """Content of `blend.json`: method of the config, rule that it led to, score of each rule, views per model."""

    method: str
    rule: str
    scores: Mapping[str, float]
    models: tuple[str, ...]
    views: Mapping[str, int]
    test_rows: int


@dataclass(frozen=True)
class ClassWeight:
    """Weights of a row in the loss of one class, by its label."""

    name: str
    positive_weight: float
    negative_weight: float


@dataclass(frozen=True)
class FoldWeights:
    """Class weights while a fold is held out, in the order of the classes."""

    method: str
    classes: tuple[ClassWeight, ...]


@dataclass(frozen=True)
class EarlyStopping:
    """Epochs without improvement after which a training stops; None for never."""

    patience: int | None


@dataclass(frozen=True)
class TrainedModelSettings:
    """Settings of a model that the report shows, as they were in one training run."""

    backbone: str | None
    weights: str | None
    image_size: int | None
    select_epoch: str
    early_stopping: EarlyStopping

    @property
    def epochs_depend_on_held_out_fold(self) -> bool:
        """Whether the score on the held-out fold decided how long the model was trained."""
        return self.select_epoch == "best" or self.early_stopping.patience is not None


@dataclass(frozen=True)
class Provenance:
    """What the weights of one fold were made from."""

    device: str
    replicas: int
    settings: TrainedModelSettings
    stages: tuple[Stage, ...]


def read_content(cls: type[Content], path: str | Path) -> Content:
    """Read a JSON file of an earlier step as one of the classes above.

    Raises:
        FoldlineError: a key is missing, or its value has another type.
    """
    content: Any = read_json(path)
    try:
        return _CONVERTER.structure(content, cls)
    except BaseValidationError as error:
        problems = transform_error(error, path=Path(path).stem)
        raise FoldlineError(f"{path}: {listing(problems)}; remove the file and run the workflow again") from error
