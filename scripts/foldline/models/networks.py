"""A model's network from its settings, and what it sees of a row; one home for training and prediction."""

from collections.abc import Iterator
from typing import Any

from foldline.dataset.input_spec import IMAGE, METADATA, InputSpec
from foldline.dataset.metadata import Encoding
from foldline.models.backbones import build_backbone, freeze
from foldline.models.channel_adaptation import RGB
from foldline.models.heads import build_model
from foldline.models.model_config import ModelConfig
from foldline.runtime.devices import Device
from foldline.runtime.precision import FLOAT32, computing_in
from foldline.runtime.tensorflow import tf_keras

IMAGE_BRANCH, METADATA_BRANCH, HEAD_BRANCH = range(3)


def input_spec_of(config: ModelConfig, encoding: Encoding) -> InputSpec:
    """What a model sees by its inputs, image_size and channels; an encoding counts if it sees metadata."""
    return InputSpec(
        config.image_size if IMAGE in config.inputs else None,
        encoding if METADATA in config.inputs else Encoding(()),
        config.channels,
    )


def build_network(
    config: ModelConfig,
    input_spec: InputSpec,
    *,
    weights: str,
    class_count: int,
    device: Device,
    trainable: str = "all",
    precision: str = FLOAT32,
) -> tf_keras.Model:
    """Build a network in the scope of a device's strategy.

    Args:
        config: settings of the network.
        input_spec: what it sees.
        weights: see `backbones.build_backbone`.
        class_count: number of classes.
        device: where it will compute.
        trainable: see `backbones.freeze`.
        precision: what the backbone computes in, see `precision.CANDIDATES`; variables and the head are float32.

    Returns:
        See `heads.build_model`.
    """
    with device.strategy.scope():
        backbone = None
        if input_spec.image_size is not None:
            with computing_in(precision):
                backbone = build_backbone(
                    config.backbone,
                    weights=weights,
                    image_size=input_spec.image_size,
                    channels=input_spec.channels or RGB,
                )
            freeze(backbone, trainable=trainable)
        network = build_model(
            backbone,
            metadata_width=input_spec.encoding.width,
            class_count=class_count,
            metadata_units=config.metadata_units,
            hidden=config.hidden,
            dropout=config.dropout,
        )
    if device.replicas > 1:
        synchronize(network)
    return network


def synchronize(network: tf_keras.Model) -> None:
    """Let trained batch normalization take mean and variance of the whole batch, not of each replica's part of it.

    So a training depends on its batch size alone, and not on how many devices share it.
    """
    for layer in _flat(network):
        if isinstance(layer, tf_keras.layers.BatchNormalization) and layer.trainable:
            # The fused kernel sees one device only.
            layer.synchronized, layer.fused = True, False


def outline(network: tf_keras.Model) -> list[dict[str, Any]]:
    """Stages of a network from its input to its logits, for a picture of it.

    Layers of images are one stage while the image keeps its size, others while their output keeps its length; the
    small side branches of squeeze and excitation, and padding, count for the stage that they are in.

    Returns:
        For each stage `shape` of its last output, without the batch: (height, width, channels) or (units,); `layers`
        and `parameters`, how many it has; and `metadata`, whether it is one of metadata alone.
    """
    stages: list[dict[str, Any]] = []
    for layer in sorted(_flat(network), key=_branch):
        shape, branch = list(layer.output.shape[1:]), _branch(layer)
        kept = shape[:-1] if len(shape) > 1 else shape
        side = "_se_" in layer.name or isinstance(layer, tf_keras.layers.ZeroPadding2D)
        if not side and (not stages or stages[-1]["kept"] != (branch, kept)):
            stages.append({"kept": (branch, kept), "layers": 0, "parameters": 0, "metadata": branch == METADATA_BRANCH})
        last = stages[-1]
        last["layers"] += 1
        last["parameters"] += layer.count_params()
        if not side:
            last["shape"] = shape
    return [{name: value for name, value in stage.items() if name != "kept"} for stage in stages]


def _flat(model: tf_keras.Model) -> Iterator[tf_keras.layers.Layer]:
    """Layers of a model, those of a model inside of it in its place, without their own input."""
    for layer in model.layers:
        if isinstance(layer, tf_keras.Model):
            yield from (inner for inner in _flat(layer) if not isinstance(inner, tf_keras.layers.InputLayer))
        else:
            yield layer


def _branch(layer: tf_keras.layers.Layer) -> int:
    """Which part of a network of `build_model` a layer is in, by the order of the parts."""
    if layer.name.startswith(METADATA):
        return METADATA_BRANCH
    of_image = len(layer.output.shape) > 2 or layer.name == "pool" or "_se_" in layer.name
    return IMAGE_BRANCH if of_image else HEAD_BRANCH
