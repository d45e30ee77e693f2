"""The figures of the report: each from tables to a matplotlib figure, and from there to bytes that never vary.

Draw inside of `style()`: it sets aside what a machine's own matplotlib settings say.
"""

import contextlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from foldline.composite import composite
from foldline.fold_rows import external_rows, scored_rows
from foldline.label_arrays import label_array
from foldline.metrics import cumulative_counts

INK, QUIET, GRID = "#1d2b3a", "#6b7785", "#e3e8ed"
POSITIVE, NEGATIVE = "#c8553d", "#4f7cac"
# Told apart by people with any kind of colour vision (Okabe and Ito, 2008); later folds take the first colours again.
FOLD_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#7f7f7f")
WIDTH = 10.0  # inches
DPI = 135
# Width of a panel in inches, by how many stand in a row.
PANEL_WIDTHS = {1: 4.8, 2: 4.2, 3: 3.33, 4: 2.5}
STYLE = {
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#b5bec8",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Matplotlib's own defaults and `STYLE` on top, whatever else is set on the machine."""
    with matplotlib.style.context(["default", STYLE]):
        yield


def png_bytes(figure: Figure) -> bytes:
    """PNG of a figure, without the version and date that would make equal figures differ."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def class_balance(labels: np.ndarray, weights: Mapping[int, Sequence[Mapping[str, Any]]]) -> Figure:
    """Rows of each label, and the weight of each label in the loss of each fold.

    Args:
        labels: 0 or 1, of the rows that are scored, (n_samples, n_classes).
        weights: fold -> the classes of the fold's weights file (name, positive_weight, negative_weight), in order.
    """
    if labels.shape[1] > 1:
        return _balance_of_classes(labels, weights)
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    counts = [int((labels == label).sum()) for label in (0, 1)]
    bars = left.barh(["negative", "positive"], counts, color=[NEGATIVE, POSITIVE], height=0.6)
    left.bar_label(bars, [f"{count:,} rows, {count / len(labels):.1%}" for count in counts], padding=4)
    left.set(title="Rows by label", xlabel="rows", xlim=(0, 1.3 * max(counts)))
    left.grid(visible=False)
    numbers = sorted(weights)
    for label, colour, marker in (("negative", NEGATIVE, "o"), ("positive", POSITIVE, "s")):
        values = [weights[number][0][f"{label}_weight"] for number in numbers]
        right.plot(numbers, values, color=colour, marker=marker, linestyle=":", label=f"{label} rows")
    highest = max(row[f"{label}_weight"] for (row,) in weights.values() for label in ("positive", "negative"))
    right.set(title="Weight in the loss", xlabel="fold held out", ylabel="weight of a row", ylim=(0, 1.35 * highest))
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.legend(loc="upper right", ncols=2)
    return figure


def _balance_of_classes(labels: np.ndarray, weights: Mapping[int, Sequence[Mapping[str, Any]]]) -> Figure:
    """Counts and weights side by side, a line per class."""
    names = [_shortened(row["name"], limit=32) for row in next(iter(weights.values()))]
    places = np.arange(len(names))
    figure = Figure(figsize=(WIDTH, 1.2 + 0.24 * len(names)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2], sharey=True)
    counts = labels.sum(axis=0)
    bars = left.barh(places, counts, color=POSITIVE, height=0.66)
    left.bar_label(bars, [f"{count:,}, {count / len(labels):.1%}" for count in counts], padding=4, fontsize=8)
    left.set(title="Rows of each class", xlabel="rows", xlim=(0, 1.3 * max(1, counts.max())))
    left.set_yticks(places, names)
    left.invert_yaxis()
    left.grid(visible=False)
    highest = 0.0
    for label, colour, marker in (("negative", NEGATIVE, "o"), ("positive", POSITIVE, "s")):
        values = np.array([[row[f"{label}_weight"] for row in weights[number]] for number in sorted(weights)])
        right.plot(values.T, places, color=colour, marker=marker, markersize=4, linestyle="none", alpha=0.6)
        right.plot([], [], color=colour, marker=marker, linestyle="none", label=f"{label} rows, a mark per fold")
        highest = max(highest, values.max())
    right.set(title="Weight in the loss", xlabel="weight of a row", xlim=(0, 1.1 * highest))
    right.legend(loc="upper left", bbox_to_anchor=(0, -0.6 / (0.24 * len(names) + 0.6)), ncols=1)
    return figure


def folds(table: pd.DataFrame, class_names: Sequence[str]) -> Figure:
    """Negatives and positives in each fold, stacked, and how many external rows each withholds.

    Of several classes: how many positives of each class each fold has.

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
        f"{size:,} rows, {positive:,} positive ({positive / size:.1%})"
        for size, positive in zip(rows["size"], positives, strict=True)
    ]
    label, room = "rows", 1.3
    if len(external):
        withheld = [int((external["fold"] == number).sum()) for number in numbers]
        texts = [f"{text}; {count:,} external withheld" for text, count in zip(texts, withheld, strict=True)]
        label = f"rows; beside them {len(external):,} external rows, {sum(withheld):,} of them withheld from a fold"
        room = 1.55
    axes.bar_label(bars, texts, padding=4)
    axes.set(xlabel=label, xlim=(0, room * rows["size"].max()))
    axes.invert_yaxis()
    axes.grid(visible=False)
    figure.legend(loc="outside upper left", ncols=2)
    return figure


