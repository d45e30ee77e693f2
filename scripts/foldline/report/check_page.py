"""The page of the check: what a run would train, before anything is trained. One HTML file that needs no other file."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foldline.errors import counted
from foldline.report.html import KeyFigure, environment
from foldline.splits.class_weights import ClassWeights

TEMPLATE = "check_page.html"
# Size of the curve of learning rates in units of its drawing.
CURVE_WIDTH, CURVE_HEIGHT = 640.0, 150.0
SECTIONS = (
    ("summary", "Summary"),
    ("tables", "Tables"),
    ("classes", "Classes and folds"),
    ("models", "Models"),
    ("estimate", "Estimate"),
)


@dataclass(frozen=True)
class ColumnFacts:
    """A column of a table.

    Attributes:
        name: its name in the table.
        use: what it is used for: "id", "label", "group", "metadata"; "" if it is not used.
        missing: missing cells.
        distinct: different cells.
        example: the first cell that is not missing; "" if there is none.
    """

    name: str
    use: str
    missing: int
    distinct: int
    example: str


@dataclass(frozen=True)
class TableFacts:
    """A table of the data.

    Attributes:
        split: split whose rows it has.
        path: path or URL.
        rows: number of its rows.
        columns: its columns, in their order.
        first_rows: cells of the first rows.
        groups: number of groups; 0 if there is no group column.
    """

    split: str
    path: str
    rows: int
    columns: Sequence[ColumnFacts]
    first_rows: Sequence[Sequence[str]]
    groups: int


@dataclass(frozen=True)
class FoldFacts:
    """A fold: its rows, their groups, and the rows of each class, (n_classes,)."""

    fold: int
    rows: int
    groups: int
    positives: Sequence[int]


@dataclass(frozen=True)
class ModelFacts:
    """A model, or the folds of one that have settings of their own.

    Attributes:
        name: its name.
        facts: terms and values in words.
        problem: why it cannot be trained; "" if its steps went well.
        epochs: passes over the training rows.
        curve: epochs that are done, and learning rate; empty if it could not be made.
        samples: PNG of training images and augmented versions; None if the model reads no images, or could not be made.
    """

    name: str
    facts: Mapping[str, str]
    problem: str
    epochs: int
    curve: Sequence[tuple[float, float]] = ()
    samples: bytes | None = None


@dataclass(frozen=True)
class CostFacts:
    """A part of the run: its name, its time and its disk in words, and how they were scaled up."""

    name: str
    time: str
    disk: str
    how: str


@dataclass(frozen=True)
class CheckFacts:
    """All that the page shows.

    Attributes:
        title: title of the page.
        subtitle: line below it.
        key_figures: the numbers in the header.
        problems: what is wrong; empty if nothing is.
        warnings: what looks wrong in the images; empty if nothing does.
        tables: the tables of the splits.
        classes: rows and weights of the classes in the training rows of one fold.
        weights: how the weights are computed, and of which fold they are.
        folds: the folds.
        models: the models.
        costs: the estimate, the total last; empty if a model could not be tried.
        machine: where the times were measured.
    """

    title: str
    subtitle: str
    key_figures: Sequence[KeyFigure]
    problems: Sequence[str]
    tables: Sequence[TableFacts]
    classes: Sequence[ClassWeights]
    weights: str
    folds: Sequence[FoldFacts]
    models: Sequence[ModelFacts]
    costs: Sequence[CostFacts]
    machine: str
    warnings: Sequence[str] = ()


def check_page(facts: CheckFacts) -> str:
    """Render the page as HTML."""
    html: str = (
        environment()
        .get_template(TEMPLATE)
        .render(
            title=facts.title,
            subtitle=facts.subtitle,
            key_figures=facts.key_figures,
            sections=SECTIONS,
            facts=facts,
            models=[_model(model) for model in facts.models],
            width=CURVE_WIDTH,
            height=CURVE_HEIGHT,
        )
    )
    return html


def _model(model: ModelFacts) -> dict[str, Any]:
    rates = [rate for _, rate in model.curve]
    return {
        "name": model.name,
        "facts": model.facts,
        "problem": model.problem,
        "line": curve_line(model.curve),
        "highest": f"{max(rates):.2g}" if rates else "",
        "lowest": f"{min(rates):.2g}" if rates else "",
        "epochs": counted(model.epochs, "epoch"),
        "samples": base64.b64encode(model.samples).decode("ascii") if model.samples else "",
    }


def curve_line(curve: Sequence[tuple[float, float]]) -> str:
    """Points of a curve for an SVG line that fills `CURVE_WIDTH` x `CURVE_HEIGHT`; the rate 0 is at the bottom."""
    if not curve:
        return ""
    last = max(epoch for epoch, _ in curve) or 1.0
    highest = max(rate for _, rate in curve) or 1.0
    points = [(CURVE_WIDTH * epoch / last, CURVE_HEIGHT * (1 - rate / highest)) for epoch, rate in curve]
    if len(points) == 1:
        points = [(0.0, points[0][1]), (CURVE_WIDTH, points[0][1])]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
