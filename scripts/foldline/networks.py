"""A model's network from its settings, and what it sees of a row; one home for training and prediction."""

from collections.abc import Mapping
from typing import Any

from foldline.backbones import RGB, build_backbone, freeze
from foldline.datasets import Sight
from foldline.devices import Device
from foldline.engine import tf_keras
from foldline.heads import IMAGE, METADATA, build_model
from foldline.metadata import Encoding


def sight_of(settings: Mapping[str, Any], encoding: Encoding) -> Sight:
    """What a model sees by its settings' inputs, image_size and channels; an encoding counts if it sees metadata."""
    seen = settings["inputs"]
    return Sight(
        settings["image_size"] if IMAGE in seen else None,
        encoding if METADATA in seen else Encoding(()),
        tuple(settings["channels"]),
    )


def build_network(
    settings: Mapping[str, Any], sight: Sight, *, weights: str, class_count: int, device: Device, trainable: str = "all"
) -> tf_keras.Model:
    """Build a network in the scope of a device's strategy.

    Args:
        settings: backbone, image_size, metadata_units, hidden and dropout of the model.
        sight: what it sees.
        weights: see `backbones.build_backbone`.
        class_count: number of classes.
        device: where it will compute.
        trainable: see `backbones.freeze`.

    Returns:
        See `heads.build_model`.
    """
    with device.strategy.scope():
        backbone = None
        if sight.image_size is not None:
            backbone = build_backbone(
                settings["backbone"], weights=weights, image_size=sight.image_size, channels=sight.channels or RGB
            )
            freeze(backbone, trainable=trainable)
        return build_model(
            backbone,
            metadata_width=sight.encoding.width,
            class_count=class_count,
            metadata_units=settings["metadata_units"],
            hidden=settings["hidden"],
            dropout=settings["dropout"],
        )
