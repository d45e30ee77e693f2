"""The section of the report on drift between training and test images."""

from collections.abc import Mapping
from typing import Any

from foldline.errors import listing
from foldline.evaluation.drift_results import Drift, DriftColumn
from foldline.report.run import Run
from foldline.report.tables import whiskers

# Columns that are shown, and that a sentence names.
MOST_COLUMNS, NAMED_COLUMNS = 12, 3
# From this AUC on, drift is worth a warning; smaller ones can be shown of many images without being of consequence.
NOTABLE_AUC = 0.6


def drift_section(run: Run) -> dict[str, Any] | None:
    """Values of the section; None without a test split."""
    drift = run.drift
    if drift is None:
        return None
    shown = drift.columns[:MOST_COLUMNS]
    sets = zip(drift.sets, whiskers([one.auc for one in drift.sets]), strict=True)
    columns = zip(shown, whiskers([column.auc for column in shown]), strict=True)
    images = {
        "Training images most like test images": drift.most_like_test,
        "Training images least like test images": drift.least_like_test,
        "Test images least like training images": drift.least_like_train,
    }
    return {
        "drift": drift,
        "sets": [{"set": one, "line": line} for one, line in sets],
        "columns": [
            {"column": one, "line": line, "train": _values(one.train), "test": _values(one.test)}
            for one, line in columns
        ],
        "images": {title: ", ".join(image.id for image in shown) for title, shown in images.items() if shown},
        "left_out": listing(
            [f"{name} ({reason})" for name, reason in sorted((drift.left_out or {}).items())], limit=20
        ),
        "more": len(drift.columns) - len(shown),
    }


def _values(values: Mapping[str, float]) -> str:
    """The values of a column in one split, in words."""
    if "0.5" not in values:
        return ", ".join(f"{value} {share:.1%}" for value, share in values.items())
    missing = values["missing"]
    return f"{_number(values['0.5'])} ({_number(values['0.1'])} to {_number(values['0.9'])})" + (
        f", {missing:.1%} missing" if missing else ""
    )


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def drift_finding(drift: Drift | None) -> tuple[bool, str] | None:
    """Whether drift is a warning, and what there is to say; None without a test split, or if nothing was compared."""
    if drift is None or not drift.sets:
        return None
    best = drift.sets[0]
    auc = best.auc
    if auc.value is None or auc.low is None or auc.high is None:
        return None
    values = f"ROC AUC {auc.value:.3f}, {drift.confidence:.0%} interval {auc.low:.3f} to {auc.high:.3f}"
    if auc.low <= 0.5 and auc.high < NOTABLE_AUC:
        return False, f"Test images cannot be told from training images by {best.name} ({values}); 0.5 is chance."
    if auc.low <= 0.5:
        text = f"No difference between test and training images is shown by {best.name} ({values}; 0.5 is chance)"
        return False, f"{text}, but so few images do not exclude one."
    strongest = [column.name for column in drift.columns if _is_shown(column)][:NAMED_COLUMNS]
    text = f"Test images differ from training images: by {best.name} they can be told apart ({values}; 0.5 is chance)"
    if strongest:
        text += f", mostly by {listing(strongest)}"
    return auc.value >= NOTABLE_AUC, (
        f"{text}. Out-of-fold scores are those of training images; for images that differ from them they may not hold."
    )


def _is_shown(column: DriftColumn) -> bool:
    return column.auc.low is not None and column.auc.low > 0.5
