"""Trained networks as one function of encoded images, which plain TensorFlow can load and call."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foldline.dataset.channels import image_features
from foldline.dataset.input_spec import IMAGE, METADATA, InputSpec
from foldline.dataset.labels import SOFTMAX
from foldline.dataset.metadata import Encoding
from foldline.errors import FoldlineError, listing
from foldline.inference.tta import view
from foldline.input_pipeline.decode import Inputs, decode_image
from foldline.input_pipeline.metadata_tensors import metadata_vector
from foldline.io.files import atomic_write, read_json
from foldline.models.backbone_registry import NO_WEIGHTS
from foldline.models.model_config import ModelConfig
from foldline.models.networks import build_network, input_spec_of
from foldline.models.weights_file import load_weights
from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf, tf_keras

# Files of a SavedModel, the last one last: without it there is none.
FILES = (
    "variables/variables.data-00000-of-00001",
    "variables/variables.index",
    "fingerprint.pb",
    "saved_model.pb",
)


@dataclass(frozen=True)
class Member:
    """The network of one fold, and what it sees of a sample."""

    network: tf_keras.Model
    input_spec: InputSpec


def member_of(
    weights: str | Path, metadata: str | Path, *, model_config: ModelConfig, class_count: int, device: Device
) -> Member:
    """Read a stored network; arguments as for `prediction.predict_shards`."""
    input_spec = input_spec_of(model_config, Encoding.from_json(read_json(metadata)["columns"]))
    network = build_network(model_config, input_spec, weights=NO_WEIGHTS, class_count=class_count, device=device)
    load_weights(network, weights)
    return Member(network, input_spec)


class Served(tf.Module):
    """Networks of the folds of some models as one function; it keeps their variables and needs no Keras."""

    def __init__(self, models: Sequence[Sequence[Member]], *, views: int, activation: str, class_names: Sequence[str]):
        """Wrap networks.

        Args:
            models: the folds of each model.
            views: views of each image, as in `prediction.predict`.
            activation: see `links.probabilities`.
            class_names: (n_classes,).

        Raises:
            FoldlineError: the models see images of different sizes, which one encoded image cannot be.
        """
        super().__init__()
        members = [member for folds in models for member in folds]
        sizes = sorted({member.input_spec.image_size for member in members} - {None})
        if len(sizes) > 1:
            raise FoldlineError(
                f"models of {listing([f'{size} px' for size in sizes])} take different images; export each by itself"
            )
        self.kept = [member.network.weights for member in members]
        features = sorted({name for member in members for name in member.input_spec.columns()})
        serve = tf.function(lambda **texts: _served(models, texts, views, activation, class_names), autograph=False)
        self.serve = serve.get_concrete_function(
            **{name: tf.TensorSpec([None], tf.string, name=name) for name in features}
        )


def save(served: Served, folder: str | Path) -> None:
    """Write `FILES` of a SavedModel into a folder, the last one last."""
    with tempfile.TemporaryDirectory() as aside:
        tf.saved_model.save(served, aside, signatures=served.serve)
        for name in FILES:
            with atomic_write(Path(folder) / name) as handle:
                handle.write((Path(aside) / name).read_bytes())


def _served(
    models: Sequence[Sequence[Member]], texts: Inputs, views: int, activation: str, class_names: Sequence[str]
) -> dict[str, tf.Tensor]:
    """Mean over models of the mean over folds of the mean over views of probabilities; and names of the classes."""
    decoded: dict[tuple[str, ...], tf.Tensor] = {}
    means = []
    for folds in models:
        parts = [
            _probabilities(member, _inputs(member.input_spec, texts, decoded), views, activation) for member in folds
        ]
        means.append(tf.add_n(parts) / len(parts))
    return {"probabilities": tf.add_n(means) / len(means), "classes": tf.constant(list(class_names))}


def _inputs(input_spec: InputSpec, texts: Inputs, decoded: dict[tuple[str, ...], tf.Tensor]) -> Inputs:
    """Inputs of a network for a batch; what `InputSpec.inputs` gives, each image decoded once for all networks."""
    inputs = {}
    if input_spec.image_size is not None:
        if input_spec.channels not in decoded:
            count = 1 if input_spec.channels else 3
            features = [texts[name] for name in image_features(input_spec.channels)]
            shape = (input_spec.image_size, input_spec.image_size, count * len(features))
            decoded[input_spec.channels] = tf.map_fn(
                lambda images: decode_image(images, input_spec.image_size, channels=count),
                features,
                fn_output_signature=tf.TensorSpec(shape, tf.uint8),
            )
        inputs[IMAGE] = decoded[input_spec.channels]
    if input_spec.encoding.width:
        columns = {column.name: texts[column.name] for column in input_spec.encoding.columns}
        inputs[METADATA] = tf.map_fn(
            lambda row: metadata_vector(row, input_spec.encoding),
            columns,
            fn_output_signature=tf.TensorSpec((input_spec.encoding.width,), tf.float32),
        )
    return inputs


def _probabilities(member: Member, inputs: Mapping[str, tf.Tensor], views: int, activation: str) -> tf.Tensor:
    # A model without images would give the same for every view.
    seen = range(views) if IMAGE in inputs else range(1)
    turned = [{**inputs, IMAGE: view(inputs[IMAGE], number)} if IMAGE in inputs else inputs for number in seen]
    turn_into = tf.nn.softmax if activation == SOFTMAX else tf.sigmoid
    return tf.add_n([turn_into(member.network(one, training=False)) for one in turned]) / len(turned)
