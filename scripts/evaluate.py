"""Say how good the models and their blend are on rows they were not trained on, and how sure that is.

Inputs: oof (out-of-fold table), folds (groups and metadata columns).
Outputs: metrics (JSON; a value that is not defined is null, with the reason).
Parameters: class_names, confidence, bootstrap_draws, seed, metadata_columns.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from foldline.blending import BLEND, read_oof, rule_of
from foldline.errors import FoldlineError, listing
from foldline.evaluation import Settings, column_scores
from foldline.files import write_json
from foldline.fold_rows import scored_rows
from foldline.metrics import CALIBRATION_BINS, THRESHOLD
from foldline.step import step
from foldline.tables import FOLDS, read_table

log = logging.getLogger(__name__)


def evaluate(
    *,
    oof: str | Path,
    folds: str | Path,
    metrics: str | Path,
    class_names: Sequence[str],
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
        class_names: the one class of a binary task.
        confidence: coverage of the intervals, in (0, 1).
        bootstrap_draws: draws of whole groups behind the intervals.
        seed: seed of the draws.
        metadata_columns: columns of the fold table whose values are scored as subgroups.

    Raises:
        FoldlineError: the two tables do not hold the same rows, a metadata column is missing, or the blend is not
            that of the model columns.
    """
    if len(class_names) != 1:
        raise FoldlineError(f"classes {listing(list(class_names))}: the out-of-fold table holds one class")
    table, models = read_oof(oof)
    table = _with_groups(table, scored_rows(read_table(folds, FOLDS)), oof, folds, metadata_columns)
    probabilities = table[models].to_numpy().T[:, :, None]
    rule = rule_of(probabilities, table[[BLEND]].to_numpy())
    settings = Settings(confidence=confidence, draws=bootstrap_draws, seed=seed)
    scores = column_scores(
        table,
        columns=[*models, BLEND],
        # Ranks order the samples; they are no probabilities, and their distance from a label means nothing.
        ranks=[BLEND] if rule == "rank_mean" else [],
        metadata_columns=metadata_columns,
        settings=settings,
    )
    for column, score in scores.items():
        area = score["auc"]
        reach = "no interval" if area["low"] is None else f"{area['low']:.4f} to {area['high']:.4f}"
        log.info("%s: pooled ROC AUC %.4f (%s)", column, area["value"], reach)
    positives = int(table["target"].sum())
    write_json(
        metrics,
        {
            "rows": len(table),
            "groups": int(table["group"].nunique()),
            "folds": int(table["fold"].nunique()),
            "blend_rule": rule,
            "confidence": confidence,
            "bootstrap_draws": bootstrap_draws,
            "seed": seed,
            "threshold": THRESHOLD,
            "calibration_bins": CALIBRATION_BINS,
            "class": class_names[0],
            "positives": positives,
            "negatives": len(table) - positives,
            "models": scores,
        },
    )


def _with_groups(
    table: pd.DataFrame, folds: pd.DataFrame, oof: str | Path, where: str | Path, metadata_columns: Sequence[str]
) -> pd.DataFrame:
    absent = [name for name in metadata_columns if name not in folds.columns]
    if absent:
        raise FoldlineError(f"{where}: no column {listing(absent)}; the table has {listing(list(folds.columns))}")
    odd = sorted(set(table["id"]) ^ set(folds["id"]))
    if odd:
        raise FoldlineError(f"id {listing(odd)} stands in only one of {oof} and {where}; run the workflow again")
    folds = folds.set_index("id").loc[table["id"]].reset_index()
    for name in ("fold", "target"):
        differ = table.loc[table[name] != folds[name], "id"]
        if len(differ):
            raise FoldlineError(f"{oof}: {name} of id {listing(list(differ))} is not that of {where}")
    return table.assign(group=folds["group"], **{f"metadata/{name}": folds[name] for name in metadata_columns})


if __name__ == "__main__":
    with step(snakemake):
        evaluate(
            oof=snakemake.input.oof,
            folds=snakemake.input.folds,
            metrics=snakemake.output.metrics,
            **snakemake.params.settings,
        )
