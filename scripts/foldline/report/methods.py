"""The last section of the report: how the numbers were computed."""

from collections.abc import Iterator

from foldline.errors import counted
from foldline.evaluation.intervals import FEW_GROUPS
from foldline.report.calibration import calibration_method
from foldline.report.json_inputs import Metrics, Sampling, TrainedModelSettings
from foldline.report.run import Run
from foldline.splits.fold_membership import WITHHELD

HIGHEST = "The predicted class of an image is the one with the highest probability. "
RELATIVE = (
    "The predicted class of an image is the one with the highest probability relative to its share of the rows "
    "(prevalence), which suits balanced accuracy. In a fold, the shares are those of the other folds; test rows use "
    "those of all out-of-fold rows. "
)
ONE_CLASS = (
    "Accuracy is the share of images whose "
    "predicted class is the true one (top-1). Balanced accuracy is the mean over the classes of the recall, macro F1 "
    "that of F1, so each class counts the same. Cohen's kappa is 0 for predictions that are independent of the labels, "
    "and 1 for perfect ones. Log loss is the mean negative logarithm of the probability of the true class, the Brier "
    "score the mean of the squared differences between probabilities and label, summed over the classes (0 to 2). "
    "These scores count all classes."
)

REPEATS = (
    " The prediction of an image is the mean over the repeats, and is scored like that of a single split; scores of "
    "folds and repeats are of their own predictions. Blend, calibration and thresholds are judged by the folds of the "
    "first."
)


def methods(run: Run) -> list[tuple[str, str]]:
    """Topic and text of each paragraph."""
    metrics = run.metrics
    paragraphs = {
        "Out-of-fold rows": (
            f"The training images are split {counted(metrics.repeats, 'time') if metrics.repeats > 1 else 'once'} into "
            f"{metrics.folds} folds. For each fold, a model is trained on "
            f"{'earlier or unrelated rows' if WITHHELD in run.folds else 'the other folds'} and predicts the fold that "
            "it has not seen. Rows of a group are never in both, and copies that the audit lists are not, unless "
            "leaks.policy or given folds say so."
            f"{REPEATS if metrics.repeats > 1 else ''}"
        ),
        "Training": " ".join(_training(run)),
        "Test predictions and blend": (
            f"A model predicts test rows by {run.recipe.predicted_by}. Every choice is made on out-of-fold rows. What "
            "is fitted, a blend or a calibration, is fitted on all of them for the test rows. For the scores of this "
            "page, the rows of each fold are blended and calibrated by what was fitted on the other folds."
        ),
        "Submission": run.recipe.submission or "There is no test split, so there is no submission.",
        "ROC AUC and average precision": (
            "Both are exact, computed from ranks and not on a grid of thresholds. Ties count half (AUC) or share one "
            "threshold (average precision)."
        ),
    }
    if len(metrics.scored_classes) > 1:
        paragraphs["Several classes"] = (
            f"{'ROC AUC and average precision' if metrics.one_class_per_image else 'A score'} over all classes is the "
            "mean over the classes for which it is defined (macro average), each against all others. In a fold that "
            "has only one label of a class, that class does not count."
        )
    if metrics.one_class_per_image:
        paragraphs["Scores of predicted classes"] = (RELATIVE if metrics.threshold else HIGHEST) + ONE_CLASS
    else:
        paragraphs["Log loss, Brier score, accuracy, F1"] = (
            "Log loss is the mean negative log-likelihood, the Brier score the mean squared difference between score "
            f"and label. {_threshold(metrics.threshold)}"
        )
    if metrics.soft_label_entropy is not None:
        paragraphs["Soft labels"] = (
            "A soft label counts as the class with its largest share, the first of equal ones, in folds and in all "
            "scores but the soft cross entropy. That is the mean negative log-likelihood, weighted by the shares. It "
            f"is at least {metrics.soft_label_entropy:.4f}, the mean entropy of the labels."
        )
    paragraphs["Intervals"] = (
        f"Their coverage is {metrics.confidence:.0%}. The variance of a score is that of the jackknife over the "
        f"{counted(metrics.groups, 'group')}, to first order: how much the score moves if one group is left out. Whole "
        "groups count because images of one group are not independent. The interval is symmetric on the logit scale "
        "(the log scale for log loss), with a quantile of Student's t distribution; a score of exactly 0 or 1 has a "
        "Wilson interval. Where the sign ≈ stands, the effective number of groups, of the rarer label if a score "
        f"compares two, is below {FEW_GROUPS}: read such an interval as approximate. The intervals cover chance in "
        "the choice of images, not the variation between training runs."
    )
    if calibration := calibration_method(run):
        paragraphs["Calibration"] = calibration
    paragraphs["Expected calibration error"] = _calibration_error(metrics)
    return list(paragraphs.items())


