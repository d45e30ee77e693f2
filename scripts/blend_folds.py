"""Join the predictions of all folds and models into one out-of-fold table and one submission.

Inputs: oof_predictions and test_predictions (a table per model and fold), folds.
Outputs: oof (one row per train id, none per external one), submission, recipe (JSON: how the models
    were blended and why).
Parameters: method, class_names, sample_submission (raw table, so no input: its digest is in the key).
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from foldline.blending import blend, choose_rule, merge_oof, merge_test, write_oof
from foldline.errors import FoldlineError, listing
from foldline.files import write_json
from foldline.fold_rows import scored_rows
from foldline.step import step
from foldline.submission import check_submission, read_sample, write_submission
from foldline.tables import FOLDS, read_table

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

    Raises:
        FoldlineError: predictions, fold table and sample submission do not fit together.
    """
    table = scored_rows(read_table(folds, FOLDS))
    labels = table[["target"]].to_numpy()
    if labels.shape[1] != len(class_names):
        raise FoldlineError(f"{folds}: one target for the classes {listing(list(class_names))}")
    header, ids = read_sample(sample_submission, n_classes=len(class_names))
    fold_of = dict(zip(table["id"], table["fold"], strict=True))
    held_out = merge_oof(oof_predictions, fold_of=fold_of, class_names=class_names)
    tested = merge_test(test_predictions, ids=ids, folds=sorted(set(fold_of.values())), class_names=class_names)
    if held_out.models != tested.models:
        odd = sorted(set(held_out.models) ^ set(tested.models))
        raise FoldlineError(f"model {listing(odd)} has either out-of-fold or test predictions, not both")
    for model, views in held_out.views.items():
        if tested.views[model] != views:
            raise FoldlineError(
                f"model {model}: {views} views out of fold, {tested.views[model]} on the test rows; the out-of-fold "
                "score would not tell what the submission is worth"
            )
    rule, scores = choose_rule(held_out.probabilities, labels, method)
    values = blend(tested.probabilities, rule)
    check_submission(header, ids, values)
    told = ", ".join(f"{name} {score:.4f}" for name, score in scores.items())
    log.info("blend of %s by %s; pooled OOF ROC AUC: %s", listing(held_out.models), rule, told)
    write_oof(
        oof,
        folds=table,
        models=held_out.models,
        probabilities=held_out.probabilities,
        blended=blend(held_out.probabilities, rule),
    )
    write_submission(submission, header=header, ids=ids, values=values)
    write_json(
        recipe,
        {
            "method": method,
            "rule": rule,
            "metric": "pooled OOF ROC AUC",
            "scores": scores,
            "models": held_out.models,
            "views": held_out.views,
            "folds": len(set(fold_of.values())),
            "oof_rows": len(table),
            "test_rows": len(ids),
        },
    )
    log.info("%d out-of-fold rows, %d rows to submit", len(table), len(ids))


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
