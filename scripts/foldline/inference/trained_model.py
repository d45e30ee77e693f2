"""A trained network of a model: its files and settings, and its network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldline.dataset.input_spec import InputSpec
from foldline.dataset.metadata import Encoding
from foldline.inference.folded_norms import fold_batch_norms
from foldline.io.files import read_json
from foldline.io.result_paths import Member
from foldline.io.settings import build
from foldline.models.backbone_registry import NO_WEIGHTS
from foldline.models.model_config import ModelConfig
from foldline.models.networks import build_network, input_spec_of
from foldline.models.weights_file import load_weights
from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf_keras


@dataclass(frozen=True)
class TrainedModel:
    """A trained network of a model.

    Attributes:
        name: name of the model.
        member: the fold that it was not trained on.
        weights: weights file of the network.
        metadata: JSON file with the encoding of the metadata that the network reads.
        config: settings of the network.
        class_names: names of the classes, (n_classes,).
        activation: how logits become probabilities; see `activations.probabilities`.
    """

    name: str
    member: Member
    weights: str | Path
    metadata: str | Path
    config: ModelConfig
    class_names: Sequence[str]
    activation: str

    @classmethod
    def of_settings(
        cls, name: str, member: Member, weights: str | Path, metadata: str | Path, settings: Mapping[str, Any]
    ) -> "TrainedModel":
        """The model whose settings a step gets: `model_config`, `class_names` and `activation`; see the attributes."""
        config = build(ModelConfig, settings["model_config"])
        return cls(name, member, weights, metadata, config, settings["class_names"], settings["activation"])


@dataclass(frozen=True)
class LoadedNetwork:
    """A network with its weights, and what it reads from a row."""

    network: tf_keras.Model
    input_spec: InputSpec


def load_network(model: TrainedModel, device: Device) -> LoadedNetwork:
    """Build the network of a trained model, load its weights and fold its batch normalization.

    Raises:
        FoldlineError: the weights do not fit.
    """
    input_spec = input_spec_of(model.config, Encoding.from_json(read_json(model.metadata)["columns"]))
    n_classes = len(model.class_names)
    network = build_network(model.config, input_spec, weights=NO_WEIGHTS, n_classes=n_classes, device=device)
    load_weights(network, model.weights)
    fold_batch_norms(network, device)
    return LoadedNetwork(network, input_spec)
