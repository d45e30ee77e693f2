"""The report in a browser: nothing is cut at the width of a desk and of a telephone."""

import dataclasses
from pathlib import Path

import pytest
from fixtures.browser import cut_off, find_chromium
from fixtures.results import write_results, write_scores
from foldline.evaluation.drift_results import Drift, DriftColumn, DriftImage, DriftSet
from foldline.evaluation.results import Score
from foldline.io.files import write_json
from render_report import render_report

WIDTHS = [1280, 400]
SEVEN = ("akiec", "basal cell carcinoma", "benign keratosis", "dermatofibroma", "melanoma", "nevus", "vascular lesion")
NUMBERS = {"0.1": 1234.5678, "0.5": 20000.0, "0.9": 1e6, "missing": 0.25}
VALUES = {"anterior torso of the patient": 0.5, "palms/soles": 0.25}
AUC = Score(0.7123, 0.6543, 0.7654, None, few_groups=True)
DRIFT = Drift(
    confidence=0.95,
    images={"train": 10_000, "test": 10_000},
    groups={"train": 10_000, "test": 10_000},
    sets=(DriftSet("image facts", ("width", "height", "aspect ratio", "bytes per pixel", "file type"), AUC),),
    columns=(
        DriftColumn("bytes per pixel", "image facts", AUC, NUMBERS, NUMBERS),
        DriftColumn("anatomical_site_of_the_lesion", "metadata", AUC, VALUES, VALUES),
    ),
    left_out={"a_column_with_a_name_that_is_much_too_long_for_a_telephone": "one value in all images"},
    by="image facts",
    most_like_test=tuple(
        DriftImage(f"image_with_a_very_long_id_of_many_characters_{number}", 0.9) for number in range(10)
    ),
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Reports of two labels with drift, of exclusive classes, and of any number of classes with long ids."""
    find_chromium()
    found = []
    for name, settings in (
        ("binary", {}),
        (
            "exclusive",
            {"class_names": SEVEN, "activation": "softmax", "rows": 200, "count": 4, "models": ("a", "b", "c")},
        ),
        ("several", {"class_names": SEVEN[:4]}),
    ):
        results = write_scores(write_results(tmp_path_factory.mktemp("pages") / name, **settings))  # type: ignore[arg-type]
        write_json(results.folder / "drift.json", dataclasses.asdict(DRIFT))
        render_report(**results.report_arguments())
        found.append(results.folder / "report.html")
    return found


def test_nothing_is_cut_off(pages: list[Path], tmp_path: Path) -> None:
    """A cell, a caption, the page: none is wider than its place; on a desk no table has to be scrolled."""
    found = cut_off(pages, WIDTHS, tmp_path)
    assert len(found) == len(pages) * len(WIDTHS)
    assert {page: problems for page, problems in found.items() if problems} == {}


def test_what_is_cut_off_is_found(tmp_path: Path) -> None:
    page = tmp_path / "wide" / "page.html"
    page.parent.mkdir()
    page.write_text('<body><p style="width:200px;overflow:hidden;white-space:nowrap">' + "number " * 99 + "</p></body>")
    (problems,) = cut_off([page], [400], tmp_path).values()
    assert len(problems) == 1
    assert problems[0].startswith("p number number")
