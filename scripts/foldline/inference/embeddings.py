"""Embed the images of shards with a network that is not trained."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from foldline.dataset.input_spec import IMAGE, InputSpec
from foldline.dataset.metadata import Encoding
from foldline.inference.embedding_config import EmbeddingConfig
from foldline.inference.folded_norms import fold_batch_norms
from foldline.inference.forward_pass import make_forward
from foldline.input_pipeline.batches import ordered_batches, reading
from foldline.models.backbones import build_backbone, inner_features
from foldline.models.channel_adaptation import RGB
from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.tfrecords.open_shards import Shards

# Every step has this many rows, the last one some of zeros: the bits of a vector depend on no other row.
BATCH_SIZE = 64
# Where the edge of the image has shrunk by these factors, features still tell one object from another of its kind. On
# 8,012 dermoscopy images they rank 38 % of the pairs of one lesion before the 200th other pair (see
# `leaks.embedding_neighbors`); the features of the last layer rank 20 %, both together 20 %. Averages over mirrored and
# turned images do not help.
STRIDES = (8, 16)

Vectors = npt.NDArray[np.float32]


def embed_shards(shards: Shards, config: EmbeddingConfig, *, device: Device, threads: int) -> tuple[list[str], Vectors]:
    """Embed all rows of shards.

    Args:
        shards: shards with images of `config.image_size`.
        config: the network.
        device: device to compute on.
        threads: CPU threads of the input pipeline.

    Returns:
        Ids, and their vectors, float32, (n_rows, n_features): mean and standard deviation of each feature at `STRIDES`
        over the places of the image.

    Raises:
        FoldlineError: a shard cannot be read, or the weights do not fit or cannot be had.
    """
    network = _network(config, device)
    ids: list[str] = []
    vectors = [np.empty((0, network.output_shape[-1]), np.float32)]
    forward = make_forward(network, device, batch_size=BATCH_SIZE)
    for names, images in _batches(shards, config, threads):
        full = tf.pad(images, [[0, BATCH_SIZE - len(names)], [0, 0], [0, 0], [0, 0]])
        vectors.append(forward({IMAGE: full})[: len(names)])
        ids += names
    return ids, np.concatenate(vectors)


def _batches(shards: Shards, config: EmbeddingConfig, threads: int) -> Iterator[tuple[list[str], tf.Tensor]]:
    """Ids and images, uint8, (batch, S, S, C)."""
    spec = InputSpec(config.image_size, Encoding(()), config.channels)
    batches = ordered_batches(shards, None, input_spec=spec, batch_size=BATCH_SIZE, labeled=False, threads=threads)
    with reading(shards):
        for names, inputs, _ in batches:
            yield [name.decode() for name in names.numpy()], inputs[IMAGE]


class _Moments(tf_keras.layers.Layer):
    """Mean and standard deviation over places: (batch, s, s, C) to (batch, 2 C)."""

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """The layer."""
        mean, variance = tf.nn.moments(features, axes=[1, 2])
        return tf.concat([mean, tf.sqrt(variance)], axis=-1)


def _network(config: EmbeddingConfig, device: Device) -> tf_keras.Model:
    """Network from {"image": uint8 (batch, S, S, C)} to vectors, float32 (batch, n_features)."""
    channels = config.channels or RGB
    with device.strategy.scope():
        backbone = build_backbone(
            config.backbone, weights=config.weights, image_size=config.image_size, channels=channels
        )
        inner = inner_features(backbone, STRIDES)
        pooled = tf_keras.layers.Concatenate()([_Moments()(features) for features in inner.outputs])
        network = tf_keras.Model({IMAGE: inner.input}, pooled)
    fold_batch_norms(network, device)
    return network
