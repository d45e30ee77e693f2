"""Export the whole ensemble as one SavedModel, whose probabilities are those of the submission.

Inputs: weights and metadata (of every model and fold), recipe (of the blend).
Outputs: the files of a SavedModel in one folder: data, index, fingerprint, graph.
Parameters: model_configs (`ModelConfig` by model), images (`ServingImages`), class_names, activation, views, splits (by
member, see `view_numbers`).
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError, counted
from foldline.evaluation.recipe import read_recipe
from foldline.inference.prediction_config import view_numbers
from foldline.inference.saved_model import ServedNetwork, ServingModule, save
from foldline.inference.serving_images import ServingImages
from foldline.inference.trained_model import TrainedModel, load_network
from foldline.io.result_paths import model_and_member
from foldline.io.settings import build
from foldline.runtime.devices import use_device
from foldline.step import step

logger = logging.getLogger(__name__)


def export_ensemble(
    models: Sequence[TrainedModel],
    *,
    recipe: str | Path,
    graph: str | Path,
    images: ServingImages,
    views: Sequence[Sequence[int]],
    threads: int,
) -> None:
    """Write the SavedModel of all networks that count in the blend; `ServingModule` describes its signature.

    Args:
        models: all folds of all models.
        recipe: description of the blend.
        graph: file of the graph (saved_model.pb) to write; the other files are written to its folder.
        images: how encoded images become those of the shards.
        views: numbers of the views of each image that each of them averages, as in the test predictions.
        threads: CPU threads.

    Raises:
        FoldlineError: the blend is a mean of ranks, or weights do not fit.
    """
    blend = read_recipe(recipe)
    if blend.blends_ranks:
        raise FoldlineError(
            f"{recipe}: the blend rule is rank_mean, but a single image has no rank; set blend.method to auto, mean or "
            "geometric, or export each model by itself"
        )
    blend = blend.without_unused_models()
    device = use_device("cpu", threads=threads)
    networks: dict[str, list[ServedNetwork]] = {name: [] for name in blend.models}
    for model, numbers in zip(models, views, strict=True):
        if model.name in networks:
            networks[model.name].append(ServedNetwork(load_network(model, device), numbers))
    first = models[0]
    module = ServingModule(
        list(networks.values()),
        images=images,
        activation=first.activation,
        class_names=first.class_names,
        blend=blend.fit,
    )
    save(module, Path(graph).parent)
    exported = f"{counted(sum(map(len, networks.values())), 'network')} of {counted(len(networks), 'model')}"
    logger.info("exported %s to %s", exported, Path(graph).parent)


def trained_models(
    weights: Sequence[str | Path], metadata: Sequence[str | Path], settings: Mapping[str, Any]
) -> list[TrainedModel]:
    """Models and folds from the paths of their files.

    Args:
        weights: files FOLDER/{model}/{member}/FILE.
        metadata: JSON file with the encoding of the metadata of each, in the same order.
        settings: model_configs, class_names and activation, as this step gets them.
    """
    models = []
    for path, encoding in zip(weights, metadata, strict=True):
        name, member = model_and_member(path)
        of_model = {**settings, "model_config": settings["model_configs"][name]}
        models.append(TrainedModel.of_settings(name, member, path, encoding, of_model))
    return models


if __name__ == "__main__":
    settings = snakemake.params.settings
    with step(snakemake):
        models = trained_models(snakemake.input.weights, snakemake.input.metadata, settings)
        export_ensemble(
            models,
            recipe=snakemake.input.recipe,
            graph=snakemake.output.graph,
            images=build(ServingImages, settings["images"]),
            views=[view_numbers(settings["views"], settings["splits"].get(model.member.name)) for model in models],
            threads=snakemake.threads,
        )
