"""Predictions of folds and models, merged strictly and blended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foldline.errors import FoldlineError, listing
from foldline.evaluation.oof import BLEND
from foldline.evaluation.roc_auc import macro_auc
from foldline.io.tables import PREDICTIONS, read_tables

RULES = ("mean", "rank_mean")
METHODS = (*RULES, "best")


@dataclass(frozen=True)
class Merged:
    """Predictions of all models for the same samples.

    Attributes:
        models: names, sorted, (n_models,).
        ids: names of the samples in order, (n_samples,).
        probabilities: (n_models, n_samples, n_classes), in [0, 1].
        views: views that each model's predictions are the mean of.
    """

    models: list[str]
    ids: list[str]
    probabilities: np.ndarray
    views: dict[str, int]


def merge_oof(paths: Sequence[str | Path], *, fold_of: Mapping[str, int], class_names: Sequence[str]) -> Merged:
    """Put the predictions of the held-out rows of all folds together.

    Args:
        paths: prediction tables of every model and fold.
        fold_of: fold of every id that is scored.
        class_names: (n_classes,).

    Returns:
        Predictions in the order of `fold_of`.

    Raises:
        FoldlineError: an id is missing, foreign, predicted twice or by the model of another fold; a class is missing
            or foreign; a probability is out of [0, 1]; a model's view counts differ.
    """
    table = _read(paths, key=("model", "id", "class"), class_names=class_names)
    where = "out-of-fold predictions"
    for model, rows in table.groupby("model"):
        _compare_folds(set(rows["fold"]), set(fold_of.values()), f"{where} of model {model}")
        _compare_ids(set(rows["id"]), fold_of, f"{where} of model {model}", "the train rows of the fold table")
        strangers = rows.loc[rows["fold"] != rows["id"].map(fold_of), "id"].unique()
        if len(strangers):
            raise FoldlineError(
                f"{where} of model {model}: id {listing(list(strangers))} predicted by the model of another fold than "
                "the fold table's; run the workflow again"
            )
    return _merged(table, list(fold_of), class_names, where)


def merge_test(
    paths: Sequence[str | Path], *, ids: Sequence[str], folds: Sequence[int], class_names: Sequence[str]
) -> Merged:
    """Mean over the folds of the predictions of the test rows, per model.

    Args:
        paths: prediction tables of every model and fold.
        ids: ids of the test samples.
        folds: the folds that every model must have.
        class_names: (n_classes,).

    Returns:
        Predictions in the order of `ids`.

    Raises:
        FoldlineError: as for `merge_oof`; also where a model lacks a fold or has one too many.
    """
    table = _read(paths, key=("model", "fold", "id", "class"), class_names=class_names)
    where = "test predictions"
    for model, rows in table.groupby("model"):
        _compare_folds(set(rows["fold"]), set(folds), f"{where} of model {model}")
        for fold, part in rows.groupby("fold"):
            _compare_ids(set(part["id"]), set(ids), f"{where} of model {model}, fold {fold}", "the sample submission")
    return _merged(table, list(ids), class_names, where)


def _read(paths: Sequence[str | Path], *, key: Sequence[str], class_names: Sequence[str]) -> pd.DataFrame:
    if not paths:
        raise FoldlineError("no predictions to blend; name a model in the config")
    table = read_tables(paths, PREDICTIONS, key=key)
    foreign = sorted(set(table["class"]) - set(class_names))
    if foreign:
        raise FoldlineError(f"predictions of class {listing(foreign)}; the classes are {listing(list(class_names))}")
    wrong = table[~table["probability"].between(0, 1)]
    if len(wrong):
        first = wrong.iloc[0]
        raise FoldlineError(
            f"predictions of model {first['model']}, fold {first['fold']}: probability {first['probability']} of id "
            f"{first['id']} is not in [0, 1]; in all {len(wrong)} such, of id {listing(list(wrong['id'].unique()))}"
        )
    return table


def _compare_folds(found: set[int], known: set[int], where: str) -> None:
    missing = [str(fold) for fold in sorted(known - found)]
    if missing:
        raise FoldlineError(f"{where}: fold {listing(missing)} is missing; run the workflow again")
    foreign = [str(fold) for fold in sorted(found - known)]
    if foreign:
        raise FoldlineError(f"{where}: fold {listing(foreign)} is not in the fold table; run the workflow again")


def _compare_ids(found: set[str], known: Mapping[str, Any] | set[str], where: str, source: str) -> None:
    foreign = sorted(name for name in found if name not in known)
    if foreign:
        raise FoldlineError(f"{where}: id {listing(foreign)} is not in {source}")
    missing = sorted(name for name in known if name not in found)
    if missing:
        raise FoldlineError(f"{where}: {len(missing)} ids of {source} missing: {listing(missing)}")


def _merged(table: pd.DataFrame, ids: list[str], class_names: Sequence[str], where: str) -> Merged:
    """Arrays from a table whose ids are checked; rows of several folds for one id are averaged."""
    models = sorted(table["model"].unique())
    views: dict[str, int] = {}
    for model, rows in table.groupby("model"):
        counts = sorted(rows["views"].unique())
        if len(counts) > 1:
            raise FoldlineError(f"{where} of model {model} mix view counts {listing([str(count) for count in counts])}")
        views[model] = int(counts[0])
        expected = len(rows[["fold", "id"]].drop_duplicates()) * len(class_names)
        if len(rows) != expected:
            classes = rows.groupby("id")["class"].nunique()
            names = sorted(classes.index[classes < len(class_names)]) or sorted(rows["id"].unique())
            raise FoldlineError(f"{where} of model {model}: a class is missing for id {listing(names)}")
    order = {name: number for number, name in enumerate(ids)}
    column = {name: number for number, name in enumerate(class_names)}
    table = table.assign(row=table["id"].map(order), column=table["class"].map(column))
    table = table.sort_values(["model", "row", "column", "fold"], kind="stable")
    shape = (len(models), len(ids), len(class_names), -1)
    # Summed fold after fold: the mean of the same files has the same bits everywhere.
    values = table["probability"].to_numpy().reshape(shape)
    mean = sum(values[..., fold] for fold in range(values.shape[3])) / values.shape[3]
    return Merged(models, ids, mean, views)


def scaled_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks in (0, 1): (rank - 1/2) / n_samples, ranks counted from 1 and averaged over ties.

    Args:
        values: (n_samples,).
    """
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - (counts - 1) / 2) - 0.5)[index] / len(values)