def _calibration_error(metrics: Metrics) -> str:
    several = len(metrics.classes) > 1
    return (
        f"Mean over the {'pairs of image and class' if several else 'rows'} of the absolute difference between mean "
        f"score and share {'with the class' if several else 'of positives'} of their bin, with "
        f"{metrics.calibration_bins} bins of equal width."
    )


def _training(run: Run) -> Iterator[str]:
    """A sentence for each model, or for the settings of single folds of it."""
    for model in run.recipe.models:
        for words in dict.fromkeys(map(training_words, run.settings(model))):
            yield f"{model}: {words}."


def training_words(settings: TrainedModelSettings) -> str:
    """How a model was optimized, in words, without a full stop."""
    added = settings.optimizer
    words = (
        ["Adam"] if added.weight_decay == 0 else [f"AdamW with a weight decay of {added.weight_decay:g} for kernels"]
    )
    if added.layer_decay != 1:
        words.append(f"a learning rate times {added.layer_decay:g} for each block below the head")
    if added.clip_norm is not None:
        words.append(f"gradients shortened to a norm of {added.clip_norm:g}")
    if settings.ema_decay is not None:
        warm = ", less in the first steps" if settings.ema_warmup else ""
        words.append(f"an exponential average of the weights (decay {settings.ema_decay:g} per step{warm})")
    if settings.swa_epochs:
        words.append(f"the average of the weights at the ends of the last {counted(settings.swa_epochs, 'epoch')}")
    if settings.accumulate != 1:
        words.append(f"gradients of {settings.accumulate} parts of a batch added")
    if settings.normalization == "frozen":
        words.append("batch normalization of the backbone as in the initial weights")
    elif settings.normalization == "none":
        words.append("batch normalization of the backbone folded into its convolutions before the training")
    if settings.head_epochs:
        words.append(f"the head alone in the first {counted(settings.head_epochs, 'epoch')}")
    if settings.sampling.share != 1:
        words.append(_sampling_words(settings.sampling))
    for stage in settings.size_schedule:
        words.append(f"images of {stage.image_size} pixels in {counted(stage.epochs, 'epoch')}")
    if settings.prediction_size is not None:
        words.append(f"predictions with images of {settings.prediction_size} pixels")
    if settings.augment.views == "cycle":
        words.append("another view by flips and quarter turns of each image in each epoch")
    if settings.augment.operations is not None:
        words.append(f"{counted(settings.augment.operations, 'operation')} of the augmentation for each image")
    return ", ".join(words)


def _sampling_words(sampling: Sampling) -> str:
    hard = f", {sampling.hardest:.0%} of them those with the highest loss" if sampling.hardest else ""
    return (
        f"in each epoch at most so many rows of a class as {sampling.share:.3g} of the most frequent one{hard}, with "
        "the change of the prior added to the logits in the loss"
    )


def _threshold(threshold: float | str | None) -> str:
    if isinstance(threshold, str):
        return (
            f"Accuracy, F1, precision and recall use thresholds of each class by the rule {threshold}. Those of a fold "
            "are chosen on the other folds, so the scores are what the rule gives on new rows. Test rows use the "
            "thresholds of all out-of-fold rows."
        )
    return f"Accuracy, F1, precision and recall count a score of {threshold} or more as a prediction."
