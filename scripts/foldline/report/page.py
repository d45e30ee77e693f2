"""The report page: one HTML file that needs no other file."""

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from foldline.errors import counted
from foldline.evaluation.oof import BLEND
from foldline.report.averaging import averaging_sentence
from foldline.report.calibration import calibration_rows, class_calibration_rows
from foldline.report.captions import Caption, caption_of
from foldline.report.drift import drift_section
from foldline.report.findings import findings
from foldline.report.html import KeyFigure, environment
from foldline.report.label_issues import label_issue_sentence
from foldline.report.leak_findings import audit_limits
from foldline.report.methods import methods
from foldline.report.run import Run
from foldline.report.tables import (
    class_rows,
    comparison_rows,
    data_facts,
    external_sets,
    fold_rows,
    fold_scores,
    group_sentence,
    leak_tables,
    merged_groups,
    metric_columns,
    model_rows,
    operating_point_rows,
    pooled_rows,
    shown_columns,
    subgroup_tables,
)

TEMPLATE = "template.html"
# Pixels of a figure per pixel of the page, so that figures are sharp on high-resolution screens and on paper.
PIXELS = 1.35
# Most classes that the header names.
MOST_NAMES = 20
SECTIONS = (
    ("summary", "Summary"),
    ("scores", "Scores"),
    ("test", "Test rows"),
    ("holdout", "Holdout"),
    ("calibration-section", "Calibration"),
    ("subgroups", "Subgroups"),
    ("errors", "Largest errors"),
    ("data", "Data"),
    ("leaks", "Leak audit"),
    ("drift", "Drift"),
    ("folds-section", "Folds"),
    ("training", "Training"),
    ("methods", "Methods"),
)


def page(
    run: Run, *, title: str, group_column: str | None, figures: Mapping[str, bytes], look_alikes: int | None = None
) -> str:
    """Render the page as HTML.

    Args:
        run: the run to show.
        title: title of the page.
        group_column: column of the groups in the configuration.
        figures: PNG bytes by the names of `captions.figure_names`.
        look_alikes: number of pairs in the table of images that look alike; None without the table.
    """
    metrics = run.metrics
    template = environment().get_template(TEMPLATE)
    html: str = template.render(
        title=title,
        subtitle=f"{_classes(metrics.scored_classes)}: {counted(metrics.rows, 'labeled image')}, "
        + (counted(run.recipe.test_rows, "test image") if run.recipe.test_rows else "no test images"),
        key_figures=_key_figures(run),
        findings=findings(run, group_column=group_column),
        confidence=f"{metrics.confidence:.0%}",
        metrics=metrics,
        **_score_values(run),
        data=data_facts(run.inventory),
        leaks=leak_tables(run.leaks),
        drift=drift_section(run),
        look_alikes=look_alikes,
        audit_limits=audit_limits(run),
        external_sets=external_sets(run),
        merged_groups=merged_groups(run),
        groups=group_sentence(run, group_column),
        fold_rows=fold_rows(run),
        weight_method=next(iter(run.weights.values())).method,
        training=model_rows(run),
        methods=methods(run),
        predicted_by=run.recipe.predicted_by,
        figures={name: _figure(_caption(run, name), data) for name, data in figures.items()},
    )
    return html


