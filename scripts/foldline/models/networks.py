"""Build the network of a model from its settings, for training and prediction alike."""

from collections.abc import Iterator
from dataclasses import dataclass

from foldline.dataset.input_spec import IMAGE, METADATA, InputSpec
from foldline.dataset.metadata import Encoding
from foldline.errors import FoldlineError
from foldline.models.backbones import build_backbone, freeze
from foldline.models.channel_adaptation import RGB
from foldline.models.heads import build_model
from foldline.models.model_config import ModelConfig
from foldline.models.shrinking import shrunk_for_predictions
from foldline.models.stage import Stage
from foldline.runtime.devices import Device
from foldline.runtime.precision import FLOAT32, computing_in
from foldline.runtime.tensorflow import tf_keras

# Sections of a network of `heads.build_model`, in the order of its figure.
IMAGE_SECTION, METADATA_SECTION, HEAD_SECTION = range(3)


def input_spec_of(config: ModelConfig, encoding: Encoding) -> InputSpec:
    """What a model reads from a row.

    Args:
        config: settings of the model.
        encoding: encoding of the metadata; ignored if the model does not read metadata.
    """
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
    n_classes: int,
    device: Device,
    trainable: str = "all",
    precision: str = FLOAT32,
) -> tf_keras.Model:
    """Build a network in the scope of a device's strategy.

    Args:
        config: settings of the network.
        input_spec: what it reads from a row.
        weights: initial weights of the backbone; see `backbones.build_backbone`.
        n_classes: number of classes.
        device: device that it will run on.
        trainable: layers of the backbone to train; see `backbones.freeze`.
        precision: number format of the backbone, see `precision.CANDIDATES`; variables and the head are float32.

    Returns:
        Model from {"image": uint8 (batch, S, S, C), "metadata": float32 (batch, W)}, or one of these, to logits,
        float32 (batch, n_classes).

    Raises:
        FoldlineError: the backbone, its weights or `trainable` do not exist or do not fit.
    """
    with device.strategy.scope():
        backbone = None
        if input_spec.image_size is not None:
            if config.backbone is None:
                raise FoldlineError("a model that reads images has no backbone; set its backbone")
            with computing_in(precision):
                backbone = build_backbone(
                    config.backbone,
                    weights=weights,
                    image_size=config.prediction_size or input_spec.image_size,
                    channels=input_spec.channels or RGB,
                )
            freeze(backbone, trainable=trainable)
            if config.prediction_size is not None:
                backbone = shrunk_for_predictions(backbone, input_spec.image_size)
        network = build_model(
            backbone,
            metadata_width=input_spec.encoding.width,
            n_classes=n_classes,
            metadata_units=config.metadata_units,
            hidden=config.hidden,
            dropout=config.dropout,
        )
    if device.replicas > 1:
        synchronize(network)
    return network


def synchronize(network: tf_keras.Model) -> None:
    """Make trained batch normalization use mean and variance of the whole batch, not of the rows of each replica.

    A training then depends on its batch size only, not on the number of devices that share it.
    """
    for layer in flat_layers(network):
        if isinstance(layer, tf_keras.layers.BatchNormalization) and layer.trainable:
            # The fused kernel computes on one device only.
            layer.synchronized, layer.fused = True, False


def set_norm_momentum(network: tf_keras.Model, momentum: float) -> None:
    """Set the share of its running mean and variance that every batch normalization keeps in a training step."""
    for layer in flat_layers(network):
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = momentum


def backbone_layers(network: tf_keras.Model) -> Iterator[tf_keras.layers.Layer]:
    """Layers of a network that read the image, up to its features."""
    return (layer for layer in flat_layers(network) if section_of(layer) == IMAGE_SECTION)


def freeze_norms(network: tf_keras.Model) -> None:
    """Keep mean, variance, scale and offset of the batch normalization of the backbone as they are, in training too."""
    for layer in backbone_layers(network):
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.trainable = False


@dataclass
class _StageCounts:
    """A stage that is being counted: layers of one section whose outputs have one resolution."""

    section: int
    resolution: tuple[int, ...]
    shape: tuple[int, ...]
    layers: int = 0
    parameters: int = 0


def network_stages(network: tf_keras.Model) -> list[Stage]:
    """Stages of a network of `heads.build_model` from its inputs to its logits.

    Image layers belong to one stage while the resolution stays the same, other layers while the length of their output
    does. Squeeze-and-excitation branches and padding count for the stage that they are in.
    """
    stages: list[_StageCounts] = []
    for layer in sorted(flat_layers(network), key=section_of):
        shape, section = tuple(layer.output.shape[1:]), section_of(layer)
        resolution = shape[:-1] if len(shape) > 1 else shape
        auxiliary = "_se_" in layer.name or isinstance(layer, tf_keras.layers.ZeroPadding2D)
        if not auxiliary and (not stages or (stages[-1].section, stages[-1].resolution) != (section, resolution)):
            stages.append(_StageCounts(section, resolution, shape))
        stage = stages[-1]
        stage.layers += 1
        stage.parameters += layer.count_params()
        if not auxiliary:
            stage.shape = shape
    return [
        Stage(stage.shape, stage.layers, stage.parameters, metadata=stage.section == METADATA_SECTION)
        for stage in stages
    ]


def flat_layers(model: tf_keras.Model) -> Iterator[tf_keras.layers.Layer]:
    """Layers of a model in order; a nested model is replaced by its layers, without its input layer."""
    for layer in model.layers:
        if isinstance(layer, tf_keras.Model):
            yield from (inner for inner in flat_layers(layer) if not isinstance(inner, tf_keras.layers.InputLayer))
        else:
            yield layer


def section_of(layer: tf_keras.layers.Layer) -> int:
    """Section of a network of `heads.build_model` that a layer belongs to: the backbone, the metadata or the head."""
    if layer.name.startswith(METADATA):
        return METADATA_SECTION
    of_image = len(layer.output.shape) > 2 or layer.name == "pool" or "_se_" in layer.name
    return IMAGE_SECTION if of_image else HEAD_SECTION
