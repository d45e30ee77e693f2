"""Score the models and their blend on rows they were not trained on, with confidence intervals.

Inputs: oof (out-of-fold table, Parquet), oof_repeats (that of each repeat, if there are several), recipe (of its
    blend), folds (fold table: groups and metadata columns).
Outputs: metrics (JSON; a value that is not defined is null, with the reason), label_issues (CSV; labels that the
    predictions contradict).
Parameters: the fields of `EvaluationConfig`.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from foldline.dataset.label_arrays import label_array, share_array
from foldline.dataset.labels import SOFTMAX
from foldline.errors import FoldlineError, listing
from foldline.evaluation.calibration import CALIBRATION_BINS
from foldline.evaluation.calibration_estimates import score_calibration
from foldline.evaluation.cross_entropy import label_entropy
from foldline.evaluation.definitions import definitions
from foldline.evaluation.estimates import Rows
from foldline.evaluation.label_issues import find_label_issues, unproven_classes
from foldline.evaluation.oof import BLEND, Oof, read_oof
from foldline.evaluation.recipe import Recipe, check_blend, read_recipe
from foldline.evaluation.results import ClassCounts, ColumnScores
from foldline.evaluation.rules import uses_thresholds
from foldline.evaluation.scores import EvaluationConfig, column_scores
from foldline.io.files import read_json, write_json
from foldline.io.settings import build
from foldline.io.tables import FOLDS, LABEL_ISSUES, read_table, write_table
from foldline.splits.fold_audit import groups_per_label
from foldline.splits.fold_membership import scored_rows
from foldline.step import step

logger = logging.getLogger(__name__)


def evaluate(
    *,
    oof: str | Path,
    oof_repeats: Sequence[str | Path] = (),
    recipe: str | Path,
    folds: str | Path,
    metrics: str | Path,
    label_issues: str | Path,
    config: EvaluationConfig,
) -> None:
    """Score every model and the blend of an out-of-fold table.

    Args:
        oof: out-of-fold table; all scores are computed from its rows.
        oof_repeats: that of each repeat, whose mean `oof` is; none if there is one repeat.
        recipe: how its blend follows from its models.
        folds: fold table, whose train rows must have the same ids, folds and targets.
        metrics: where the JSON file is written.
        label_issues: where the table of labels that the predictions contradict is written.
        config: what is scored, and how.

    Raises:
        FoldlineError: the tables have different rows, a metadata column is missing, or the blend does not follow from
            the model columns.
    """
    how = read_recipe(recipe)
    table = _read_oof(oof, oof_repeats, how, config.class_names)
    rows = scored_rows(read_table(folds, FOLDS))
    _check_columns(rows, config.metadata_columns, folds)
    rows = _align_rows(rows, table, oof, folds)
    weights = rows["row_weight"].to_numpy(np.float64) if config.weighted else None
    found = column_scores(
        table,
        groups=list(rows["group"]),
        metadata={name: rows[name] for name in config.metadata_columns},
        # Ranks order the samples; they are no probabilities, and their distance from a label means nothing.
        rank_columns=[BLEND] if how.blends_ranks else [],
        config=config,
        weights=weights,
    )
    (issues, of_issues), n_folds = _label_issues(table, rows, how, config), int(rows["fold"].nunique())
    write_table(issues, label_issues, LABEL_ISSUES, key=("rank",))
    _log_scores(found.columns)
    write_json(
        metrics,
        {
            "rows": len(rows),
            "groups": int(rows["group"].nunique()),
            "folds": n_folds,
            **({"repeats": len(table.repeats)} if table.repeats else {}),
            "blend_rule": read_json(recipe)["rule"],
            **_settings(config),
            **label_entropy(table.shares, config.activation, weights),
            "classes": [counts.as_json() for counts in _class_counts(table, list(rows["group"]), n_folds)],
            "models": {column: score.as_json() for column, score in found.columns.items()},
            **_before_calibration(table, rows, how, config),
            **of_issues,
            "comparisons": [asdict(row) for row in found.comparisons],
        },
    )


def _read_oof(path: str | Path, repeats: Sequence[str | Path], how: Recipe, class_names: Sequence[str]) -> Oof:
    """Read the out-of-fold table and those of its repeats, which must have the same rows; its blend must follow."""
    table = read_oof(path, class_names)
    check_blend(how, {name: table.scores[name] for name in table.models}, table.scores[BLEND], table.folds, path)
    found = [read_oof(repeat, class_names) for repeat in repeats]
    for repeat, one in zip(repeats, found, strict=True):
        if one.ids != table.ids or (one.labels != table.labels).any() or one.models != table.models:
            raise FoldlineError(
                f"{repeat}: has other rows or models than {path}; remove the file and run the workflow again"
            )
    return replace(table, repeats=found)


def _before_calibration(
    table: Oof, rows: pd.DataFrame, recipe: Recipe, config: EvaluationConfig
) -> dict[str, dict[str, Any]]:
    """The calibration of the blend before it is calibrated, if it is."""
    if not recipe.is_calibrated:
        return {}
    scored = [table.class_names.index(name) for name in config.scored_classes]
    blended = recipe.without_calibration().apply_out_of_fold(table.scores, table.folds).astype(np.float64)
    found = score_calibration(
        table.labels[:, scored],
        blended[:, scored],
        _rows(rows, config),
        confidence=config.confidence,
        exclusive=config.activation == SOFTMAX and len(scored) == len(config.class_names),
    )
    return {"before_calibration": asdict(found)}


def _settings(config: EvaluationConfig) -> dict[str, Any]:
    """What is scored, and how, for the file of metrics."""
    return {
        "confidence": config.confidence,
        "threshold": config.threshold if uses_thresholds(config.threshold, config.activation) else None,
        "weighted": config.weighted,
        "calibration_bins": CALIBRATION_BINS,
        "scored_classes": config.scored_classes,
        "one_class_per_image": config.activation == SOFTMAX,
        "definitions": definitions(config.activation, config.scored_classes, config.threshold),
    }


def _check_columns(rows: pd.DataFrame, metadata_columns: Sequence[str], folds: str | Path) -> None:
    missing = [name for name in metadata_columns if name not in rows.columns]
    if missing:
        raise FoldlineError(
            f"{folds}: no column {listing(missing)}; the table has {listing(list(rows.columns))}; remove the file and "
            "run the workflow again"
        )


def _align_rows(rows: pd.DataFrame, table: Oof, oof: str | Path, folds: str | Path) -> pd.DataFrame:
    """Sort rows of the fold table as the out-of-fold table, which must have the same ids, folds and targets."""
    unmatched = sorted(set(table.ids) ^ set(rows["id"]))
    if unmatched:
        raise FoldlineError(f"{oof}: id {listing(unmatched)} is only in it or only in {folds}; run the workflow again")
    rows = rows.set_index("id").loc[table.ids].reset_index()
    codes = list(rows["target"])
    shares = share_array(codes, table.class_names)
    targets = label_array(codes, table.class_names) if shares is None else shares
    differences = {"fold": table.folds != rows["fold"], "target": (table.targets != targets).any(axis=1)}
    for name, differs in differences.items():
        if differs.any():
            ids = listing(list(rows.loc[differs, "id"]))
            raise FoldlineError(f"{oof}: {name} of id {ids} differs from {folds}; run the workflow again")
    return rows


def _label_issues(
    table: Oof, rows: pd.DataFrame, recipe: Recipe, config: EvaluationConfig
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Labels that the blend contradicts; by the mean of the models if the blend is a mean of ranks.

    Returns the table, and for the file of metrics the number of images and why classes are left out.
    """
    models = [table.scores[name] for name in recipe.models]
    scores = (np.mean(models, axis=0) if recipe.blends_ranks else table.scores[BLEND]).astype(np.float64)
    unproven = unproven_classes(table.labels, scores, _rows(rows, config), confidence=config.confidence)
    issues = find_label_issues(
        table.labels,
        scores,
        table.class_names,
        one_class_per_sample=config.activation == SOFTMAX,
        unproven=unproven,
    )
    row = issues.pop("row").to_numpy()
    issues.insert(0, "rank", np.arange(1, len(issues) + 1))
    for place, name in enumerate(("id", "group", "fold"), start=1):
        issues.insert(place, name, rows[name].to_numpy()[row])
    probabilities = ["label_probability", "suggested_probability"]
    facts = {
        "label_issues": int(issues["id"].nunique()),
        "label_issues_left_out": {table.class_names[number]: reason for number, reason in unproven.items()},
    }
    return issues.astype(dict.fromkeys(probabilities, np.float32)), facts


