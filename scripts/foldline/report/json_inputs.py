"""The JSON files that the report reads, with types: metrics, blend recipe, class weights, provenance of the weights.

Each class names the keys that the report uses; the files may hold more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cattrs import BaseValidationError, Converter, transform_error
from cattrs.strategies import configure_union_passthrough

from foldline.errors import FoldlineError, listing
from foldline.evaluation.calibration import NONE
from foldline.evaluation.comparison import Comparison
from foldline.evaluation.fold_averaging import FoldAveraging
from foldline.evaluation.gains import Gain
from foldline.evaluation.results import Calibration, ClassCounts, ColumnScores, MetricScores, Score
from foldline.io.files import read_json
from foldline.models.stage import Stage
from foldline.splits.class_weights import ClassWeights

Content = TypeVar("Content")
# Value of `BlendRecipe.test_models`.
FOLDS = "folds"
_CONVERTER = Converter()
# `Metrics.threshold` is a number or a name.
configure_union_passthrough(bool | int | float | str | None, _CONVERTER)


@dataclass(frozen=True)
class Metrics:
    """Content of `metrics.json`.

    Attributes:
        rows: number of out-of-fold rows.
        groups: number of their groups.
        folds: number of folds.
        blend_rule: how the models were blended, one of `blend_fitting.METHODS`.
        confidence: coverage of the intervals, in (0, 1).
        threshold: lowest score that is predicted positive, or a rule such as "best_f1"; None if each image has exactly
            one class, that with the highest score.
        calibration_bins: number of bins of the reliability table.
        scored_classes: names of the classes that count.
        classes: rows of every class.
        models: scores of each model and of the blend.
        one_class_per_image: whether each image has exactly one class of several.
        soft_label_entropy: see `cross_entropy.label_entropy`; None if labels are not soft.
        weighted: whether rows count by their weights.
        label_issues: number of images with a label that the predictions contradict.
        label_issues_left_out: name of each class whose scores say nothing about labels -> why.
        comparisons: of every two of the models and the blend, if there are several models.
        before_calibration: calibration of the blend before it is calibrated; None if it is not.
        repeats: number of repeats of the folds.
    """

    rows: int
    groups: int
    folds: int
    blend_rule: str
    confidence: float
    threshold: float | str | None
    calibration_bins: int
    scored_classes: tuple[str, ...]
    classes: tuple[ClassCounts, ...]
    models: Mapping[str, ColumnScores]
    one_class_per_image: bool = False
    soft_label_entropy: float | None = None
    weighted: bool = False
    label_issues: int = 0
    label_issues_left_out: Mapping[str, str] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    before_calibration: Calibration | None = None
    repeats: int = 1


@dataclass(frozen=True, kw_only=True)
class SplitColumnScores(MetricScores):
    """Scores of one model or of the blend on rows without folds; see `ColumnScores`."""

    balanced_accuracy: Score | None = None
    cohen_kappa: Score | None = None
    soft_cross_entropy: Score | None = None
    calibration: Calibration


@dataclass(frozen=True)
class SplitMetrics:
    """Content of `test_metrics.json` and `holdout_metrics.json`; see `Metrics`."""

    rows: int
    models: Mapping[str, SplitColumnScores]
    fold_averaging: FoldAveraging


@dataclass(frozen=True)
class BlendWeights:
    """Scale of a blend, and weights of each of its models by class; see `combination.Combination`."""

    scale: str
    weights: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class CalibrationMethod:
    """How a blend is calibrated, one of `calibrators.CALIBRATIONS`."""

    method: str


@dataclass(frozen=True)
class BlendRecipe:
    """Content of `blend.json`.

    Attributes:
        method: `blend.method` of the configuration.
        rule: method that it led to, one of `blend_fitting.METHODS`.
        scores: pooled ROC AUC of each method that was judged; None if it is not defined.
        gains: see `blend_choice.Choice`.
        models: names of the models.
        blended: names of the models of the blend.
        blend: weights of these models.
        calibration: how the blend is calibrated.
        views: number of views per model.
        test_rows: number of test rows.
        submission: what the submission holds and what decided it, in sentences.
        repeats: number of repeats of the folds.
        test_models: which networks predict the test rows and the holdout, "folds" or "final".
        test_views: "all" if each network averages all views of a test image, "split" if the folds share them.
        calibration_method: `calibration.method` of the configuration; `calibration` says what it led to.
        uncalibrated: name of each class that it leaves as it is -> why.
    """

    method: str
    rule: str
    scores: Mapping[str, float | None]
    gains: tuple[Gain, ...]
    models: tuple[str, ...]
    blended: tuple[str, ...]
    blend: BlendWeights
    calibration: CalibrationMethod
    views: Mapping[str, int]
    test_rows: int
    submission: str
    repeats: int = 1
    test_models: str = FOLDS
    test_views: str = "all"
    calibration_method: str = NONE
    uncalibrated: Mapping[str, str] = field(default_factory=dict)

    @property
    def predicted_by(self) -> str:
        """What a model predicts the test rows and the holdout by."""
        if self.test_models != FOLDS:
            return "its final network, which is trained on the rows of all folds"
        mean = "the mean over its folds" + (" of all repeats" if self.repeats > 1 else "")
        return f"{mean}, which share the views of an image" if self.test_views == "split" else mean

    @property
    def is_calibrated(self) -> bool:
        """Whether the blend is calibrated."""
        return self.calibration.method != NONE


@dataclass(frozen=True)
class FoldWeights:
    """Class weights while a fold is held out: method of the configuration, and the weights of each class in order."""

    method: str
    classes: tuple[ClassWeights, ...]


@dataclass(frozen=True)
class EarlyStopping:
    """When a training stops early.

    Attributes:
        patience: epochs without improvement after which it stops; None for never.
        monitor: what has to improve, "auc" on the held-out fold or "loss" on the training rows.
    """

    patience: int | None
    monitor: str


@dataclass(frozen=True)
class Optimizer:
    """What is added to Adam; see `training_config.OptimizerConfig`."""

    weight_decay: float = 0.0
    layer_decay: float = 1.0
    clip_norm: float | None = None


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training images that the report shows; see `augment_config.AugmentConfig`."""

    views: str = "random"
    operations: int | None = None


