"""Scores of the columns of an out-of-fold table: pooled with intervals, per fold, per subgroup, and calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from foldline.metrics import (
    METRICS,
    PROBABILITY,
    Ranked,
    bootstrap_weights,
    expected_calibration_error,
    interval,
    plain_scores,
    ranked,
    reliability,
    weighted_roc_auc,
    weighted_scores,
)
from foldline.ranking import roc_auc

# Rows of each label below which a subgroup's AUC says more about chance than about the subgroup.
SUBGROUP_ROWS = 10

RANKS = "a blend of ranks is no probability"
UNDEFINED = "not defined: these rows have one label only"
UNSTABLE = "no interval: not defined in more than a tenth of the draws"


@dataclass(frozen=True)
class Settings:
    """How intervals are made.

    Attributes:
        confidence: coverage, in (0, 1).
        draws: number of bootstrap draws.
        seed: seed of the draws, which are the same for every column.
    """

    confidence: float
    draws: int
    seed: int


def column_scores(
    table: pd.DataFrame,
    *,
    columns: Sequence[str],
    ranks: Sequence[str],
    metadata_columns: Sequence[str],
    settings: Settings,
) -> dict[str, Any]:
    """Scores of each column.

    Args:
        table: one row per sample: fold, group, target (0 or 1), the score columns in [0, 1], and the metadata columns
            as "metadata/NAME".
        columns: names of the score columns.
        ranks: those of them that are no probabilities.
        metadata_columns: names of the metadata columns.
        settings: how intervals are made.

    Returns:
        Column -> each metric over all rows (value, low, high, reason), folds, folds_mean, folds_sd,
        pooled_minus_folds_mean, calibration, subgroups; JSON-able, null with a reason where a value is not defined.
    """
    labels = table["target"].to_numpy()
    subgroups = {name: _subgroups(table[f"metadata/{name}"], labels) for name in metadata_columns}
    draws = _draws(table, labels, columns, subgroups, settings)
    found = {}
    for column in columns:
        scores = table[column].to_numpy()
        by_ranks = column in ranks
        pooled = plain_scores(labels, scores)
        folds = _folds(table, labels, scores)
        found[column] = {
            **{
                name: _value(
                    pooled[name], draws[column, name], settings, RANKS if by_ranks and name in PROBABILITY else ""
                )
                for name in METRICS
            },
            **_fold_summary(folds, pooled, by_ranks),
            "calibration": _calibration(labels, scores, by_ranks),
            "subgroups": {
                name: {
                    "left_out": part["left_out"],
                    "values": [
                        {
                            "value": value,
                            "rows": int(inside.sum()),
                            "positives": int(labels[inside].sum()),
                            "auc": _value(
                                roc_auc(labels[inside], scores[inside]), draws[column, name, value], settings, ""
                            ),
                        }
                        for value, inside in part["values"].items()
                    ],
                }
                for name, part in subgroups.items()
            },
        }
    return found


def _draws(
    table: pd.DataFrame,
    labels: np.ndarray,
    columns: Sequence[str],
    subgroups: dict[str, Any],
    settings: Settings,
) -> dict[tuple[str, ...], np.ndarray]:
    """Bootstrap values by (column, metric) and by (column, metadata column, value), each (n_draws,)."""
    prepared: dict[tuple[str, ...], Ranked] = {}
    for column in columns:
        scores = table[column].to_numpy()
        prepared[column,] = ranked(labels, scores)
        for name, part in subgroups.items():
            for value, inside in part["values"].items():
                prepared[column, name, value] = ranked(labels, scores, inside=inside)
    found: dict[tuple[str, ...], list[np.ndarray]] = {}
    for weights in bootstrap_weights(list(table["group"]), draws=settings.draws, seed=settings.seed):
        for key, rows in prepared.items():
            if len(key) > 1:
                found.setdefault(key, []).append(weighted_roc_auc(rows, weights))
                continue
            for name, values in weighted_scores(rows, weights).items():
                found.setdefault((*key, name), []).append(values)
    return {key: np.concatenate(values) for key, values in found.items()}


def _subgroups(values: pd.Series, labels: np.ndarray) -> dict[str, Any]:
    """Rows of each value that has enough of both labels, the most frequent first, and what was left out."""
    kept: dict[str, np.ndarray] = {}
    left_out = {"values": 0, "rows": 0, "reason": f"fewer than {SUBGROUP_ROWS} positives or negatives"}
    counts = values.value_counts()
    for value in sorted(counts.index, key=lambda value: (-counts[value], value)):
        inside = (values == value).to_numpy()
        positives = int(labels[inside].sum())
        if min(positives, int(inside.sum()) - positives) >= SUBGROUP_ROWS:
            kept[value] = inside
        else:
            left_out["values"] += 1
            left_out["rows"] += int(inside.sum())
    return {"values": kept, "left_out": left_out}


def _value(value: float, draws: np.ndarray, settings: Settings, reason: str) -> dict[str, Any]:
    """A score with its interval, or nulls and the reason."""
    if reason or not np.isfinite(value):
        return {"value": None, "low": None, "high": None, "reason": reason or UNDEFINED}
    limits = interval(draws, confidence=settings.confidence)
    if limits is None:
        return {"value": value, "low": None, "high": None, "reason": UNSTABLE}
    return {"value": value, "low": limits[0], "high": limits[1], "reason": None}


def _folds(table: pd.DataFrame, labels: np.ndarray, scores: np.ndarray) -> list[dict[str, Any]]:
    found = []
    for fold in sorted(table["fold"].unique()):
        inside = (table["fold"] == fold).to_numpy()
        row = {"fold": int(fold), "rows": int(inside.sum()), "positives": int(labels[inside].sum())}
        found.append(row | plain_scores(labels[inside], scores[inside]))
    return found


def _fold_summary(folds: list[dict[str, Any]], pooled: dict[str, float], by_ranks: bool) -> dict[str, Any]:
    """Folds, their mean and standard deviation (n - 1), and by how much the pooled score differs from the mean."""
    means: dict[str, float | None] = {}
    deviations: dict[str, float | None] = {}
    differences: dict[str, float | None] = {}
    for name in METRICS:
        values = np.array([row[name] for row in folds])
        known = np.isfinite(values) & ~(by_ranks and name in PROBABILITY)
        for row, given in zip(folds, known, strict=True):
            row[name] = row[name] if given else None
        means[name] = float(values.mean()) if known.all() else None
        deviations[name] = float(values.std(ddof=1)) if known.all() and len(values) > 1 else None
        differences[name] = pooled[name] - means[name] if known.all() else None
    return {
        "folds": folds,
        "folds_mean": means,
        "folds_sd": deviations,
        "pooled_minus_folds_mean": differences,
        "reason": RANKS if by_ranks else None,
    }


def _calibration(labels: np.ndarray, scores: np.ndarray, by_ranks: bool) -> dict[str, Any]:
    if by_ranks:
        return {"error": None, "bins": [], "reason": RANKS}
    bins = reliability(labels, scores)
    return {"error": expected_calibration_error(bins), "bins": bins, "reason": None}
