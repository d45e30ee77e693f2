"""Give the model of one fold away: a SavedModel that plain TensorFlow serves, encoded images in, probabilities out.

Inputs: weights and metadata (of the fold's model).
Outputs: the files of a SavedModel in one folder: data, index, fingerprint, graph.
Parameters: model_config (`ModelConfig`), class_names, activation, views.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from foldline.inference.saved_model import Served, member_of, save
from foldline.io.settings import build
from foldline.models.model_config import ModelConfig
from foldline.runtime.devices import use_device
from foldline.step import step

logger = logging.getLogger(__name__)


def export_model(
    *,
    weights: str | Path,
    metadata: str | Path,
    graph: str | Path,
    threads: int,
    model_config: ModelConfig,
    class_names: Sequence[str],
    activation: str,
    views: int,
) -> None:
    """Write the SavedModel of one network.

    Its signature takes a batch of texts (n,) by feature: the JPEG or PNG of the image as `image`, or of each channel by
    the channel's name, square and of the model's size, and metadata columns by name. It gives `probabilities`, float32
    (n, n_classes), means over the views, and `classes`. It is made on the CPU, whatever trained the network.

    Args:
        weights: weights of the fold's model.
        metadata: how that model reads metadata.
        graph: where the graph (saved_model.pb) goes; the other files stand beside it.
        threads: CPU threads.
        model_config: settings of the network.
        class_names: names of the classes.
        activation: how logits become probabilities; see `links.probabilities`.
        views: test-time augmentation, as in the predictions.

    Raises:
        FoldlineError: the weights do not fit.
    """
    device = use_device("cpu", threads=threads)
    member = member_of(weights, metadata, model_config=model_config, class_count=len(class_names), device=device)
    save(Served([[member]], views=views, activation=activation, class_names=class_names), Path(graph).parent)
    logger.info("exported %s", Path(graph).parent)


if __name__ == "__main__":
    settings = dict(snakemake.params.settings)
    with step(snakemake):
        export_model(
            weights=snakemake.input.weights,
            metadata=snakemake.input.metadata,
            graph=snakemake.output.graph,
            threads=snakemake.threads,
            model_config=build(ModelConfig, settings.pop("model_config")),
            **settings,
        )
