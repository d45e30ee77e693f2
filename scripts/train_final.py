"""Train one model on the rows of all folds, for use outside of the workflow; it has no out-of-fold predictions.

There are no held-out rows that could stop the training or select an epoch. It ends after the median of the epochs that
the folds selected, with the learning rates of the folds.

Inputs: shards and manifests (of the training split and the external sets, of the model's image size), folds,
    class_weights (of all rows), provenances (of the model's folds, for their selected epochs).
Outputs: weights, metadata, history, provenance and events, as those of `train_fold`; the history has no held-out rows.
Parameters: see `foldline.training.fold_training.FoldSettings`.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from foldline.io.files import read_json
from foldline.io.result_paths import FINAL, model_and_member
from foldline.io.settings import build
from foldline.step import Step, step
from foldline.training.fold_training import FoldSettings
from train_fold import Inputs, Outputs, train_fold


def train_final(
    inputs: Inputs,
    outputs: Outputs,
    settings: FoldSettings,
    *,
    provenances: Sequence[str | Path],
    threads: int,
    job: Step,
) -> None:
    """Train the final model, or resume its training; arguments as `train_fold`.

    Args:
        inputs: files to read; the class weights are those of all rows.
        outputs: files to write; no samples.
        settings: settings of the final model.
        provenances: provenance of each fold, FOLDER/{model}/{member}/FILE.
        threads: CPU threads.
        job: the running job.

    Raises:
        StoppedError: a stop request came; the next run resumes.
        FoldlineError: shards, table and settings do not fit together, or the training fails.
    """
    epochs = {str(model_and_member(path)[1]): int(read_json(path)["selected_epoch"]) for path in provenances}
    # No held-out rows can end it or select an epoch.
    config = settings.training_config
    config = replace(config, select_epoch="last", early_stopping=replace(config.early_stopping, patience=None))
    settings = replace(settings, training_config=config, epochs_of_folds=epochs)
    train_fold(inputs, outputs, settings, threads=threads, job=job)


if __name__ == "__main__":
    settings = {**snakemake.params.settings, "model": snakemake.wildcards.model, "member": asdict(FINAL)}
    with step(snakemake, resumable=True) as running:
        train_final(
            Inputs(
                shards=snakemake.input.shards,
                manifests=snakemake.input.manifests,
                folds=snakemake.input.folds,
                class_weights=snakemake.input.class_weights,
            ),
            Outputs(
                weights=snakemake.output.weights,
                metadata=snakemake.output.metadata,
                history=snakemake.output.history,
                provenance=snakemake.output.provenance,
                samples=None,
                events=snakemake.output.events,
            ),
            build(FoldSettings, settings),
            provenances=snakemake.input.provenances,
            threads=snakemake.threads,
            job=running,
        )
