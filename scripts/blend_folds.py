"""Merge the predictions of all folds and models into one out-of-fold table and one submission.

Inputs: oof_predictions and test_predictions (a file per model and fold), folds (fold table of each repeat).
Outputs: oof (Parquet; a row per train id, none per external id), oof_csv (the same for people, see
    `evaluation.oof`), submission, recipe (JSON: how the models are blended and calibrated,
    and why; see `evaluation.recipe`).
Parameters: the fields of `BlendConfig`; sample_submission and sample_separator, a raw table and how to read it; the
    digest of the table is in the key of the job, so it is no input.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from foldline.dataset.label_arrays import label_array, share_array
from foldline.dataset.labels import SIGMOID
from foldline.dataset.raw_table import AUTO
from foldline.dataset.submission import (
    LABELS,
    SampleSubmission,
    SubmissionForm,
    check_sample_ids,
    check_values,
    read_sample,
    write_submission,
)
from foldline.errors import FoldlineError, counted, listing
from foldline.evaluation.blend_choice import Choice
from foldline.evaluation.blending import BlendConfig, fit_blend, judgment, predicted_classes_of
from foldline.evaluation.merging import MergedPredictions, mean_of_repeats, merge_oof, merge_test
from foldline.evaluation.oof import BLEND, MOST_MODEL_SCORES, Oof, write_oof, write_oof_csv
from foldline.evaluation.recipe import Recipe, test_members
from foldline.evaluation.rules import uses_thresholds
from foldline.evaluation.thresholds import class_thresholds, predicted_classes
from foldline.io.files import write_json
from foldline.io.result_paths import Member
from foldline.io.settings import build
from foldline.io.tables import FOLDS, read_table
from foldline.splits.fold_membership import scored_rows
from foldline.step import step

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """Tables that are read.

    Attributes:
        oof_predictions: held-out predictions of every model and fold; see `evaluation.prediction_files`.
        test_predictions: predictions of the test rows of every model and fold; none if there is no test split.
        folds: fold table of each repeat; external rows are not scored.
        sample_submission: table whose header, ids, row order and further columns the submission takes; a path or URL.
        sample_separator: see `raw_table.read_raw_table`.
    """

    oof_predictions: Sequence[str | Path]
    test_predictions: Sequence[str | Path]
    folds: Sequence[str | Path]
    sample_submission: str | Path
    sample_separator: str = AUTO


@dataclass(frozen=True)
class Outputs:
    """Files that are written.

    Attributes:
        oof: out-of-fold table, Parquet.
        oof_csv: out-of-fold table for people, CSV.
        submission: submission; not written if there is no test split.
        recipe: description of the blend, JSON.
        oof_repeats: out-of-fold table of each repeat, Parquet; none if there is one repeat.
    """

    oof: str | Path
    oof_csv: str | Path
    submission: str | Path | None
    recipe: str | Path
    oof_repeats: Sequence[str | Path] = ()


@dataclass(frozen=True)
class TestRows:
    """The test rows, their predictions and the form in which they are submitted."""

    form: SubmissionForm
    sample: SampleSubmission
    predictions: MergedPredictions


def blend_folds(inputs: Inputs, outputs: Outputs, config: BlendConfig) -> None:
    """Merge, blend and write; everything is checked before the first file is written.

    The test prediction of a model is the mean over its folds, and its out-of-fold prediction the mean over the repeats.
    Blend and calibration are fitted on out-of-fold rows alone, and each of these rows is blended by what was fitted on
    other folds of the first repeat. That keeps the labels of its group out, because groups are whole in each repeat;
    fits within each repeat would be of predictions that are averaged less than those of the test rows.

    Args:
        inputs: tables to read.
        outputs: files to write.
        config: how predictions are blended and submitted.

    Raises:
        FoldlineError: predictions, fold table and sample submission do not fit together.
    """
    table, folds_of_repeats = _read_folds(inputs.folds)
    labels = label_array(list(table["target"]), config.class_names)
    ids, fold_of_row = list(table["id"]), table["fold"].to_numpy()
    folds = np.unique(fold_of_row).tolist()
    repeats = merge_oof(inputs.oof_predictions, ids=ids, folds=folds_of_repeats, class_names=config.class_names)
    held_out = mean_of_repeats(repeats)
    members = _members(folds, len(repeats), config)
    test = _read_test(inputs, held_out, test_members(members), config)

    weights = table["row_weight"].to_numpy(np.float64) if config.weighted else None
    models = Oof(
        class_names=list(config.class_names),
        ids=ids,
        folds=fold_of_row,
        labels=labels,
        scores=held_out.by_model(),
        shares=share_array(list(table["target"]), config.class_names),
    )
    recipe, choice = fit_blend(models, list(table["group"]), weights, config)
    test_scores = (
        recipe.apply(test.predictions.by_model()) if test else np.empty((0, len(config.class_names)), np.float32)
    )
    check_values(test.sample.ids if test else [], test_scores)
    oof = _blended(models, repeats, folds_of_repeats, recipe)
    _write_oof(outputs, oof, config, predicted_classes_of(oof, recipe, weights, config))
    thresholds = None
    if test and outputs.submission:
        thresholds = _write_submission(outputs.submission, test, test_scores, oof, config, weights)
    content = {
        "method": config.method,
        "metric": f"pooled OOF ROC AUC of {listing(list(config.scored_classes))}",
        **judgment(choice, config),
        "models": held_out.models,
        "class_names": config.class_names,
        **recipe.as_json(),
        **_views(held_out, test),
        **members,
        "oof_rows": len(labels),
        "test_rows": len(test_scores),
        "submission": test.form.description(test.sample) if test else "",
        "submission_thresholds": thresholds,
    }
    write_json(outputs.recipe, content)
    _log(content, choice, test)


def _read_folds(paths: Sequence[str | Path]) -> tuple[pd.DataFrame, list[npt.NDArray[np.int64]]]:
    """The rows that are scored, by the first of the fold tables, and the fold of each row in all of them."""
    tables = [scored_rows(read_table(path, FOLDS)) for path in paths]
    for path, table in zip(paths, tables, strict=True):
        if list(table["id"]) != list(tables[0]["id"]):
            raise FoldlineError(f"{path}: has other rows than {paths[0]}; remove the file and run the workflow again")
    return tables[0], [table["fold"].to_numpy() for table in tables]


def _members(folds: Sequence[int], repeats: int, config: BlendConfig) -> dict[str, Any]:
    """Which networks of a model predict which rows, as the recipe has it; see `recipe.test_members`."""
    members: dict[str, Any] = {"folds": folds}
    if repeats > 1:
        members["repeats"] = repeats
    if config.test_models != "folds":
        members["test_models"] = config.test_models
    return members


def _views(held_out: MergedPredictions, test: TestRows | None) -> dict[str, Any]:
    """How many views of an image each model averages, and whether the folds share those of the test rows."""
    return {"views": held_out.views} | ({"test_views": "split"} if test and test.predictions.shared_views else {})


def _blended(
    models: Oof, repeats: Sequence[MergedPredictions], folds: Sequence[npt.NDArray[np.int64]], recipe: Recipe
) -> Oof:
    """Add the blend to the table of the models, and to those of several repeats with their `folds`."""

    def table(scores: Mapping[str, npt.NDArray[np.floating]], of_rows: npt.NDArray[np.int64]) -> Oof:
        blend = recipe.apply_out_of_fold(scores, models.folds)
        return replace(models, folds=of_rows, scores={**scores, BLEND: blend})

    several = zip(repeats, folds, strict=True) if len(repeats) > 1 else ()
    of_repeats = [table(repeat.by_model(), of_rows) for repeat, of_rows in several]
    return replace(table(models.scores, models.folds), repeats=of_repeats)


def _write_oof(outputs: Outputs, oof: Oof, config: BlendConfig, predicted: npt.NDArray[np.int64] | None) -> None:
    for path, table in ((outputs.oof, oof), *zip(outputs.oof_repeats, oof.repeats, strict=True)):
        write_oof(path, table)
    if not write_oof_csv(outputs.oof_csv, oof, config.activation, predicted):
        logger.info(
            "%s has the blend alone, because the models have more than %d scores; %s has all of them",
            outputs.oof_csv,
            MOST_MODEL_SCORES,
            outputs.oof,
        )


def _log(recipe: Mapping[str, Any], choice: Choice, test: TestRows | None) -> None:
    areas = ", ".join(f"{name} {score:.4f}" for name, score in choice.aucs.items() if score is not None)
    logger.info("blend of %s by %s; pooled OOF ROC AUC: %s", listing(recipe["blended"]), choice.method, areas)
    for gain in choice.gains:
        if gain.value is not None and gain.low is not None:
            logger.info("%s gains %.4f over %s (%.4f to %.4f)", gain.method, gain.value, gain.over, gain.low, gain.high)
    for name, reason in recipe.get("uncalibrated", {}).items():
        logger.warning("class %s is not calibrated: %s", name, reason)
    if test is None:
        logger.info("%s; no test split, so no submission", counted(recipe["oof_rows"], "out-of-fold row"))
        return
    submitted = counted(recipe["test_rows"], "sample")
    logger.info("%s, %s in the submission", counted(recipe["oof_rows"], "out-of-fold row"), submitted)
    logger.info("%s", recipe["submission"])
    if test.sample.suspects:
        logger.warning(
            "column %s of the sample submission has one value in all rows and is copied; if it is a class, add it to "
            "dataset.labels.classes",
            listing(test.sample.suspects),
        )


def _read_test(
    inputs: Inputs, held_out: MergedPredictions, members: Sequence[Member], config: BlendConfig
) -> TestRows | None:
    """The test rows; None if there is no test split."""
    form = config.submission_form
    if form is None:
        return None
    path, separator = inputs.sample_submission, inputs.sample_separator
    sample = read_sample(
        path,
        id_column=form.id_column,
        columns=form.columns,
        separator=separator,
        row_per_class=form.row_per_class,
    )
    check_sample_ids(sample)
    test = merge_test(inputs.test_predictions, ids=sample.ids, members=members, class_names=config.class_names)
    _check_same_models(held_out, test)
    return TestRows(form, sample, test)


def _check_same_models(held_out: MergedPredictions, test: MergedPredictions) -> None:
    """Refuse models that have one kind of predictions only, or other views on the test rows."""
    unmatched = sorted(set(held_out.models) ^ set(test.models))
    if unmatched:
        raise FoldlineError(
            f"model {listing(unmatched)} has either out-of-fold or test predictions, not both; run the workflow again"
        )
    for model, views in held_out.views.items():
        if test.views[model] != views:
            raise FoldlineError(
                f"model {model}: {counted(views, 'view')} out of fold, {test.views[model]} on the test rows, "
                "so the out-of-fold score does not hold for the submission; run the workflow again"
            )


def _write_submission(
    path: str | Path,
    test: TestRows,
    scores: npt.NDArray[np.floating],
    oof: Oof,
    config: BlendConfig,
    weights: npt.NDArray[np.float64] | None,
) -> list[float] | None:
    """Write the submission.

    Args:
        path: where it is written.
        test: the test rows.
        scores: blended scores of the test rows, float32, (n_samples, n_classes).
        oof: out-of-fold table, from whose blend thresholds are computed.
        config: how predictions are submitted.
        weights: weights of the out-of-fold rows, (n_samples,); None if each counts the same.

    Returns:
        Thresholds of the predicted classes, (n_classes,); None for a submission of scores, or without thresholds.
    """
    form, sample = test.form, test.sample
    if form.has_probabilities:
        # The shortest text that gives the same float32.
        cells = [[str(value) for value in row] for row in scores[:, config.scored]]
        write_submission(path, sample=sample, columns=form.columns, cells=cells)
        return None
    # In float64, as `evaluate` computes them.
    thresholds = None
    if uses_thresholds(form.threshold, config.activation):
        thresholds = class_thresholds(oof.labels, oof.scores[BLEND].astype(np.float64), form.threshold, weights)
    predicted = _predicted_cells(scores.astype(np.float64), thresholds, form, config)
    write_submission(path, sample=sample, columns=form.columns, cells=predicted)
    return thresholds


def _predicted_cells(
    scores: npt.NDArray[np.float64], thresholds: Sequence[float] | None, form: SubmissionForm, config: BlendConfig
) -> list[list[str | int]]:
    """Cells of predicted classes, (n_samples, n_columns): their words in one cell, or 0 and 1 for each class."""
    # The only class of a binary task may be absent.
    empty = form.empty or len(config.class_names) == 1
    if thresholds is not None and config.activation == SIGMOID and not empty:
        unreached = int((scores < np.array(thresholds)).all(axis=1).sum())
        if unreached:
            logger.warning(
                "in %s of the test split no class reaches its threshold; the submission has the class with "
                "the highest score there, because dataset.labels.empty is false",
                counted(unreached, "row"),
            )
    predictions = predicted_classes(
        scores,
        thresholds,
        activation=config.activation,
        empty=empty,
        exclusive=config.class_names.index(form.exclusive) if form.exclusive else None,
    )
    if form.form != LABELS:
        return [[int(number in numbers) for number in config.scored] for numbers in predictions]
    words = form.class_words.texts(config.class_names)
    return [[form.separator.join(words[number] for number in numbers)] for numbers in predictions]


if __name__ == "__main__":
    with step(snakemake):
        settings = dict(snakemake.params.settings)
        blend_folds(
            Inputs(
                oof_predictions=snakemake.input.oof_predictions,
                test_predictions=snakemake.input.test_predictions,
                folds=snakemake.input.folds,
                sample_submission=settings.pop("sample_submission"),
                sample_separator=settings.pop("sample_separator"),
            ),
            Outputs(
                oof=snakemake.output.oof,
                oof_csv=snakemake.output.oof_csv,
                # An empty list if there is no test split.
                submission=snakemake.output.submission or None,
                recipe=snakemake.output.recipe,
                oof_repeats=snakemake.output.oof_repeats,
            ),
            build(BlendConfig, settings),
        )