@dataclass(frozen=True)
class Sampling:
    """Which rows an epoch has; see `training_config.SamplingConfig`."""

    share: float = 1.0
    hardest: float = 0.0


@dataclass(frozen=True)
class SizeStage:
    """First epochs with smaller images; see `training_config.SizeStage`."""

    epochs: int
    image_size: int


@dataclass(frozen=True)
class TrainedModelSettings:
    """Settings of a model that the report shows, as they were in one training run; see `TrainingConfig`."""

    backbone: str | None
    weights: str | None
    image_size: int | None
    select_epoch: str
    early_stopping: EarlyStopping
    optimizer: Optimizer = Optimizer()
    normalization: str = "train"
    ema_decay: float | None = None
    ema_warmup: bool = False
    augment: Augmentation = Augmentation()
    head_epochs: int = 0
    accumulate: int = 1
    swa_epochs: int = 0
    sampling: Sampling = Sampling()
    size_schedule: tuple[SizeStage, ...] = ()
    prediction_size: int | None = None

    @property
    def epochs_depend_on_held_out_fold(self) -> bool:
        """Whether the score on the held-out fold decided how long the model was trained."""
        return self.stops_by_held_out_fold or self.select_epoch == "best"

    @property
    def stops_by_held_out_fold(self) -> bool:
        """Whether the score on the held-out fold can stop the training early."""
        return self.early_stopping.patience is not None and self.early_stopping.monitor == "auc"


@dataclass(frozen=True)
class Provenance:
    """How the weights of one fold were made.

    Attributes:
        device: "cpu", "gpu" or "tpu".
        replicas: number of devices that shared each batch.
        settings: settings of the model.
        stages: stages of the network.
    """

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
