"""What the figures of the report have in common: colors, measures, and bytes that never vary.

Draw inside of `style()`: it sets aside what a machine's own matplotlib settings say.
"""

import contextlib
import io
from collections.abc import Iterator

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

INK, QUIET, GRID = "#1d2b3a", "#6b7785", "#e3e8ed"
POSITIVE, NEGATIVE = "#c8553d", "#4f7cac"
# Told apart by people with any kind of color vision (Okabe and Ito, 2008); later folds take the first colors again.
FOLD_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#7f7f7f")
WIDTH = 10.0  # inches
DPI = 135
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


def colored(pixels: np.ndarray) -> np.ndarray:
    """Three equal channels of a gray picture, whose values a gray color map would round once more."""
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def fold_color(fold: int) -> str:
    """Color of a fold, counted from 0."""
    return FOLD_COLORS[fold % len(FOLD_COLORS)]


def shortened(name: str, *, limit: int = 22) -> str:
    """A name that fits above a picture: the middle of a long one gives way."""
    if len(name) <= limit:
        return name
    return f"{name[: limit // 2 - 1]}…{name[-(limit // 2) :]}"
