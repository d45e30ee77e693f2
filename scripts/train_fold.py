"""Train one model on all folds but one, so that its scores on that fold are scores of rows it never saw.

Inputs: shards and manifests (of the training split and the external split, of the model's image size), folds,
    class_weights (of the fold).
Outputs: weights, metadata (how the network reads metadata), history (one row per epoch), provenance (what the weights
    were made from), samples (picture of augmented images), events (for TensorBoard).
Parameters: see `foldline.training.fold_training.FoldSettings`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from foldline.io.files import atomic_write, read_json, write_json
from foldline.io.result_paths import Member
from foldline.io.settings import build
from foldline.io.tables import write_table
from foldline.models.weights_file import save_weights
from foldline.runtime.devices import use_device
from foldline.step import Step, step
from foldline.training.checkpoints import Checkpoints
from foldline.training.fold_outputs import provenance, write_events
from foldline.training.fold_training import FoldSettings, FoldTraining, open_fold
from foldline.training.history import HISTORY, HISTORY_OF_FINAL
from foldline.training.losses import make_loss


@dataclass(frozen=True)
class Inputs:
    """Files to read.

    Attributes:
        shards: TFRecord files of the training split, and of the external split if there is one.
        manifests: manifest of each shard.
        folds: fold table.
        class_weights: weights of the classes, from all training rows outside of the fold.
    """

    shards: Sequence[str | Path]
    manifests: Sequence[str | Path]
    folds: str | Path
    class_weights: str | Path


@dataclass(frozen=True)
class Outputs:
    """Files to write.

    Attributes:
        weights: weights of the network.
        metadata: encoding of the metadata columns.
        history: table of the epochs, columns `history.HISTORY`.
        provenance: what the weights were made from.
        samples: picture of augmented training images; None for none.
        events: the history for TensorBoard.
    """

    weights: str | Path
    metadata: str | Path
    history: str | Path
    provenance: str | Path
    samples: str | Path | None
    events: str | Path


def train_fold(inputs: Inputs, outputs: Outputs, settings: FoldSettings, *, threads: int, job: Step) -> None:
    """Train the model of a fold, or resume its training, and write its weights, history and provenance.

    Args:
        inputs: files to read.
        outputs: files to write.
        settings: settings of the fold.
        threads: CPU threads.
        job: the running job: its key names the checkpoints, which are removed once all outputs are complete.

    Raises:
        StoppedError: a stop request came; the next run resumes.
        FoldlineError: shards, table and settings do not fit together, or the training fails.
    """
    device = use_device(settings.accelerator, threads=threads)
    data = open_fold(settings, shards=inputs.shards, manifests=inputs.manifests, folds=inputs.folds)
    settings = settings.with_batch_for(len(data.training), device)
    class_weights = read_json(inputs.class_weights)
    loss = make_loss(settings.training_config.loss, class_weights["classes"], activation=settings.activation)
    checkpoints = Checkpoints(settings.checkpoints, f"{settings.model}.{settings.member.name}", job.key)
    job.after_success(checkpoints.remove)

    training = FoldTraining(settings, data, device, loss=loss, checkpoints=checkpoints, threads=threads)
    trained = training.run()
    samples = training.augmented_samples() if outputs.samples else b""

    save_weights(trained.network, outputs.weights)
    write_json(outputs.metadata, {"columns": data.encoding.as_json()})
    if outputs.samples:
        with atomic_write(outputs.samples) as handle:
            handle.write(samples)
    columns = HISTORY_OF_FINAL if settings.member.is_final else HISTORY
    write_table(pd.DataFrame(trained.state.history), outputs.history, columns, key=("epoch",))
    write_events(outputs.events, trained.state.history)
    content = provenance(settings, data, device, trained, class_weights=class_weights, weights=outputs.weights)
    write_json(outputs.provenance, content)


if __name__ == "__main__":
    member = asdict(Member.parse(snakemake.wildcards.fold))
    settings = {**snakemake.params.settings, "model": snakemake.wildcards.model, "member": member}
    with step(snakemake, resumable=True) as running:
        train_fold(
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
                samples=snakemake.output.samples,
                events=snakemake.output.events,
            ),
            build(FoldSettings, settings),
            threads=snakemake.threads,
            job=running,
        )
