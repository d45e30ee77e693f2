"""All figures of the report by name, as PNG bytes; `score_plots` and `training_plots` draw them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from foldline.dataset.label_arrays import label_array
from foldline.evaluation.oof import BLEND
from foldline.evaluation.results import Score
from foldline.images.composite import composite
from foldline.report import score_plots, training_plots
from foldline.report.figure_style import png_bytes, style
from foldline.report.images import label_text
from foldline.report.run import Run
from foldline.report.tables import shown_columns


@dataclass(frozen=True)
class FigureData:
    """What the figures show beside the run itself.

    Attributes:
        pairs: pairs of sample and class that are scored (`oof.Oof.pairs`).
        errors: those of `pairs` with the largest errors, the largest first.
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
    """Draw every figure of `captions.CAPTIONS`.

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
            labels, {fold: weights.classes for fold, weights in run.weights.items()}
        ),
        "folds": training_plots.folds(run.folds, run.class_names),
        "learning_curves": training_plots.learning_curves(run.histories),
        "architectures": training_plots.architectures(
            {model: run.provenances[model, 0].stages for model in run.recipe.models}
        ),
        "augmented_samples": training_plots.augmented_samples(data.sample_grids),
    }


def _score_figures(run: Run, data: FigureData) -> dict[str, Figure]:
    columns = shown_columns(run)
    scores = {column: run.metrics.models[column] for column in columns}
    bins = {column: score.calibration.bins for column, score in scores.items()}
    auc = {column: _title(name, "AUC", scores[column].auc) for column, name in columns.items()}
    precision = {column: _title(name, "AP", scores[column].average_precision) for column, name in columns.items()}
    return {
        "roc": score_plots.roc(data.pairs, auc),
        "precision_recall": score_plots.precision_recall(data.pairs, precision),
        "score_histogram": score_plots.score_histogram(data.pairs, columns),
        "calibration": score_plots.calibration(
            bins, {column: name for column, name in columns.items() if bins[column]}
        ),
        "most_wrong": score_plots.most_wrong(_scored_images(run, data)),
    }


def _title(name: str, metric: str, score: Score) -> str:
    return f"{name}\n{metric} {score.value:.4f}"


def _scored_images(run: Run, data: FigureData) -> list[score_plots.ScoredImage]:
    return [
        score_plots.ScoredImage(
            pixels=composite(data.images[row["id"]], data.channels),
            id=row["id"],
            label=row["class"] if len(run.class_names) > 1 else "label",
            target=row["target"],
            score=row[BLEND],
        )
        for row in data.errors.to_dict("records")
    ]
