"""The figures of the report that show scores: curves, histograms, calibration, and the rows that are most wrong."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from foldline.evaluation.metrics import cumulative_counts
from foldline.report.figure_style import INK, NEGATIVE, POSITIVE, QUIET, WIDTH, colored, fold_color, shortened

# Width of a panel in inches, by how many stand in a row.
PANEL_WIDTHS = {1: 4.8, 2: 4.2, 3: 3.33, 4: 2.5}


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
        for label, name, color in ((0, "negative", NEGATIVE), (1, "positive", POSITIVE)):
            scores = table.loc[table["target"] == label, column].to_numpy()
            axes.hist(
                scores,
                bins=np.linspace(0, 1, bins + 1),
                weights=np.full(len(scores), 1 / len(scores)),
                histtype="stepfilled",
                color=color,
                alpha=0.5,
                edgecolor=color,
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
    """Pictures with id, label and score; the frame has the color of the true label.

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
        axes.imshow(colored(pixels))
        axes.set(xticks=[], yticks=[])
        words = f"{shortened(name)}\n{shortened(label, limit=14)} {target}, score {score:.3f}"
        axes.set_title(words, fontsize=7.5, weight="normal")
        for side in axes.spines.values():
            side.set(visible=True, color=POSITIVE if target else NEGATIVE, linewidth=2.5)
    return figure


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
            shown = shortened(name) if several else f"fold {name}"
            yield shown, rows, {"color": fold_color(number), "linewidth": 0.9, "alpha": 0.8}
    yield "all rows and classes" if several else "all rows", table, {"color": INK, "linewidth": 2}
