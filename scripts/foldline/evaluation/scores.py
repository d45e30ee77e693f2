"""Scores of the columns of an out-of-fold table: pooled with intervals, per class, per fold, per subgroup; calibration.

A score of several classes is the mean over those of them that count and of which it is defined.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from foldline.evaluation.metrics import (
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
from foldline.evaluation.oof import Oof
from foldline.evaluation.roc_auc import roc_auc
from foldline.evaluation.thresholds import class_thresholds

# Rows of each label below which a subgroup's AUC says more about chance than about the subgroup.
SUBGROUP_ROWS = 10

RANKS = "a blend of ranks is no probability"
UNDEFINED = "not defined: these rows have one label only"
UNSTABLE = "no interval: not defined in more than a tenth of the draws"
TOP = "top_accuracy"


@dataclass(frozen=True)
class Settings:
    """How scores are made.

    Attributes:
        threshold: score from which on a class is called, or "best_f1"; see `thresholds.class_thresholds`.
        confidence: coverage of the intervals, in (0, 1).
        draws: number of bootstrap draws.
        seed: seed of the draws, which are the same for every column.
        one_class: whether a sample has exactly one class.
        scored: names of the classes that count.
    """

    threshold: float | str
    confidence: float
    draws: int
    seed: int
    one_class: bool
    scored: Sequence[str]


def column_scores(
    oof: Oof,
    *,
    groups: Sequence[str],
    metadata: Mapping[str, pd.Series],
    ranks: Sequence[str],
    settings: Settings,
) -> dict[str, Any]:
    """Scores of each column.

    Args:
        oof: the table.
        groups: group of each sample, (n_samples,).
        metadata: metadata column -> value of each sample.
        ranks: those of the score columns that are no probabilities.
        settings: how scores are made.

    Returns:
        Column -> each metric over all rows (value, low, high, reason), with `settings.one_class` also top_accuracy, the
        share of samples whose class has the highest score; folds, folds_mean, folds_sd, pooled_minus_folds_mean,
        calibration (of the classes together), subgroups; classes, a dict for every one: name, positives, negatives,
        threshold, the metrics, folds. JSON-able, null with a reason where a value is not defined.
    """
    scored = [oof.class_names.index(name) for name in settings.scored]
    subgroups = {name: _subgroups(values, oof.labels, scored) for name, values in metadata.items()}
    thresholds = {
        column: class_thresholds(oof.labels, scores, settings.threshold) for column, scores in oof.scores.items()
    }
    draws = _draws(oof, groups, subgroups, thresholds, settings)
    return {
        column: _column(oof, column, scored, subgroups, thresholds[column], draws, column in ranks, settings)
        for column in oof.scores
    }


def _column(
    oof: Oof,
    column: str,
    scored: Sequence[int],
    subgroups: Mapping[str, Any],
    thresholds: Sequence[float],
    draws: Mapping[tuple, np.ndarray],
    by_ranks: bool,
    settings: Settings,
) -> dict[str, Any]:
    scores = oof.scores[column]
    pooled = [
        plain_scores(*rows, threshold=threshold)
        for *rows, threshold in zip(oof.labels.T, scores.T, thresholds, strict=True)
    ]
    folds = _folds(oof, scores, thresholds)
    found: dict[str, Any] = {}
    for name in METRICS:
        known = [number for number in scored if np.isfinite(pooled[number][name])]
        value = _mean([pooled[number][name] for number in known])
        drawn = mean_of_defined([draws[column, name, number] for number in known]) if known else np.array([np.nan])
        found[name] = _value(value, drawn, settings, RANKS if by_ranks and name in PROBABILITY else "")
    if settings.one_class:
        right = scores.argmax(axis=1) == oof.labels.argmax(axis=1)
        found[TOP] = _value(float(right.mean()), draws[column, TOP], settings, RANKS if by_ranks else "")
    plain = {name: found[name]["value"] for name in METRICS}
    found |= _fold_summary(_macro_folds([folds[number] for number in scored]), plain, by_ranks)
    found["calibration"] = _calibration(oof.labels[:, scored].ravel(), scores[:, scored].ravel(), by_ranks)
    found["subgroups"] = {
        name: {
            "left_out": part["left_out"],
            "values": [
                _subgroup(oof.labels, scores, value, *kept, draws[column, name, value], settings)
                for value, kept in part["values"].items()
            ],
        }
        for name, part in subgroups.items()
    }
    found["classes"] = [
        {
            "name": class_name,
            "positives": int(oof.labels[:, number].sum()),
            "negatives": int((oof.labels[:, number] == 0).sum()),
            "threshold": thresholds[number],
            **{
                name: _value(
                    pooled[number][name],
                    draws[column, name, number],
                    settings,
                    RANKS if by_ranks and name in PROBABILITY else "",
                )
                for name in METRICS
            },
            "folds": [
                {
                    "fold": row["fold"],
                    "rows": row["rows"],
                    "positives": row["positives"],
                    "auc": _or_none(row["auc"]),
                    "average_precision": _or_none(row["average_precision"]),
                    "reason": None if np.isfinite(row["auc"]) else UNDEFINED,
                }
                for row in folds[number]
            ],
        }
        for number, class_name in enumerate(oof.class_names)
    ]
    return found


def mean_of_defined(values: Sequence[np.ndarray]) -> np.ndarray:
    """Mean over the classes, in each draw over those of which it is defined; NaN where it is of none.

    Args:
        values: an array (n_draws,) for each class.
    """
    stacked = np.stack(values)
    known = np.isfinite(stacked)
    with np.errstate(invalid="ignore"):
        return np.where(known, stacked, 0).sum(axis=0) / known.sum(axis=0)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _draws(
    oof: Oof,
    groups: Sequence[str],
    subgroups: Mapping[str, Any],
    thresholds: Mapping[str, Sequence[float]],
    settings: Settings,
) -> dict[tuple, np.ndarray]:
    """Bootstrap values, each (n_draws,).

    By (column, metric, class number), by (column, metadata column, value) and, where samples have one class, by
    (column, "top_accuracy").
    """
    prepared: dict[tuple, Ranked] = {}
    parts: dict[tuple, list[Ranked]] = {}
    right: dict[tuple, np.ndarray] = {}
    for column, scores in oof.scores.items():
        for number, (labels, values) in enumerate(zip(oof.labels.T, scores.T, strict=True)):
            prepared[column, number] = ranked(labels, values, threshold=thresholds[column][number])
        for name, part in subgroups.items():
            for value, (inside, classes) in part["values"].items():
                parts[column, name, value] = [
                    ranked(oof.labels[:, number], scores[:, number], inside=inside) for number in classes
                ]
        if settings.one_class:
            right[column, TOP] = (scores.argmax(axis=1) == oof.labels.argmax(axis=1)).astype(np.float64)
    found: dict[tuple, list[np.ndarray]] = {}
    for weights in bootstrap_weights(groups, draws=settings.draws, seed=settings.seed):
        for (column, number), rows in prepared.items():
            for name, values in weighted_scores(rows, weights).items():
                found.setdefault((column, name, number), []).append(values)
        for key, classes in parts.items():
            found.setdefault(key, []).append(mean_of_defined([weighted_roc_auc(rows, weights) for rows in classes]))
        for key, hits in right.items():
            found.setdefault(key, []).append(np.einsum("dn,n->d", weights, hits) / weights.sum(axis=1))
    return {key: np.concatenate(values) for key, values in found.items()}


def _subgroups(values: pd.Series, labels: np.ndarray, scored: Sequence[int]) -> dict[str, Any]:
    """Rows of each value, the most frequent first, and those of the scored classes that have enough of both labels.

    Values without such a class are left out, and counted.
    """
    kept: dict[str, tuple[np.ndarray, list[int]]] = {}
    left_out = {"values": 0, "rows": 0, "reason": f"fewer than {SUBGROUP_ROWS} positives or negatives"}
    counts = values.value_counts()
    for value in sorted(counts.index, key=lambda value: (-counts[value], value)):
        inside = (values == value).to_numpy()
        positives = labels[inside].sum(axis=0)
        least = np.minimum(positives, int(inside.sum()) - positives)
        classes = [number for number in scored if least[number] >= SUBGROUP_ROWS]
        if classes:
            kept[value] = inside, classes
        else:
            left_out["values"] += 1
            left_out["rows"] += int(inside.sum())
    return {"values": kept, "left_out": left_out}


def _subgroup(
    labels: np.ndarray,
    scores: np.ndarray,
    value: str,
    inside: np.ndarray,
    classes: Sequence[int],
    drawn: np.ndarray,
    settings: Settings,
) -> dict[str, Any]:
    area = _mean([roc_auc(labels[inside, number], scores[inside, number]) for number in classes])
    return {
        "value": value,
        "rows": int(inside.sum()),
        "positives": int(labels[inside][:, classes].sum()),
        "auc": _value(area, drawn, settings, ""),
    }


def _value(value: float, draws: np.ndarray, settings: Settings, reason: str) -> dict[str, Any]:
    """A score with its interval, or nulls and the reason."""
    if reason or not np.isfinite(value):
        return {"value": None, "low": None, "high": None, "reason": reason or UNDEFINED}
    limits = interval(draws, confidence=settings.confidence)
    if limits is None:
        return {"value": value, "low": None, "high": None, "reason": UNSTABLE}
    return {"value": value, "low": limits[0], "high": limits[1], "reason": None}


def _folds(oof: Oof, scores: np.ndarray, thresholds: Sequence[float]) -> list[list[dict[str, Any]]]:
    """Scores of each class and fold, NaN where not defined."""
    numbers = sorted(set(oof.folds.tolist()))
    found = []
    for labels, values, threshold in zip(oof.labels.T, scores.T, thresholds, strict=True):
        rows = []
        for fold in numbers:
            inside = oof.folds == fold
            row = {"fold": fold, "rows": int(inside.sum()), "positives": int(labels[inside].sum())}
            rows.append(row | plain_scores(labels[inside], values[inside], threshold=threshold))
        found.append(rows)
    return found


def _macro_folds(classes: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Scores of each fold: means over the classes of which they are defined; how many that are for the AUC."""
    found = []
    for rows in zip(*classes, strict=True):
        row = {name: rows[0][name] for name in ("fold", "rows")}
        row["positives"] = sum(part["positives"] for part in rows)
        row["defined_classes"] = sum(np.isfinite(part["auc"]).item() for part in rows)
        for name in METRICS:
            row[name] = _mean([part[name] for part in rows if np.isfinite(part[name])])
        found.append(row)
    return found


def _fold_summary(folds: list[dict[str, Any]], pooled: Mapping[str, float | None], by_ranks: bool) -> dict[str, Any]:
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
        whole = known.all() and pooled[name] is not None
        differences[name] = pooled[name] - means[name] if whole else None
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
