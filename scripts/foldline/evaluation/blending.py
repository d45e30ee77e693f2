"""Merge the predictions of folds and models strictly, and blend them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.dataset.submission import SubmissionForm
from foldline.errors import FoldlineError, listing
from foldline.evaluation.oof import BLEND
from foldline.evaluation.roc_auc import macro_auc
from foldline.io.tables import PREDICTIONS, read_tables

FloatArray = npt.NDArray[np.float64]

RULES = ("mean", "rank_mean")
METHODS = (*RULES, "best")
RUN_AGAIN = "run the workflow again"


@dataclass(frozen=True)
class BlendConfig:
    """How predictions are blended and submitted; see `blend` in `config/config.schema.yaml`.

    Attributes:
        method: "mean", "rank_mean" or "best"; see `choose_rule`.
        class_names: (n_classes,).
        scored_classes: the classes whose mean AUC decides the rule, and which have columns in the submission.
        activation: see `labels.Labels`.
        submission_form: columns of the submission and what their cells hold.
    """

    method: str
    class_names: tuple[str, ...]
    scored_classes: tuple[str, ...]
    activation: str
    submission_form: SubmissionForm

    @property
    def scored(self) -> list[int]:
        """Numbers of the scored classes."""
        return [self.class_names.index(name) for name in self.scored_classes]


@dataclass(frozen=True)
class MergedPredictions:
    """Predictions of all models for the same samples.

    Attributes:
        models: names of the models, sorted, (n_models,).
        ids: ids of the samples in order, (n_samples,).
        probabilities: (n_models, n_samples, n_classes), in [0, 1].
        views: model -> number of views that its predictions average.
    """

    models: list[str]
    ids: list[str]
    probabilities: FloatArray
    views: dict[str, int]


def merge_oof(
    paths: Sequence[str | Path], *, fold_of: Mapping[str, int], class_names: Sequence[str]
) -> MergedPredictions:
    """Merge the predictions of the held-out rows of all folds.

    Args:
        paths: prediction tables of every model and fold.
        fold_of: fold of every id that is scored.
        class_names: (n_classes,).

    Returns:
        Predictions in the order of `fold_of`.

    Raises:
        FoldlineError: an id is missing, foreign, predicted twice or predicted by the model of another fold; a class is
            missing or foreign; a probability is not in [0, 1]; the view counts of a model differ.
    """
    table = _read_predictions(paths, key=("model", "id", "class"), class_names=class_names)
    title = "out-of-fold predictions"
    for model, rows in table.groupby("model"):
        where = f"{title} of model {model}"
        _compare_folds(set(rows["fold"]), set(fold_of.values()), where)
        _compare_ids(set(rows["id"]), fold_of, where, "the train rows of the fold table")
        other_fold = rows.loc[rows["fold"] != rows["id"].map(dict(fold_of)), "id"].unique()
        if len(other_fold):
            raise FoldlineError(
                f"{where}: id {listing(list(other_fold))} predicted by the model of another fold than in the fold "
                f"table; {RUN_AGAIN}"
            )
    return _merge(table, list(fold_of), class_names, title)


def merge_test(
    paths: Sequence[str | Path], *, ids: Sequence[str], folds: Sequence[int], class_names: Sequence[str]
) -> MergedPredictions:
    """Merge the predictions of the test rows: the mean over the folds of each model.

    Args:
        paths: prediction tables of every model and fold.
        ids: ids of the test samples.
        folds: the folds that every model must have.
        class_names: (n_classes,).

    Returns:
        Predictions in the order of `ids`.

    Raises:
        FoldlineError: as for `merge_oof`; also if a model lacks a fold or has an additional one.
    """
    table = _read_predictions(paths, key=("model", "fold", "id", "class"), class_names=class_names)
    title = "test predictions"
    for model, rows in table.groupby("model"):
        where = f"{title} of model {model}"
        _compare_folds(set(rows["fold"]), set(folds), where)
        for fold, fold_rows in rows.groupby("fold"):
            _compare_ids(set(fold_rows["id"]), set(ids), f"{where}, fold {fold}", "the sample submission")
    return _merge(table, list(ids), class_names, title)


def _read_predictions(paths: Sequence[str | Path], *, key: Sequence[str], class_names: Sequence[str]) -> pd.DataFrame:
    if not paths:
        raise FoldlineError("no predictions to blend; add a model to models in the config")
    table = read_tables(paths, PREDICTIONS, key=key)
    foreign = sorted(set(table["class"]) - set(class_names))
    if foreign:
        raise FoldlineError(
            f"predictions: class {listing(foreign)} is not one of the classes {listing(list(class_names))}; {RUN_AGAIN}"
        )
    invalid = table[~table["probability"].between(0, 1)]
    if len(invalid):
        first = invalid.iloc[0]
        raise FoldlineError(
            f"predictions of model {first['model']}, fold {first['fold']}: probability {first['probability']} of id "
            f"{first['id']} is not in [0, 1]; {len(invalid)} probabilities in total, of id "
            f"{listing(list(invalid['id'].unique()))}; remove the predictions of that fold and {RUN_AGAIN}"
        )
    return table


def _compare_folds(actual: set[int], expected: set[int], where: str) -> None:
    missing = [str(fold) for fold in sorted(expected - actual)]
    if missing:
        raise FoldlineError(f"{where}: fold {listing(missing)} is missing; {RUN_AGAIN}")
    foreign = [str(fold) for fold in sorted(actual - expected)]
    if foreign:
        raise FoldlineError(f"{where}: fold {listing(foreign)} is not in the fold table; {RUN_AGAIN}")


def _compare_ids(actual: Collection[str], expected: Collection[str], where: str, source: str) -> None:
    foreign = sorted(name for name in actual if name not in expected)
    if foreign:
        raise FoldlineError(f"{where}: id {listing(foreign)} is not in {source}; {RUN_AGAIN}")
    missing = sorted(name for name in expected if name not in actual)
    if missing:
        raise FoldlineError(f"{where}: {len(missing)} ids of {source} are missing: {listing(missing)}; {RUN_AGAIN}")


def _merge(table: pd.DataFrame, ids: list[str], class_names: Sequence[str], title: str) -> MergedPredictions:
    """Convert a table whose ids are checked to arrays; rows of several folds for one id are averaged."""
    models = sorted(table["model"].unique())
    views = {}
    for model in models:
        rows, where = table[table["model"] == model], f"{title} of model {model}"
        views[model] = _view_count(rows, where)
        _check_classes(rows, class_names, where)
    order = {name: number for number, name in enumerate(ids)}
    column = {name: number for number, name in enumerate(class_names)}
    table = table.assign(row=table["id"].map(order), column=table["class"].map(column))
    table = table.sort_values(["model", "row", "column", "fold"], kind="stable")
    shape = (len(models), len(ids), len(class_names), -1)
    values = table["probability"].to_numpy(np.float64).reshape(shape)
    return MergedPredictions(models, ids, _mean(np.moveaxis(values, 3, 0)), views)


def _view_count(rows: pd.DataFrame, where: str) -> int:
    counts = sorted(rows["views"].unique())
    if len(counts) > 1:
        raise FoldlineError(f"{where} mix view counts {listing([str(count) for count in counts])}; {RUN_AGAIN}")
    return int(counts[0])


def _check_classes(rows: pd.DataFrame, class_names: Sequence[str], where: str) -> None:
    if len(rows) == len(rows[["fold", "id"]].drop_duplicates()) * len(class_names):
        return
    classes = rows.groupby("id")["class"].nunique()
    names = sorted(classes.index[classes < len(class_names)]) or sorted(rows["id"].unique())
    raise FoldlineError(f"{where}: a class is missing for id {listing(names)}; {RUN_AGAIN}")


def scaled_ranks(values: FloatArray) -> FloatArray:
    """Compute ranks in (0, 1): (rank - 1/2) / n_samples, counted from 1, where ties have their mean rank.

    Args:
        values: (n_samples,).
    """
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray(((last - (counts - 1) / 2) - 0.5)[index] / len(values))


def blend(probabilities: FloatArray, rule: str) -> FloatArray:
    """Blend models with equal weights.

    Args:
        probabilities: (n_models, n_samples, n_classes).
        rule: "mean", or "rank_mean", the mean of `scaled_ranks` among these samples, which orders the samples but is
            no probability.

    Returns:
        (n_samples, n_classes), in [0, 1].
    """
    if rule == "rank_mean":
        probabilities = np.stack([np.stack([scaled_ranks(row) for row in model.T], axis=1) for model in probabilities])
    return _mean(probabilities)


def _mean(arrays: FloatArray) -> FloatArray:
    """Mean over the first axis, summed one array after the other, so that its bits are the same on every machine."""
    total = np.zeros(arrays.shape[1:])
    for array in arrays:
        total = total + array
    return np.asarray(total / len(arrays))


def choose_rule(probabilities: FloatArray, labels: npt.NDArray[np.int64], method: str) -> tuple[str, dict[str, float]]:
    """Choose the blend rule from out-of-fold rows.

    Args:
        probabilities: out-of-fold, (n_models, n_samples, n_classes).
        labels: 0 or 1, (n_samples, n_classes).
        method: "mean", "rank_mean", or "best": the rule with the higher pooled ROC AUC, averaged over the classes that
            have both labels; "mean" if both are equal.

    Returns:
        The rule, and the score of each rule.

    Raises:
        FoldlineError: the method is unknown.
    """
    if method not in METHODS:
        raise FoldlineError(f"blend.method is {method!r}; allowed: {listing(list(METHODS))}")
    scores = {rule: macro_auc(labels, blend(probabilities, rule)) for rule in RULES}
    best = "rank_mean" if scores["rank_mean"] > scores["mean"] else "mean"
    return (best if method == "best" else method), scores


def detect_rule(probabilities: FloatArray, blended: FloatArray) -> str:
    """Detect the rule of a blend by blending again.

    Args:
        probabilities: (n_models, n_samples, n_classes).
        blended: (n_samples, n_classes).

    Raises:
        FoldlineError: no rule gives this blend.
    """
    for rule in RULES:
        # The table stores all bits; the tolerance is for a file that another program has rewritten.
        if np.allclose(blend(probabilities, rule), blended, rtol=0, atol=1e-9):
            return rule
    raise FoldlineError(
        f"OOF table: column {BLEND} is neither the mean nor the rank_mean of the model columns; remove the file and "
        f"{RUN_AGAIN}"
    )
