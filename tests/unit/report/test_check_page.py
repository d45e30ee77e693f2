"""The page of the check shows all facts, escaped, and needs no other file."""

import re
from dataclasses import replace

from foldline.report.check_page import (
    CURVE_HEIGHT,
    CURVE_WIDTH,
    CheckFacts,
    ColumnFacts,
    CostFacts,
    FoldFacts,
    ModelFacts,
    TableFacts,
    check_page,
    curve_line,
)
from foldline.report.html import KeyFigure
from foldline.splits.class_weights import ClassWeights

FACTS = CheckFacts(
    title="skin <1>",
    subtitle="melanoma: 90 train rows",
    key_figures=[KeyFigure("Time", "about 3.4 h", "one job after the other")],
    problems=[],
    tables=[
        TableFacts(
            "train",
            "/data/train.csv",
            90,
            [ColumnFacts("image_name", "id", 0, 90, "s1"), ColumnFacts("note", "", 7, 3, "<b>bold</b>")],
            [["s1", "<b>bold</b>"], ["s2", ""]],
            30,
        )
    ],
    classes=[ClassWeights("melanoma", 20, 40, 1.5, 0.75)],
    weights="Weights in the loss (balanced) while fold 0 is held out.",
    folds=[FoldFacts(0, 45, 15, [10]), FoldFacts(1, 45, 15, [10])],
    models=[ModelFacts("b3", {"Loss": "focal"}, "", 2, [(0.0, 0.001), (1.64, 0.0)], b"\x89PNG picture")],
    costs=[
        CostFacts("train b3", "3.4 h", "1.2 GB", "9 steps x 2.0 s"),
        CostFacts("all together", "3.4 h", "1.2 GB", ""),
    ],
    machine="host (gpu, 16 cores)",
)


def test_the_page_shows_what_would_be_trained() -> None:
    page = check_page(FACTS)
    for text in (
        *("skin &lt;1&gt;", "about 3.4 h", "/data/train.csv: 90 rows in 30 groups", "No problem was found"),
        *("<td>20</td><td>40</td><td>1.500</td><td>0.750</td>", "balanced", "<td>45</td><td>15</td><td>10</td>"),
        *("focal", "data:image/png;base64,iVBORyBwaWN0dXJl"[:26], "9 steps x 2.0 s", "host (gpu, 16 cores)"),
        *("All steps of 2 epochs, lowest 0, highest 0.001", "&lt;b&gt;bold&lt;/b&gt;", "not used"),
    ):
        assert text in page, text


def test_the_page_needs_no_other_file() -> None:
    page = check_page(FACTS)
    assert "<b>bold" not in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "<script" not in page
    assert "--paper" in page


def test_a_warning_is_shown() -> None:
    page = check_page(replace(FACTS, warnings=["train: 2 images come out dark"]))
    assert '<li class="warn">train: 2 images come out dark</li>' in page
    assert "No other problem was found" in page


def test_a_problem_is_shown_and_there_is_no_estimate() -> None:
    problem = "models.b3, fold 0: the loss is not finite"
    page = check_page(replace(FACTS, problems=[problem], costs=[], models=[ModelFacts("b3", {}, problem, 2)]))
    assert page.count(problem) == 2
    assert "No problem was found" not in page
    assert "There is no estimate" in page
    assert "<svg" not in page
    assert "<img" not in page


def test_a_curve_fills_its_drawing() -> None:
    points = [tuple(map(float, point.split(","))) for point in curve_line([(0, 0.0), (1, 0.01), (4, 0.005)]).split()]
    assert points == [(0, CURVE_HEIGHT), (CURVE_WIDTH / 4, 0), (CURVE_WIDTH, CURVE_HEIGHT / 2)]


def test_a_single_step_is_a_line() -> None:
    assert curve_line([(0, 0.01)]) == f"0.0,0.0 {CURVE_WIDTH:.1f},0.0"
    assert curve_line([]) == ""
