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
from foldline.report.figure_style import INK, NEGATIVE, POSITIVE, QUIET, WIDTH, colored, fold_color, shortened

# Width of a panel in inches, by the number of panels in a row.
PANEL_WIDTHS = {1: 4.8, 2: 4.2, 3: 3.33, 4: 2.5}


@dataclass(frozen=True)
class ScoredImage:
    """An image with its label and score.

    Attributes:
        pixels: uint8, (height, width, 1 or 3).
        id: id of the sample.
        label: name of the label.
        target: its value, 0 or 1.
        score: blended out-of-fold score, in [0, 1].
    """

    pixels: npt.NDArray[np.uint8]
    id: str
    label: str
    target: int
    score: float


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
            # Steps, because average precision does not interpolate between thresholds.
            axes.step(true[1:] / true[-1], true[1:] / (true + false)[1:], where="pre", label=name, **line)
        axes.axhline(share, color=QUIET, linewidth=0.8, linestyle=":", label="chance")
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.set_aspect("equal")
    return _with_legend(figure, panels[0])


def score_histogram(table: pd.DataFrame, titles: Mapping[str, str], *, bins: int = 25) -> Figure:
    """Histogram of the scores of each label, as shares of its rows; arguments as in `roc`, and the number of bins."""
    figure, panels = _panels(titles, 0.7)
    for axes, column in zip(panels, titles, strict=True):
        for label, name, color in ((0, "negative", NEGATIVE), (1, "positive", POSITIVE)):
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


def calibration(bins: Mapping[str, Sequence[ReliabilityBin]], titles: Mapping[str, str]) -> Figure:
    """Share of positives over mean score, with 95% intervals; below it the number of rows in each bin.

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
        row, index = divmod(number, columns)
        _reliability_curve(grid[2 * row, index], bins[column], title)
        _bin_counts(grid[2 * row + 1, index], bins[column])
    return figure


def _reliability_curve(axes: Axes, bins: Sequence[ReliabilityBin], title: str) -> None:
    filled = [line for line in bins if line.rows]
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
    axes.set(title=title, ylabel="share of positives", xlim=(0, 1), ylim=(-0.01, 1.01))
    axes.legend(loc="upper left")


def _bin_counts(axes: Axes, bins: Sequence[ReliabilityBin]) -> None:
    axes.set_axis_on()
    edges = [line.low for line in bins]
    heights = [line.rows for line in bins]
    axes.bar(edges, heights, width=1 / len(edges), align="edge", color="#a9b4bf", edgecolor="white")
    # Logarithmic, because rare positives put nearly all rows into the first bin; the limit of 0.7 shows a single row.
    axes.set(xlabel="out-of-fold score", ylabel="rows", xlim=(0, 1), yscale="log", ylim=(0.7, 2 * max(heights)))


def most_wrong(images: Sequence[ScoredImage]) -> Figure:
    """Images with id, label and score; the frame has the color of the true label."""
    columns = 6
    rows = max(1, math.ceil(len(images) / columns))
    figure = Figure(figsize=(WIDTH, 2.02 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, image in zip(panels.flat, images, strict=False):
        axes.set_axis_on()
        axes.imshow(colored(image.pixels))
        axes.set(xticks=[], yticks=[])
        text = f"{shortened(image.id)}\n{shortened(image.label, limit=14)} {image.target}, score {image.score:.3f}"
        axes.set_title(text, fontsize=7.5, weight="normal")
        for side in axes.spines.values():
            side.set(visible=True, color=POSITIVE if image.target else NEGATIVE, linewidth=2.5)
    return figure


def _grid(count: int) -> tuple[int, int]:
    """Columns and rows for `count` panels: up to four in one row, else the three or four columns with fewer gaps."""
    columns = count if count <= 4 else min((3, 4), key=lambda columns: -count % columns)
    return columns, math.ceil(count / columns)


def _panels(titles: Mapping[str, str], shape: float) -> tuple[Figure, list[Axes]]:
    """A figure with one panel per title, `shape` times as high as wide."""
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
    """Add one legend below the panels, which all have the same lines."""
    handles, labels = axes.get_legend_handles_labels()
    columns = max(2, min(len(labels), round(0.9 * figure.get_figwidth())))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
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
