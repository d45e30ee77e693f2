"""Templates of HTML pages that need no other file, and their style."""

from dataclasses import dataclass
from pathlib import Path

import jinja2

# What all templates extend, and its style.
FRAME, STYLE = "frame.html", "style.css"
NO_VALUE, MINUS = "\u2013", "\u2212"


@dataclass(frozen=True)
class KeyFigure:
    """A number in the header of a page, in words; `detail` is a line below it, or empty."""

    name: str
    value: str
    detail: str = ""


def environment() -> jinja2.Environment:
    """Environment of the templates in this folder; they get `FRAME` and `STYLE` as `frame` and `style`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.globals.update(frame=FRAME, style=STYLE)
    environment.filters.update(
        score=lambda value: NO_VALUE if value is None else f"{value:.4f}",
        signed=lambda value: NO_VALUE if value is None else f"{value:+.4f}".replace("-", MINUS),
        whole=lambda value: f"{value:,}",
        limit=lambda value: f"{value:.3f}",
        percent=lambda value: f"{value:.1%}",
        tenth=lambda value: f"{value:,.1f}",
    )
    return environment
