"""Say how good the models and their blend are on rows they were not trained on, and how sure that is.

Inputs: oof (out-of-fold table), folds (groups and metadata columns).
Outputs: metrics (JSON; a value that is not defined is null, with the reason).
Parameters: class_names, scored_classes (those whose mean is the score), activation, threshold, confidence,
    bootstrap_draws, seed, metadata_columns.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from foldline.dataset.label_arrays import label_array
from foldline.dataset.labels import SOFTMAX
from foldline.errors import FoldlineError, listing
from foldline.evaluation.blending import rule_of
from foldline.evaluation.metrics import CALIBRATION_BINS
from foldline.evaluation.oof import BLEND, Oof, read_oof
from foldline.evaluation.scores import Settings, column_scores
from foldline.io.files import write_json
from foldline.io.tables import FOLDS, read_table
from foldline.splits.fold_membership import scored_rows
from foldline.splits.group_folds import groups_with
from foldline.step import step

log = logging.getLogger(__name__)


def evaluate(
    *,
    oof: str | Path,
    folds: str | Path,
    metrics: str | Path,
    class_names: Sequence[str],
    scored_classes: Sequence[str],
    activation: str,
    threshold: float | str,
    confidence: float,
    bootstrap_draws: int,
    seed: int,
    metadata_columns: Sequence[str],
) -> None:
    """Score every model column and the blend of the out-of-fold table.

    Args:
        oof: out-of-fold table; all scores are computed from its rows.
        folds: fold table, whose train rows must have the same ids, folds and targets.
        metrics: where the JSON file goes.
        class_names: (n_classes,).
        scored_classes: the classes over whose scores the mean is taken.
        activation: see `labels.Labels`.
        threshold: see `evaluation.Settings`, as for the rest.
        confidence: coverage of the intervals, in (0, 1).
        bootstrap_draws: draws of whole groups behind the intervals.
        seed: seed of the draws.
        metadata_columns: columns of the fold table whose values are scored as subgroups.

    Raises:
        FoldlineError: the two tables do not hold the same rows, a metadata column is missing, or the blend is not
            that of the model columns.
    """
    table = read_oof(oof, class_names)
    rows = _rows_of(table, scored_rows(read_table(folds, FOLDS)), oof, folds, metadata_columns)
    rule = rule_of(np.stack([table.scores[name] for name in table.models]), table.scores[BLEND])
    settings = Settings(
        threshold=threshold,
        confidence=confidence,
        draws=bootstrap_draws,
        seed=seed,
        one_class=activation == SOFTMAX,
        scored=scored_classes,
    )
    scores = column_scores(
        table,
        groups=list(rows["group"]),
        metadata={name: rows[name] for name in metadata_columns},
        # Ranks order the samples; they are no probabilities, and their distance from a label means nothing.
        ranks=[BLEND] if rule == "rank_mean" else [],
        settings=settings,
    )
    for column, score in scores.items():
        area = score["auc"]
        reach = "no interval" if area["low"] is None else f"{area['low']:.4f} to {area['high']:.4f}"
        log.info("%s: pooled ROC AUC %.4f (%s)", column, area["value"], reach)
    count = int(rows["fold"].nunique())
    write_json(
        metrics,
        {
            "rows": len(rows),
            "groups": int(rows["group"].nunique()),
            "folds": count,
            "blend_rule": rule,
            "confidence": confidence,
            "bootstrap_draws": bootstrap_draws,
            "seed": seed,
            "threshold": threshold,
            "calibration_bins": CALIBRATION_BINS,
            "scored_classes": list(scored_classes),
            "classes": _classes(table, list(rows["group"]), count),
            "models": scores,
        },
    )


def _classes(table: Oof, groups: Sequence[str], count: int) -> list[dict[str, Any]]:
    """Counts of every class; a rare one has one of its labels in fewer groups than there are folds."""
    return [
        {
            "name": name,
            "positives": int(labels.sum()),
            "negatives": int((labels == 0).sum()),
            "positive_groups": int(positives),
            "rare": bool(min(negatives, positives) < count),
        }
        for name, labels, (negatives, positives) in zip(
            table.class_names, table.labels.T, groups_with(groups, table.labels), strict=True
        )
    ]


def _rows_of(
    table: Oof, folds: pd.DataFrame, oof: str | Path, where: str | Path, metadata_columns: Sequence[str]
) -> pd.DataFrame:
    """Rows of the fold table in the order of the out-of-fold table, which must be the same rows."""
    absent = [name for name in metadata_columns if name not in folds.columns]
    if absent:
        raise FoldlineError(f"{where}: no column {listing(absent)}; the table has {listing(list(folds.columns))}")
    odd = sorted(set(table.ids) ^ set(folds["id"]))
    if odd:
        raise FoldlineError(f"id {listing(odd)} stands in only one of {oof} and {where}; run the workflow again")
    folds = folds.set_index("id").loc[table.ids].reset_index()
    labels = label_array(list(folds["target"]), table.class_names)
    wrong = {"fold": table.folds != folds["fold"], "target": (table.labels != labels).any(axis=1)}
    for name, differ in wrong.items():
        if differ.any():
            raise FoldlineError(f"{oof}: {name} of id {listing(list(folds.loc[differ, 'id']))} is not that of {where}")
    return folds


if __name__ == "__main__":
    with step(snakemake):
        evaluate(
            oof=snakemake.input.oof,
            folds=snakemake.input.folds,
            metrics=snakemake.output.metrics,
            **snakemake.params.settings,
        )
