"""What the report says of drift between training and test images."""

from dataclasses import replace

from fixtures.report_run import column_scores, report_run
from foldline.evaluation.drift_results import Drift, DriftColumn, DriftImage, DriftSet
from foldline.evaluation.results import Score
from foldline.report.drift import drift_finding, drift_section
from foldline.report.findings import findings

AGE = DriftColumn(
    "age",
    "metadata",
    Score(0.8, 0.7, 0.9, None),
    {"0.1": 20.0, "0.5": 50.0, "0.9": 70.0, "missing": 0.0},
    {"0.1": 30.0, "0.5": 61.0, "0.9": 12345.0, "missing": 0.25},
)
SITE = DriftColumn("site", "metadata", Score(0.5, 0.4, 0.6, None), {"arm": 0.5, "leg": 0.25}, {"arm": 0.5, "leg": 0.0})
FOUND = Drift(
    confidence=0.95,
    images={"train": 100, "test": 50},
    groups={"train": 100, "test": 50},
    sets=(DriftSet("metadata", ("age", "site"), Score(0.8, 0.7, 0.9, None)),),
    columns=(AGE, SITE),
    left_out={"width": "one value in all images"},
    by="metadata",
    most_like_test=(DriftImage("a", 0.9), DriftImage("b", 0.8)),
)


def with_auc(value: float, low: float, high: float) -> Drift:
    return replace(FOUND, sets=(replace(FOUND.sets[0], auc=Score(value, low, high, None)),))


def test_drift_is_a_warning_that_names_what_drives_it() -> None:
    warns, text = drift_finding(FOUND) or (False, "")
    assert warns
    assert text.startswith(
        "Test images differ from training images: by metadata they can be told apart (ROC AUC 0.800,"
    )
    assert "mostly by age. Out-of-fold scores" in text
    assert "site" not in text


def test_small_drift_is_said_without_a_warning_and_none_is_not_claimed() -> None:
    assert drift_finding(with_auc(0.55, 0.51, 0.59))[0] is False  # type: ignore[index]
    warns, text = drift_finding(with_auc(0.52, 0.47, 0.57)) or (True, "")
    assert not warns
    assert text == (
        "Test images cannot be told from training images by metadata (ROC AUC 0.520, 95% interval 0.470 to 0.570); "
        "0.5 is chance."
    )


def test_few_images_do_not_exclude_a_difference() -> None:
    warns, text = drift_finding(with_auc(0.52, 0.40, 0.65)) or (True, "")
    assert not warns
    assert text == (
        "No difference between test and training images is shown by metadata (ROC AUC 0.520, 95% interval 0.400 to "
        "0.650; 0.5 is chance), but so few images do not exclude one."
    )


def test_without_a_test_split_nothing_is_said() -> None:
    run = report_run(column_scores(0.9))
    assert drift_section(run) is None
    assert not any("Test images" in finding.text for finding in findings(run))
    few = Drift(0.95, {"train": 100, "test": 3}, {"train": 100, "test": 3}, reason="few")
    assert drift_finding(few) is None


def test_values_are_given_in_words() -> None:
    section = drift_section(report_run(column_scores(0.9), drift=FOUND)) or {}
    age, site = section["columns"]
    assert (age["train"], age["test"]) == ("50 (20 to 70)", "61 (30 to 12,345), 25.0% missing")
    assert (site["train"], site["test"]) == ("arm 50.0%, leg 25.0%", "arm 50.0%, leg 0.0%")
    assert section["images"] == {"Training images most like test images": "a, b"}
    assert section["left_out"] == "width (one value in all images)"
