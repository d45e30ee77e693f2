"""The figures of the report that show data and training: classes, folds, learning curves, images, architectures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from foldline.dataset.label_arrays import label_array
from foldline.errors import counted
from foldline.images.composite import composite
from foldline.io.result_paths import Member
from foldline.models.stage import Stage
from foldline.report.figure_style import INK, NEGATIVE, POSITIVE, QUIET, WIDTH, colored, fold_color, shortened
from foldline.splits.class_weights import ClassWeights
from foldline.splits.fold_membership import external_rows, scored_rows

LABEL_STYLES = (("negative", NEGATIVE, "o"), ("positive", POSITIVE, "s"))


@dataclass(frozen=True)
class LabeledImage:
    """An image with its label.

    Attributes:
        pixels: uint8, (height, width, C).
        id: id of the sample.
        label: its label as text.
    """

    pixels: npt.NDArray[np.uint8]
    id: str
    label: str


def class_balance(labels: npt.NDArray[np.int64], weights: Mapping[int, Sequence[ClassWeights]]) -> Figure:
    """Rows of each label, and the weight of each label in the loss of each fold.

    Args:
        labels: 0 or 1, of the rows that are scored, (n_samples, n_classes).
        weights: fold -> weights of each class, in order.
    """
    if labels.shape[1] > 1:
        return _balance_of_classes(labels, weights)
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    counts = [int((labels == label).sum()) for label in (0, 1)]
    bars = left.barh(["negative", "positive"], counts, color=[NEGATIVE, POSITIVE], height=0.6)
    left.bar_label(bars, [f"{counted(count, 'row')}, {count / len(labels):.1%}" for count in counts], padding=4)
    left.set(title="Rows by label", xlabel="rows", xlim=(0, 1.3 * max(counts)))
    left.grid(visible=False)
    numbers = sorted(weights)
    highest = 0.0
    for label, color, marker in LABEL_STYLES:
        values = [_weight(weights[number][0], label) for number in numbers]
        right.plot(numbers, values, color=color, marker=marker, linestyle=":", label=f"{label} rows")
        highest = max(highest, *values)
    right.set(title="Weight in the loss", xlabel="fold held out", ylabel="weight of a row", ylim=(0, 1.35 * highest))
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.legend(loc="upper right", ncols=2)
    return figure


def _balance_of_classes(labels: npt.NDArray[np.int64], weights: Mapping[int, Sequence[ClassWeights]]) -> Figure:
    """Counts and weights next to each other, one row per class."""
    names = [shortened(row.name, limit=32) for row in next(iter(weights.values()))]
    y = np.arange(len(names))
    figure = Figure(figsize=(WIDTH, 1.2 + 0.24 * len(names)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2], sharey=True)
    counts = labels.sum(axis=0)
    bars = left.barh(y, counts, color=POSITIVE, height=0.66)
    left.bar_label(bars, [f"{count:,}, {count / len(labels):.1%}" for count in counts], padding=4, fontsize=8)
    left.set(title="Rows of each class", xlabel="rows", xlim=(0, 1.3 * max(1, counts.max())))
    left.set_yticks(y, names)
    left.invert_yaxis()
    left.grid(visible=False)
    highest = 0.0
    every = [row for number in sorted(weights) for row in weights[number]]
    one_weight = all(row.positive_weight == row.negative_weight for row in every)
    for label, color, marker in LABEL_STYLES[1:] if one_weight else LABEL_STYLES:
        values = np.array([[_weight(row, label) for row in weights[number]] for number in sorted(weights)])
        right.plot(values.T, y, color=color, marker=marker, markersize=4, linestyle="none", alpha=0.6)
        kind = "rows of the class" if one_weight else f"{label} rows"
        right.plot([], [], color=color, marker=marker, linestyle="none", label=f"{kind}, a mark per fold")
        highest = max(highest, values.max())
    right.set(title="Weight in the loss", xlabel="weight of a row", xlim=(0, 1.1 * highest))
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=2)
    return figure


def _weight(weights: ClassWeights, label: str) -> float:
    return weights.positive_weight if label == "positive" else weights.negative_weight


def folds(table: pd.DataFrame, class_names: Sequence[str]) -> Figure:
    """Negatives and positives of each fold as stacked bars, with the number of external rows that it withholds.

    With several classes: a table of the positives of each class in each fold.

    Args:
        table: fold table, external rows included.
        class_names: (n_classes,).
    """
    scored, external = scored_rows(table), external_rows(table)
    numbers = sorted(scored["fold"].unique())
    labels = label_array(list(scored["target"]), class_names)
    if len(class_names) > 1:
        return _classes_in_folds(labels, scored["fold"].to_numpy(), class_names)
    rows = scored.assign(positive=labels[:, 0]).groupby("fold")["positive"].agg(["size", "sum"]).loc[numbers]
    negatives, positives = rows["size"] - rows["sum"], rows["sum"]
    figure = Figure(figsize=(WIDTH, 1.1 + 0.36 * len(numbers)), layout="constrained")
    axes = figure.subplots()
    names = [f"fold {number}" for number in numbers]
    axes.barh(names, negatives, color=NEGATIVE, height=0.66, label="negative")
    bars = axes.barh(names, positives, left=negatives, color=POSITIVE, height=0.66, label="positive")
    texts = [
        f"{counted(size, 'row')}, {positive:,} positive ({positive / size:.1%})"
        for size, positive in zip(rows["size"], positives, strict=True)
    ]
    label, room = "rows", 1.3
    if len(external):
        withheld = [int((external["fold"] == number).sum()) for number in numbers]
        texts = [f"{text}; {count:,} external withheld" for text, count in zip(texts, withheld, strict=True)]
        beside = counted(len(external), "external row")
        label = f"rows; beside them {beside}, {sum(withheld):,} of them withheld from a fold"
        room = 1.55
    axes.bar_label(bars, texts, padding=4)
    axes.set(xlabel=label, xlim=(0, room * rows["size"].max()))
    axes.invert_yaxis()
    axes.grid(visible=False)
    figure.legend(loc="outside upper left", ncols=2)
    return figure


def _classes_in_folds(
    labels: npt.NDArray[np.int64], folds: npt.NDArray[np.int64], class_names: Sequence[str]
) -> Figure:
    """A table of counts; the shade of a cell is the fold's share of the class."""
    numbers = sorted(set(folds.tolist()))
    counts = np.array([labels[folds == number].sum(axis=0) for number in numbers])
    total = np.maximum(counts.sum(axis=0), 1)
    rows = [int((folds == number).sum()) for number in numbers]
    figure = Figure(figsize=(WIDTH, 1.6 + 0.36 * len(numbers)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts / total, cmap="Blues", vmin=0, vmax=min(1.0, 3 / len(numbers)), aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=7, color=INK)
    axes.set_xticks(range(len(class_names)), [shortened(name) for name in class_names], rotation=45, ha="right")
    axes.set_yticks(
        range(len(numbers)), [f"fold {fold}: {counted(size, 'row')}" for fold, size in zip(numbers, rows, strict=True)]
    )
    axes.grid(visible=False)
    return figure


def learning_curves(histories: Mapping[tuple[str, Member], pd.DataFrame]) -> Figure:
    """Loss, AUC, accuracy and learning rate over the epochs; one row of panels per model, one color per fold.

    Args:
        histories: (model, member) -> epoch, learning_rate; loss, auc and accuracy of the training rows; val_loss,
            val_auc and val_accuracy of the held-out fold.
    """
    models = sorted({model for model, _ in histories})
    figure = Figure(figsize=(WIDTH, 0.3 + 2.7 * len(models)), layout="constrained")
    panels = figure.subplots(len(models), 4, squeeze=False, width_ratios=[3, 3, 3, 2])
    for model, (*measured, rate) in zip(models, panels, strict=True):
        for member in sorted(member for name, member in histories if name == model):
            history, color = histories[model, member], fold_color(member.fold)
            label = member.title if member.repeat == 1 else None
            # A line through a single epoch is invisible.
            dot = "o" if len(history) == 1 else None
            for axes, name in zip(measured, ("loss", "auc", "accuracy"), strict=True):
                axes.plot(history["epoch"], history[name], color=color, linestyle="--", linewidth=1, marker=dot)
                axes.plot(history["epoch"], history[f"val_{name}"], color=color, marker=dot, label=label)
            rate.plot(history["epoch"], history["learning_rate"], color=color, marker=dot)
        loss, area, accuracy = measured
        accuracy.plot([], [], color=QUIET, linestyle="--", linewidth=1, label="training rows")
        accuracy.plot([], [], color=QUIET, label="fold held out")
        loss.set(title=f"{model}: loss", xlabel="epoch")
        area.set(title="ROC AUC", xlabel="epoch")
        accuracy.set(title="accuracy", xlabel="epoch")
        # From zero, so that the decay is to scale.
        rate.set(title="learning rate", xlabel="epoch", ylim=(0, None))
        rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        area.legend(ncols=2)
        accuracy.legend(handles=accuracy.lines[-2:])
        for axes in (*measured, rate):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def training_images(images: Sequence[LabeledImage], channels: Sequence[str]) -> Figure:
    """Images with id and label; with channels one row per sample: first the color composite, then each channel alone.

    Args:
        images: the images; C channels each.
        channels: names of the C channels; none for RGB images.
    """
    columns = 1 + len(channels) if channels else 6
    rows = len(images) if channels else max(1, math.ceil(len(images) / columns))
    figure = Figure(figsize=(WIDTH, (WIDTH / columns + 0.35) * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    titled = []
    for image in images:
        title = f"{shortened(image.id)}\n{shortened(image.label, limit=40)}"
        titled.append((composite(image.pixels, channels), title))
        titled += [(colored(image.pixels[:, :, [index]]), channel) for index, channel in enumerate(channels)]
    for axes, (pixels, title) in zip(panels.flat, titled, strict=False):
        axes.imshow(pixels)
        axes.set_title(title, fontsize=7.5, weight="normal")
    return figure


def architectures(stages: Mapping[str, Sequence[Stage]]) -> Figure:
    """Stages of networks from the image to the logits, one row per model.

    The side of a box grows with the logarithm of the resolution, its shade with that of the channels or units.

    Args:
        stages: model -> stages of its network, from the input to the logits.
    """
    figure = Figure(figsize=(WIDTH, 1.9 * len(stages)), layout="constrained")
    panels = figure.subplots(len(stages), 1, squeeze=False)
    for axes, (model, boxes) in zip(panels.flat, stages.items(), strict=True):
        for x, stage in enumerate(boxes):
            *sides, units = stage.shape
            height = 0.12 * math.log2(sides[0]) + 0.1 if sides else 0.1
            width = height if sides else 0.45
            shade = min(1.0, 0.15 + 0.06 * math.log2(units))
            color = POSITIVE if stage.metadata else NEGATIVE
            corner = (x - width / 2, -height / 2)
            axes.add_patch(Rectangle(corner, width, height, facecolor=color, alpha=shade, edgecolor=INK))
            axes.text(x, -0.68, _stage_text(stage), ha="center", va="top", fontsize=7, color=INK)
        axes.set(xlim=(-0.6, len(boxes) - 0.4), ylim=(-1.35, 0.65))
        axes.set_title(model)
        axes.set_axis_off()
    return figure


def _stage_text(stage: Stage) -> str:
    shape = " x ".join(str(number) for number in stage.shape)
    return f"{shape}\n{stage.layers} layer{'s' * (stage.layers > 1)}\n{_parameter_text(stage.parameters)}"


def _parameter_text(count: int) -> str:
    return f"{count / 1e6:.2f}M weights" if count >= 1e6 else f"{count / 1e3:.1f}k weights" if count else "no weights"


def augmented_samples(grids: Mapping[str, npt.NDArray[np.uint8]]) -> Figure:
    """Grids of training images and augmented versions of them, one grid per model.

    Args:
        grids: model -> pixels, uint8, (height, width, 1 or 3); may be empty.
    """
    if not grids:
        figure = Figure(figsize=(WIDTH, 0.6), layout="constrained")
        figure.text(0.01, 0.5, "No model sees images, so there are no augmented images.", va="center", color=QUIET)
        return figure
    shapes = [WIDTH * pixels.shape[0] / pixels.shape[1] for pixels in grids.values()]
    figure = Figure(figsize=(WIDTH, sum(shapes) + 0.35 * len(shapes)), layout="constrained")
    panels = figure.subplots(len(grids), 1, squeeze=False, height_ratios=shapes)
    for axes, (model, pixels) in zip(panels.flat, grids.items(), strict=True):
        axes.imshow(colored(pixels))
        axes.set_title(model)
        axes.set_axis_off()
    return figure
