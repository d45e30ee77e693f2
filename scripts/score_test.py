"""Score the test predictions against known labels of the test rows, apart from the out-of-fold scores.

Nothing is chosen by these labels: how models are blended and from which score a class is predicted were decided on
out-of-fold rows.

Inputs: test_predictions (a file per model and fold), recipe (of the blend), metrics (of the out-of-fold rows, for the
    thresholds).
Outputs: test_metrics (JSON; a value that is not defined is null, with the reason).
Parameters: the fields of `EvaluationConfig`; known_labels, see `KnownLabels`, a raw table whose digest is in the key of
    the job, so it is no input.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from foldline.dataset.known_labels import KnownLabels
from foldline.dataset.label_arrays import label_array, share_array
from foldline.errors import FoldlineError, counted, listing
from foldline.evaluation.calibration import CALIBRATION_BINS
from foldline.evaluation.cross_entropy import label_entropy
from foldline.evaluation.definitions import definitions
from foldline.evaluation.estimates import Rows
from foldline.evaluation.fold_averaging import FoldAveraging, fold_averaging
from foldline.evaluation.gains import Judge
from foldline.evaluation.merging import merge_test
from foldline.evaluation.oof import BLEND, Oof
from foldline.evaluation.prediction_files import open_prediction_file
from foldline.evaluation.recipe import Recipe, read_recipe, test_members
from foldline.evaluation.results import split_scores
from foldline.evaluation.rules import uses_thresholds
from foldline.evaluation.score_columns import DecidedThresholds
from foldline.evaluation.scores import EvaluationConfig, column_scores
from foldline.io.files import read_json, write_json
from foldline.io.result_paths import Member
from foldline.io.settings import build
from foldline.step import step

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """Files that are read.

    Attributes:
        test_predictions: prediction files of the test rows, of every model and fold.
        recipe: description of the blend, from `blend_folds`.
        metrics: out-of-fold scores, from `evaluate`.
    """

    test_predictions: Sequence[str | Path]
    recipe: str | Path
    metrics: str | Path


def score_test(
    inputs: Inputs, *, test_metrics: str | Path, known_labels: KnownLabels, config: EvaluationConfig
) -> None:
    """Score every model and the blend on the test rows; the prediction of a model is the mean over its folds.

    The groups of test rows are not known: the intervals take rows as independent of each other.

    Args:
        inputs: files to read.
        test_metrics: where the JSON file is written.
        known_labels: the labels.
        config: what is scored, and how; `metadata_columns` is empty.

    Raises:
        FoldlineError: predictions, labels and out-of-fold scores do not fit together.
    """
    codes = known_labels.read()
    write_json(test_metrics, scores_apart(inputs, codes, list(codes), config))


def scores_apart(
    inputs: Inputs, codes: Mapping[str, str], groups: Sequence[str], config: EvaluationConfig, *, split: str = "test"
) -> dict[str, Any]:
    """Score every model and the blend on rows that no fold holds out, in values that JSON can hold.

    Args:
        inputs: files to read.
        codes: label code of each row by its id.
        groups: group of each row, (n_rows,).
        config: what is scored, and how; `metadata_columns` is empty.
        split: what the rows are, in messages.

    Raises:
        FoldlineError: predictions, labels and out-of-fold scores do not fit together.
    """
    ids, content, recipe = list(codes), read_json(inputs.recipe), read_recipe(inputs.recipe)
    members = test_members(content)
    merged = merge_test(inputs.test_predictions, ids=ids, members=members, class_names=config.class_names, split=split)
    scores = merged.by_model()
    table = Oof(
        class_names=list(config.class_names),
        ids=ids,
        folds=np.zeros(len(ids), np.int64),
        labels=label_array(list(codes.values()), config.class_names),
        scores={**scores, BLEND: recipe.apply(scores)},
        shares=share_array(list(codes.values()), config.class_names),
    )
    found = column_scores(
        table,
        groups=groups,
        metadata={},
        rank_columns=[BLEND] if recipe.blends_ranks else [],
        config=config,
        decided=_decided(inputs.metrics, list(table.scores)),
    )
    area, size = found.columns[BLEND].auc.value, counted(len(ids), f"labeled {split} row")
    logger.info("%s; ROC AUC of the blend: %s", size, "none" if area is None else f"{area:.4f}")
    positives = table.labels.sum(axis=0).tolist()
    return {
        "rows": len(ids),
        "blend_rule": content["rule"],
        "confidence": config.confidence,
        "threshold": config.threshold if uses_thresholds(config.threshold, config.activation) else None,
        "weighted": False,
        "calibration_bins": CALIBRATION_BINS,
        "scored_classes": config.scored_classes,
        "definitions": definitions(config.activation, config.scored_classes, config.threshold),
        **label_entropy(table.shares, config.activation),
        "classes": [
            {"name": name, "positives": count, "negatives": len(ids) - count}
            for name, count in zip(config.class_names, positives, strict=True)
        ],
        "fold_averaging": asdict(_fold_averaging(inputs, recipe, table, members, groups, config)),
        "models": {column: split_scores(score) for column, score in found.columns.items()},
        "comparisons": [asdict(row) for row in found.comparisons],
    }


def _fold_averaging(
    inputs: Inputs,
    recipe: Recipe,
    table: Oof,
    members: Sequence[Member],
    groups: Sequence[str],
    config: EvaluationConfig,
) -> FoldAveraging:
    """What the mean over the folds adds to the blend of networks of one fold each."""
    paths: dict[Member, list[str | Path]] = {member: [] for member in members}
    for path in inputs.test_predictions:
        paths[open_prediction_file(path, config.class_names).member].append(path)
    singles = [
        recipe.apply(merge_test(own, ids=table.ids, members=[member], class_names=config.class_names).by_model())
        for member, own in paths.items()
    ]
    scored = [config.class_names.index(name) for name in config.scored_classes]
    return fold_averaging(singles, table.scores[BLEND], Judge(table.labels, Rows.of(groups), scored))


def _decided(metrics: str | Path, columns: Sequence[str]) -> dict[str, DecidedThresholds]:
    """Thresholds by score column, from the out-of-fold scores."""
    models: Mapping[str, Any] = read_json(metrics)["models"]
    missing = [column for column in columns if column not in models]
    if missing:
        raise FoldlineError(f"{metrics}: no scores of {listing(missing)}; run the workflow again")
    found = {}
    for column in columns:
        classes = models[column]["classes"]
        of_points = zip(*(row["operating_points"] for row in classes), strict=True)
        points = {points[0]["rule"]: [point["threshold"] for point in points] for points in of_points}
        of_classes = [row["threshold"] for row in classes if row["threshold"] is not None]
        found[column] = DecidedThresholds(of_classes or None, points)
    return found


if __name__ == "__main__":
    with step(snakemake):
        settings = dict(snakemake.params.settings)
        score_test(
            Inputs(
                test_predictions=snakemake.input.test_predictions,
                recipe=snakemake.input.recipe,
                metrics=snakemake.input.metrics,
            ),
            test_metrics=snakemake.output.test_metrics,
            known_labels=build(KnownLabels, settings.pop("known_labels")),
            config=build(EvaluationConfig, settings),
        )