def _classes_in_folds(labels: np.ndarray, folds: np.ndarray, class_names: Sequence[str]) -> Figure:
    """A table of counts, the shade of a cell being the fold's share of the class."""
    numbers = sorted(set(folds.tolist()))
    counts = np.array([labels[folds == number].sum(axis=0) for number in numbers])
    total = np.maximum(counts.sum(axis=0), 1)
    rows = [int((folds == number).sum()) for number in numbers]
    figure = Figure(figsize=(WIDTH, 1.6 + 0.36 * len(numbers)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts / total, cmap="Blues", vmin=0, vmax=min(1.0, 3 / len(numbers)), aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=7, color=INK)
    axes.set_xticks(range(len(class_names)), [_shortened(name) for name in class_names], rotation=45, ha="right")
    axes.set_yticks(
        range(len(numbers)), [f"fold {fold}: {size:,} rows" for fold, size in zip(numbers, rows, strict=True)]
    )
    axes.grid(visible=False)
    return figure


def learning_curves(histories: Mapping[tuple[str, int], pd.DataFrame]) -> Figure:
    """Loss, AUC and learning rate over the epochs; a row of panels per model, a colour per fold.

    Args:
        histories: (model, fold) -> epoch, learning_rate, loss, val_loss, val_auc.
    """
    models = sorted({model for model, _ in histories})
    figure = Figure(figsize=(WIDTH, 0.3 + 2.7 * len(models)), layout="constrained")
    panels = figure.subplots(len(models), 3, squeeze=False, width_ratios=[3, 3, 2])
    for model, (loss, area, rate) in zip(models, panels, strict=True):
        for fold in sorted(fold for name, fold in histories if name == model):
            history, colour = histories[model, fold], _fold_colour(fold)
            # A single epoch is a point, which a line does not show.
            dot = "o" if len(history) == 1 else None
            loss.plot(history["epoch"], history["loss"], color=colour, linestyle="--", linewidth=1, marker=dot)
            loss.plot(history["epoch"], history["val_loss"], color=colour, marker=dot)
            area.plot(history["epoch"], history["val_auc"], color=colour, marker=dot, label=f"fold {fold}")
            rate.plot(history["epoch"], history["learning_rate"], color=colour, marker=dot)
        loss.plot([], [], color=QUIET, linestyle="--", linewidth=1, label="training rows")
        loss.plot([], [], color=QUIET, label="fold held out")
        loss.set(title=f"{model}: loss", xlabel="epoch", ylabel="loss")
        area.set(title="AUC on the fold held out", xlabel="epoch", ylabel="ROC AUC")
        # From zero, so that a decay shows as what it is.
        rate.set(title="learning rate", xlabel="epoch", ylim=(0, None))
        rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        loss.legend()
        area.legend(ncols=2)
        for axes in (loss, area, rate):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def training_images(pictures: Sequence[tuple[np.ndarray, str, str]], channels: Sequence[str]) -> Figure:
    """Pictures with id and labels; a line per sample where there are channels: all in colours, then each alone.

    Args:
        pictures: (pixels, id, labels); pixels uint8, (height, width, C).
        channels: names of the C channels; none for RGB images.
    """
    columns = 1 + len(channels) if channels else 6
    rows = len(pictures) if channels else max(1, math.ceil(len(pictures) / columns))
    figure = Figure(figsize=(WIDTH, (WIDTH / columns + 0.35) * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    shown = []
    for pixels, name, labels in pictures:
        shown.append((composite(pixels, channels), f"{_shortened(name)}\n{_shortened(labels, limit=40)}"))
        shown += [(_coloured(pixels[:, :, [place]]), channel) for place, channel in enumerate(channels)]
    for axes, (pixels, title) in zip(panels.flat, shown, strict=False):
        axes.imshow(pixels)
        axes.set_title(title, fontsize=7.5, weight="normal")
    return figure


def architectures(outlines: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Stages of networks from the image to the logits, a line per model.

    Args:
        outlines: model -> stages of `networks.outline`. The side of a box grows with the logarithm of the picture's
            side, its shade with that of the channels or units.
    """
    figure = Figure(figsize=(WIDTH, 1.9 * len(outlines)), layout="constrained")
    panels = figure.subplots(len(outlines), 1, squeeze=False)
    for axes, (model, stages) in zip(panels.flat, outlines.items(), strict=True):
        for place, stage in enumerate(stages):
            *sides, units = stage["shape"]
            height = 0.12 * math.log2(sides[0]) + 0.1 if sides else 0.1
            width = height if sides else 0.45
            shade = min(1.0, 0.15 + 0.06 * math.log2(units))
            colour = POSITIVE if stage["metadata"] else NEGATIVE
            left = place - width / 2
            axes.add_patch(Rectangle((left, -height / 2), width, height, facecolor=colour, alpha=shade, edgecolor=INK))
            told = " x ".join(str(number) for number in stage["shape"])
            words = f"{told}\n{stage['layers']} layer{'s' * (stage['layers'] > 1)}\n{_weights(stage['parameters'])}"
            axes.text(place, -0.68, words, ha="center", va="top", fontsize=7, color=INK)
        axes.set(xlim=(-0.6, len(stages) - 0.4), ylim=(-1.35, 0.65))
        axes.set_title(model)
        axes.set_axis_off()
    return figure


def _weights(count: int) -> str:
    return f"{count / 1e6:.2f}M weights" if count >= 1e6 else f"{count / 1e3:.1f}k weights" if count else "no weights"


def augmented_samples(grids: Mapping[str, np.ndarray]) -> Figure:
    """Ready-made grids of training images and augmented versions of them, one below the other.

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
        axes.imshow(_coloured(pixels))
        axes.set_title(model)
        axes.set_axis_off()
    return figure


def roc(table: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """ROC curve of every fold, or of every class where there are several, and of all rows; a panel per score column.

    Args:
        table: pairs of sample and class (`oof.Oof.pairs`): fold, class, target and the score columns.
        titles: score column -> title of its panel.
    """
    figure, panels = _panels(titles, 1.0)
    for axes, column in zip(panels, titles, strict=True):
        for name, rows, line in _parts(table):
            true, false = cumulative_counts(rows["target"].to_numpy(), rows[column].to_numpy())
            axes.plot(false / false[-1], true / true[-1], label=name, **line)
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":", label="chance")
        axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.set_aspect("equal")
    return _with_legend(figure, panels[0])


def precision_recall(table: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Precision over recall of the same parts as in `roc`; see there for the arguments."""
    figure, panels = _panels(titles, 1.0)
    share = table["target"].mean()
    for axes, column in zip(panels, titles, strict=True):
        for name, rows, line in _parts(table):
            true, false = cumulative_counts(rows["target"].to_numpy(), rows[column].to_numpy())
            # Steps, as the average precision counts: between two thresholds nothing is interpolated.
            axes.step(true[1:] / true[-1], true[1:] / (true + false)[1:], where="pre", label=name, **line)
        axes.axhline(share, color=QUIET, linewidth=0.8, linestyle=":", label="chance")
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.set_aspect("equal")
    return _with_legend(figure, panels[0])


def score_histogram(table: pd.DataFrame, titles: Mapping[str, str], *, bins: int = 25) -> Figure:
    """Share of each label's rows by score; see `roc` for the arguments."""
    figure, panels = _panels(titles, 0.7)
    for axes, column in zip(panels, titles, strict=True):
        for label, name, colour in ((0, "negative", NEGATIVE), (1, "positive", POSITIVE)):
            scores = table.loc[table["target"] == label, column].to_numpy()
            axes.hist(
                scores,
                bins=np.linspace(0, 1, bins + 1),
                weights=np.full(len(scores), 1 / len(scores)),
                histtype="stepfilled",
                color=colour,
                alpha=0.5,
                edgecolor=colour,
                label=f"{name} ({len(scores):,})",
            )
        axes.set(xlabel="out-of-fold score", ylabel="share of the label's rows", xlim=(0, 1))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return _with_legend(figure, panels[0])


def calibration(bins: Mapping[str, Sequence[Mapping[str, Any]]], titles: Mapping[str, str]) -> Figure:
    """Share of positives over mean score, with 95% intervals, above how many rows each bin has.

    Args:
        bins: score column -> its reliability table.
        titles: score column -> title of its panel.
    """
    columns, rows = _grid(len(titles))
    width = PANEL_WIDTHS[columns]
    figure = Figure(figsize=(columns * width, (1.25 * width + 0.6) * rows), layout="constrained")
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[3.2, 1] * rows)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, (column, title) in enumerate(titles.items()):
        row, place = divmod(number, columns)
        above, below = grid[2 * row, place], grid[2 * row + 1, place]
        filled = [line for line in bins[column] if line["rows"]]
        score = np.array([line["mean_score"] for line in filled])
        share = np.array([line["positive_share"] for line in filled])
        reach = [
            share - np.array([line["share_low"] for line in filled]),
            np.array([line["share_high"] for line in filled]) - share,
        ]
        above.set_axis_on()
        above.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":", label="perfect")
        above.errorbar(
            score, share, yerr=np.maximum(reach, 0), color=INK, marker="o", markersize=4, linewidth=1, label="observed"
        )
        above.set(title=title, ylabel="share of positives", xlim=(0, 1), ylim=(-0.01, 1.01))
        above.legend(loc="upper left")
        below.set_axis_on()
        edges = [line["low"] for line in bins[column]]
        heights = [line["rows"] for line in bins[column]]
        below.bar(edges, heights, width=1 / len(edges), align="edge", color="#a9b4bf", edgecolor="white")
        # Logarithmic, for with rare positives nearly all rows stand in the first bin; 0.7 shows a single row.
        below.set(xlabel="out-of-fold score", ylabel="rows", xlim=(0, 1), yscale="log", ylim=(0.7, 2 * max(heights)))
    return figure


def most_wrong(pictures: Sequence[tuple[np.ndarray, str, str, int, float]]) -> Figure:
    """Pictures with id, label and score; the frame has the colour of the true label.

    Args:
        pictures: (pixels, id, what the label is called, target, score); pixels uint8, (height, width, 1 or 3).
    """
    columns = 6
    rows = max(1, math.ceil(len(pictures) / columns))
    figure = Figure(figsize=(WIDTH, 2.02 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, (pixels, name, label, target, score) in zip(panels.flat, pictures, strict=False):
        axes.set_axis_on()
        axes.imshow(_coloured(pixels))
        axes.set(xticks=[], yticks=[])
        words = f"{_shortened(name)}\n{_shortened(label, limit=14)} {target}, score {score:.3f}"
        axes.set_title(words, fontsize=7.5, weight="normal")
        for side in axes.spines.values():
            side.set(visible=True, color=POSITIVE if target else NEGATIVE, linewidth=2.5)
    return figure


def _coloured(pixels: np.ndarray) -> np.ndarray:
    """Three equal channels of a grey picture, whose values a grey colour map would round once more."""
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def _fold_colour(fold: int) -> str:
    return FOLD_COLOURS[fold % len(FOLD_COLOURS)]


def _grid(count: int) -> tuple[int, int]:
    """Columns and rows for some panels, with as few empty places as three or four columns allow."""
    columns = count if count <= 4 else min((3, 4), key=lambda columns: -count % columns)
    return columns, math.ceil(count / columns)


def _panels(titles: Mapping[str, str], shape: float) -> tuple[Figure, list[Axes]]:
    """A figure with a panel per title, `shape` times as high as wide."""
    columns, rows = _grid(len(titles))
    width = PANEL_WIDTHS[columns]
    figure = Figure(figsize=(columns * width, (shape * width + 0.3) * rows + 0.3), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, title in zip(panels, titles.values(), strict=False):
        axes.set_title(title)
    for axes in panels[len(titles) :]:
        axes.set_axis_off()
    return figure, panels[: len(titles)]


def _with_legend(figure: Figure, axes: Axes) -> Figure:
    """One legend below all panels, which have the same lines."""
    handles, labels = axes.get_legend_handles_labels()
    columns = max(2, min(len(labels), round(0.9 * figure.get_figwidth())))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
    return figure


def _parts(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, dict[str, Any]]]:
    """Every fold, or every class where there are several, and then all rows: name, rows, and how the line looks.

    A class without both labels has no line.
    """
    several = table["class"].nunique() > 1
    for number, (name, rows) in enumerate(table.groupby("class" if several else "fold", sort=not several)):
        if rows["target"].nunique() == 2:
            shown = _shortened(name) if several else f"fold {name}"
            yield shown, rows, {"color": _fold_colour(number), "linewidth": 0.9, "alpha": 0.8}
    yield "all rows and classes" if several else "all rows", table, {"color": INK, "linewidth": 2}


def _shortened(name: str, *, limit: int = 22) -> str:
    """A name that fits above a picture: the middle of a long one gives way."""
    if len(name) <= limit:
        return name
    return f"{name[: limit // 2 - 1]}…{name[-(limit // 2) :]}"