def blend(probabilities: np.ndarray, rule: str) -> np.ndarray:
    """Join models with equal weights.

    Args:
        probabilities: (n_models, n_samples, n_classes).
        rule: "mean", or "rank_mean", the mean of `scaled_ranks` among these samples, which is a score for ordering
            and no probability.

    Returns:
        (n_samples, n_classes), in [0, 1].
    """
    if rule == "rank_mean":
        probabilities = np.stack([np.stack([scaled_ranks(row) for row in model.T], axis=1) for model in probabilities])
    return sum(probabilities) / len(probabilities)


def choose_rule(probabilities: np.ndarray, labels: np.ndarray, method: str) -> tuple[str, dict[str, float]]:
    """Which rule to blend by, from the out-of-fold rows alone.

    Args:
        probabilities: out of fold, (n_models, n_samples, n_classes).
        labels: 0 or 1, (n_samples, n_classes).
        method: "mean", "rank_mean", or "best": the one with the higher pooled ROC AUC, mean over the classes that have
            both labels; "mean" when they are equal.

    Returns:
        The rule, and the score of either.

    Raises:
        FoldlineError: unknown method.
    """
    if method not in METHODS:
        raise FoldlineError(f"blend.method is {method!r}; allowed: {listing(list(METHODS))}")
    scores = {}
    for rule in RULES:
        scores[rule] = macro_auc(labels, blend(probabilities, rule))
    best = "rank_mean" if scores["rank_mean"] > scores["mean"] else "mean"
    return (best if method == "best" else method), scores


def rule_of(probabilities: np.ndarray, blended: np.ndarray) -> str:
    """Which rule made a blend, by making it again.

    Args:
        probabilities: (n_models, n_samples, n_classes).
        blended: (n_samples, n_classes).

    Raises:
        FoldlineError: no rule gives this blend.
    """
    for rule in RULES:
        # Tables keep all bits; the tolerance is for a file that passed through another program.
        if np.allclose(blend(probabilities, rule), blended, rtol=0, atol=1e-9):
            return rule
    raise FoldlineError(
        f"column {BLEND} is no {listing(list(RULES))} of the model columns; remove the file and run the workflow again"
    )
