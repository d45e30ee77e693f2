"""The figures of the report that show scores: curves, histograms, calibration, images with the largest errors."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from foldline.evaluation.calibration import ReliabilityBin
from foldline.evaluation.metrics import cumulative_counts
from foldline.evaluation.results import Confusion
from foldline.report.figure_style import INK, NEGATIVE, POSITIVE, QUIET, WIDTH, colored, fold_color, shortened

# Width of a panel in inches, by the number of panels in a row.
PANEL_WIDTHS = {1: 4.8, 2: 4.2, 3: 3.33, 4: 2.5}
# Size of a legend of 8 points in inches: a line with its gaps, a character of common width, a row.
LEGEND_HANDLE, LEGEND_CHARACTER, LEGEND_ROW = 0.6, 0.07, 0.17
# Up to this number of classes the cells of a confusion matrix have room for their counts.
MOST_COUNTED_CLASSES = 25


@dataclass(frozen=True)
class ScoredImage:
    """An image with its label and score.

    Attributes:
        pixels: uint8, (height, width, 1 or 3).
        id: id of the sample.
        text: its label and blended out-of-fold score, one or two lines.
        is_red: whether its frame is red instead of blue.
    """

    pixels: npt.NDArray[np.uint8]
    id: str
    text: str
    is_red: bool


def roc(table: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """ROC curves, one panel per score column: one line per fold (or per class if there are several), one of all rows.

    Args:
        table: pairs of sample and class (`oof.Oof.pairs`): fold, class, target and the score columns.
        titles: score column -> title of its panel.
    """
    figure, panels = _panels(titles, 1.0)
    for axes, column in zip(panels, titles, strict=True):
        for name, rows, line in _curves(table):
            true, false = cumulative_counts(rows["target"].to_numpy(), rows[column].to_numpy())
            axes.plot(false / false[-1], true / true[-1], label=name, **line)
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":", label="chance")
        axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.set_aspect("equal")
    return _with_legend(figure, panels[0])


def precision_recall(table: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Precision over recall, with the same lines and arguments as `roc`."""
    figure, panels = _panels(titles, 1.0)
    share = table["target"].mean()
    for axes, column in zip(panels, titles, strict=True):
        for name, rows, line in _curves(table):
            true, false = cumulative_counts(rows["target"].to_numpy(), rows[column].to_numpy())
            # Steps, because average precision does not interpolate between thresholds; the first one starts at 0.
            precision = true[1:] / (true + false)[1:]
            axes.step(true / true[-1], np.append(precision[:1], precision), where="pre", label=name, **line)
        axes.axhline(share, color=QUIET, linewidth=0.8, linestyle=":", label="chance")
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.set_aspect("equal")
    return _with_legend(figure, panels[0])


def score_histogram(
    table: pd.DataFrame, titles: Mapping[str, str], *, has_classes: bool = False, bins: int = 25
) -> Figure:
    """Histogram of the scores of each label, as shares of its rows.

    Args:
        table: as in `roc`.
        titles: as in `roc`.
        has_classes: whether labels are classes instead of positives and negatives.
        bins: number of bins.
    """
    names = ("without the class", "with the class") if has_classes else ("negative", "positive")
    figure, panels = _panels(titles, 0.7)
    for axes, column in zip(panels, titles, strict=True):
        for label, name, color in zip((0, 1), names, (NEGATIVE, POSITIVE), strict=True):
            scores = table.loc[table["target"] == label, column].to_numpy()
            axes.hist(
                scores,
                bins=list(np.linspace(0, 1, bins + 1)),
                weights=np.full(len(scores), 1 / len(scores)),
                histtype="stepfilled",
                color=color,
                alpha=0.5,
                edgecolor=color,
                label=f"{name} ({len(scores):,})",
            )
        axes.set(xlabel="out-of-fold score", ylabel="share of the label's rows", xlim=(0, 1))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    return _with_legend(figure, panels[0])


def calibration(
    bins: Mapping[str, Sequence[ReliabilityBin]], titles: Mapping[str, str], *, has_classes: bool = False
) -> Figure:
    """Share of positives over mean score, with intervals; below it the number of rows in each bin.

    Args:
        bins: score column -> its reliability table.
        titles: score column -> title of its panel.
        has_classes: whether labels are classes instead of positives and negatives.
    """
    columns, rows = _grid(len(titles))
    width = PANEL_WIDTHS[columns]
    name = "share with the class" if has_classes else "share of positives"
    figure = Figure(figsize=(columns * width, (1.25 * width + 0.6) * rows), layout="constrained")
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[3.2, 1] * rows)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, (column, title) in enumerate(titles.items()):
        row, index = divmod(number, columns)
        _reliability_curve(grid[2 * row, index], bins[column], title, name)
        _bin_counts(grid[2 * row + 1, index], bins[column])
    return figure


