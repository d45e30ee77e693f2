"""Trained networks as one function of encoded images, which plain TensorFlow can load and call."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldline.backbone_names import NO_WEIGHTS
from foldline.channels import image_features
from foldline.datasets import Inputs, Sight, decode_image
from foldline.devices import Device
from foldline.engine import tf, tf_keras
from foldline.errors import FoldlineError, listing
from foldline.files import read_json, written_whole
from foldline.heads import IMAGE, METADATA
from foldline.labels import SOFTMAX
from foldline.metadata import encoding_of
from foldline.metadata_tensors import metadata_vector
from foldline.model_weights import load_weights
from foldline.networks import build_network, sight_of
from foldline.prediction import view

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
    sight: Sight


def member_of(
    weights: str | Path, metadata: str | Path, *, settings: Mapping[str, Any], class_count: int, device: Device
) -> Member:
    """Read a stored network; arguments as for `prediction.predict_shards`."""
    sight = sight_of(settings, encoding_of(read_json(metadata)["columns"]))
    network = build_network(settings, sight, weights=NO_WEIGHTS, class_count=class_count, device=device)
    load_weights(network, weights)
    return Member(network, sight)


class Served(tf.Module):
    """Networks of the folds of some models as one function; it keeps their variables and needs no Keras."""

    def __init__(self, models: Sequence[Sequence[Member]], *, views: int, link: str, class_names: Sequence[str]):
        """Wrap networks.

        Args:
            models: the folds of each model.
            views: views of each image, as in `prediction.predict`.
            link: see `links.probabilities`.
            class_names: (n_classes,).

        Raises:
            FoldlineError: the models see images of different sizes, which one encoded image cannot be.
        """
        super().__init__()
        members = [member for folds in models for member in folds]
        sizes = sorted({member.sight.image_size for member in members} - {None})
        if len(sizes) > 1:
            raise FoldlineError(
                f"models of {listing([f'{size} px' for size in sizes])} take different images; export each by itself"
            )
        self.kept = [member.network.weights for member in members]
        features = sorted({name for member in members for name in member.sight.columns()})
        serve = tf.function(lambda **texts: _served(models, texts, views, link, class_names), autograph=False)
        self.serve = serve.get_concrete_function(
            **{name: tf.TensorSpec([None], tf.string, name=name) for name in features}
        )


def save(served: Served, folder: str | Path) -> None:
    """Write `FILES` of a SavedModel into a folder, the last one last."""
    with tempfile.TemporaryDirectory() as aside:
        tf.saved_model.save(served, aside, signatures=served.serve)
        for name in FILES:
            with written_whole(Path(folder) / name) as handle:
                handle.write((Path(aside) / name).read_bytes())


def _served(
    models: Sequence[Sequence[Member]], texts: Inputs, views: int, link: str, class_names: Sequence[str]
) -> dict[str, tf.Tensor]:
    """Mean over models of the mean over folds of the mean over views of probabilities; and names of the classes."""
    decoded: dict[tuple[str, ...], tf.Tensor] = {}
    means = []
    for folds in models:
        parts = [_probabilities(member, _inputs(member.sight, texts, decoded), views, link) for member in folds]
        means.append(tf.add_n(parts) / len(parts))
    return {"probabilities": tf.add_n(means) / len(means), "classes": tf.constant(list(class_names))}


def _inputs(sight: Sight, texts: Inputs, decoded: dict[tuple[str, ...], tf.Tensor]) -> Inputs:
    """Inputs of a network for a batch; what `Sight.inputs` gives, each image decoded once for all networks."""
    inputs = {}
    if sight.image_size is not None:
        if sight.channels not in decoded:
            count = 1 if sight.channels else 3
            features = [texts[name] for name in image_features(sight.channels)]
            shape = (sight.image_size, sight.image_size, count * len(features))
            decoded[sight.channels] = tf.map_fn(
                lambda images: decode_image(images, sight.image_size, channels=count),
                features,
                fn_output_signature=tf.TensorSpec(shape, tf.uint8),
            )
        inputs[IMAGE] = decoded[sight.channels]
    if sight.encoding.width:
        columns = {column.name: texts[column.name] for column in sight.encoding.columns}
        inputs[METADATA] = tf.map_fn(
            lambda row: metadata_vector(row, sight.encoding),
            columns,
            fn_output_signature=tf.TensorSpec((sight.encoding.width,), tf.float32),
        )
    return inputs


def _probabilities(member: Member, inputs: Mapping[str, tf.Tensor], views: int, link: str) -> tf.Tensor:
    # A model without images would give the same for every view.
    seen = range(views) if IMAGE in inputs else range(1)
    turned = [{**inputs, IMAGE: view(inputs[IMAGE], number)} if IMAGE in inputs else inputs for number in seen]
    turn_into = tf.nn.softmax if link == SOFTMAX else tf.sigmoid
    return tf.add_n([turn_into(member.network(one, training=False)) for one in turned]) / len(turned)
