"""Give the whole ensemble away: one SavedModel whose probabilities are those of the submission.

Inputs: weights and metadata (of every model and fold), recipe (of the blend).
Outputs: the files of a SavedModel in one folder: data, index, fingerprint, graph.
Parameters: model_configs (`ModelConfig` by model), class_names, activation, views.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from foldline.errors import FoldlineError
from foldline.inference.saved_model import Served, member_of, save
from foldline.io.files import read_json
from foldline.io.settings import build
from foldline.models.model_config import ModelConfig
from foldline.runtime.devices import use_device
from foldline.step import step

logger = logging.getLogger(__name__)


def export_ensemble(
    *,
    weights: Sequence[str | Path],
    metadata: Sequence[str | Path],
    recipe: str | Path,
    graph: str | Path,
    threads: int,
    model_configs: Mapping[str, ModelConfig],
    class_names: Sequence[str],
    activation: str,
    views: int,
) -> None:
    """Write the SavedModel of all networks; see `export_model` for what it takes and gives.

    Args:
        weights: files FOLDER/{model}/fold{fold}/FILE, all folds of all models.
        metadata: how each of these models reads metadata, in the same order.
        recipe: description of the blend.
        graph: where the graph (saved_model.pb) goes; the other files stand beside it.
        threads: CPU threads.
        model_configs: settings of the network, by model.
        class_names: names of the classes.
        activation: how logits become probabilities; see `links.probabilities`.
        views: test-time augmentation, as in the predictions.

    Raises:
        FoldlineError: the blend is by ranks, the models take images of different sizes, or weights do not fit.
    """
    rule = read_json(recipe)["rule"]
    if rule != "mean":
        raise FoldlineError(
            f"{recipe}: the blend is by {rule}, and a single image has no rank; set blend.method to mean, or export "
            "each model by itself"
        )
    device = use_device("cpu", threads=threads)
    members = {name: [] for name in model_configs}
    for path, reading in zip(weights, metadata, strict=True):
        name = Path(path).parent.parent.name
        members[name].append(
            member_of(path, reading, model_config=model_configs[name], class_count=len(class_names), device=device)
        )
    save(
        Served(list(members.values()), views=views, activation=activation, class_names=class_names), Path(graph).parent
    )
    logger.info("exported %d networks of %d models to %s", len(weights), len(model_configs), Path(graph).parent)


if __name__ == "__main__":
    settings = dict(snakemake.params.settings)
    with step(snakemake):
        export_ensemble(
            weights=snakemake.input.weights,
            metadata=snakemake.input.metadata,
            recipe=snakemake.input.recipe,
            graph=snakemake.output.graph,
            threads=snakemake.threads,
            model_configs={name: build(ModelConfig, config) for name, config in settings.pop("model_configs").items()},
            **settings,
        )
