"""Templates of HTML pages that need no other file, and their style."""

from pathlib import Path

import jinja2

# Included by all templates.
STYLE = "style.css"
NO_VALUE, MINUS = "\u2013", "\u2212"


def environment() -> jinja2.Environment:
    """Environment of the templates in this folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        score=lambda value: NO_VALUE if value is None else f"{value:.4f}",
        signed=lambda value: NO_VALUE if value is None else f"{value:+.4f}".replace("-", MINUS),
        whole=lambda value: f"{value:,}",
        limit=lambda value: f"{value:.3f}",
        percent=lambda value: f"{value:.1%}",
        tenth=lambda value: f"{value:,.1f}",
    )
    return environment
