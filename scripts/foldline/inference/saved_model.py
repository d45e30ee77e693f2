"""Export trained networks as a SavedModel that plain TensorFlow loads: encoded images in, probabilities out."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foldline.dataset.channels import image_features
from foldline.dataset.input_spec import IMAGE, METADATA, InputSpec
from foldline.dataset.labels import SOFTMAX
from foldline.evaluation.blend_choice import Fit
from foldline.inference.serving_blend import blended
from foldline.inference.serving_images import ServingImages, serving_image
from foldline.inference.trained_model import LoadedNetwork
from foldline.inference.tta import view_of_inputs
from foldline.input_pipeline.decode import Inputs
from foldline.input_pipeline.metadata_tensors import metadata_vector
from foldline.io.files import atomic_write
from foldline.runtime.tensorflow import tf

# Files of a SavedModel. The graph is written last: a folder without it is not a SavedModel.
FILES = (
    "variables/variables.data-00000-of-00001",
    "variables/variables.index",
    "fingerprint.pb",
    "saved_model.pb",
)


@dataclass(frozen=True)
class ServedNetwork:
    """A network, and the numbers of the views of each image that it averages; see `tta.VIEWS`."""

    loaded: LoadedNetwork
    views: Sequence[int]


# Images of a batch by their channels and size.
ImageCache = dict[tuple[tuple[str, ...], int], tf.Tensor]


class ServingModule(tf.Module):
    """The networks of all folds of some models as one function, without Keras.

    `serve` takes a batch of strings, (n,), by feature: the JPEG or PNG file of the image, of any size, as `image`, or
    of each channel by the name of the channel, and metadata values by the name of their column. It returns
    `probabilities`, float32 (n, n_classes), and `classes`, string (n_classes,).
    """

    def __init__(
        self,
        models: Sequence[Sequence[ServedNetwork]],
        *,
        images: ServingImages,
        activation: str,
        class_names: Sequence[str],
        blend: Fit | None = None,
    ):
        """Wrap networks.

        Args:
            models: for each model, its networks of all folds.
            images: how encoded images become those that the networks read.
            activation: how logits become probabilities; see `activations.probabilities`.
            class_names: (n_classes,).
            blend: how models are blended and calibrated; None for a single model.
        """
        super().__init__()
        networks = [served.loaded for folds in models for served in folds]
        # The module tracks the variables alone: to save the networks too, it would need Keras where it is loaded.
        self.network_variables = [each.network.weights for each in networks]
        features = sorted({name for each in networks for name in each.input_spec.columns()})

        def serve(**encoded: tf.Tensor) -> dict[str, tf.Tensor]:
            made: ImageCache = {}
            means = []
            for folds in models:
                inputs = [_network_inputs(each.loaded.input_spec, encoded, images, made) for each in folds]
                of_folds = [
                    _mean_over_views(each, of_fold, activation) for each, of_fold in zip(folds, inputs, strict=True)
                ]
                means.append(tf.add_n(of_folds) / len(of_folds))
            # Of each model the mean over folds of the mean over views: float32, (n, n_classes).
            found = means[0] if blend is None else blended(means, blend, activation)
            return {"probabilities": found, "classes": tf.constant(list(class_names))}

        self.serve = tf.function(serve, autograph=False).get_concrete_function(
            **{name: tf.TensorSpec([None], tf.string, name=name) for name in features}
        )


def save(module: ServingModule, folder: str | Path) -> None:
    """Write `FILES` of a SavedModel into a folder, the graph last."""
    with tempfile.TemporaryDirectory() as temporary:
        tf.saved_model.save(module, temporary, signatures=module.serve)
        for name in FILES:
            with atomic_write(Path(folder) / name) as handle:
                handle.write((Path(temporary) / name).read_bytes())


def _network_inputs(input_spec: InputSpec, encoded: Inputs, config: ServingImages, made: ImageCache) -> Inputs:
    """Inputs of a network for a batch, as `decode.network_inputs` gives them for a row.

    Args:
        input_spec: what the network reads.
        encoded: strings, (n,), by feature.
        config: how to make images.
        made: images by their channels and size; images that it lacks are added, so that each is made once.
    """
    inputs = {}
    if input_spec.image_size is not None:
        kind = (input_spec.channels, input_spec.image_size)
        if kind not in made:
            made[kind] = _images_of_batch(*kind, encoded, config)
        inputs[IMAGE] = made[kind]
    if input_spec.encoding.width:
        inputs[METADATA] = tf.map_fn(
            lambda row: metadata_vector(row, input_spec.encoding),
            {column.name: encoded[column.name] for column in input_spec.encoding.columns},
            fn_output_signature=tf.TensorSpec((input_spec.encoding.width,), tf.float32),
        )
    return inputs


def _images_of_batch(channels: tuple[str, ...], image_size: int, encoded: Inputs, config: ServingImages) -> tf.Tensor:
    """Images of a batch: uint8, (n, S, S, C)."""
    features = [encoded[name] for name in image_features(channels)]
    rows = tf.range(tf.size(features[0]))
    return tf.map_fn(
        lambda row: serving_image(row[1:], row[0], image_size=image_size, channels=channels, config=config),
        [rows, *features],
        fn_output_signature=tf.TensorSpec((image_size, image_size, len(channels) or 3), tf.uint8),
    )


def _mean_over_views(served: ServedNetwork, inputs: Inputs, activation: str) -> tf.Tensor:
    """Mean probabilities of one network over the views of each image: float32, (n, n_classes)."""
    activate = tf.nn.softmax if activation == SOFTMAX else tf.sigmoid
    # All views of a model without images are equal.
    numbers = served.views if IMAGE in inputs else (0,)
    of_views = [activate(served.loaded.network(view_of_inputs(inputs, number), training=False)) for number in numbers]
    return tf.add_n(of_views) / len(of_views)
