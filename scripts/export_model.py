"""Export the model of one fold as a SavedModel that plain TensorFlow serves: encoded images in, probabilities out.

Inputs: weights and metadata (of the fold's model).
Outputs: the files of a SavedModel in one folder: data, index, fingerprint, graph.
Parameters: model_config (`ModelConfig`), images (`ServingImages`), class_names, activation, views.
"""

import logging
from pathlib import Path

from foldline.inference.prediction_config import view_numbers
from foldline.inference.saved_model import ServedNetwork, ServingModule, save
from foldline.inference.serving_images import ServingImages
from foldline.inference.trained_model import TrainedModel, load_network
from foldline.io.result_paths import member_of
from foldline.io.settings import build
from foldline.runtime.devices import use_device
from foldline.step import step

logger = logging.getLogger(__name__)


def export_model(model: TrainedModel, *, graph: str | Path, images: ServingImages, views: int, threads: int) -> None:
    """Write the SavedModel of one network; `ServingModule` describes its signature.

    The export runs on the CPU, whatever device trained the network.

    Args:
        model: the model of a fold.
        graph: file of the graph (saved_model.pb) to write; the other files are written to its folder.
        images: how encoded images become those of the shards.
        views: number of views of each image to average, as in the out-of-fold predictions.
        threads: CPU threads.

    Raises:
        FoldlineError: the weights do not fit.
    """
    network = ServedNetwork(load_network(model, use_device("cpu", threads=threads)), view_numbers(views))
    module = ServingModule([[network]], images=images, activation=model.activation, class_names=model.class_names)
    save(module, Path(graph).parent)
    logger.info("exported model %s, %s, to %s", model.name, model.member.title, Path(graph).parent)


if __name__ == "__main__":
    settings = snakemake.params.settings
    with step(snakemake):
        export_model(
            TrainedModel.of_settings(
                snakemake.wildcards.model,
                member_of(snakemake.wildcards.member),
                snakemake.input.weights,
                snakemake.input.metadata,
                settings,
            ),
            graph=snakemake.output.graph,
            images=build(ServingImages, settings["images"]),
            views=settings["views"],
            threads=snakemake.threads,
        )
