"""Join the predictions of all folds and models into one out-of-fold table and one submission.

Inputs: oof_predictions and test_predictions (a table per model and fold), folds.
Outputs: oof (one row per train id, none per external one), submission, recipe (JSON: how the models
    were blended and why).
Parameters: method, class_names, scored_classes (those that the blend is chosen by), activation, submission_form,
    sample_submission (raw table, so no input: its digest is in the key).
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from foldline.dataset.label_arrays import label_array
from foldline.dataset.submission import LABELS, check_values, read_sample, write_submission
from foldline.errors import FoldlineError, listing
from foldline.evaluation.blending import blend, choose_rule, merge_oof, merge_test
from foldline.evaluation.oof import BLEND, Oof, write_oof
from foldline.evaluation.thresholds import class_thresholds, predicted_classes
from foldline.io.files import write_json
from foldline.io.tables import FOLDS, read_table
from foldline.splits.fold_membership import scored_rows
from foldline.step import step

log = logging.getLogger(__name__)


def blend_folds(
    *,
    oof_predictions: Sequence[str | Path],
    test_predictions: Sequence[str | Path],
    folds: str | Path,
    sample_submission: str | Path,
    oof: str | Path,
    submission: str | Path,
    recipe: str | Path,
    method: str,
    class_names: Sequence[str],
    scored_classes: Sequence[str],
    activation: str,
    submission_form: Mapping[str, Any],
) -> None:
    """Merge, blend and write; everything is checked before the first file is written.

    The test prediction of a model is the mean over its folds. The rule of the blend is chosen on out-of-fold rows.

    Args:
        oof_predictions: held-out predictions (`tables.PREDICTIONS`) of every model and fold.
        test_predictions: predictions of the test rows of every model and fold.
        folds: fold table; its external rows are not scored.
        sample_submission: CSV whose header, ids and row order the submission takes.
        oof: where the out-of-fold table goes.
        submission: where the submission goes.
        recipe: where the blend's description goes.
        method: "mean", "rank_mean" or "best".
        class_names: (n_classes,).
        scored_classes: the classes by whose mean AUC the rule is chosen.
        activation: see `labels.Labels`.
        submission_form: id_column and columns of the submission, and form: "columns", the score of the class in each
            column, which are `scored_classes`; or "labels", one column of the classes of a sample, with separator,
            words ("names" or "numbers"), threshold, empty and exclusive; see `thresholds`.

    Raises:
        FoldlineError: predictions, fold table and sample submission do not fit together.
    """
    table = scored_rows(read_table(folds, FOLDS))
    labels = label_array(list(table["target"]), class_names)
    columns = submission_form["columns"]
    sample = read_sample(sample_submission, id_column=submission_form["id_column"], columns=columns)
    fold_of = dict(zip(table["id"], table["fold"], strict=True))
    held_out = merge_oof(oof_predictions, fold_of=fold_of, class_names=class_names)
    tested = merge_test(test_predictions, ids=sample.ids, folds=sorted(set(fold_of.values())), class_names=class_names)
    if held_out.models != tested.models:
        odd = sorted(set(held_out.models) ^ set(tested.models))
        raise FoldlineError(f"model {listing(odd)} has either out-of-fold or test predictions, not both")
    for model, views in held_out.views.items():
        if tested.views[model] != views:
            raise FoldlineError(
                f"model {model}: {views} views out of fold, {tested.views[model]} on the test rows; the out-of-fold "
                "score would not tell what the submission is worth"
            )
    places = [list(class_names).index(name) for name in scored_classes]
    rule, scores = choose_rule(held_out.probabilities[..., places], labels[:, places], method)
    values = blend(tested.probabilities, rule)
    check_values(sample.ids, values)
    blended = blend(held_out.probabilities, rule)
    held_out_table = Oof(
        list(class_names),
        list(table["id"]),
        table["fold"].to_numpy(),
        labels,
        {**dict(zip(held_out.models, held_out.probabilities, strict=True)), BLEND: blended},
    )
    told = ", ".join(f"{name} {score:.4f}" for name, score in scores.items())
    log.info("blend of %s by %s; pooled OOF ROC AUC: %s", listing(held_out.models), rule, told)
    write_oof(oof, held_out_table)
    if submission_form["form"] == LABELS:
        thresholds = class_thresholds(labels, blended, submission_form["threshold"])
        cells = _label_texts(values, thresholds, submission_form, class_names, activation)
    else:
        thresholds, cells = None, values[:, places].tolist()
    write_submission(submission, sample=sample, columns=columns, cells=cells)
    write_json(
        recipe,
        {
            "method": method,
            "rule": rule,
            "metric": f"pooled OOF ROC AUC of {listing(list(scored_classes))}",
            "scores": scores,
            "models": held_out.models,
            "views": held_out.views,
            "folds": len(set(fold_of.values())),
            "oof_rows": len(labels),
            "test_rows": len(sample.ids),
            "submission_thresholds": thresholds,
        },
    )
    log.info("%d out-of-fold rows, %d rows to submit", len(labels), len(sample.ids))


def _label_texts(
    values: np.ndarray,
    thresholds: Sequence[float],
    form: Mapping[str, Any],
    class_names: Sequence[str],
    activation: str,
) -> list[list[str]]:
    """The one cell of each sample: its classes, joined."""
    exclusive = list(class_names).index(form["exclusive"]) if form["exclusive"] else None
    called = predicted_classes(values, thresholds, activation=activation, empty=form["empty"], exclusive=exclusive)
    words = class_names if form["words"] == "names" else [str(number) for number in range(len(class_names))]
    return [[form["separator"].join(words[number] for number in numbers)] for numbers in called]


if __name__ == "__main__":
    with step(snakemake):
        blend_folds(
            oof_predictions=snakemake.input.oof_predictions,
            test_predictions=snakemake.input.test_predictions,
            folds=snakemake.input.folds,
            oof=snakemake.output.oof,
            submission=snakemake.output.submission,
            recipe=snakemake.output.recipe,
            **snakemake.params.settings,
        )
