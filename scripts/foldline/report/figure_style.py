"""Colors, sizes and output format of all figures of the report.

Draw inside `style()`: it overrides the matplotlib settings of the machine.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator

import matplotlib
import matplotlib.font_manager
import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

INK, QUIET, GRID = "#1d2b3a", "#6b7785", "#e3e8ed"
POSITIVE, NEGATIVE = "#c8553d", "#4f7cac"
# Distinguishable with any kind of color vision (Okabe and Ito, 2008); with more folds the colors repeat.
FOLD_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1", "#7f7f7f")
# Fonts for characters that DejaVu Sans, which comes with matplotlib, does not have; those that are installed are used.
FURTHER_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Unifont",
)
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
    """Apply matplotlib's defaults and `STYLE`, whatever is configured on the machine.

    A character of a name that no installed font has becomes a box, as in the browser, and no line of the log.
    """
    installed = set(matplotlib.font_manager.get_font_names())
    fonts = [STYLE["font.family"], *(name for name in FURTHER_FONTS if name in installed)]
    with matplotlib.style.context(["default", STYLE, {"font.family": fonts}]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def png_bytes(figure: Figure) -> bytes:
    """PNG of a figure, without version and date, so that equal figures have equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def colored(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """RGB image, (height, width, 3), of a gray or RGB one, (height, width, 1 or 3).

    A gray image gets three equal channels, because matplotlib's gray color map would round its values again.
    """
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def fold_color(fold: int) -> str:
    """Color of a fold; folds count from 0."""
    return FOLD_COLORS[fold % len(FOLD_COLORS)]


def shortened(name: str, *, limit: int = 22) -> str:
    """A name that fits above an image: the middle of a longer one becomes an ellipsis."""
    if len(name) <= limit:
        return name
    return f"{name[: limit // 2 - 1]}…{name[-(limit // 2) :]}"