def _score_values(run: Run) -> dict[str, Any]:
    """Values of the sections on scores, calibration and subgroups, and the table of contents."""
    metrics = run.metrics
    columns = shown_columns(run)
    blend = metrics.models[BLEND]
    reliable = BLEND if blend.calibration.bins else run.recipe.models[0]
    subgroups = subgroup_tables(blend.subgroups)
    tested, holdout = run.test_metrics, run.holdout_metrics
    absent = {name for name, value in (("subgroups", subgroups), ("drift", run.drift)) if not value}
    absent |= {name for name, scores in (("test", tested), ("holdout", holdout)) if scores is None}
    return {
        "sections": [section for section in SECTIONS if section[0] not in absent],
        "test_rows": tested.rows if tested else 0,
        "test_scores": pooled_rows(run, columns, tested.models) if tested else [],
        "holdout_rows": holdout.rows if holdout else 0,
        "holdout_scores": pooled_rows(run, columns, holdout.models) if holdout else [],
        "columns": columns,
        "main_name": columns[BLEND],
        "pooled": pooled_rows(run, columns, metrics.models),
        "comparisons": comparison_rows(run, columns),
        "ranks": metrics.blend_rule == "rank_mean",
        "metric_columns": metric_columns(run),
        # Whether labels are classes instead of positives and negatives.
        "has_classes": len(metrics.classes) > 1,
        "mean": "Mean " if len(metrics.scored_classes) > 1 else "",
        "exclusive": metrics.one_class_per_image,
        "by_fold": fold_scores(run, columns),
        "classes": class_rows(run) if len(metrics.classes) > 1 else [],
        "averaging": averaging_sentence(run),
        "operating_points": operating_point_rows(blend.classes),
        "positives": run.scored_positives,
        "reliability": metrics.models[reliable].calibration,
        "reliability_name": columns.get(reliable, reliable),
        "calibrations": calibration_rows(run, reliable),
        "class_calibrations": class_calibration_rows(run),
        "label_issues": label_issue_sentence(run),
        "subgroups": subgroups,
    }


def _classes(names: Sequence[str]) -> str:
    """The classes by name, or their number if they are many."""
    return ", ".join(names) if len(names) <= MOST_NAMES else counted(len(names), "class", "classes")


def _caption(run: Run, name: str) -> Caption:
    metrics = run.metrics
    return caption_of(
        name,
        classes=len(metrics.classes),
        scored=len(metrics.scored_classes),
        one_class_per_image=metrics.one_class_per_image,
    )


def _figure(caption: Caption, data: bytes) -> dict[str, Any]:
    # Bytes 16 to 23 of a PNG hold its width and height; with them the page does not jump while it loads.
    width, height = struct.unpack(">II", data[16:24])
    return {
        "title": caption.title,
        "caption": caption.text,
        "data": base64.b64encode(data).decode("ascii"),
        "width": round(width / PIXELS),
        "height": round(height / PIXELS),
    }


def _key_figures(run: Run) -> list[KeyFigure]:
    metrics, models = run.metrics, run.recipe.models
    blend = metrics.models[BLEND]
    auc, spread, scored = blend.auc, blend.folds_sd.auc, len(metrics.scored_classes)
    interval = f"{auc.low:.3f} to {auc.high:.3f} ({metrics.confidence:.0%} interval)" if auc.low else ""
    positives = run.scored_positives
    if scored == 1:
        name = f"Images of {metrics.scored_classes[0]}" if len(metrics.classes) > 1 else "Positives"
        labels = KeyFigure(name, f"{positives / metrics.rows:.1%}", counted(positives, "image"))
    else:
        per_image = "one" if metrics.one_class_per_image else f"{positives / metrics.rows:.2f}"
        labels = KeyFigure("Classes", str(scored), f"{per_image} per image")
    accuracy, balanced = blend.accuracy.value, blend.balanced_accuracy
    predicted = []
    if metrics.one_class_per_image and accuracy is not None and balanced is not None and balanced.value is not None:
        detail = f"balanced accuracy {balanced.value:.3f}"
        predicted = [KeyFigure("Out-of-fold accuracy", f"{accuracy:.3f}", detail)]
    grouped = f"in {counted(metrics.groups, 'group')}" if metrics.groups < metrics.rows else "without groups"
    folds = f"{metrics.repeats} x {metrics.folds}" if metrics.repeats > 1 else str(metrics.folds)
    names = ", ".join(models[:4]) + (", …" if len(models) > 4 else "")
    return [
        KeyFigure(
            f"Out-of-fold {'mean ' if scored > 1 else ''}ROC AUC",
            "none" if auc.value is None else f"{auc.value:.3f}",
            interval,
        ),
        *predicted,
        KeyFigure("Training images", f"{metrics.rows:,}", grouped),
        labels,
        KeyFigure("Folds", folds, "" if spread is None else f"AUC SD {spread:.3f}"),
        KeyFigure("Model", models[0]) if len(models) == 1 else KeyFigure("Models", str(len(models)), names),
        KeyFigure("Trained on", run.devices(models), counted(len(run.histories), "training run")),
    ]