def _rows(rows: pd.DataFrame, config: EvaluationConfig) -> Rows:
    """Groups of the rows, and their weights if they are weighted."""
    return Rows.of(list(rows["group"]), rows["row_weight"].to_numpy(np.float64) if config.weighted else None)


def _class_counts(table: Oof, groups: Sequence[str], n_folds: int) -> list[ClassCounts]:
    """Count the rows and groups of every class; a rare one has a label in fewer groups than there are folds."""
    sums = [None] * len(table.class_names) if table.shares is None else table.shares.sum(axis=0, dtype=float).tolist()
    return [
        ClassCounts(
            name=name,
            positives=int(labels.sum()),
            negatives=int((labels == 0).sum()),
            positive_groups=int(positives),
            rare=bool(min(negatives, positives) < n_folds),
            share_sum=total,
        )
        for name, labels, (negatives, positives), total in zip(
            table.class_names, table.labels.T, groups_per_label(groups, table.labels), sums, strict=True
        )
    ]


def _log_scores(scores: dict[str, ColumnScores]) -> None:
    for column, score in scores.items():
        if score.auc.value is None:
            logger.info("%s: no pooled ROC AUC (%s)", column, score.auc.reason)
        elif score.auc.low is None:
            logger.info("%s: pooled ROC AUC %.4f (no interval)", column, score.auc.value)
        else:
            area = score.auc
            logger.info("%s: pooled ROC AUC %.4f (%.4f to %.4f)", column, area.value, area.low, area.high)


if __name__ == "__main__":
    with step(snakemake):
        evaluate(
            oof=snakemake.input.oof,
            oof_repeats=snakemake.input.oof_repeats,
            recipe=snakemake.input.recipe,
            folds=snakemake.input.folds,
            metrics=snakemake.output.metrics,
            label_issues=snakemake.output.label_issues,
            config=build(EvaluationConfig, snakemake.params.settings),
        )