def _reliability_curve(axes: Axes, bins: Sequence[ReliabilityBin], title: str, name: str) -> None:
    filled = [line for line in bins if line.share_low is not None]
    score = np.array([line.mean_score for line in filled])
    share = np.array([line.positive_share for line in filled])
    reach = [
        share - np.array([line.share_low for line in filled]),
        np.array([line.share_high for line in filled]) - share,
    ]
    axes.set_axis_on()
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":", label="perfect")
    axes.errorbar(
        score, share, yerr=np.maximum(reach, 0), color=INK, marker="o", markersize=4, linewidth=1, label="observed"
    )
    axes.set(title=title, ylabel=name, xlim=(0, 1), ylim=(-0.01, 1.01))
    axes.legend(loc="upper left")


def _bin_counts(axes: Axes, bins: Sequence[ReliabilityBin]) -> None:
    axes.set_axis_on()
    edges = [line.low for line in bins]
    heights = [line.rows for line in bins]
    axes.bar(edges, heights, width=1 / len(edges), align="edge", color="#a9b4bf", edgecolor="white")
    # Logarithmic, because rare positives put nearly all rows into the first bin; the limit of 0.7 shows a single row.
    axes.set(xlabel="out-of-fold score", ylabel="rows", xlim=(0, 1), yscale="log", ylim=(0.7, 2 * max(heights)))


def confusion(matrix: Confusion, class_names: Sequence[str], title: str) -> Figure:
    """Counts of true and predicted classes; the shade of a cell is its share of the true class.

    Args:
        matrix: the counts, with at least one row.
        class_names: (n_classes,).
        title: title of the figure.
    """
    size, names = len(class_names), [shortened(name, limit=18) for name in class_names]
    # A cell has room for five digits up to 25 classes; with more classes the shade alone is shown.
    edge = min(max(2.4 + 0.46 * size, 4.2), WIDTH)
    figure = Figure(figsize=(edge + 1.4, edge), layout="compressed")
    axes = figure.subplots()
    shares = np.array(matrix.row_shares, dtype=np.float64)
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(np.array(matrix.counts)) if size <= MOST_COUNTED_CLASSES else ():
        color = "white" if shares[row, column] > 0.6 else INK
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=7, color=color)
    font = 9 if size <= MOST_COUNTED_CLASSES else 5
    axes.set_xticks(range(size), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=font)
    axes.set_yticks(range(size), names, fontsize=font)
    axes.set(title=title, xlabel="predicted class", ylabel="true class")
    axes.grid(visible=False)
    bar = figure.colorbar(picture, ax=axes, shrink=0.6, format=PercentFormatter(1))
    bar.set_label("share of the true class")
    return figure


def most_wrong(images: Sequence[ScoredImage]) -> Figure:
    """Images with id, label and score."""
    columns = 6
    rows = max(1, math.ceil(len(images) / columns))
    lines = max((image.text.count("\n") for image in images), default=0)
    figure = Figure(figsize=(WIDTH, (2.02 + 0.14 * lines) * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, image in zip(panels.flat, images, strict=False):
        axes.set_axis_on()
        axes.imshow(colored(image.pixels))
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"{shortened(image.id)}\n{image.text}", fontsize=7.5, weight="normal")
        for side in axes.spines.values():
            side.set(visible=True, color=POSITIVE if image.is_red else NEGATIVE, linewidth=2.5)
    return figure


def _grid(count: int) -> tuple[int, int]:
    """Columns and rows for `count` panels: up to four in one row, else the three or four columns with fewer gaps."""
    columns = count if count <= 4 else min((3, 4), key=lambda columns: -count % columns)
    return columns, math.ceil(count / columns)


def _panels(titles: Mapping[str, str], shape: float) -> tuple[Figure, list[Axes]]:
    """A figure with one panel per title, `shape` times as high as wide."""
    columns, rows = _grid(len(titles))
    width = PANEL_WIDTHS[columns]
    lines = max(title.count("\n") for title in titles.values())
    height = (shape * width + 0.3 + 0.17 * lines) * rows + 0.3
    figure = Figure(figsize=(columns * width, height), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, title in zip(panels, titles.values(), strict=False):
        axes.set_title(title)
    for axes in panels[len(titles) :]:
        axes.set_axis_off()
    return figure, panels[: len(titles)]


def _with_legend(figure: Figure, axes: Axes) -> Figure:
    """Add one legend below the panels, which all have the same lines, and make room for it."""
    handles, labels = axes.get_legend_handles_labels()
    entry = LEGEND_HANDLE + LEGEND_CHARACTER * max(map(len, labels))
    columns = max(1, min(len(labels), int(figure.get_figwidth() / entry)))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
    rows = math.ceil(len(labels) / columns)
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * (rows - 1))
    return figure


def _curves(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, dict[str, Any]]]:
    """Yield name, rows and line style of every fold (or of every class if there are several), then of all rows.

    A fold or class with one label only has no line.
    """
    several = table["class"].nunique() > 1
    for number, (name, rows) in enumerate(table.groupby("class" if several else "fold", sort=not several)):
        if rows["target"].nunique() == 2:
            label = shortened(str(name)) if several else f"fold {name}"
            yield label, rows, {"color": fold_color(number), "linewidth": 0.9, "alpha": 0.8}
    yield "all rows and classes" if several else "all rows", table, {"color": INK, "linewidth": 2}
