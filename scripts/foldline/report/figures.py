"""All figures of the report by name, as PNG bytes; `score_plots` and `training_plots` draw them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from foldline.dataset.label_arrays import label_array
from foldline.evaluation.oof import BLEND
from foldline.evaluation.results import Score
from foldline.images.composite import composite
from foldline.report import score_plots, training_plots
from foldline.report.captions import CONFUSION
from foldline.report.figure_style import png_bytes, shortened, style
from foldline.report.images import label_text
from foldline.report.run import Run
from foldline.report.tables import shown_columns


@dataclass(frozen=True)
class FigureData:
    """What the figures show beside the run itself.

    Attributes:
        pairs: pairs of sample and class that are scored (`oof.Oof.pairs`).
        errors: the images with the largest errors, the largest first: some of `pairs`, or, if each image has exactly
            one class, `images.worst_predictions`.
        examples: rows of the fold table to show as training images.
        images: id -> pixels of the rows in `errors` and `examples`, uint8, (height, width, C).
        channels: names of the C channels; none for RGB images.
        sample_grids: model -> grid of augmented training images, uint8, (height, width, 1 or 3).
    """

    pairs: pd.DataFrame
    errors: pd.DataFrame
    examples: pd.DataFrame
    images: Mapping[str, npt.NDArray[np.uint8]]
    channels: Sequence[str]
    sample_grids: Mapping[str, npt.NDArray[np.uint8]]


def draw_figures(run: Run, data: FigureData) -> dict[str, bytes]:
    """Draw every figure of `captions.figure_names`.

    Returns:
        Name to PNG bytes; equal inputs give equal bytes.
    """
    with style():
        figures = {**_training_figures(run, data), **_score_figures(run, data)}
        return {name: png_bytes(figure) for name, figure in figures.items()}


def _training_figures(run: Run, data: FigureData) -> dict[str, Figure]:
    examples = [
        training_plots.LabeledImage(data.images[name], name, label_text(target, run.class_names))
        for name, target in zip(data.examples["id"], data.examples["target"], strict=True)
    ]
    labels = label_array(list(run.scored["target"]), run.class_names)
    return {
        "training_images": training_plots.training_images(examples, data.channels),
        "class_balance": training_plots.class_balance(
            labels, {member.fold: weights.classes for member, weights in run.weights.items() if member.repeat == 1}
        ),
        "folds": training_plots.folds(run.folds, run.class_names),
        "learning_curves": training_plots.learning_curves(run.histories),
        "architectures": training_plots.architectures({model: run.stages(model) for model in run.recipe.models}),
        "augmented_samples": training_plots.augmented_samples(data.sample_grids),
    }


def _score_figures(run: Run, data: FigureData) -> dict[str, Figure]:
    columns = shown_columns(run)
    scores = {column: run.metrics.models[column] for column in columns}
    panels = {name: scores[column].calibration.bins for column, name in columns.items()}
    if run.metrics.before_calibration is not None:
        panels["blend before calibration"] = run.metrics.before_calibration.bins
    panels = {name: bins for name, bins in panels.items() if bins}
    has_classes = len(run.metrics.classes) > 1
    mean = "mean " if len(run.metrics.scored_classes) > 1 else ""
    auc = {column: _title(name, f"{mean}AUC", scores[column].auc) for column, name in columns.items()}
    precision = {
        column: _title(name, f"{mean}AP", scores[column].average_precision) for column, name in columns.items()
    }
    return {
        "roc": score_plots.roc(data.pairs, auc),
        "precision_recall": score_plots.precision_recall(data.pairs, precision),
        "score_histogram": score_plots.score_histogram(data.pairs, columns, has_classes=has_classes),
        "calibration": score_plots.calibration(panels, {name: name for name in panels}, has_classes=has_classes),
        **_confusion_figure(run),
        "most_wrong": score_plots.most_wrong(_scored_images(run, data)),
    }


def _confusion_figure(run: Run) -> dict[str, Figure]:
    """The confusion matrix of the blend, of the first model if the blend is one of ranks; none of other labels."""
    names = {BLEND: shown_columns(run)[BLEND], **{model: model for model in run.recipe.models}}
    for column, name in names.items():
        matrix = run.metrics.models[column].confusion
        if matrix is not None and matrix.counts:
            return {CONFUSION: score_plots.confusion(matrix, run.class_names, name)}
    return {}


def _title(name: str, metric: str, score: Score) -> str:
    return f"{shortened(name)}\n" + (f"no {metric}" if score.value is None else f"{metric} {score.value:.4f}")


def _scored_images(run: Run, data: FigureData) -> list[score_plots.ScoredImage]:
    return [
        score_plots.ScoredImage(composite(data.images[row["id"]], data.channels), row["id"], *_text_and_color(run, row))
        for row in data.errors.to_dict("records")
    ]


def _text_and_color(run: Run, row: Mapping[Any, Any]) -> tuple[str, bool]:
    """Text under the id of an image with a large error, and whether its frame is red; `row` is one of `errors`."""
    if run.metrics.one_class_per_image:
        true, predicted = (shortened(run.class_names[row[key]], limit=13) for key in ("true", "predicted"))
        text = f"true: {true} {row['true_score']:.3f}\npred.: {predicted} {row['predicted_score']:.3f}"
        return text, row["true"] != row["predicted"]
    label = shortened(row["class"], limit=14) if len(run.class_names) > 1 else "label"
    return f"{label} {row['target']}, score {row[BLEND]:.3f}", bool(row["target"])
